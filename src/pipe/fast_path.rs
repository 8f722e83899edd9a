// SPDX-License-Identifier: GPL-2.0

//! State that closes the fast paths.
//!
//! The fast paths do not look at open files: they take a message from the queue, and add one. While
//! an open file of a pipe needs more, calls of that pipe take the slow paths, which look at the
//! file: reads while a file keeps a rest, writes while a file splits lines. Therefore these
//! features cost the fast paths nothing.

use super::{
    Flag,
    State, //
};

/// Open files that close the fast paths.
#[derive(Default)]
pub(super) struct FastPathBlockers {
    /// Number of files that keep the rest of a message, to be read before what is queued. Each rest
    /// occupies a slot of the queue.
    rests: u32,
    /// Number of files whose writes are split into lines.
    line_writers: u32,
}

impl FastPathBlockers {
    /// Returns the number of open files that keep the rest of a message.
    pub(super) fn rests(&self) -> u32 {
        self.rests
    }
}

impl State {
    /// Adds `by` to the number of open files that keep the rest of a message.
    pub(super) fn count_rests(&mut self, by: i32) {
        self.blockers.rests = self.blockers.rests.wrapping_add_signed(by);
        self.flags.set(Flag::Rests, self.blockers.rests > 0);
        self.queue.set_reserved_slots(self.blockers.rests);
    }

    /// Adds `by` to the number of open files whose writes are split into lines.
    pub(super) fn count_line_writers(&mut self, by: i32) {
        self.blockers.line_writers = self.blockers.line_writers.wrapping_add_signed(by);
        self.queue
            .set_fast_path_closed(self.blockers.line_writers > 0);
    }
}
