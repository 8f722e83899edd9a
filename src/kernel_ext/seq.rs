// SPDX-License-Identifier: GPL-2.0

//! Listing objects in a seq file.
//!
//! C header: [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h).

use core::{
    marker::PhantomData,
    ptr, //
};
use kernel::{
    bindings,
    prelude::*,
    seq_file::SeqFile,
    types::ForeignOwnable, //
};

/// Objects that a file lists, ordered by a number.
///
/// Objects may come and go while the file is read: each that is there all the time is listed once.
pub(crate) trait List: 'static {
    /// A reference to an object.
    type Item: ForeignOwnable;

    /// Finds the object with the lowest number that is at least `number`.
    fn at_or_after(number: u32) -> Option<Self::Item>;

    /// The number of an object.
    fn number(item: <Self::Item as ForeignOwnable>::Borrowed<'_>) -> u32;

    /// Writes the line of an object.
    fn show(item: <Self::Item as ForeignOwnable>::Borrowed<'_>, file: &SeqFile);
}

/// The operations of a seq file that lists what `T` says.
pub(super) struct Operations<T>(PhantomData<T>);

impl<T: List> Operations<T> {
    /// The operations.
    pub(super) const OPS: &'static bindings::seq_operations = &bindings::seq_operations {
        start: Some(Self::start),
        stop: Some(Self::stop),
        next: Some(Self::next),
        show: Some(Self::show),
    };

    /// The next object from `*pos` on, as the seq file wants it; `*pos` becomes its number.
    fn find(pos: &mut bindings::loff_t) -> *mut c_void {
        let Some(item) = u32::try_from(*pos).ok().and_then(T::at_or_after) else {
            return ptr::null_mut();
        };
        let item = item.into_foreign();
        // SAFETY: It was just made of an item, and is not taken back meanwhile.
        *pos = T::number(unsafe { T::Item::borrow(item) }).into();
        item
    }

    /// # Safety
    ///
    /// `pos` must be valid.
    unsafe extern "C" fn start(
        _file: *mut bindings::seq_file,
        pos: *mut bindings::loff_t,
    ) -> *mut c_void {
        // SAFETY: By the safety requirements; nobody else has it.
        Self::find(unsafe { &mut *pos })
    }

    /// # Safety
    ///
    /// `item` must come from [`Self::start`] or [`Self::next`], and must not be used after this;
    /// `pos` must be valid.
    unsafe extern "C" fn next(
        _file: *mut bindings::seq_file,
        item: *mut c_void,
        pos: *mut bindings::loff_t,
    ) -> *mut c_void {
        // SAFETY: By the safety requirements.
        drop(unsafe { T::Item::from_foreign(item) });
        // SAFETY: By the safety requirements; nobody else has it.
        let pos = unsafe { &mut *pos };
        *pos += 1;
        Self::find(pos)
    }

    /// # Safety
    ///
    /// `item` must be null or come from [`Self::start`] or [`Self::next`], and must not be used
    /// after this.
    unsafe extern "C" fn stop(_file: *mut bindings::seq_file, item: *mut c_void) {
        // SAFETY: By the safety requirements.
        drop(unsafe { T::Item::try_from_foreign(item) });
    }

    /// # Safety
    ///
    /// `file` must be valid and used by nobody else; `item` must come from [`Self::start`] or
    /// [`Self::next`].
    unsafe extern "C" fn show(file: *mut bindings::seq_file, item: *mut c_void) -> c_int {
        // SAFETY: By the safety requirements.
        let (item, file) = unsafe { (T::Item::borrow(item), SeqFile::from_raw(file)) };
        T::show(item, file);
        0
    }
}
