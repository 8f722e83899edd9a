// SPDX-License-Identifier: GPL-2.0

//! Snapshots of a pipe, for statistics and views.

use kernel::prelude::*;

use super::{
    access::OpenCounts,
    expiry::Expiry,
    flags::Flag,
    state::State,
    Pipe, //
};

use crate::{
    kernel_ext::clock,
    log::{
        counters::{
            Counters,
            Refused,
            Tally, //
        },
        limits::Limits,
        message::Record, //
    }, //
};

/// Snapshot of a pipe, taken in one critical section.
#[derive(Clone, Copy)]
pub(crate) struct Snapshot {
    /// Number of the pipe.
    pub(crate) id: u32,
    /// Limits of the queue.
    pub(crate) limits: Limits,
    /// Queued messages and their bytes.
    pub(crate) depth: Tally,
    /// Counters of accepted, delivered, expired and dropped messages.
    pub(crate) counters: Counters,
    /// Counts of refused writes.
    pub(crate) refused: Refused,
    /// Numbers of open files.
    pub(crate) open_counts: OpenCounts,
    /// Number of readers that wait for a message.
    pub(crate) waiting_readers: u32,
    /// Number of writers that wait for a slot.
    pub(crate) waiting_writers: u32,
    /// Expiry settings.
    pub(crate) expiry: Expiry,
    /// Record of the next message to be delivered: the oldest one of the highest priority.
    pub(crate) head: Option<Record>,
    /// Sequence number of that message, or of the next one to be sent if the queue is empty.
    pub(crate) first_seq: u64,
    /// Time of the snapshot: nanoseconds of `CLOCK_MONOTONIC`.
    pub(crate) now: u64,
    /// Debug state.
    pub(crate) debug: DebugState,
}

/// Debug state, shown in debugfs.
#[derive(Clone, Copy)]
pub(crate) struct DebugState {
    /// Sequence number of the newest message that was accepted.
    pub(crate) last_seq: u64,
    /// Number of segments in use by the two streams of the store.
    pub(crate) segments: usize,
    /// Number of spare segments, including the pages for the mode `RECORDS`.
    pub(crate) spare_segments: usize,
    /// Changes are announced to pollers, or by signals.
    pub(crate) watched: bool,
    /// The sweeper is queued or running.
    pub(crate) sweeping: bool,
    /// A dump is in progress.
    pub(crate) dumping: bool,
    /// Number of open files that keep the rest of a message.
    pub(crate) rests: u32,
}

impl Pipe {
    /// Takes a snapshot.
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn snapshot_alive(&self) -> Result<Snapshot> {
        let state = self.state.lock();
        state.alive()?;
        Ok(self.snapshot_of(&state))
    }

    /// Takes a snapshot, also of a destroyed pipe.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.snapshot_of(&self.state.lock())
    }

    /// Takes a snapshot of `state`, the locked state of this pipe.
    fn snapshot_of(&self, state: &State) -> Snapshot {
        Snapshot {
            id: self.id,
            limits: state.queue.limits(),
            depth: state.queue.depth(),
            counters: state.queue.counters(),
            refused: state.refused,
            open_counts: state.open_counts,
            waiting_readers: self.readers.len(state) + self.subscribers.len(state),
            waiting_writers: self.writers.len(state),
            expiry: state.expiry,
            head: state.queue.next_record(),
            first_seq: state.queue.next_label().seq,
            now: clock::monotonic(),
            debug: DebugState {
                last_seq: state.queue.last_seq(),
                segments: state.queue.segments(),
                spare_segments: state.queue.store().spare_segments() + state.pages.len(),
                watched: state.flags.contains_any(Flag::Polled | Flag::Signalled),
                sweeping: state.sweeping,
                dumping: state.flags.contains(Flag::Dumping),
                rests: state.blockers.rests(),
            },
        }
    }
}
