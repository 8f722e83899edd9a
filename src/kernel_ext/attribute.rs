// SPDX-License-Identifier: GPL-2.0

//! Attributes in sysfs: files of one value, of devices and of their class.
//!
//! C headers: [`include/linux/sysfs.h`](srctree/include/linux/sysfs.h),
//! [`include/linux/device.h`](srctree/include/linux/device.h).
//!
//! They are statics, as lockdep takes their addresses for classes of locks.

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

use super::class::Attached;

/// An attribute of the devices of a class.
#[repr(C)]
pub(crate) struct DeviceAttribute<T: 'static> {
    // Interior mutability: lockdep has a place for itself in it.
    raw: Opaque<bindings::device_attribute>,
    show: fn(&Attached<T>, &mut Formatter<'_>) -> fmt::Result,
    store: Option<fn(&T, &[u8]) -> Result>,
}

// SAFETY: Nothing but the C side uses `raw`, which locks what it changes.
unsafe impl<T> Sync for DeviceAttribute<T> {}

impl<T: 'static> DeviceAttribute<T> {
    /// An attribute that everybody may read. Each device has it under `name`; `show` writes its
    /// value and the line feed behind it.
    pub(crate) const fn read_only(
        name: &'static CStr,
        show: fn(&Attached<T>, &mut Formatter<'_>) -> fmt::Result,
    ) -> Self {
        Self::new(name, 0o444, show, None)
    }

    /// An attribute that everybody may read and its owner write. `store` gets what is written,
    /// without the line feed at its end.
    pub(crate) const fn read_write(
        name: &'static CStr,
        show: fn(&Attached<T>, &mut Formatter<'_>) -> fmt::Result,
        store: fn(&T, &[u8]) -> Result,
    ) -> Self {
        Self::new(name, 0o644, show, Some(store))
    }

    const fn new(
        name: &'static CStr,
        mode: bindings::umode_t,
        show: fn(&Attached<T>, &mut Formatter<'_>) -> fmt::Result,
        store: Option<fn(&T, &[u8]) -> Result>,
    ) -> Self {
        // Field by field, as show and store are in unions, or, with `CONFIG_CFI`, in structs.
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
        }
    }

    /// What a `struct attribute_group` takes.
    pub(super) fn as_raw(&'static self) -> *mut bindings::attribute {
        // SAFETY: The pointer is valid; this makes one of it to a field.
        unsafe { &raw mut (*self.raw.get()).attr }
    }

    /// # Safety
    ///
    /// `dev` must be the device of an [`Attached<T>`] that is registered, `attr` the `raw` of a
    /// `DeviceAttribute<T>`, and `buf` a page that nobody else uses.
    unsafe extern "C" fn raw_show(
        dev: *mut bindings::device,
        attr: *mut bindings::device_attribute,
        buf: *mut c_char,
    ) -> isize {
        // SAFETY: By the safety requirements.
        let (this, attached) = unsafe {
            (
                &*container_of!(Opaque::cast_from(attr), Self, raw),
                Attached::<T>::from_raw(dev),
            )
        };
        // SAFETY: By the safety requirements; the page was zeroed.
        let page = unsafe { slice::from_raw_parts_mut(buf.cast::<u8>(), PAGE_SIZE) };
        let mut formatter = Formatter::new(page);
        match (this.show)(attached, &mut formatter) {
            Ok(()) => formatter.bytes_written() as isize,
            Err(fmt::Error) => EIO.to_errno() as isize,
        }
    }

    /// # Safety
    ///
    /// `dev` must be the device of an [`Attached<T>`] that is registered, `attr` the `raw` of a
    /// `DeviceAttribute<T>`, and `buf` must have `count` bytes.
    unsafe extern "C" fn raw_store(
        dev: *mut bindings::device,
        attr: *mut bindings::device_attribute,
        buf: *const c_char,
        count: usize,
    ) -> isize {
        // SAFETY: By the safety requirements.
        let (this, attached, text) = unsafe {
            (
                &*container_of!(Opaque::cast_from(attr), Self, raw),
                Attached::<T>::from_raw(dev),
                slice::from_raw_parts(buf.cast::<u8>(), count),
            )
        };
        let result = this.store.map_or(Err(EIO), |store| {
            store(attached.data(), without_line_feed(text))
        });
        consumed(result, count)
    }
}

/// An attribute of a class that its owner may write to, to have something done.
#[repr(C)]
pub(crate) struct ClassCommand {
    // Interior mutability: lockdep has a place for itself in it.
    raw: Opaque<bindings::class_attribute>,
    run: fn(&[u8]) -> Result,
}

// SAFETY: Nothing but the C side uses `raw`, which locks what it changes.
unsafe impl Sync for ClassCommand {}

impl ClassCommand {
    /// A command that is given by writing to `name`. `run` gets what is written, without the line
    /// feed at its end.
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

    /// What `class_create_file_ns` takes.
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
        // SAFETY: By the safety requirements.
        let (this, text) = unsafe {
            (
                &*container_of!(Opaque::cast_from(attr), Self, raw),
                slice::from_raw_parts(buf.cast::<u8>(), count),
            )
        };
        consumed((this.run)(without_line_feed(text)), count)
    }
}

/// The part that all attributes have.
#[expect(
    clippy::disallowed_methods,
    reason = "what is recommended in its place is not const"
)]
const fn attribute(name: &'static CStr, mode: bindings::umode_t) -> bindings::attribute {
    let mut attribute: bindings::attribute = pin_init::zeroed();
    attribute.name = name.as_ptr().cast();
    attribute.mode = mode;
    attribute
}

/// What was written, without the line feed that `echo` puts behind it.
fn without_line_feed(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\n").unwrap_or(text)
}

/// What a store function returns: all of it was used, or why not.
fn consumed(result: Result, count: usize) -> isize {
    match result {
        Ok(()) => count as isize,
        Err(err) => err.to_errno() as isize,
    }
}
