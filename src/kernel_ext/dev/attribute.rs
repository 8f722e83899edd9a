// SPDX-License-Identifier: GPL-2.0

//! Sysfs attributes of devices and of device classes.
//!
//! C headers: [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h),
//! [`include/linux/device.h`](srctree/include/linux/device.h).
//!
//! Attributes are statics, because lockdep uses their addresses as lock class keys.

use core::slice;
use kernel::{
    bindings,
    container_of,
    fmt,
    page::PAGE_SIZE,
    prelude::*,
    str::Formatter,
    types::Opaque, //
};

use super::device::ClassDevice;

/// Sysfs attribute of the devices of a class.
///
/// # Examples
///
/// [`Class`](super::class::Class) has an example of a class with such attributes.
///
/// ```ignore
/// use crate::kernel_ext::dev::attribute::DeviceAttribute;
/// use kernel::{
///     fmt::Write,
///     prelude::*,
///     sync::atomic::{Atomic, Relaxed},
/// };
///
/// struct Counter(Atomic<u64>);
///
/// static ATTRIBUTES: [DeviceAttribute<Counter>; 1] = [DeviceAttribute::read_write(
///     c"value",
///     |counter, f| writeln!(f, "{}", counter.data().0.load(Relaxed)),
///     |counter, text| {
///         let text = core::str::from_utf8(text).map_err(|_| EINVAL)?;
///         counter.0.store(text.parse().map_err(|_| EINVAL)?, Relaxed);
///         Ok(())
///     },
/// )];
/// ```
#[repr(C)]
pub(crate) struct DeviceAttribute<T: 'static> {
    // Interior mutability: it contains a lock class key, which belongs to lockdep.
    raw: Opaque<bindings::device_attribute>,
    show: fn(&ClassDevice<T>, &mut Formatter<'_>) -> fmt::Result,
    store: Option<fn(&T, &[u8]) -> Result>,
    /// Whether a device has the attribute.
    is_in: fn(&T) -> bool,
}

// SAFETY: Only C code uses `raw`, and takes the locks that its changes need.
unsafe impl<T> Sync for DeviceAttribute<T> {}

impl<T: 'static> DeviceAttribute<T> {
    /// Makes an attribute `name` that all users may read. `show` writes the value and a line feed.
    pub(crate) const fn read_only(
        name: &'static CStr,
        show: fn(&ClassDevice<T>, &mut Formatter<'_>) -> fmt::Result,
    ) -> Self {
        Self::new(name, 0o444, show, None)
    }

    /// Makes it an attribute of those devices only for whose data `is_in` returns true. That must
    /// not change.
    pub(crate) const fn only_in(self, is_in: fn(&T) -> bool) -> Self {
        Self { is_in, ..self }
    }

    /// Makes an attribute `name` that all users may read and the owner of the file may write.
    /// `show` writes the value and a line feed. `store` gets the written bytes, less a final line
    /// feed.
    pub(crate) const fn read_write(
        name: &'static CStr,
        show: fn(&ClassDevice<T>, &mut Formatter<'_>) -> fmt::Result,
        store: fn(&T, &[u8]) -> Result,
    ) -> Self {
        Self::new(name, 0o644, show, Some(store))
    }

    const fn new(
        name: &'static CStr,
        mode: bindings::umode_t,
        show: fn(&ClassDevice<T>, &mut Formatter<'_>) -> fmt::Result,
        store: Option<fn(&T, &[u8]) -> Result>,
    ) -> Self {
        // Set field by field: `show` and `store` are in unions or, with `CONFIG_CFI`, in structs.
        let mut raw: bindings::device_attribute = pin_init::zeroed();
        raw.attr = attribute(name, mode);
        raw.__bindgen_anon_1.show = Some(Self::raw_show);
        if store.is_some() {
            raw.__bindgen_anon_2.store = Some(Self::raw_store);
        }
        Self {
            raw: Opaque::new(raw),
            show,
            store,
            is_in: |_| true,
        }
    }

    /// Returns the pointer for a `struct attribute_group`.
    pub(super) fn as_raw(&'static self) -> *mut bindings::attribute {
        // SAFETY: `raw` is valid. This only computes the address of a field.
        unsafe { &raw mut (*self.raw.get()).attr }
    }

    /// Returns the mode of an attribute of a device, or zero if the device does not have it.
    ///
    /// # Safety
    ///
    /// `kobj` must be that of a [`ClassDevice<T>`] that is being registered, and `attr` come from
    /// [`DeviceAttribute::<T>::as_raw`].
    pub(super) unsafe extern "C" fn raw_is_visible(
        kobj: *mut bindings::kobject,
        attr: *mut bindings::attribute,
        _index: c_int,
    ) -> bindings::umode_t {
        // SAFETY: By the safety requirements `attr` is in the `raw` of a static `Self`, and `kobj`
        // in the device of a `ClassDevice<T>` that is not released during this call.
        let (this, attached, mode) = unsafe {
            let raw = container_of!(attr, bindings::device_attribute, attr);
            let dev = container_of!(kobj, bindings::device, kobj);
            (
                &*container_of!(Opaque::cast_from(raw.cast_const()), Self, raw),
                ClassDevice::<T>::from_raw(dev),
                (*attr).mode,
            )
        };
        if (this.is_in)(attached.data()) {
            mode
        } else {
            0
        }
    }

    /// # Safety
    ///
    /// `dev` must be the device of a registered [`ClassDevice<T>`], `attr` the `raw` of a
    /// `DeviceAttribute<T>`, and `buf` an initialised page without other users.
    unsafe extern "C" fn raw_show(
        dev: *mut bindings::device,
        attr: *mut bindings::device_attribute,
        buf: *mut c_char,
    ) -> isize {
        // SAFETY: By the safety requirements `attr` is the `raw` of a static `Self`, and `dev` is
        // the device of a `ClassDevice<T>` that is not released during this call.
        let (this, attached) = unsafe {
            (
                &*container_of!(Opaque::cast_from(attr), Self, raw),
                ClassDevice::<T>::from_raw(dev),
            )
        };
        // SAFETY: By the safety requirements `buf` is an initialised page (sysfs zeroes it), and
        // has no other users.
        let page = unsafe { slice::from_raw_parts_mut(buf.cast::<u8>(), PAGE_SIZE) };
        let mut formatter = Formatter::new(page);
        match (this.show)(attached, &mut formatter) {
            Ok(()) => formatter.bytes_written() as isize,
            Err(fmt::Error) => EIO.to_errno() as isize,
        }
    }

    /// # Safety
    ///
    /// `dev` must be the device of a registered [`ClassDevice<T>`], `attr` the `raw` of a
    /// `DeviceAttribute<T>`, and `buf` must have `count` bytes.
    unsafe extern "C" fn raw_store(
        dev: *mut bindings::device,
        attr: *mut bindings::device_attribute,
        buf: *const c_char,
        count: usize,
    ) -> isize {
        // SAFETY: By the safety requirements `attr` is the `raw` of a static `Self`, `dev` is the
        // device of a `ClassDevice<T>` that is not released during this call, and `buf` has `count`
        // bytes.
        let (this, attached, text) = unsafe {
            (
                &*container_of!(Opaque::cast_from(attr), Self, raw),
                ClassDevice::<T>::from_raw(dev),
                slice::from_raw_parts(buf.cast::<u8>(), count),
            )
        };
        let result = this.store.map_or(Err(EIO), |store| {
            store(attached.data(), without_line_feed(text))
        });
        consumed(result, count)
    }
}

/// Write-only class attribute that runs a command when its owner writes to it.
///
/// # Examples
///
/// ```ignore
/// use crate::kernel_ext::dev::{attribute::ClassCommand, class::Commands};
///
/// static COMMANDS: [ClassCommand; 1] = [ClassCommand::new(c"greet", |text| {
///     if text.is_empty() {
///         return Err(EINVAL);
///     }
///     pr_info!("hello\n");
///     Ok(())
/// })];
///
/// // `/sys/class/counter/greet` exists until `commands` is dropped. `class` is an `Arc<Class<_>>`.
/// let commands = Commands::new(class, &COMMANDS)?;
/// ```
#[repr(C)]
pub(crate) struct ClassCommand {
    // Interior mutability: it contains a lock class key, which belongs to lockdep.
    raw: Opaque<bindings::class_attribute>,
    run: fn(&[u8]) -> Result,
}

// SAFETY: Only C code uses `raw`, and takes the locks that its changes need.
unsafe impl Sync for ClassCommand {}

impl ClassCommand {
    /// Makes a command with the attribute name `name`. `run` gets the written bytes without a final
    /// line feed.
    pub(crate) const fn new(name: &'static CStr, run: fn(&[u8]) -> Result) -> Self {
        Self {
            raw: Opaque::new(bindings::class_attribute {
                attr: attribute(name, 0o200),
                show: None,
                store: Some(Self::raw_store),
            }),
            run,
        }
    }

    /// Returns the pointer for `class_create_file_ns`.
    pub(super) fn as_raw(&'static self) -> *const bindings::class_attribute {
        self.raw.get()
    }

    /// # Safety
    ///
    /// `attr` must be the `raw` of a `ClassCommand`, and `buf` must have `count` bytes.
    unsafe extern "C" fn raw_store(
        _class: *const bindings::class,
        attr: *const bindings::class_attribute,
        buf: *const c_char,
        count: usize,
    ) -> isize {
        // SAFETY: By the safety requirements `attr` is the `raw` of a static `Self`, and `buf` has
        // `count` bytes.
        let (this, text) = unsafe {
            (
                &*container_of!(Opaque::cast_from(attr), Self, raw),
                slice::from_raw_parts(buf.cast::<u8>(), count),
            )
        };
        consumed((this.run)(without_line_feed(text)), count)
    }
}

/// Makes the part that attributes of all kinds have.
#[expect(
    clippy::disallowed_methods,
    reason = "the recommended replacement is not const"
)]
const fn attribute(name: &'static CStr, mode: bindings::umode_t) -> bindings::attribute {
    let mut attribute: bindings::attribute = pin_init::zeroed();
    attribute.name = name.as_ptr().cast();
    attribute.mode = mode;
    attribute
}

/// Removes the final line feed, which `echo` adds.
fn without_line_feed(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\n").unwrap_or(text)
}

/// Converts the result of a store function: all `count` bytes were used, or an error number.
fn consumed(result: Result, count: usize) -> isize {
    match result {
        Ok(()) => count as isize,
        Err(err) => err.to_errno() as isize,
    }
}
