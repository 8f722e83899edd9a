// SPDX-License-Identifier: GPL-2.0

//! Shared objects that callbacks without a context argument can look up.

use core::ptr;
use kernel::{
    bindings,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Release, //
        },
        rcu,
        Arc,
        ArcBorrow, //
    },
};

/// Slot for a shared object, to be used in a `static`.
///
/// # Invariants
///
/// The pointer is null, or that of an [`Arc`] that a [`Published`] holds. The [`Arc`] is dropped no
/// earlier than a grace period after the pointer was set to null.
///
/// # Examples
///
/// ```ignore
/// use crate::kernel_ext::sync::global::Global;
/// use kernel::{
///     prelude::*,
///     sync::{atomic::{Atomic, Relaxed}, Arc},
/// };
///
/// static CALLS: Global<Atomic<u64>> = Global::new();
///
/// /// A callback of the kernel, which gets no context.
/// extern "C" fn callback() {
///     if let Some(calls) = CALLS.get() {
///         calls.fetch_add(1, Relaxed);
///     }
/// }
///
/// // Callbacks find the counter until `published` is dropped.
/// let published = CALLS.publish(Arc::new(Atomic::new(0), GFP_KERNEL)?)?;
/// ```
pub(crate) struct Global<T: 'static>(Atomic<*mut T>);

// SAFETY: Sharing the slot shares an `Arc<T>`, which `T: Send + Sync` allows.
unsafe impl<T: Send + Sync> Sync for Global<T> {}

impl<T> Global<T> {
    /// Makes an empty slot.
    pub(crate) const fn new() -> Self {
        // INVARIANT: The pointer is null.
        Self(Atomic::new(ptr::null_mut()))
    }

    /// Makes `value` available to [`Global::get`] until the result is dropped.
    ///
    /// # Errors
    ///
    /// [`EBUSY`]: another value is published.
    pub(crate) fn publish(&'static self, value: Arc<T>) -> Result<Published<T>> {
        let new = Arc::as_ptr(&value).cast_mut();
        // INVARIANT: The pointer is that of the `Arc` that is moved to the `Published`.
        self.0
            .cmpxchg(ptr::null_mut(), new, Full)
            .map_err(|_| EBUSY)?;
        Ok(Published {
            place: self,
            _value: value,
        })
    }

    /// Returns a reference to the published value, if there is one.
    pub(crate) fn get(&self) -> Option<Arc<T>> {
        let _rcu = rcu::read_lock();
        let value = self.0.load(Acquire);
        if value.is_null() {
            return None;
        }
        // SAFETY: By the type invariants `value` is that of an `Arc`, which is not dropped before
        // this RCU read-side critical section ends.
        Some(Arc::from(unsafe { ArcBorrow::from_raw(value) }))
    }
}

/// Keeps a value published until it is dropped.
pub(crate) struct Published<T: 'static> {
    place: &'static Global<T>,
    // Dropped after `drop` has waited for a grace period.
    _value: Arc<T>,
}

impl<T> Drop for Published<T> {
    fn drop(&mut self) {
        // INVARIANT: The pointer is null, and the `Arc` is dropped after the grace period below.
        self.place.0.store(ptr::null_mut(), Release);
        // SAFETY: `synchronize_rcu` may sleep: no lock is held, and this is no RCU read-side
        // critical section.
        unsafe { bindings::synchronize_rcu() };
    }
}
