// SPDX-License-Identifier: GPL-2.0

//! Stand-in for the segments of the module. Both test programs use it, each with its own
//! `crate::page`, which has the size of a page and counts pages.

use super::chain::Linked;
use crate::page;
use kernel::alloc::{flags::GFP_KERNEL, AllocError, KBox};
use std::{
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    ptr::{self, NonNull},
};

/// Size of a segment in bytes.
pub(crate) const SEGMENT_SIZE: usize = page::SIZE;

/// Contents of a segment.
pub(crate) type Bytes = [u8; SEGMENT_SIZE];

/// Contents of a segment, and its link.
pub(crate) struct Memory {
    bytes: Bytes,
    next: Option<NonNull<Memory>>,
}

// SAFETY: Only the owner of a segment uses its link.
unsafe impl Send for Memory {}

// SAFETY: A shared reference gives access to the bytes only.
unsafe impl Sync for Memory {}

/// A page of memory.
pub(crate) struct Segment(KBox<Memory>);

impl Segment {
    /// Allocates a zeroed page.
    ///
    /// # Errors
    ///
    /// [`AllocError`].
    pub(crate) fn new() -> Result<Self, AllocError> {
        page::allocate()?;
        let bytes = [0; SEGMENT_SIZE];
        Ok(Self(KBox::new(Memory { bytes, next: None }, GFP_KERNEL)?))
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        page::free();
    }
}

impl Deref for Segment {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.0.bytes
    }
}

impl DerefMut for Segment {
    fn deref_mut(&mut self) -> &mut Bytes {
        &mut self.0.bytes
    }
}

// SAFETY: A segment keeps its address as long as its box exists, and has a link of its own.
unsafe impl Linked for Segment {
    type Value = Bytes;
    type Raw = NonNull<Memory>;

    fn into_raw(this: Self) -> Self::Raw {
        let this = ManuallyDrop::new(this);
        // SAFETY: `this` is never dropped, so the box is moved out of it once.
        let memory = unsafe { ptr::read(&this.0) };
        // SAFETY: A pointer from `KBox::into_raw` is not null.
        unsafe { NonNull::new_unchecked(KBox::into_raw(memory)) }
    }

    unsafe fn from_raw(raw: Self::Raw) -> Self {
        // SAFETY: By the safety requirements `raw` comes from `KBox::into_raw`.
        Self(unsafe { KBox::from_raw(raw.as_ptr()) })
    }

    unsafe fn value(raw: Self::Raw) -> *mut Self::Value {
        // SAFETY: By the safety requirements `raw` points to the memory of a segment.
        unsafe { &raw mut (*raw.as_ptr()).bytes }
    }

    unsafe fn next(raw: Self::Raw) -> Option<Self::Raw> {
        // SAFETY: By the safety requirements `raw` points to the memory of a segment.
        unsafe { (*raw.as_ptr()).next }
    }

    unsafe fn set_next(raw: Self::Raw, next: Option<Self::Raw>) {
        // SAFETY: By the safety requirements `raw` points to the memory of a segment, and its link
        // has no other users.
        unsafe { (*raw.as_ptr()).next = next };
    }
}
