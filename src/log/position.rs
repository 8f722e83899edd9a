// SPDX-License-Identifier: GPL-2.0

//! A position in a queue.

use super::message::ALIGN;

/// A position in a queue: a sequence number. The offset of the payload comes along with it, and is
/// used only while an older message is stored. Otherwise the message at the position is the oldest
/// one, whose payload is at the start of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// The sequence number of the next message to read.
    pub(super) seq: u64,
    /// The offset of its payload. It has a meaning only while an older message is stored.
    pub(super) payload: u64,
}

impl Position {
    /// Returns the number of bytes that a payload of `len` bytes takes with its padding.
    #[inline]
    pub(super) fn span(len: usize) -> u64 {
        let align = ALIGN as u64;
        (len as u64).wrapping_add(align - 1) & align.wrapping_neg()
    }

    /// Returns the position behind a message whose payload has `len` bytes, or behind several whose
    /// payloads take `len` bytes.
    #[inline]
    pub(super) fn behind(self, msgs: u64, len: usize) -> Self {
        // Each payload begins at a multiple of the alignment.
        Self {
            seq: self.seq.wrapping_add(msgs),
            payload: self.payload.wrapping_add(Self::span(len)),
        }
    }
}
