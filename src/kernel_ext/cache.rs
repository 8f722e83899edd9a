// SPDX-License-Identifier: GPL-2.0

//! Caches for objects of one type.
//!
//! C header: [`include/linux/slab.h`](srctree/include/linux/slab.h).
//!
//! `kmalloc` rounds sizes up to the next power of two, which is 1024 bytes for the 800 of a device.

use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*, //
};

/// A cache for objects of type `T`.
///
/// # Invariants
///
/// The pointer is that of a cache for objects of the size and alignment of `T`, which was created
/// and not destroyed.
pub(super) struct Cache<T>(NonNull<bindings::kmem_cache>, PhantomData<fn() -> T>);

// SAFETY: Any thread may use and destroy a cache.
unsafe impl<T> Send for Cache<T> {}

// SAFETY: The allocator locks what it changes.
unsafe impl<T> Sync for Cache<T> {}

impl<T> Cache<T> {
    /// Creates a cache that is called `name` in `/proc/slabinfo`.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(super) fn new(name: &'static CStr) -> Result<Self> {
        let mut args: bindings::kmem_cache_args = pin_init::zeroed();
        args.align = align_of::<T>() as c_uint;
        // SAFETY: The name lives for ever; the arguments are valid, and are not used after this.
        let cache = unsafe {
            bindings::__kmem_cache_create_args(
                name.as_char_ptr(),
                size_of::<T>() as c_uint,
                &raw mut args,
                0,
            )
        };
        // INVARIANT: It was just created.
        Ok(Self(NonNull::new(cache).ok_or(ENOMEM)?, PhantomData))
    }

    /// Puts a value into an object of the cache, accounted to the memory cgroup of the current
    /// task.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    ///
    /// # Safety
    ///
    /// The box must be dropped before the cache is.
    pub(super) unsafe fn allocate(&self, value: T) -> Result<KBox<T>> {
        // SAFETY: By the invariants it is a cache.
        let object = unsafe {
            bindings::kmem_cache_alloc_noprof(self.0.as_ptr(), bindings::GFP_KERNEL_ACCOUNT)
        };
        let object = NonNull::new(object.cast::<T>()).ok_or(ENOMEM)?;
        // SAFETY: It has the size and alignment of a `T`, and is not initialised before this. What
        // comes from a cache may be freed by `kfree`, as boxes do.
        unsafe {
            object.write(value);
            Ok(KBox::from_raw(object.as_ptr()))
        }
    }
}

impl<T> Drop for Cache<T> {
    fn drop(&mut self) {
        // SAFETY: By the invariants it was created, and by the safety requirements of `allocate`
        // all of its objects are freed.
        unsafe { bindings::kmem_cache_destroy(self.0.as_ptr()) };
    }
}
