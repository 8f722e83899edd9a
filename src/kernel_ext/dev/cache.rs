// SPDX-License-Identifier: GPL-2.0

//! Slab caches for objects of one type.
//!
//! C header: [`include/linux/slab.h`](srctree/include/linux/slab.h).
//!
//! `kmalloc` rounds sizes up to a power of two: for the 800 bytes of a device it takes 1024.

use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*, //
};

/// Slab cache for objects of type `T`.
///
/// # Invariants
///
/// The pointer is that of a cache for objects of the size and alignment of `T`. The cache exists
/// until this object is dropped.
///
/// # Examples
///
/// ```ignore
/// let cache = Cache::new(c"counter")?;
/// // SAFETY: `counter` is dropped before `cache`, as it is declared later.
/// let counter: KBox<Counter> = unsafe { cache.allocate(Counter::new())? };
/// ```
pub(super) struct Cache<T>(NonNull<bindings::kmem_cache>, PhantomData<fn() -> T>);

// SAFETY: A cache may be used and destroyed by any thread.
unsafe impl<T> Send for Cache<T> {}

// SAFETY: The slab allocator synchronizes concurrent use of a cache.
unsafe impl<T> Sync for Cache<T> {}

impl<T> Cache<T> {
    /// Creates a cache that `/proc/slabinfo` shows as `name`.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(super) fn new(name: &'static CStr) -> Result<Self> {
        let mut args: bindings::kmem_cache_args = pin_init::zeroed();
        args.align = align_of::<T>() as c_uint;
        // SAFETY: `name` is static. `args` is valid, and is only used during the call.
        let cache = unsafe {
            bindings::__kmem_cache_create_args(
                name.as_char_ptr(),
                size_of::<T>() as c_uint,
                &raw mut args,
                0,
            )
        };
        // INVARIANT: The cache was just created with the size and alignment of `T`.
        Ok(Self(NonNull::new(cache).ok_or(ENOMEM)?, PhantomData))
    }

    /// Moves `value` to an object of the cache, charged to the memory cgroup of the current task.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    ///
    /// # Safety
    ///
    /// The box must be dropped before the cache.
    pub(super) unsafe fn allocate(&self, value: T) -> Result<KBox<T>> {
        // SAFETY: By the type invariants the pointer is that of an existing cache.
        let object = unsafe {
            bindings::kmem_cache_alloc_noprof(self.0.as_ptr(), bindings::GFP_KERNEL_ACCOUNT)
        };
        let object = NonNull::new(object.cast::<T>()).ok_or(ENOMEM)?;
        // SAFETY: `object` is uninitialised memory of the size and alignment of `T`. `kfree`, with
        // which a box frees it, accepts objects of any slab cache.
        unsafe {
            object.write(value);
            Ok(KBox::from_raw(object.as_ptr()))
        }
    }
}

impl<T> Drop for Cache<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the cache exists. By the safety requirements of `allocate`
        // all of its objects are freed.
        unsafe { bindings::kmem_cache_destroy(self.0.as_ptr()) };
    }
}
