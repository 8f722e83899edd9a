// SPDX-License-Identifier: GPL-2.0

//! Segments as the model has them: small, so that a short message takes some, and counted.

use super::chain::Linked;
use kernel::{
    alloc::{flags::GFP_KERNEL, AllocError, KBox},
    model,
};
use std::{
    cell::Cell,
    ops::{Deref, DerefMut},
    ptr::NonNull,
};

/// The number of bytes in a segment: two records.
pub(crate) const SEGMENT_SIZE: usize = 64;

/// What a segment holds.
pub(crate) type Bytes = [u8; SEGMENT_SIZE];

thread_local! {
    /// How many there are.
    static LIVE: Cell<usize> = const { Cell::new(0) };
    /// How many more there may be.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// How many segments there are.
pub(crate) fn live() -> usize {
    LIVE.get()
}

/// Begins to count anew.
pub(crate) fn reset() {
    LIVE.set(0);
    LEFT.set(usize::MAX);
}

/// Leaves memory for so many more segments.
pub(crate) fn leave(segments: usize) {
    LEFT.set(segments);
}

/// A segment in memory.
pub(crate) struct Memory {
    bytes: Bytes,
    next: Option<NonNull<Memory>>,
}

// SAFETY: The link is used by the owner of the memory only.
unsafe impl Send for Memory {}

/// Memory for messages.
pub(crate) struct Segment(KBox<Memory>);

impl Segment {
    /// Allocates a segment of zeroes.
    pub(crate) fn new() -> Result<Self, AllocError> {
        model::assert_unlocked("an allocation");
        LEFT.set(LEFT.get().checked_sub(1).ok_or(AllocError)?);
        LIVE.set(LIVE.get() + 1);
        let bytes = [0; SEGMENT_SIZE];
        Ok(Self(KBox::new(Memory { bytes, next: None }, GFP_KERNEL)?))
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        model::assert_unlocked("freeing memory");
        LIVE.set(LIVE.get().wrapping_sub(1));
        LEFT.set(LEFT.get().saturating_add(1));
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

// SAFETY: A segment has an address of its own as long as its box exists, and a place for a link.
unsafe impl Linked for Segment {
    type Value = Bytes;
    type Raw = NonNull<Memory>;

    fn into_raw(this: Self) -> Self::Raw {
        let this = std::mem::ManuallyDrop::new(this);
        // SAFETY: The box is not used again, as it is not dropped.
        let memory = unsafe { std::ptr::read(&this.0) };
        // SAFETY: A pointer from `into_raw` is not null.
        unsafe { NonNull::new_unchecked(KBox::into_raw(memory)) }
    }

    unsafe fn from_raw(raw: Self::Raw) -> Self {
        // SAFETY: By the safety requirements it comes from `KBox::into_raw`.
        Self(unsafe { KBox::from_raw(raw.as_ptr()) })
    }

    unsafe fn value(raw: Self::Raw) -> *mut Self::Value {
        // SAFETY: By the safety requirements it points to a segment.
        unsafe { &raw mut (*raw.as_ptr()).bytes }
    }

    unsafe fn next(raw: Self::Raw) -> Option<Self::Raw> {
        // SAFETY: By the safety requirements it points to a segment.
        unsafe { (*raw.as_ptr()).next }
    }

    unsafe fn set_next(raw: Self::Raw, next: Option<Self::Raw>) {
        // SAFETY: By the safety requirements it points to a segment whose link nobody else uses.
        unsafe { (*raw.as_ptr()).next = next };
    }
}
