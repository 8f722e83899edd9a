// SPDX-License-Identifier: GPL-2.0

//! What the kernel crate lacks, as far as it is pure.

#[path = "../../../src/kernel_ext/chain.rs"]
#[rustfmt::skip]
pub(crate) mod chain;
#[path = "../../../src/kernel_ext/fifo.rs"]
#[rustfmt::skip]
pub(crate) mod fifo;
#[path = "../../../src/kernel_ext/pieces.rs"]
#[rustfmt::skip]
pub(crate) mod pieces;

#[path = "../../../src/kernel_ext/words.rs"]
#[rustfmt::skip]
pub(crate) mod words;

/// Segments, as the host has them: the link is behind the bytes.
pub(crate) mod segment {
    use super::chain::Linked;
    use kernel::{
        alloc::{flags::GFP_KERNEL, AllocError, KBox},
        prelude::*,
    };
    use std::ptr::NonNull;

    /// The number of bytes in a segment.
    pub(crate) const SEGMENT_SIZE: usize = 4096;

    /// A segment in memory.
    pub(crate) struct Memory {
        bytes: [u8; SEGMENT_SIZE],
        next: Option<NonNull<Memory>>,
    }

    /// Memory for messages.
    pub(crate) struct Segment(KBox<Memory>);

    impl Segment {
        /// Allocates a segment of zeroes.
        pub(crate) fn new() -> Result<Self, AllocError> {
            let bytes = [0; SEGMENT_SIZE];
            Ok(Self(KBox::new(Memory { bytes, next: None }, GFP_KERNEL)?))
        }
    }

    // SAFETY: A segment has an address of its own as long as its box exists, and a place for a link.
    unsafe impl Linked for Segment {
        type Value = [u8; SEGMENT_SIZE];
        type Raw = NonNull<Memory>;

        fn into_raw(this: Self) -> Self::Raw {
            // SAFETY: A pointer from `into_raw` is not null.
            unsafe { NonNull::new_unchecked(KBox::into_raw(this.0)) }
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
}
