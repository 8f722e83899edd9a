// SPDX-License-Identifier: GPL-2.0

//! Receiving the rest of a message, and keeping one.

use kernel::{
    prelude::*,
    task::CurrentTask, //
};

use super::{
    handle::{
        Extra,
        Handle, //
    },
    rest::Rest,
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
    log::{
        store::Place,
        stream::Segments, //
    }, //
};

/// Memory for a rest, which is allocated without the lock, before the rest is known.
pub(super) struct RestMemory {
    segments: Segments,
    extra: Option<KBox<Extra>>,
}

impl RestMemory {
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
    /// Copies the rest that the file of `handle` keeps to `dest`, as much as fits, and removes what
    /// was copied. Segments that are no longer needed move to `gone`. Returns the number of bytes,
    /// and the number of slots that are free now, as the rest has ended. Returns [`None`], and
    /// leaves the rest unchanged, if part of the memory of `dest` is not present.
    ///
    /// # Errors
    ///
    /// [`EIO`]: the segments do not hold the rest, which is a bug.
    pub(super) fn take_rest(
        &mut self,
        handle: &Handle,
        dest: &mut impl Dest,
        task: &CurrentTask,
        gone: &mut Segments,
    ) -> Result<Option<(usize, u64)>> {
        let Some(extra) = &mut handle.state(self).extra else {
            return Err(EIO);
        };
        let rest = &mut extra.rest;
        let len = rest.len().min(dest.len());
        match nofault::deliver(dest, task, rest.pieces(len)) {
            Ok(copied) if copied == len => {}
            Ok(_) => return Err(EIO),
            Err(NotPresent) => return Ok(None),
        }
        rest.advance(len, gone);
        let mut freed = 0;
        if rest.len() == 0 {
            freed = self.count_rest(handle, -1);
        }
        Ok(Some((len, freed)))
    }

    /// Copies the message at `place` without its first `first` bytes to `memory`, which must
    /// suffice, and lets the file of `handle` keep it as a rest. Memory that the rest does not need
    /// stays in `memory`. Returns the number of slots that the rest occupies.
    ///
    /// # Errors
    ///
    /// [`EIO`]: there is no such message, or its payload or `memory` is too short, which is a bug.
    /// The file keeps no rest.
    pub(super) fn keep_rest(
        &mut self,
        handle: &Handle,
        place: Place,
        first: usize,
        memory: &mut RestMemory,
    ) -> Result<u64> {
        let (record, pieces) = self.queue.next_store().message_at(place).ok_or(EIO)?;
        let len = record.len as usize;
        let left = len.saturating_sub(first);
        let mut segments = memory.segments.take_front(left.div_ceil(SEGMENT_SIZE));
        let places = segments.iter_mut().map(|segment| segment.as_mut_slice());
        let copied = pieces::copy(part(pieces, first..len), places);
        let file = handle.state(self);
        if file.extra.is_none() {
            file.extra = memory.extra.take();
        }
        let Some(extra) = file.extra.as_mut().filter(|_| copied == left) else {
            // The caller frees them without the lock.
            memory.segments.append(&mut segments);
            return Err(EIO);
        };
        extra.rest = Rest::new(segments, left);
        Ok(self.count_rest(handle, 1))
    }
}
