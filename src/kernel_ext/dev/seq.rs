// SPDX-License-Identifier: GPL-2.0

//! Seq files that list objects.
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

/// Objects that a file lists, ordered by number.
///
/// Objects may be added and removed during a read. An object that exists throughout is listed once.
///
/// # Examples
///
/// ```ignore
/// use crate::kernel_ext::{dev::seq::List, sync::global::Global};
/// use kernel::{
///     prelude::*,
///     seq_file::{seq_print, SeqFile},
///     sync::{atomic::{Atomic, Relaxed}, Arc, ArcBorrow},
/// };
///
/// struct Counter {
///     number: u32,
///     value: Atomic<u64>,
/// }
///
/// /// All counters, ordered by number.
/// static COUNTERS: Global<KVec<Arc<Counter>>> = Global::new();
///
/// /// The list of all counters, one line per counter.
/// struct Counters;
///
/// impl List for Counters {
///     type Item = Arc<Counter>;
///
///     fn at_or_after(number: u64) -> Option<(u64, Arc<Counter>)> {
///         let counters = COUNTERS.get()?;
///         let is_next = |counter: &&Arc<Counter>| u64::from(counter.number) >= number;
///         let counter = counters.iter().find(is_next)?;
///         Some((counter.number.into(), counter.clone()))
///     }
///
///     fn show(counter: ArcBorrow<'_, Counter>, number: u64, file: &SeqFile) {
///         seq_print!(file, "{}: {}\n", number, counter.value.load(Relaxed));
///     }
/// }
/// ```
pub(crate) trait List: 'static {
    /// Reference to an object.
    type Item: ForeignOwnable;

    /// Returns the object with the lowest number that is at least `number`, and its number, which
    /// must be less than 2^63.
    fn at_or_after(number: u64) -> Option<(u64, Self::Item)>;

    /// Writes the line of the object with this number.
    fn show(item: <Self::Item as ForeignOwnable>::Borrowed<'_>, number: u64, file: &SeqFile);
}

/// Operations of a seq file that lists the objects of `T`.
pub(super) struct Operations<T>(PhantomData<T>);

impl<T: List> Operations<T> {
    pub(super) const OPS: &'static bindings::seq_operations = &bindings::seq_operations {
        start: Some(Self::start),
        stop: Some(Self::stop),
        next: Some(Self::next),
        show: Some(Self::show),
    };

    /// Returns the first object at or after `*pos`, made by `into_foreign`, or null if there is
    /// none. Sets `*pos` to its number.
    fn find(pos: &mut bindings::loff_t) -> *mut c_void {
        let Some((number, item)) = u64::try_from(*pos).ok().and_then(T::at_or_after) else {
            return ptr::null_mut();
        };
        // CAST: By the contract of `at_or_after` it fits.
        *pos = number as bindings::loff_t;
        item.into_foreign()
    }

    /// # Safety
    ///
    /// `pos` must be valid.
    unsafe extern "C" fn start(
        _file: *mut bindings::seq_file,
        pos: *mut bindings::loff_t,
    ) -> *mut c_void {
        // SAFETY: By the safety requirements `pos` is valid, and it has no other users.
        Self::find(unsafe { &mut *pos })
    }

    /// # Safety
    ///
    /// `item` must come from [`Self::start`] or [`Self::next`], and must not be used afterwards;
    /// `pos` must be valid.
    unsafe extern "C" fn next(
        _file: *mut bindings::seq_file,
        item: *mut c_void,
        pos: *mut bindings::loff_t,
    ) -> *mut c_void {
        // SAFETY: By the safety requirements `item` comes from `find`, and is not used again.
        drop(unsafe { T::Item::from_foreign(item) });
        // SAFETY: By the safety requirements `pos` is valid, and it has no other users.
        let pos = unsafe { &mut *pos };
        *pos += 1;
        Self::find(pos)
    }

    /// # Safety
    ///
    /// `item` must be null or come from [`Self::start`] or [`Self::next`], and must not be used
    /// afterwards.
    unsafe extern "C" fn stop(_file: *mut bindings::seq_file, item: *mut c_void) {
        // SAFETY: By the safety requirements `item` is null or comes from `find`, and is not used
        // again.
        drop(unsafe { T::Item::try_from_foreign(item) });
    }

    /// # Safety
    ///
    /// `file` must be valid and have no other users; `item` must come from [`Self::start`] or
    /// [`Self::next`].
    unsafe extern "C" fn show(file: *mut bindings::seq_file, item: *mut c_void) -> c_int {
        // The position that `find` has set.
        // SAFETY: By the safety requirements `file` is valid.
        let number = unsafe { (*file).index } as u64;
        // SAFETY: By the safety requirements `file` is valid, and `item` comes from `find`. It is
        // not taken back during the call.
        let (item, file) = unsafe { (T::Item::borrow(item), SeqFile::from_raw(file)) };
        T::show(item, number, file);
        0
    }
}
