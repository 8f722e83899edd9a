// SPDX-License-Identifier: GPL-2.0

//! When the fast paths are closed.
//!
//! The fast paths know nothing of open files: they take a message from the queue, and add one.
//! While an open file of the pipe needs more, all calls of the pipe take the slow paths, which look
//! at the file. So an open file that needs no more costs the fast paths nothing.

use super::{
    Flag,
    State, //
};

/// Open files whose calls are not for the fast paths.
#[derive(Default)]
pub(super) struct Slow {
    /// They keep the rest of a message, which comes before what is queued. Each rest has a slot of
    /// the queue.
    rests: u32,
    /// They read records.
    record_readers: u32,
    /// Their writes are not one message each.
    splitters: u32,
}

impl Slow {
    /// How many open files keep the rest of a message.
    pub(super) fn rests(&self) -> u32 {
        self.rests
    }
}

impl State {
    /// Counts open files that keep the rest of a message.
    pub(super) fn count_rests(&mut self, by: i32) {
        self.slow.rests = self.slow.rests.wrapping_add_signed(by);
        self.flags.set(Flag::Rests, self.slow.rests > 0);
        self.queue.hold(self.slow.rests);
    }

    /// Counts open files that read records.
    pub(super) fn count_record_readers(&mut self, by: i32) {
        self.slow.record_readers = self.slow.record_readers.wrapping_add_signed(by);
        self.flags.set(Flag::Records, self.slow.record_readers > 0);
    }

    /// Counts open files whose writes are not one message each.
    pub(super) fn count_splitters(&mut self, by: i32) {
        self.slow.splitters = self.slow.splitters.wrapping_add_signed(by);
        self.queue.close_fast_path(self.slow.splitters > 0);
    }
}
