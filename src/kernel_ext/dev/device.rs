// SPDX-License-Identifier: GPL-2.0

//! Devices of a class, each with data and a node in `/dev`.
//!
//! C header: [`include/linux/device.h`](srctree/include/linux/device.h).

use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    bindings,
    container_of,
    error::to_result,
    fmt,
    prelude::*,
    str::Formatter,
    sync::{
        atomic::{
            Atomic,
            Full, //
        },
        Arc,
        Completion, //
    },
    types::Opaque, //
};

use super::{
    attribute::DeviceAttribute,
    cache::Cache, //
};
use crate::kernel_ext::layout::GFP_NOFAIL;

/// Data shared by the devices of a class, and kept until the last one is released.
#[pin_data]
pub(super) struct Devices<T: 'static> {
    device_type: bindings::device_type,
    // `device_type` points to these, and nothing else does.
    _groups: KBox<[*const bindings::attribute_group; 2]>,
    _group: KBox<bindings::attribute_group>,
    _attributes: KVec<*mut bindings::attribute>,
    /// Number of devices that are not released yet, plus one for the class.
    alive: Atomic<i64>,
    #[pin]
    released: Completion,
    _data: core::marker::PhantomData<fn(T)>,
}

// SAFETY: The pointers are to statics and to memory owned by this object, neither of which changes.
unsafe impl<T> Send for Devices<T> {}

// SAFETY: The pointers are to statics and to memory owned by this object, neither of which changes.
unsafe impl<T> Sync for Devices<T> {}

impl<T: HasNode + Send + Sync> Devices<T> {
    /// Makes the shared data of a class `name` whose devices have `attributes`.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    ///
    /// # Safety
    ///
    /// `attributes` must come from [`DeviceAttribute::<T>::as_raw`] and end with a null pointer,
    /// and the devices must be [`ClassDevice<T>`]s.
    pub(super) unsafe fn new(
        name: &'static CStr,
        mut attributes: KVec<*mut bindings::attribute>,
    ) -> Result<Arc<Self>> {
        let mut group: bindings::attribute_group = pin_init::zeroed();
        group.__bindgen_anon_1.is_visible = Some(DeviceAttribute::<T>::raw_is_visible);
        group.__bindgen_anon_2.attrs = attributes.as_mut_ptr();
        let group = KBox::new(group, GFP_KERNEL)?;
        let mut groups = KBox::new([&raw const *group, ptr::null()], GFP_KERNEL)?;
        let device_type = bindings::device_type {
            name: name.as_char_ptr(),
            groups: groups.as_mut_ptr(),
            devnode: Some(ClassDevice::<T>::devnode),
            ..pin_init::zeroed()
        };
        Arc::pin_init(
            pin_init!(Devices {
                device_type,
                _groups: groups,
                _group: group,
                _attributes: attributes,
                alive: Atomic::new(1),
                released <- Completion::new(),
                _data: core::marker::PhantomData,
            }),
            GFP_KERNEL,
        )
    }
}

impl<T> Devices<T> {
    /// Waits for the release of all devices. It must be called once, and no device may be added
    /// afterwards.
    pub(super) fn wait_for_release(&self) {
        // Users of a device, such as readers of its sysfs files, and `CONFIG_DEBUG_KOBJECT_RELEASE`
        // can delay its release. The release function is in this module, so wait for it.
        self.put();
        self.released.wait_for_completion();
    }

    /// Drops the count of a released device, or that of the class.
    fn put(&self) {
        if self.alive.fetch_sub(1, Full) == 1 {
            self.released.complete_all();
        }
    }
}

/// Owner and permissions of a node in `/dev`.
#[derive(Clone, Copy)]
pub(crate) struct Permissions {
    /// File mode.
    pub(crate) mode: u16,
    /// Owner, as in the initial user namespace.
    pub(crate) uid: u32,
    /// Group, as in the initial user namespace.
    pub(crate) gid: u32,
}

/// Data of a device that describes its node. The description never changes.
///
/// # Examples
///
/// [`Class::add`](super::class::Class::add) adds a device with such data.
///
/// ```ignore
/// use crate::kernel_ext::dev::device::{HasNode, Permissions};
/// use kernel::{fmt, prelude::*, str::Formatter};
///
/// struct Counter {
///     number: u32,
///     owner: u32,
/// }
///
/// impl HasNode for Counter {
///     fn permissions(&self) -> Permissions {
///         Permissions { mode: 0o600, uid: self.owner, gid: 0 }
///     }
///
///     // The node is `/dev/counters/NUMBER`. devtmpfs creates the directory.
///     fn write_node_name(&self, f: &mut Formatter<'_>) -> fmt::Result {
///         write!(f, "counters/{}", self.number)
///     }
/// }
/// ```
pub(crate) trait HasNode {
    /// Returns the owner and the permissions of the node.
    fn permissions(&self) -> Permissions;

    /// Writes the path of the node below `/dev`: less than [`NODE_NAME_SIZE`] bytes, none of them
    /// zero.
    fn write_node_name(&self, f: &mut Formatter<'_>) -> fmt::Result;
}

/// Maximum size of the path of a node, including the terminating zero.
pub(crate) const NODE_NAME_SIZE: usize = 64;

/// A `struct device` with its data, allocated until the device is released.
pub(crate) struct ClassDevice<T: 'static> {
    raw: Opaque<bindings::device>,
    data: T,
    devices: Arc<Devices<T>>,
}

impl<T: 'static> ClassDevice<T> {
    /// Returns the data of the device.
    pub(crate) fn data(&self) -> &T {
        &self.data
    }

    /// # Safety
    ///
    /// `dev` must be the `raw` of a `ClassDevice<T>` that is not released during `'a`.
    pub(super) unsafe fn from_raw<'a>(dev: *const bindings::device) -> &'a Self {
        // SAFETY: By the safety requirements `dev` is the `raw` of a `Self` that is valid for `'a`.
        unsafe { &*container_of!(Opaque::cast_from(dev), Self, raw) }
    }

    /// # Safety
    ///
    /// `dev` must be the `raw` of a `ClassDevice<T>` that was made by [`Device::add`] and has no
    /// users any more.
    unsafe extern "C" fn release(dev: *mut bindings::device) {
        // SAFETY: By the safety requirements the `ClassDevice<T>` comes from `KBox::into_raw` in
        // `Device::add`, and is not used after this.
        let device =
            unsafe { KBox::from_raw(container_of!(Opaque::cast_from(dev), Self, raw).cast_mut()) };
        let devices = device.devices.clone();
        drop(device);
        devices.put();
    }
}

impl<T: HasNode + 'static> ClassDevice<T> {
    /// Returns the path of the node, and sets its mode and owner.
    ///
    /// # Safety
    ///
    /// `dev` must be the `raw` of a `ClassDevice<T>`; the other pointers must be null or valid.
    unsafe extern "C" fn devnode(
        dev: *const bindings::device,
        mode: *mut bindings::umode_t,
        uid: *mut bindings::kuid_t,
        gid: *mut bindings::kgid_t,
    ) -> *mut c_char {
        // SAFETY: By the safety requirements `dev` is the `raw` of a `Self` that is not released
        // during this call.
        let data = unsafe { Self::from_raw(dev) }.data();
        let permissions = data.permissions();
        // SAFETY: By the safety requirements the pointers are valid if they are not null.
        unsafe {
            if !mode.is_null() {
                mode.write(permissions.mode);
            }
            if !uid.is_null() {
                uid.write(bindings::kuid_t {
                    val: permissions.uid,
                });
            }
            if !gid.is_null() {
                gid.write(bindings::kgid_t {
                    val: permissions.gid,
                });
            }
        }
        let mut name = [0; NODE_NAME_SIZE];
        if let Some((_zero, place)) = name.split_last_mut() {
            // Cannot fail: the path fits by the contract of `HasNode`.
            let _ = data.write_node_name(&mut Formatter::new(place));
        }
        // Must not fail: the driver core would use the name of the device as the path instead, and
        // make or leave another node.
        //
        // SAFETY: `name` is a C string, as its last byte is zero. The caller frees the copy.
        unsafe { bindings::kstrdup(name.as_ptr().cast(), bindings::GFP_KERNEL | GFP_NOFAIL) }
    }
}

/// A registered device. Dropping it removes the device and its node, and waits for running reads
/// and writes of its attributes.
///
/// # Invariants
///
/// The pointer comes from [`Device::add`], and the device is registered.
///
/// # Examples
///
/// `Counter` is the data in the example of [`HasNode`].
///
/// ```ignore
/// use crate::kernel_ext::dev::{class::Class, device::Device, region::Region};
///
/// let class: Class<Counter> = Class::new(c"counter", &[])?;
/// let region = Region::new(c"counter", 8)?;
/// let data = Counter { number: 7, owner: 0 };
/// let device: Device<Counter> = class.add(c"counter7", region.number(7)?, data)?;
/// // Removes `/sys/class/counter/counter7` and `/dev/counters/7`.
/// drop(device);
/// ```
pub(crate) struct Device<T: 'static>(NonNull<ClassDevice<T>>);

// SAFETY: A device may be removed by any thread. Attributes access its data by shared reference
// from any thread, which `T: Send + Sync` allows.
unsafe impl<T: Send + Sync> Send for Device<T> {}

// SAFETY: No method takes a shared reference.
unsafe impl<T: Send + Sync> Sync for Device<T> {}

impl<T: HasNode + Send + Sync> Device<T> {
    /// Adds a device `name` with `data` to `class`, and a node for `number` in `/dev` as `data`
    /// describes it. Its memory is from `cache`.
    ///
    /// # Errors
    ///
    /// [`EEXIST`] if the class has a device of this name, [`ENOMEM`].
    ///
    /// # Safety
    ///
    /// `class` must be registered. `class` and `cache` must stay so until
    /// [`Devices::wait_for_release`] of `devices` has returned, which must not have been called.
    pub(super) unsafe fn add(
        class: NonNull<bindings::class>,
        devices: &Arc<Devices<T>>,
        cache: &Cache<ClassDevice<T>>,
        name: &CStr,
        number: bindings::dev_t,
        data: T,
    ) -> Result<Self> {
        let device = ClassDevice {
            raw: Opaque::zeroed(),
            data,
            devices: devices.clone(),
        };
        // SAFETY: The release function of the device drops the box. By the safety requirements the
        // cache is dropped after all releases.
        let device = unsafe { cache.allocate(device)? };
        devices.alive.fetch_add(1, Full);
        let device = KBox::into_raw(device);
        // SAFETY: `device` was just allocated and has no other users. From `device_initialize`
        // on, only its release function frees it. `device` holds a reference to `devices`, so
        // `device_type` outlives it.
        let raw = unsafe {
            let raw = (*device).raw.get();
            bindings::device_initialize(raw);
            (*raw).class = class.as_ptr();
            (*raw).type_ = &raw const devices.device_type;
            (*raw).devt = number;
            (*raw).release = Some(ClassDevice::<T>::release);
            // The device has no hardware to suspend. Opting out of power management spares each
            // device a sysfs directory of up to nine files.
            bindings::dev_pm_info::set_no_pm_raw(&raw mut (*raw).power, true);
            raw
        };
        // SAFETY: The device is initialised. The format takes one string, which is copied.
        let result = to_result(unsafe {
            bindings::dev_set_name(raw, c"%s".as_char_ptr(), name.as_char_ptr())
        })
        // SAFETY: The device is initialised and has a name.
        .and_then(|()| to_result(unsafe { bindings::device_add(raw) }));
        if let Err(err) = result {
            // SAFETY: The device was not added, so this drops the only reference.
            unsafe { bindings::put_device(raw) };
            return Err(err);
        }
        // SAFETY: A pointer from `KBox::into_raw` is not null.
        // INVARIANT: The device was just registered.
        Ok(Device(unsafe { NonNull::new_unchecked(device) }))
    }
}

impl<T> Drop for Device<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the device is registered. `device_unregister` drops the
        // reference of `device_initialize`, after which this object does not use the device.
        unsafe { bindings::device_unregister((*self.0.as_ptr()).raw.get()) };
    }
}
