// SPDX-License-Identifier: GPL-2.0

//! Rests: what is left of a message after a read that was too short for it.
//!
//! The message leaves the queue with that read. Its rest moves to memory of the open file, whose
//! next reads get it before any other message. Until then the rest occupies a slot of the queue:
//! otherwise readers could keep more than `max_msgs` messages in memory.

use kernel::{
    prelude::*,
    task::CurrentTask, //
};

use super::{
    handle::{
        Extra,
        Handle, //
    },
    State, //
};

use crate::{
    kernel_ext::{
        mm::{
            pieces::{
                self,
                part, //
            },
            segment::{
                Segment,
                SEGMENT_SIZE, //
            }, //
        },
        uaccess::nofault::{
            self,
            Dest,
            NotPresent, //
        }, //
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
    /// Returns the length of the rest, in bytes.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.left
    }

    /// Returns the next `len` bytes, in pieces.
    fn pieces(&self, len: usize) -> impl Iterator<Item = &[u8]> {
        let segments = self.segments.iter().map(|segment| segment.as_slice());
        part(segments, self.at..self.at.saturating_add(len))
    }

    /// Removes the next `len` bytes. Segments that are no longer needed move to `gone`.
    fn advance(&mut self, len: usize, gone: &mut Segments) {
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

/// Memory for a rest, which is allocated without the lock, before the rest is known.
pub(super) struct Memory {
    segments: Segments,
    extra: Option<KBox<Extra>>,
}

impl Memory {
    /// Returns no memory.
    pub(super) const fn none() -> Self {
        Self {
            segments: Segments::new(),
            extra: None,
        }
    }

    /// Returns whether the memory suffices for a rest of `len` bytes.
    pub(super) fn is_enough_for(&self, len: usize) -> bool {
        self.extra.is_some() && self.segments.len() >= len.div_ceil(SEGMENT_SIZE)
    }

    /// Allocates what a rest of `len` bytes still needs. Must not be called with the lock held.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(super) fn allocate(&mut self, len: usize) -> Result {
        if self.extra.is_none() {
            self.extra = Some(Extra::new()?);
        }
        while self.segments.len() < len.div_ceil(SEGMENT_SIZE) {
            self.segments.push_back(Segment::new()?);
        }
        Ok(())
    }
}

impl State {
    /// Copies the rest that the file keeps to `dest`, as much as fits, and removes what was copied.
    /// Segments that are no longer needed move to `gone`. Returns the number of bytes, and whether
    /// that was the end of the rest.
    ///
    /// # Errors
    ///
    /// [`NotPresent`]: part of the memory of `dest` is not present. The rest is unchanged.
    pub(super) fn take_rest(
        &mut self,
        handle: &Handle,
        dest: &mut impl Dest,
        task: &CurrentTask,
        gone: &mut Segments,
    ) -> Result<(usize, bool), NotPresent> {
        let Some(extra) = &mut handle.of(self).extra else {
            return Ok((0, false));
        };
        let rest = &mut extra.rest;
        let len = rest.len().min(dest.len());
        nofault::deliver(dest, task, rest.pieces(len))?;
        rest.advance(len, gone);
        let was_last = rest.len() == 0;
        if was_last {
            self.count_rests(-1);
        }
        Ok((len, was_last))
    }

    /// Copies the oldest message without its first `first` bytes to `memory`, which must suffice,
    /// and lets the file keep it as a rest. Memory that the rest does not need stays in `memory`.
    pub(super) fn keep_rest(&mut self, handle: &Handle, first: usize, memory: &mut Memory) {
        let Some((record, pieces)) = self.queue.store().front_message() else {
            return;
        };
        let len = record.len as usize;
        let left = len.saturating_sub(first);
        let mut segments = memory.segments.take_front(left.div_ceil(SEGMENT_SIZE));
        let places = segments.iter_mut().map(|segment| segment.as_mut_slice());
        pieces::copy(part(pieces, first..len), places);
        let kept = handle.of(self);
        if kept.extra.is_none() {
            kept.extra = memory.extra.take();
        }
        if let Some(extra) = &mut kept.extra {
            // INVARIANT: `left` bytes were just copied to `segments`, beginning at offset 0, and
            // fill as many segments as were taken.
            extra.rest = Rest {
                segments,
                at: 0,
                left,
            };
        }
        self.count_rests(1);
    }
}
