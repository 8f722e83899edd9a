// SPDX-License-Identifier: GPL-2.0

//! Partial lines, which are assembled in kernel memory.

use core::mem;
use kernel::prelude::*;

use crate::{
    kernel_ext::{
        mm::segment::{
            Segment,
            SEGMENT_SIZE, //
        },
        uaccess::nofault::KernelSource, //
    },
    log::{
        message::Sender,
        stream::Segments, //
    }, //
};

/// A line that is being assembled.
///
/// # Invariants
///
/// The segments hold at least `len` bytes, and the line is the first `len` of them.
#[derive(Default)]
pub(super) struct PartialLine {
    segments: Segments,
    len: usize,
    /// Sender of the beginning of the line.
    sender: Sender,
    /// Maximum length, in bytes.
    longest: usize,
}

impl PartialLine {
    /// Returns the length of the line, in bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the sender of the beginning of the line.
    pub(super) fn sender(&self) -> Sender {
        self.sender
    }

    /// Returns the line with a maximum length of `longest` bytes from now on.
    pub(super) fn with_longest(self, longest: usize) -> Self {
        // INVARIANT: The bytes of the line are the same.
        Self { longest, ..self }
    }

    /// Appends `bytes` to the line.
    ///
    /// # Errors
    ///
    /// On an error the line is unchanged.
    ///
    /// - [`EMSGSIZE`]: the line would become too long.
    /// - [`ENOMEM`].
    /// - [`EIO`]: a segment does not have its size, which is a bug.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result {
        let end = self.len + bytes.len();
        if end > self.longest {
            return Err(EMSGSIZE);
        }
        while self.segments.len() < end.div_ceil(SEGMENT_SIZE) {
            self.segments.push_back(Segment::new()?);
        }
        let mut at = self.len % SEGMENT_SIZE;
        let mut left = bytes;
        for segment in self.segments.iter_mut().skip(self.len / SEGMENT_SIZE) {
            let (piece, next) = left.split_at(left.len().min(SEGMENT_SIZE - at));
            let place = segment.get_mut(at..at + piece.len()).ok_or(EIO)?;
            place.copy_from_slice(piece);
            at = 0;
            left = next;
        }
        // INVARIANT: The segments hold the old bytes, and `bytes` was just copied behind them.
        self.len = end;
        Ok(())
    }

    /// Begins a new line, which `sender` writes.
    pub(super) fn restart(&mut self, sender: Sender) {
        self.truncate(0);
        self.sender = sender;
    }

    /// Shortens the line to its first `len` bytes, if it is longer.
    pub(super) fn truncate(&mut self, len: usize) {
        // INVARIANT: The line does not grow, and its segments stay.
        self.len = self.len.min(len);
    }

    /// Takes out the segments that the line does not need. The caller frees them.
    pub(super) fn trim(&mut self) -> Segments {
        let needed = self.segments.take_front(self.len.div_ceil(SEGMENT_SIZE));
        mem::replace(&mut self.segments, needed)
    }

    /// Returns a source with the bytes of the line.
    pub(super) fn source(&self) -> KernelSource<'_> {
        KernelSource::new(&self.segments, self.len)
    }
}
