// SPDX-License-Identifier: GPL-2.0

//! Rests: the bytes of a message that remain after a read that was too short for it.
//!
//! The message leaves the queue with that read. Its rest moves to memory of the open file, whose
//! next reads get it before any other message. Until then the rest occupies a slot of the queue:
//! otherwise readers could keep more than `max_msgs` messages in memory.

use crate::{
    kernel_ext::mm::{
        pieces::part,
        segment::SEGMENT_SIZE, //
    },
    log::stream::Segments, //
};

/// The rest of a message.
///
/// # Invariants
///
/// The rest begins at offset `at` of the first segment and has `left` bytes. Each segment holds at
/// least one of them.
#[derive(Default)]
pub(super) struct Rest {
    segments: Segments,
    at: usize,
    left: usize,
}

impl Rest {
    /// Makes a rest of the first `left` bytes of `segments`, which must have just as many segments
    /// as these bytes need.
    pub(super) fn new(segments: Segments, left: usize) -> Self {
        // INVARIANT: By the precondition each segment holds a byte of the rest, which begins at
        // offset 0.
        Self {
            segments,
            at: 0,
            left,
        }
    }

    /// Returns the length of the rest, in bytes.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.left
    }

    /// Returns the next `len` bytes, in pieces.
    pub(super) fn pieces(&self, len: usize) -> impl Iterator<Item = &[u8]> {
        let segments = self.segments.iter().map(|segment| segment.as_slice());
        part(segments, self.at..self.at.saturating_add(len))
    }

    /// Removes the next `len` bytes. Segments that are no longer needed move to `gone`.
    pub(super) fn advance(&mut self, len: usize, gone: &mut Segments) {
        // INVARIANT: `at` and `left` change by the same `len`, and below, the segments that hold no
        // byte of the rest are removed.
        self.at = self.at.saturating_add(len);
        self.left = self.left.saturating_sub(len);
        if self.left == 0 {
            gone.append(&mut self.segments);
            self.at = 0;
        }
        while self.at >= SEGMENT_SIZE {
            self.at -= SEGMENT_SIZE;
            gone.append(&mut self.segments.take_front(1));
        }
    }
}
