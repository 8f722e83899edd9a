// SPDX-License-Identifier: GPL-2.0

//! A shared object that callbacks without a context of their own can reach.

use core::ptr;
use kernel::{
    bindings,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Release, //
        },
        rcu,
        Arc,
        ArcBorrow, //
    },
};

/// A place for a shared object, for a `static`.
///
/// # Invariants
///
/// The pointer is null or that of an [`Arc`] that a [`Published`] holds. It is dropped a grace
/// period after the pointer became null at the earliest.
pub(crate) struct Global<T: 'static>(Atomic<*mut T>);

// SAFETY: It shares an `Arc<T>`, which may be shared under these conditions.
unsafe impl<T: Send + Sync> Sync for Global<T> {}

impl<T> Global<T> {
    /// Makes an empty one.
    pub(crate) const fn new() -> Self {
        // INVARIANT: The pointer is null.
        Self(Atomic::new(ptr::null_mut()))
    }

    /// Lets `value` be found until the result is dropped. Whoever calls this again before hides the
    /// first value.
    pub(crate) fn publish(&'static self, value: Arc<T>) -> Published<T> {
        // INVARIANT: The pointer is that of the `Arc` that is moved into the `Published`.
        self.0.store(Arc::as_ptr(&value).cast_mut(), Release);
        Published {
            place: self,
            _value: value,
        }
    }

    /// Finds the published value.
    pub(crate) fn get(&self) -> Option<Arc<T>> {
        let _rcu = rcu::read_lock();
        let value = self.0.load(Acquire);
        if value.is_null() {
            return None;
        }
        // SAFETY: By the invariants it is that of an `Arc`, which is not dropped before this
        // read-side critical section ends.
        Some(Arc::from(unsafe { ArcBorrow::from_raw(value) }))
    }
}

/// Keeps a value published.
pub(crate) struct Published<T: 'static> {
    place: &'static Global<T>,
    // Dropped after the grace period, as that is awaited in `drop`.
    _value: Arc<T>,
}

impl<T> Drop for Published<T> {
    fn drop(&mut self) {
        // INVARIANT: It is null, and the `Arc` is dropped after a grace period.
        self.place.0.store(ptr::null_mut(), Release);
        // SAFETY: No lock is held, and there is no read-side critical section here.
        unsafe { bindings::synchronize_rcu() };
    }
}
