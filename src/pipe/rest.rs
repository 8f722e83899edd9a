// SPDX-License-Identifier: GPL-2.0

//! Rests: what is left of a message after a read that was too short for it.
//!
//! The message leaves the queue with its first piece. The rest moves to memory of the open file,
//! and its next reads get it, before any other message. Until then it has a slot of the queue, so
//! that no more than `max_msgs` messages are in memory for one slot each.

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
        nofault::{
            self,
            Dest,
            NotPresent, //
        },
        pieces::{
            self,
            part, //
        },
        segment::{
            Segment,
            SEGMENT_SIZE, //
        },
    },
    stream::Segments, //
};

/// What is left of a message.
///
/// # Invariants
///
/// It begins at `at` of the first segment, and `left` bytes are in the segments from there on. None
/// is in use that has no byte of it.
#[derive(Default)]
pub(super) struct Rest {
    segments: Segments,
    at: usize,
    left: usize,
}

impl Rest {
    /// How much is left, in bytes.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.left
    }

    /// The next `len` bytes, piece by piece.
    fn pieces(&self, len: usize) -> impl Iterator<Item = &[u8]> {
        let segments = self.segments.iter().map(|segment| segment.as_slice());
        part(segments, self.at..self.at.saturating_add(len))
    }

    /// Goes on behind the next `len` bytes. Segments that are done with go to `gone`.
    fn advance(&mut self, len: usize, gone: &mut Segments) {
        // INVARIANT: Segments that have no byte of what is left are taken out.
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

/// Memory for a rest, which is allocated before it is known what the rest will be.
pub(super) struct Memory {
    segments: Segments,
    extra: Option<KBox<Extra>>,
}

impl Memory {
    /// None yet.
    pub(super) const fn none() -> Self {
        Self {
            segments: Segments::new(),
            extra: None,
        }
    }

    /// Whether it is enough for a rest of `len` bytes.
    pub(super) fn is_enough_for(&self, len: usize) -> bool {
        self.extra.is_some() && self.segments.len() >= len.div_ceil(SEGMENT_SIZE)
    }

    /// Allocates what is missing for a rest of `len` bytes: not for use with a lock held.
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
    /// Copies what is left of the message that the file has begun to read, as much as fits into
    /// `dest`. Segments that are done with go to `gone`. Returns the number of bytes, and whether
    /// that was all.
    ///
    /// # Errors
    ///
    /// [`NotPresent`]: some of the memory is not there; nothing has changed.
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

    /// Keeps the oldest message for the file, but for its first `first` bytes, in `memory`, which
    /// must be enough. What is not needed of that is left.
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
            // INVARIANT: They were just copied, and there are no more segments than they take.
            extra.rest = Rest {
                segments,
                at: 0,
                left,
            };
        }
        self.count_rests(1);
    }
}
