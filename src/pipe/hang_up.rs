// SPDX-License-Identifier: GPL-2.0

//! The end of the file that a reader sees when all writers have gone, in the mode `HUP`.
//!
//! A file counts the writers that were there when it was opened, and those that came later. An
//! open file that may also write is a writer itself, and sees no end.

use super::{
    mode::Modes,
    Handle,
    Pipe,
    State, //
};

impl State {
    /// Returns the number of files that had been open for writing and were closed. It wraps.
    pub(super) fn gone_writers(&self) -> u32 {
        self.open_counts
            .ever_writing
            .wrapping_sub(self.open_counts.writers)
    }

    /// Returns whether all writers have gone that the file of `handle` has had, in the mode `HUP`.
    pub(super) fn is_hung_up(&mut self, handle: &Handle) -> bool {
        let gone = self.gone_writers();
        let writers = self.open_counts.writers;
        let reads = handle.access().read;
        let file = handle.state(self);
        reads && file.modes.contains(Modes::HUP) && writers == 0 && gone != file.gone_at_open
    }

    /// Returns whether a read through the file of `handle` that finds no message reports the end of
    /// the file.
    pub(super) fn is_at_end(&mut self, handle: &Handle) -> bool {
        handle.state(self).modes.contains(Modes::EOF) || self.is_hung_up(handle)
    }
}

impl Pipe {
    /// Tells readers, pollers, and files that want signals that the last writer has gone.
    pub(super) fn announce_hang_up(&self) {
        self.readers.wake_all(&self.state);
        self.subscribers.wake_all(&self.state);
        self.notifier.hung_up();
    }
}
