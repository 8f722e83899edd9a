// SPDX-License-Identifier: GPL-2.0

//! Device classes, and devices with a node in `/dev`.
//!
//! C header: [`include/linux/device.h`](srctree/include/linux/device.h).

use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    bindings,
    container_of,
    error::{
        from_err_ptr,
        to_result, //
    },
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
    attribute::{
        ClassCommand,
        DeviceAttribute, //
    },
    cache::Cache, //
};
use crate::kernel_ext::layout::GFP_NOFAIL;

/// Device class, `/sys/class/NAME`, each of whose devices has data of type `T`.
///
/// # Invariants
///
/// `class` is registered.
pub(crate) struct Class<T: 'static> {
    class: NonNull<bindings::class>,
    devices: Arc<Devices<T>>,
    // Dropped after `drop` has waited for the release of all devices, whose memory is in the cache.
    cache: Cache<Attached<T>>,
}

/// Data shared by the devices of a class, and kept until the last one is released.
#[pin_data]
struct Devices<T: 'static> {
    device_type: bindings::device_type,
    // `device_type` points to these, and nothing else does.
    _groups: KBox<[*const bindings::attribute_group; 2]>,
    _group: KBox<bindings::attribute_group>,
    _attributes: KVec<*mut bindings::attribute>,
    /// Number of devices that are not released yet, plus one for the [`Class`].
    alive: Atomic<i64>,
    #[pin]
    released: Completion,
    _data: core::marker::PhantomData<fn(T)>,
}

// SAFETY: The pointers are to statics and to memory owned by this object, neither of which changes.
unsafe impl<T> Send for Devices<T> {}

// SAFETY: The pointers are to statics and to memory owned by this object, neither of which changes.
unsafe impl<T> Sync for Devices<T> {}

// SAFETY: A class may be used and removed by any thread.
unsafe impl<T> Send for Class<T> {}

// SAFETY: The driver core synchronizes concurrent use of a class.
unsafe impl<T> Sync for Class<T> {}

impl<T> Devices<T> {
    /// Drops the count of a released device, or that of the class.
    fn put(&self) {
        if self.alive.fetch_sub(1, Full) == 1 {
            self.released.complete_all();
        }
    }
}

impl<T: HasNode + Send + Sync> Class<T> {
    /// Registers a class whose devices have `attributes`.
    ///
    /// # Errors
    ///
    /// [`EEXIST`] if a class of this name exists, [`ENOMEM`].
    pub(crate) fn new(
        name: &'static CStr,
        attributes: &'static [DeviceAttribute<T>],
    ) -> Result<Self> {
        let mut list = KVec::with_capacity(attributes.len() + 1, GFP_KERNEL)?;
        for attribute in attributes {
            list.push(attribute.as_raw(), GFP_KERNEL)?;
        }
        list.push(ptr::null_mut(), GFP_KERNEL)?;

        let mut group: bindings::attribute_group = pin_init::zeroed();
        group.__bindgen_anon_2.attrs = list.as_mut_ptr();
        let group = KBox::new(group, GFP_KERNEL)?;
        let mut groups = KBox::new([&raw const *group, ptr::null()], GFP_KERNEL)?;
        let device_type = bindings::device_type {
            name: name.as_char_ptr(),
            groups: groups.as_mut_ptr(),
            devnode: Some(Attached::<T>::devnode),
            ..pin_init::zeroed()
        };
        let devices = Arc::pin_init(
            pin_init!(Devices {
                device_type,
                _groups: groups,
                _group: group,
                _attributes: list,
                alive: Atomic::new(1),
                released <- Completion::new(),
                _data: core::marker::PhantomData,
            }),
            GFP_KERNEL,
        )?;
        let cache = Cache::new(name)?;
        // `class_create` allocates the `struct class`, which the driver core may release late.
        //
        // SAFETY: `name` is static.
        let class = from_err_ptr(unsafe { bindings::class_create(name.as_char_ptr()) })?;
        // INVARIANT: The class was just registered.
        Ok(Self {
            class: NonNull::new(class).ok_or(ENOMEM)?,
            devices,
            cache,
        })
    }

    /// Adds a device `name` with `data` to the class, and a node for `number` in `/dev` as `data`
    /// describes it. Both can be used on return.
    ///
    /// # Errors
    ///
    /// [`EEXIST`] if the class has a device of this name, [`ENOMEM`].
    pub(crate) fn add(&self, name: &CStr, number: bindings::dev_t, data: T) -> Result<Device<T>> {
        let attached = Attached {
            raw: Opaque::zeroed(),
            data,
            devices: self.devices.clone(),
        };
        // SAFETY: The release function of the device drops the box. Dropping the class waits for
        // all releases before it drops the cache.
        let attached = unsafe { self.cache.allocate(attached)? };
        self.devices.alive.fetch_add(1, Full);
        let attached = KBox::into_raw(attached);
        // SAFETY: `attached` was just allocated and has no other users. From `device_initialize`
        // on, only its release function frees it.
        let raw = unsafe {
            let raw = (*attached).raw.get();
            bindings::device_initialize(raw);
            (*raw).class = self.class.as_ptr();
            (*raw).type_ = &raw const self.devices.device_type;
            (*raw).devt = number;
            (*raw).release = Some(Attached::<T>::release);
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
        Ok(Device(unsafe { NonNull::new_unchecked(attached) }))
    }
}

impl<T> Drop for Class<T> {
    fn drop(&mut self) {
        // Users of a device, such as readers of its sysfs files, and `CONFIG_DEBUG_KOBJECT_RELEASE`
        // can delay its release. The release function is in this module, so wait for it.
        self.devices.put();
        self.devices.released.wait_for_completion();
        // SAFETY: By the type invariants the class is registered. It has neither devices nor
        // command files any more.
        unsafe { bindings::class_destroy(self.class.as_ptr()) };
    }
}

/// Command files of a class, removed on drop.
///
/// # Invariants
///
/// All `commands` are files of `class`.
pub(crate) struct Commands<T: 'static> {
    class: Arc<Class<T>>,
    commands: &'static [ClassCommand],
}

impl<T> Commands<T> {
    /// Creates a file in `class` for each of `commands`.
    ///
    /// # Errors
    ///
    /// [`EEXIST`] if a file of this name exists, [`ENOMEM`].
    pub(crate) fn new(class: Arc<Class<T>>, commands: &'static [ClassCommand]) -> Result<Self> {
        // INVARIANT: There are no `commands` yet.
        let mut this = Self {
            class,
            commands: &[],
        };
        for (index, command) in commands.iter().enumerate() {
            // SAFETY: By the type invariants of `Class` it is registered. The attribute is static.
            to_result(unsafe {
                bindings::class_create_file_ns(
                    this.class.class.as_ptr(),
                    command.as_raw(),
                    ptr::null(),
                )
            })?;
            // INVARIANT: The file of `command` was just created, after those before it.
            this.commands = commands.get(..=index).unwrap_or_default();
        }
        Ok(this)
    }
}

impl<T> Drop for Commands<T> {
    /// Waits for running commands.
    fn drop(&mut self) {
        for command in self.commands {
            // SAFETY: By the type invariants of `Class` it is registered, and by those of this type
            // `command` is one of its files.
            unsafe {
                bindings::class_remove_file_ns(
                    self.class.class.as_ptr(),
                    command.as_raw(),
                    ptr::null(),
                );
            }
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
pub(crate) struct Attached<T: 'static> {
    raw: Opaque<bindings::device>,
    data: T,
    devices: Arc<Devices<T>>,
}

impl<T: 'static> Attached<T> {
    /// Returns the data of the device.
    pub(crate) fn data(&self) -> &T {
        &self.data
    }

    /// # Safety
    ///
    /// `dev` must be the `raw` of an `Attached<T>` that is not released during `'a`.
    pub(super) unsafe fn from_raw<'a>(dev: *const bindings::device) -> &'a Self {
        // SAFETY: By the safety requirements `dev` is the `raw` of a `Self` that is valid for `'a`.
        unsafe { &*container_of!(Opaque::cast_from(dev), Self, raw) }
    }

    /// # Safety
    ///
    /// `dev` must be the `raw` of an `Attached<T>` that was made by [`Class::add`] and has no users
    /// any more.
    unsafe extern "C" fn release(dev: *mut bindings::device) {
        // SAFETY: By the safety requirements the `Attached<T>` comes from `KBox::into_raw` in
        // `Class::add`, and is not used after this.
        let attached =
            unsafe { KBox::from_raw(container_of!(Opaque::cast_from(dev), Self, raw).cast_mut()) };
        let devices = attached.devices.clone();
        drop(attached);
        devices.put();
    }
}

impl<T: HasNode + 'static> Attached<T> {
    /// Returns the path of the node, and sets its mode and owner.
    ///
    /// # Safety
    ///
    /// `dev` must be the `raw` of an `Attached<T>`; the other pointers must be null or valid.
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
/// The pointer comes from [`Class::add`], and the device is registered.
pub(crate) struct Device<T: 'static>(NonNull<Attached<T>>);

// SAFETY: A device may be removed by any thread. Attributes access its data by shared reference
// from any thread, which `T: Send + Sync` allows.
unsafe impl<T: Send + Sync> Send for Device<T> {}

// SAFETY: No method takes a shared reference.
unsafe impl<T: Send + Sync> Sync for Device<T> {}

impl<T> Drop for Device<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the device is registered. `device_unregister` drops the
        // reference of `device_initialize`, after which this object does not use the device.
        unsafe { bindings::device_unregister((*self.0.as_ptr()).raw.get()) };
    }
}
