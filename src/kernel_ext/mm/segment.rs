// SPDX-License-Identifier: GPL-2.0

//! Pages that can be chained. The link is in `struct page`, so all bytes of a page hold data.
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

use super::chain::Linked;

use crate::kernel_ext::layout::GFP_NORETRY;

// Segments keep the permanent kernel address of a page, which highmem pages do not have.
#[cfg(CONFIG_HIGHMEM)]
compile_error!("segments need a kernel without high memory (CONFIG_HIGHMEM=n)");

/// Size of a segment in bytes.
pub(crate) const SEGMENT_SIZE: usize = PAGE_SIZE;

/// Contents of a segment.
pub(crate) type Bytes = [u8; SEGMENT_SIZE];

/// Page, through which the link is reached, and the address of its memory.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct RawSegment {
    page: NonNull<bindings::page>,
    bytes: NonNull<Bytes>,
}

/// A page of memory.
///
/// # Invariants
///
/// The page is a single-page allocation that this object owns. `bytes` is the permanent kernel
/// address of its memory, which is initialised.
///
/// # Examples
///
/// ```ignore
/// use crate::kernel_ext::mm::{chain::Chain, segment::Segment};
///
/// // Allocate without a lock, and add in constant time with a lock held.
/// let segment = Segment::new()?;
/// let mut log: Chain<Segment> = Chain::new();
/// log.push_back(segment);
/// log.push_back(Segment::new()?);
///
/// if let Some(bytes) = log.front_mut() {
///     bytes.fill(0xff);
/// }
/// let first: Option<Segment> = log.pop_front();
/// assert!(first.is_some_and(|segment| segment.iter().all(|byte| *byte == 0xff)));
/// assert_eq!(log.len(), 1);
/// ```
pub(crate) struct Segment(RawSegment);

// SAFETY: A page is not bound to a thread.
unsafe impl Send for Segment {}

impl Segment {
    /// Allocates a zeroed page, charged to the memory cgroup of the current task.
    ///
    /// The flags of the crate lack `__GFP_NORETRY`: with it the allocation fails, instead of
    /// invoking the OOM killer, if memory is short or the cgroup is at its limit. It fails without
    /// a warning.
    ///
    /// # Errors
    ///
    /// [`AllocError`].
    pub(crate) fn new() -> Result<Self, AllocError> {
        let flags = bindings::GFP_KERNEL_ACCOUNT
            | bindings::__GFP_ZERO
            | bindings::__GFP_NOWARN
            | GFP_NORETRY;
        // SAFETY: `alloc_pages` with these flags only requires a context that may sleep.
        let page = NonNull::new(unsafe { bindings::alloc_pages(flags, 0) }).ok_or(AllocError)?;
        // SAFETY: `page` is valid. Without highmem, this is its permanent address, which needs no
        // unmapping.
        let bytes = unsafe { bindings::kmap_local_page(page.as_ptr()) };
        // INVARIANT: The page was just allocated with order 0, and its memory is zeroed.
        Ok(Self(RawSegment {
            page,
            // SAFETY: The permanent address of a page is not null.
            bytes: unsafe { NonNull::new_unchecked(bytes.cast()) },
        }))
    }
}

impl Deref for Segment {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        // SAFETY: By the type invariants, `bytes` points to the initialised memory of a page that
        // this object owns.
        unsafe { self.0.bytes.as_ref() }
    }
}

impl DerefMut for Segment {
    fn deref_mut(&mut self) -> &mut Bytes {
        // SAFETY: By the type invariants, `bytes` points to the initialised memory of a page that
        // this object owns. The mutable borrow makes the access exclusive.
        unsafe { self.0.bytes.as_mut() }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: By the type invariants this object owns the page, which was allocated with order
        // 0.
        unsafe { bindings::__free_pages(self.0.page.as_ptr(), 0) };
    }
}

/// Returns the address of the link of a page: the field `private`, which is free for the owner of
/// the page.
///
/// # Safety
///
/// `page` must be valid.
unsafe fn link(page: NonNull<bindings::page>) -> *mut usize {
    // SAFETY: By the safety requirements, `page` is valid.
    unsafe { &raw mut (*page.as_ptr()).__bindgen_anon_1.__bindgen_anon_1.private }
}

// SAFETY: Each page has an address and a `private` of its own. `value` is the memory of the page,
// which no other page shares.
unsafe impl Linked for Segment {
    type Value = Bytes;
    type Raw = RawSegment;

    fn into_raw(this: Self) -> RawSegment {
        let raw = this.0;
        core::mem::forget(this);
        raw
    }

    unsafe fn from_raw(raw: RawSegment) -> Self {
        // INVARIANT: By the safety requirements `raw` comes from `into_raw`. The invariants held
        // there, and the ownership moves to the new object.
        Self(raw)
    }

    unsafe fn value(raw: RawSegment) -> *mut Bytes {
        raw.bytes.as_ptr()
    }

    unsafe fn next(raw: RawSegment) -> Option<RawSegment> {
        // SAFETY: By the safety requirements the page is valid.
        let next = unsafe { link(raw.page).read() };
        let page = NonNull::new(ptr::with_exposed_provenance_mut::<bindings::page>(next))?;
        // SAFETY: The chain owns the linked page, so it is valid. Without highmem, this is its
        // permanent address, which needs no unmapping.
        let bytes = unsafe { bindings::kmap_local_page(page.as_ptr()) };
        Some(RawSegment {
            page,
            // SAFETY: The permanent address of a page is not null.
            bytes: unsafe { NonNull::new_unchecked(bytes.cast()) },
        })
    }

    unsafe fn set_next(raw: RawSegment, next: Option<RawSegment>) {
        let next = next.map_or(0, |next| next.page.as_ptr().expose_provenance());
        // SAFETY: By the safety requirements the page is valid, and its link has no other users.
        unsafe { link(raw.page).write(next) };
    }
}
