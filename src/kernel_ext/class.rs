// SPDX-License-Identifier: GPL-2.0

//! Classes of devices, and devices with a node.
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
    cache::Cache,
    layout::GFP_NOFAIL,
};

/// A class of devices, `/sys/class/NAME`, whose devices carry a `T`.
///
/// # Invariants
///
/// `class` is registered.
pub(crate) struct Class<T: 'static> {
    class: NonNull<bindings::class>,
    devices: Arc<Devices<T>>,
    // Dropped after the class, and so after all of its devices.
    cache: Cache<Attached<T>>,
}

/// What the devices of a class have in common, for as long as one of them exists.
#[pin_data]
struct Devices<T: 'static> {
    device_type: bindings::device_type,
    // What `device_type` points to, and nothing else does.
    _groups: KBox<[*const bindings::attribute_group; 2]>,
    _group: KBox<bindings::attribute_group>,
    _attributes: KVec<*mut bindings::attribute>,
    /// The devices that are not released yet, and one while the class is in use.
    alive: Atomic<i64>,
    #[pin]
    released: Completion,
    _data: core::marker::PhantomData<fn(T)>,
}

// SAFETY: What the pointers in it point to is static or owned, and does not change.
unsafe impl<T> Send for Devices<T> {}

// SAFETY: As above.
unsafe impl<T> Sync for Devices<T> {}

// SAFETY: A class may be used and removed by any thread.
unsafe impl<T> Send for Class<T> {}

// SAFETY: Likewise.
unsafe impl<T> Sync for Class<T> {}

impl<T> Devices<T> {
    /// One of them is released, or the class is done.
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
    /// [`EEXIST`] if there is one of this name, [`ENOMEM`].
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
        // The C side owns the memory of the class: it may be released late.
        //
        // SAFETY: The name lives for ever.
        let class = from_err_ptr(unsafe { bindings::class_create(name.as_char_ptr()) })?;
        // INVARIANT: It was just registered.
        Ok(Self {
            class: NonNull::new(class).ok_or(ENOMEM)?,
            devices,
            cache,
        })
    }

    /// Adds a device `name` to the class, with a node for `number` in `/dev`, as `data` says, and
    /// returns when both can be used.
    ///
    /// # Errors
    ///
    /// [`EEXIST`] if the class has one of this name, [`ENOMEM`].
    pub(crate) fn add(&self, name: &CStr, number: bindings::dev_t, data: T) -> Result<Device<T>> {
        let attached = Attached {
            raw: Opaque::zeroed(),
            data,
            devices: self.devices.clone(),
        };
        // SAFETY: It is dropped here or when the device is released, which the class waits for when
        // it is dropped, and then only drops the cache.
        let attached = unsafe { self.cache.allocate(attached)? };
        self.devices.alive.fetch_add(1, Full);
        let attached = KBox::into_raw(attached);
        // SAFETY: It was just allocated. From `device_initialize` on it is freed by its release
        // function only.
        let raw = unsafe {
            let raw = (*attached).raw.get();
            bindings::device_initialize(raw);
            (*raw).class = self.class.as_ptr();
            (*raw).type_ = &raw const self.devices.device_type;
            (*raw).devt = number;
            (*raw).release = Some(Attached::<T>::release);
            // There is no hardware to put to sleep. Where the kernel has power management, this
            // spares each device a directory of up to nine files.
            bindings::dev_pm_info::set_no_pm_raw(&raw mut (*raw).power, true);
            raw
        };
        // SAFETY: The device is initialised; the format takes a string, which is copied.
        let result = to_result(unsafe {
            bindings::dev_set_name(raw, c"%s".as_char_ptr(), name.as_char_ptr())
        })
        // SAFETY: The device is initialised and has a name.
        .and_then(|()| to_result(unsafe { bindings::device_add(raw) }));
        if let Err(err) = result {
            // SAFETY: The only reference is this one.
            unsafe { bindings::put_device(raw) };
            return Err(err);
        }
        // SAFETY: A pointer from `into_raw` is not null.
        // INVARIANT: The device was just registered.
        Ok(Device(unsafe { NonNull::new_unchecked(attached) }))
    }
}

impl<T> Drop for Class<T> {
    fn drop(&mut self) {
        // Whoever looks at a device may hold on to it for a while; and with
        // `CONFIG_DEBUG_KOBJECT_RELEASE` the kernel does so. Their release function is in this
        // module.
        self.devices.put();
        self.devices.released.wait_for_completion();
        // SAFETY: It is registered, and has neither devices nor files any more.
        unsafe { bindings::class_destroy(self.class.as_ptr()) };
    }
}

/// Files of a class that commands can be written to, as long as this exists.
///
/// # Invariants
///
/// All `commands` are files of `class`.
pub(crate) struct Commands<T: 'static> {
    class: Arc<Class<T>>,
    commands: &'static [ClassCommand],
}

impl<T> Commands<T> {
    /// Lets `commands` be given by writing to files of `class`.
    ///
    /// # Errors
    ///
    /// [`EEXIST`] if there is a file of this name, [`ENOMEM`].
    pub(crate) fn new(class: Arc<Class<T>>, commands: &'static [ClassCommand]) -> Result<Self> {
        // INVARIANT: None is none of its files.
        let mut this = Self {
            class,
            commands: &[],
        };
        for (index, command) in commands.iter().enumerate() {
            // SAFETY: The class is registered, and the attribute is static.
            to_result(unsafe {
                bindings::class_create_file_ns(
                    this.class.class.as_ptr(),
                    command.as_raw(),
                    ptr::null(),
                )
            })?;
            // INVARIANT: It was just created, as those before it were.
            this.commands = commands.get(..=index).unwrap_or_default();
        }
        Ok(this)
    }
}

impl<T> Drop for Commands<T> {
    /// Waits for commands that are being carried out.
    fn drop(&mut self) {
        for command in self.commands {
            // SAFETY: The class is registered, and by the invariants this is one of its files.
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

/// Who may use a node in `/dev`.
#[derive(Clone, Copy)]
pub(crate) struct Permissions {
    /// Its mode.
    pub(crate) mode: u16,
    /// Its owner, by the kernel's own id.
    pub(crate) uid: u32,
    /// Its group, by the kernel's own id.
    pub(crate) gid: u32,
}

/// What a device carries: it says what the node of the device is to be, each time the same.
pub(crate) trait HasNode {
    /// Who may use it.
    fn permissions(&self) -> Permissions;

    /// Writes its name in `/dev`, of less than [`NODE_NAME_SIZE`] bytes, none of them zero.
    fn write_node_name(&self, f: &mut Formatter<'_>) -> fmt::Result;
}

/// The size of the longest name of a node, with the zero behind it.
pub(crate) const NODE_NAME_SIZE: usize = 64;

/// A device as long as the kernel knows it.
pub(crate) struct Attached<T: 'static> {
    raw: Opaque<bindings::device>,
    data: T,
    devices: Arc<Devices<T>>,
}

impl<T: 'static> Attached<T> {
    /// What it carries.
    pub(crate) fn data(&self) -> &T {
        &self.data
    }

    /// # Safety
    ///
    /// `dev` must be the `raw` of an `Attached<T>` that is not released for `'a`.
    pub(super) unsafe fn from_raw<'a>(dev: *const bindings::device) -> &'a Self {
        // SAFETY: By the safety requirements.
        unsafe { &*container_of!(Opaque::cast_from(dev), Self, raw) }
    }

    /// # Safety
    ///
    /// `dev` must be the `raw` of an `Attached<T>` that [`Class::add`] made, and that nobody uses
    /// any more.
    unsafe extern "C" fn release(dev: *mut bindings::device) {
        // SAFETY: By the safety requirements it comes from `KBox::into_raw`, and is not used again.
        let attached =
            unsafe { KBox::from_raw(container_of!(Opaque::cast_from(dev), Self, raw).cast_mut()) };
        let devices = attached.devices.clone();
        drop(attached);
        devices.put();
    }
}

impl<T: HasNode + 'static> Attached<T> {
    /// Says what the node is to be.
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
        // SAFETY: By the safety requirements.
        let data = unsafe { Self::from_raw(dev) }.data();
        let permissions = data.permissions();
        // SAFETY: By the safety requirements.
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
            // It fits.
            let _ = data.write_node_name(&mut Formatter::new(place));
        }
        // It must not fail: the kernel would then take the device for one without a name of its
        // own, and make or leave another node.
        //
        // SAFETY: It is a string, as its last byte is zero; the caller frees the copy.
        unsafe { bindings::kstrdup(name.as_ptr().cast(), bindings::GFP_KERNEL | GFP_NOFAIL) }
    }
}

/// A registered device; dropping it removes the device and its node, and waits for those who read
/// or write its attributes.
///
/// # Invariants
///
/// The pointer is one that [`Class::add`] made, and the device is registered.
pub(crate) struct Device<T: 'static>(NonNull<Attached<T>>);

// SAFETY: A device may be removed by any thread, and gives shared references to a `T` to any
// thread.
unsafe impl<T: Send + Sync> Send for Device<T> {}

// SAFETY: There is no method that takes a shared reference.
unsafe impl<T: Send + Sync> Sync for Device<T> {}

impl<T> Drop for Device<T> {
    fn drop(&mut self) {
        // SAFETY: By the invariants it is registered, and this gives up the reference of
        // `device_initialize`.
        unsafe { bindings::device_unregister((*self.0.as_ptr()).raw.get()) };
    }
}
