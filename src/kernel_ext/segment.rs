// SPDX-License-Identifier: GPL-2.0

//! Pages of memory that can be chained without a byte of them being used for that.
//!
//! C headers: [`include/linux/gfp.h`](srctree/include/linux/gfp.h),
//! [`include/linux/mm_types.h`](srctree/include/linux/mm_types.h).

use core::{
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    alloc::AllocError,
    bindings,
    page::PAGE_SIZE,
    prelude::*, //
};

use super::{
    chain::Linked,
    layout::GFP_NORETRY, //
};

// Pages are used by their permanent addresses.
#[cfg(CONFIG_HIGHMEM)]
compile_error!("kmsgpipe cannot be built for kernels with high memory");

/// The number of bytes in a segment.
pub(crate) const SEGMENT_SIZE: usize = PAGE_SIZE;

/// What a segment holds.
pub(crate) type Bytes = [u8; SEGMENT_SIZE];

/// A page, by which its link is found, and its memory.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct RawSegment {
    page: NonNull<bindings::page>,
    bytes: NonNull<Bytes>,
}

/// A page of memory.
///
/// # Invariants
///
/// The page was allocated alone, and is owned by this object. Its memory is initialised, and
/// `bytes` is the permanent address of it.
pub(crate) struct Segment(RawSegment);

// SAFETY: A page is not bound to a thread.
unsafe impl Send for Segment {}

impl Segment {
    /// Allocates a page of zeroes, accounted to the memory cgroup of the current task.
    ///
    /// Other than with the flags of the crate, nobody is killed for it: where there is little
    /// memory, or the cgroup is at its limit, it fails. Nor does it warn.
    ///
    /// # Errors
    ///
    /// [`AllocError`].
    pub(crate) fn new() -> Result<Self, AllocError> {
        let flags = bindings::GFP_KERNEL_ACCOUNT
            | bindings::__GFP_ZERO
            | bindings::__GFP_NOWARN
            | GFP_NORETRY;
        // SAFETY: There are no preconditions but that this task may sleep.
        let page = NonNull::new(unsafe { bindings::alloc_pages(flags, 0) }).ok_or(AllocError)?;
        // SAFETY: The page is valid. Without high memory this is its permanent address, and nothing
        // is to be undone.
        let bytes = unsafe { bindings::kmap_local_page(page.as_ptr()) };
        // INVARIANT: It was just allocated, and its memory is zeroed.
        Ok(Self(RawSegment {
            page,
            // SAFETY: The address of a page is not null.
            bytes: unsafe { NonNull::new_unchecked(bytes.cast()) },
        }))
    }
}

impl Deref for Segment {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        // SAFETY: By the invariants it is the initialised memory of a page that this object owns.
        unsafe { self.0.bytes.as_ref() }
    }
}

impl DerefMut for Segment {
    fn deref_mut(&mut self) -> &mut Bytes {
        // SAFETY: As above, and the mutable borrow makes the access exclusive.
        unsafe { self.0.bytes.as_mut() }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: By the invariants it was allocated alone, and is not used after this.
        unsafe { bindings::__free_pages(self.0.page.as_ptr(), 0) };
    }
}

/// The place for the link of a page: its `private` belongs to the owner of the page.
///
/// # Safety
///
/// `page` must be valid.
unsafe fn link(page: NonNull<bindings::page>) -> *mut usize {
    // SAFETY: By the safety requirements.
    unsafe { &raw mut (*page.as_ptr()).__bindgen_anon_1.__bindgen_anon_1.private }
}

// SAFETY: Each page has an address and a `private` of its own.
unsafe impl Linked for Segment {
    type Value = Bytes;
    type Raw = RawSegment;

    fn into_raw(this: Self) -> RawSegment {
        let raw = this.0;
        core::mem::forget(this);
        raw
    }

    unsafe fn from_raw(raw: RawSegment) -> Self {
        // INVARIANT: By the safety requirements it comes from `into_raw`, where the invariants
        // held, and the ownership is passed on.
        Self(raw)
    }

    unsafe fn value(raw: RawSegment) -> *mut Bytes {
        raw.bytes.as_ptr()
    }

    unsafe fn next(raw: RawSegment) -> Option<RawSegment> {
        // SAFETY: By the safety requirements the page is valid.
        let next = unsafe { link(raw.page).read() };
        let page = NonNull::new(ptr::with_exposed_provenance_mut::<bindings::page>(next))?;
        // SAFETY: The link is that of a page that is owned by the chain, as in `Segment::new`.
        let bytes = unsafe { bindings::kmap_local_page(page.as_ptr()) };
        Some(RawSegment {
            page,
            // SAFETY: The address of a page is not null.
            bytes: unsafe { NonNull::new_unchecked(bytes.cast()) },
        })
    }

    unsafe fn set_next(raw: RawSegment, next: Option<RawSegment>) {
        let next = next.map_or(0, |next| next.page.as_ptr().expose_provenance());
        // SAFETY: By the safety requirements the page is valid, and nobody else uses its link.
        unsafe { link(raw.page).write(next) };
    }
}
