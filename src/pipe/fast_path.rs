// SPDX-License-Identifier: GPL-2.0

//! State that closes the fast paths.
//!
//! The fast paths do not look at open files: they take a message from the queue, and add one. While
//! an open file of a pipe needs more, calls of that pipe take the slow paths, which look at the
//! file: reads while a file keeps a rest, writes while a file splits lines. Therefore these
//! features cost the fast paths nothing.

use super::{
    Flag,
    Handle,
    State, //
};

/// Open files that close the fast paths.
#[derive(Default)]
pub(super) struct FastPathBlockers {
    /// Number of files that keep the rest of a message, to be read before what is queued.
    rests: u32,
    /// Number of files whose writes are split into lines.
    line_writers: u32,
    /// Number of files that read in the mode `HUP`. They close no fast path.
    hup_readers: u32,
}

impl FastPathBlockers {
    /// Returns the number of open files that keep the rest of a message.
    pub(super) fn rests(&self) -> u32 {
        self.rests
    }

    /// Returns the number of open files that read in the mode `HUP`.
    pub(super) fn hup_readers(&self) -> u32 {
        self.hup_readers
    }
}

impl State {
    /// Adds `by`, which is one or minus one, to the number of open files that keep the rest of a
    /// message, as the file of `handle` begins or ceases to keep one. The rest occupies a slot
    /// unless the file reads from a position of its own, or has the message on trust. Returns the
    /// number of slots: one or zero.
    pub(super) fn count_rest(&mut self, handle: &Handle, by: i32) -> u64 {
        let has_slot = !handle.has_position(self) && !self.has_lease(handle);
        let rests = &mut self.blockers.rests;
        *rests = rests.wrapping_add_signed(by);
        self.flags.set(Flag::Rests, *rests > 0);
        if has_slot {
            let slots = self.queue.reserved_slots().wrapping_add_signed(by);
            self.queue.set_reserved_slots(slots);
        }
        has_slot.into()
    }

    /// Adds `by` to the number of open files that read in the mode `HUP`.
    pub(super) fn count_hup_readers(&mut self, by: i32) {
        self.blockers.hup_readers = self.blockers.hup_readers.wrapping_add_signed(by);
    }

    /// Adds `by` to the number of open files whose writes are split into lines.
    pub(super) fn count_line_writers(&mut self, by: i32) {
        self.blockers.line_writers = self.blockers.line_writers.wrapping_add_signed(by);
        self.queue
            .set_fast_path_closed(self.blockers.line_writers > 0);
    }
}
