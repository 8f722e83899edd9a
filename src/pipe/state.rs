// SPDX-License-Identifier: GPL-2.0

//! State of a pipe, which its lock protects.

use kernel::prelude::*;

use super::{
    access::OpenCounts,
    expiry::Expiry,
    fast_path::FastPathBlockers,
    flags::{
        Flag,
        Flags, //
    },
    mode::Modes,
    overflow::Overflow,
    pages::Pages,
    roster::Roster,
    spec::Spec,
    subscription::LogMemory, //
};

use crate::{
    kernel_ext::uaccess::call::Call,
    log::{
        counters::Refused,
        lanes::Lanes,
        message::Terms,
        queue::Queue,
        stream::Segments, //
    }, //
};

/// State of a pipe, which its lock protects.
pub(super) struct State {
    pub(super) flags: Flags,
    pub(super) queue: Queue,
    pub(super) refused: Refused,
    pub(super) open_counts: OpenCounts,
    /// Open files that close the fast paths.
    pub(super) blockers: FastPathBlockers,
    /// Preallocated pages for calls in the mode `RECORDS`.
    pub(super) pages: Pages,
    /// Modes of newly opened files.
    pub(super) default_modes: Modes,
    /// What a write to the full pipe does.
    pub(super) overflow: Overflow,
    /// Number of messages that were lost to overflow since a message was delivered.
    pub(super) lost: u64,
    /// Expiry settings.
    pub(super) expiry: Expiry,
    /// The sweeper is queued, or runs and has yet to decide whether to queue itself again.
    pub(super) sweeping: bool,
    /// Time at which the sweeper is queued to run, in nanoseconds of `CLOCK_MONOTONIC`.
    pub(super) sweep_at: u64,
    /// All subscriptions.
    pub(super) roster: Roster,
    /// Number of expired messages that are not logged yet.
    pub(super) unlogged: u64,
    /// Number of messages accepted plus number of messages removed, at the last run of the trimmer.
    /// It wraps: between two runs, far fewer messages pass.
    pub(super) passed_at_trim: u32,
}

impl State {
    /// Returns the state of a pipe with an empty queue, no open file, and expiry switched off.
    /// `memory` is what [`LogMemory::of_kind`] returns, and `lanes` the memory for priorities.
    pub(super) fn new(spec: &Spec, memory: Option<LogMemory>, lanes: Option<KBox<Lanes>>) -> Self {
        let mut state = Self {
            flags: Flag::Untrimmed.into(),
            queue: Queue::new(spec.limits),
            refused: Refused::default(),
            open_counts: OpenCounts::default(),
            blockers: FastPathBlockers::default(),
            pages: Pages::default(),
            default_modes: spec.default_modes,
            overflow: spec.overflow,
            lost: 0,
            expiry: Expiry::off(),
            sweeping: false,
            sweep_at: 0,
            roster: Roster::default(),
            unlogged: 0,
            passed_at_trim: 0,
        };
        if let Some(memory) = memory {
            drop(state.keep_log_memory(memory));
            state.apply_overflow();
        }
        if let Some(lanes) = lanes {
            state.queue.set_lanes(lanes);
        }
        state
    }

    /// Returns what the pipe takes of messages to send.
    pub(super) fn terms(&self) -> Terms {
        let mut terms = self.queue.terms();
        terms.allows_ttl &= !self.refuses_ttl();
        terms
    }

    /// Returns whether no message may have a time to live, as a file reads from a position of its
    /// own, or messages are on trust: neither finds messages in lanes.
    pub(super) fn refuses_ttl(&self) -> bool {
        self.flags.contains_any(Flag::Subscribed | Flag::Leases)
    }

    /// Returns the error [`ENODEV`] if the pipe is destroyed.
    pub(super) fn alive(&self) -> Result {
        if self.is_dead() {
            Err(ENODEV)
        } else {
            Ok(())
        }
    }

    /// Returns [`EMSGSIZE`] for `call`, and counts it as refused. A call that is partly done is not
    /// counted: it returns its progress instead of the error.
    pub(super) fn refuse_size(&mut self, call: &impl Call) -> Error {
        if !call.is_partly_done() {
            self.refused.size = self.refused.size.wrapping_add(1);
        }
        EMSGSIZE
    }

    /// Takes out all memory that holds no message. The caller frees it without the lock.
    pub(super) fn take_spare(&mut self) -> Segments {
        let mut spare = self.queue.trim(true);
        spare.append(&mut self.pages.take());
        spare
    }

    /// Returns whether the pipe is destroyed.
    #[inline]
    pub(super) fn is_dead(&self) -> bool {
        self.flags.contains(Flag::Dead)
    }
}
