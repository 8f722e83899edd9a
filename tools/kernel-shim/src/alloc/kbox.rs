// SPDX-License-Identifier: GPL-2.0

//! An owning pointer to one value.

use super::{AllocError, Flags};
use core::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

/// An owning pointer to one value.
///
/// As in the kernel, and other than with `Box`, the compiler does not take it for unique: code that
/// is sound with this one need not be so with a `Box`, and it is the kernel's that is to be tested.
///
/// # Invariants
///
/// The pointer comes from `Box::into_raw`, and is owned by this object.
pub struct KBox<T>(NonNull<T>, PhantomData<T>);

// SAFETY: It owns its value as a `Box` does.
unsafe impl<T: Send> Send for KBox<T> {}

// SAFETY: A shared reference to it gives access to a shared reference to its value only.
unsafe impl<T: Sync> Sync for KBox<T> {}

impl<T> KBox<T> {
    /// Moves a value into memory of its own.
    ///
    /// # Errors
    ///
    /// [`AllocError`] in the kernel; the host ends the process instead.
    pub fn new(value: T, _flags: Flags) -> Result<Self, AllocError> {
        // INVARIANT: The pointer comes from `leak`, which is `into_raw` with a lifetime.
        Ok(Self(Box::leak(Box::new(value)).into(), PhantomData))
    }

    /// Gives the ownership up. The pointer is never null.
    pub fn into_raw(this: Self) -> *mut T {
        let raw = this.0.as_ptr();
        core::mem::forget(this);
        raw
    }

    /// Takes the ownership back.
    ///
    /// # Safety
    ///
    /// `raw` must come from [`KBox::into_raw`], and must not be used any more.
    pub unsafe fn from_raw(raw: *mut T) -> Self {
        // SAFETY: By the safety requirements it comes from `into_raw`, which never returns null.
        // INVARIANT: It came from `Box::into_raw` before, and the caller passes on its ownership.
        Self(unsafe { NonNull::new_unchecked(raw) }, PhantomData)
    }
}

impl<T> Deref for KBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: By the invariants it points to a value that this object owns.
        unsafe { self.0.as_ref() }
    }
}

impl<T> DerefMut for KBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: As in `deref`, and the mutable borrow makes the access exclusive.
        unsafe { self.0.as_mut() }
    }
}

impl<T> Drop for KBox<T> {
    fn drop(&mut self) {
        // SAFETY: By the invariants it comes from `Box::into_raw` and is owned by this object, which
        // is used for the last time here.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alloc::flags::GFP_KERNEL;
    use std::rc::Rc;

    #[test]
    fn drops_its_value_once() -> Result<(), AllocError> {
        let value = Rc::new(());
        let boxed = KBox::new(Rc::clone(&value), GFP_KERNEL)?;
        assert_eq!(Rc::strong_count(&value), 2);
        let raw = KBox::into_raw(boxed);
        assert_eq!(Rc::strong_count(&value), 2);
        // SAFETY: It comes from `into_raw` and is not used again.
        drop(unsafe { KBox::from_raw(raw) });
        assert_eq!(Rc::strong_count(&value), 1);
        Ok(())
    }
}
