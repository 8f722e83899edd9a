// SPDX-License-Identifier: GPL-2.0

//! Device classes, and the command files of a class.
//!
//! C header: [`include/linux/device/class.h`](srctree/include/linux/device/class.h).

use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    bindings,
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*,
    sync::Arc, //
};

use super::{
    attribute::{
        ClassCommand,
        DeviceAttribute, //
    },
    cache::Cache,
    device::{
        ClassDevice,
        Device,
        Devices,
        HasNode, //
    }, //
};

/// Device class, `/sys/class/NAME`, each of whose devices has data of type `T`.
///
/// # Invariants
///
/// `class` is registered.
///
/// # Examples
///
/// `Counter` and its `ATTRIBUTES` are those in the example of [`DeviceAttribute`]. The example of
/// [`StreamDevice`](super::chrdev::StreamDevice) lets the devices of a region be opened.
///
/// ```ignore
/// use crate::kernel_ext::dev::{
///     class::Class,
///     device::{HasNode, Permissions},
///     region::Region,
/// };
/// use kernel::{fmt::{self, Write}, prelude::*, str::Formatter, sync::atomic::Atomic};
///
/// impl HasNode for Counter {
///     fn permissions(&self) -> Permissions {
///         Permissions { mode: 0o600, uid: 0, gid: 0 }
///     }
///
///     fn write_node_name(&self, f: &mut Formatter<'_>) -> fmt::Result {
///         f.write_str("counter")
///     }
/// }
///
/// let class = Class::new(c"counter", &ATTRIBUTES)?;
/// let region = Region::new(c"counter", 1)?;
/// // `/sys/class/counter/counter0` and `/dev/counter` exist until `device` is dropped.
/// let device = class.add(c"counter0", region.number(0)?, Counter(Atomic::new(0)))?;
/// ```
pub(crate) struct Class<T: 'static> {
    class: NonNull<bindings::class>,
    devices: Arc<Devices<T>>,
    // Dropped after `drop` has waited for the release of all devices, whose memory is in the cache.
    cache: Cache<ClassDevice<T>>,
}

// SAFETY: A class may be used and removed by any thread.
unsafe impl<T> Send for Class<T> {}

// SAFETY: The driver core synchronizes concurrent use of a class.
unsafe impl<T> Sync for Class<T> {}

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

        // SAFETY: The attributes are static, and are those of a `ClassDevice<T>`. The list ends
        // with a null pointer.
        let devices = unsafe { Devices::new(name, list)? };
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
        // SAFETY: By the type invariants the class is registered. Dropping it waits for the release
        // of all devices before it drops the cache.
        unsafe { Device::add(self.class, &self.devices, &self.cache, name, number, data) }
    }
}

impl<T> Drop for Class<T> {
    fn drop(&mut self) {
        self.devices.wait_for_release();
        // SAFETY: By the type invariants the class is registered. It has neither devices nor
        // command files any more.
        unsafe { bindings::class_destroy(self.class.as_ptr()) };
    }
}

/// Command files of a class, removed on drop.
///
/// # Invariants
///
/// The first `created` of `commands` are files of `class`.
pub(crate) struct Commands<T: 'static> {
    class: Arc<Class<T>>,
    commands: &'static [ClassCommand],
    created: usize,
}

impl<T> Commands<T> {
    /// Creates a file in `class` for each of `commands`.
    ///
    /// # Errors
    ///
    /// [`EEXIST`] if a file of this name exists, [`ENOMEM`].
    pub(crate) fn new(class: Arc<Class<T>>, commands: &'static [ClassCommand]) -> Result<Self> {
        // INVARIANT: No file was created yet.
        let mut this = Self {
            class,
            commands,
            created: 0,
        };
        for command in commands {
            // SAFETY: By the type invariants of `Class` it is registered. The attribute is static.
            to_result(unsafe {
                bindings::class_create_file_ns(
                    this.class.class.as_ptr(),
                    command.as_raw(),
                    ptr::null(),
                )
            })?;
            // INVARIANT: The file of `command` was just created, after those before it.
            this.created += 1;
        }
        Ok(this)
    }
}

impl<T> Drop for Commands<T> {
    /// Waits for running commands.
    fn drop(&mut self) {
        for command in self.commands.iter().take(self.created) {
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
