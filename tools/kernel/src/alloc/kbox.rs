// SPDX-License-Identifier: GPL-2.0

//! Owning pointer to a value.

use super::{AllocError, Flags};
use core::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

/// Owning pointer to a value.
///
/// Unlike a `Box`, and like the type of the kernel, it is not unique for the compiler. Code that is
/// sound with this type may be unsound with a `Box`, and Miri must check the former.
///
/// # Invariants
///
/// The pointer comes from `Box::into_raw`, and is owned by this object.
pub struct KBox<T>(NonNull<T>, PhantomData<T>);

// SAFETY: The pointer owns its value, as a `Box` does.
unsafe impl<T: Send> Send for KBox<T> {}

// SAFETY: A shared reference to the pointer only gives access to a shared reference to its value.
unsafe impl<T: Sync> Sync for KBox<T> {}

impl<T> KBox<T> {
    /// Moves a value to the heap.
    ///
    /// # Errors
    ///
    /// [`AllocError`] in the kernel. On the host the process ends instead.
    pub fn new(value: T, _flags: Flags) -> Result<Self, AllocError> {
        // INVARIANT: The pointer comes from `leak`, which is `into_raw` with a lifetime.
        Ok(Self(Box::leak(Box::new(value)).into(), PhantomData))
    }

    /// Gives up the ownership. The pointer is never null.
    pub fn into_raw(this: Self) -> *mut T {
        let raw = this.0.as_ptr();
        core::mem::forget(this);
        raw
    }

    /// Takes the ownership back.
    ///
    /// # Safety
    ///
    /// `raw` must come from [`KBox::into_raw`], and must not be used afterwards.
    pub unsafe fn from_raw(raw: *mut T) -> Self {
        // SAFETY: By the safety requirements `raw` comes from `into_raw`, which never returns null.
        // INVARIANT: `raw` comes from `Box::into_raw`, and the caller passes on its ownership.
        Self(unsafe { NonNull::new_unchecked(raw) }, PhantomData)
    }
}

impl<T> Deref for KBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: By the type invariants the pointer is that of a value that this object owns.
        unsafe { self.0.as_ref() }
    }
}

impl<T> DerefMut for KBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: By the type invariants the pointer is that of a value that this object owns. The
        // mutable borrow makes the access exclusive.
        unsafe { self.0.as_mut() }
    }
}

impl<T> Drop for KBox<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the pointer comes from `Box::into_raw`, and this object owns
        // it. This is the last use.
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
        // SAFETY: `raw` comes from `into_raw` and is not used again.
        drop(unsafe { KBox::from_raw(raw) });
        assert_eq!(Rc::strong_count(&value), 1);
        Ok(())
    }
}
