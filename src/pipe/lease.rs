// SPDX-License-Identifier: GPL-2.0

//! Open files that receive with a lease: they have messages on trust.
//!
//! While a queue has such a file, all its reads take the slow paths, which [`Flag::Leases`] tells
//! them. The sweeper ends leases and delays, so a pipe has one timer for both.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    expiry::NSEC_PER_MSEC,
    handle::Extra,
    kind::Kind,
    FileSnapshot,
    Flag,
    Handle,
    Pipe,
    State, //
};

use crate::{
    kernel_ext::{
        clock,
        sync::lock::StateGuard, //
    },
    log::{
        iter::Run,
        leased_queue::{
            Settled,
            Verdict, //
        },
        leases::{
            Lease,
            Leases, //
        },
        limits::Limits,
        stream::Segments, //
    }, //
};

/// Maximum number of messages that are looked at in one critical section.
const BATCH: u32 = 256;

/// The terms on which an open file receives messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeaseTerms {
    /// How long it has a message on trust, in milliseconds. Zero means that it consumes messages.
    pub(crate) lease_ms: u32,
    /// The number of deliveries after which a message is not given back. Zero means any number.
    pub(crate) max_deliveries: u32,
}

impl LeaseTerms {
    /// Returns the lease of a message that the file with the number `owner` receives at the time
    /// `now`, in nanoseconds of `CLOCK_MONOTONIC`.
    fn lease(self, owner: usize, now: u64) -> Option<Lease> {
        (self.lease_ms > 0).then(|| Lease {
            owner,
            until: now.saturating_add(u64::from(self.lease_ms) * NSEC_PER_MSEC),
            max_deliveries: self.max_deliveries,
        })
    }
}

/// Returns the number by which the leases of the file of `handle` are found: the address of the
/// handle, which does not move while the file is open.
fn owner_of(handle: &Handle) -> usize {
    core::ptr::from_ref(handle).addr()
}

impl State {
    /// Returns the terms of the file of `handle`.
    fn lease_terms(&mut self, handle: &Handle) -> LeaseTerms {
        let extra = handle.state(self).extra.as_ref();
        extra.map_or(LeaseTerms::default(), |extra| extra.terms)
    }

    /// Returns whether the file of `handle` receives with a lease.
    pub(super) fn has_lease(&mut self, handle: &Handle) -> bool {
        self.flags.contains(Flag::Leases) && self.lease_terms(handle).lease_ms > 0
    }

    /// Delivers the next messages, which must be those of `run`, on the terms of the file of
    /// `handle`, in a queue that delivers on trust. Returns the number of slots that are free now.
    #[cold]
    #[inline(never)]
    pub(super) fn deliver_on_terms(&mut self, handle: &Handle, run: Run) -> u64 {
        let lease = self
            .lease_terms(handle)
            .lease(owner_of(handle), clock::monotonic());
        if let Some(extra) = &mut handle.state(self).extra {
            extra.has_leased |= lease.is_some();
        }
        self.queue.deliver_by(run, lease)
    }

    /// Gives the queue memory for leases, or other memory if its limits have changed. Returns the
    /// old memory, to be freed after the lock is released.
    pub(super) fn keep_leases(&mut self, leases: KBox<Leases>) -> Option<KBox<Leases>> {
        self.flags |= Flag::Leases;
        self.queue.set_leases(leases)
    }

    /// Takes out the messages that were acknowledged and not removed yet, if there are no others.
    pub(super) fn take_consumed(&mut self) -> Option<Segments> {
        let is_empty = self.queue.leases().is_some() && self.queue.depth().msgs == 0;
        is_empty.then(|| self.queue.clear())
    }

    /// Takes out the memory for leases, if no stored message was ever delivered. There must be no
    /// file that receives with a lease.
    pub(super) fn take_unused_leases(&mut self) -> Option<KBox<Leases>> {
        let leases = self.queue.take_unused_leases();
        let has_leases = self.queue.leases().is_some();
        self.flags.set(Flag::Leases, has_leases);
        leases
    }

    /// Returns the time at which the next lease or delay ends, in nanoseconds of
    /// `CLOCK_MONOTONIC`, or [`u64::MAX`] if there is none. Returns zero if consumed messages have
    /// yet to be removed, which the sweeper does, too.
    pub(super) fn next_lease_end(&self) -> u64 {
        match self.queue.leases() {
            None => u64::MAX,
            Some(leases) if leases.is_first_consumed() => 0,
            Some(leases) => leases.next_due().unwrap_or(u64::MAX),
        }
    }
}

impl Pipe {
    /// Gives the queue memory for leases, if it has none.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`]: the queue has priorities, or messages with a time to live.
    /// - [`ENODEV`]: the pipe is destroyed.
    /// - [`ENOMEM`].
    fn provide_leases(&self) -> Result {
        self.provide_index()?;
        let mut memory: Option<(Limits, KBox<Leases>)> = None;
        loop {
            let mut state = self.state.lock();
            state.alive()?;
            if state.queue.leases().is_some() {
                return Ok(());
            }
            if state.queue.has_lanes() {
                return Err(EINVAL);
            }
            let limits = state.queue.limits();
            // The limits may have changed while the memory was allocated.
            if let Some((_, leases)) = memory.take_if(|(allocated, _)| *allocated == limits) {
                state.keep_leases(leases);
                return Ok(());
            }
            drop(state);
            memory = Some((limits, Leases::new(limits.max_msgs())?));
        }
    }

    /// Makes the file of `handle` read with the other files of a queue, on these `terms`. Messages
    /// that it has on trust stay so. Calls `switch` with the new state of the file and the lock
    /// held, which serializes concurrent changes.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`]: the pipe is no queue. Or the terms have a lease, and the queue has priorities,
    ///   or messages with a time to live.
    /// - [`EBUSY`]: the file keeps the rest of a message.
    /// - [`ENODEV`]: the pipe is destroyed.
    /// - [`ENOMEM`].
    pub(crate) fn read_queue(
        &self,
        handle: &Handle,
        terms: LeaseTerms,
        switch: impl FnOnce(FileSnapshot),
    ) -> Result {
        if self.kind != Kind::Queue {
            return Err(EINVAL);
        }
        // Declared before the guard: memory that is not needed is freed without the lock.
        let mut fresh = None;
        if terms.lease_ms > 0 {
            self.provide_leases()?;
            fresh = Some(Extra::new()?);
        }
        let mut state = self.state.lock();
        state.alive()?;
        let file = handle.state(&mut state);
        if file.rest_len() > 0 {
            return Err(EBUSY);
        }
        if file.extra.is_none() {
            file.extra = fresh.take();
        }
        if let Some(extra) = &mut file.extra {
            extra.terms = terms;
        }
        let room = state.unsubscribe(handle);
        switch(state.show(handle));
        drop(state);
        drop(room);
        self.announce_move(handle);
        Ok(())
    }

    /// Ends the leases that the file of `handle` has of the messages in `range`, from its first to
    /// its second number, by `verdict`.
    ///
    /// # Errors
    ///
    /// - [`ENOENT`]: it has none of them.
    /// - [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn settle_leases(
        this: &Arc<Self>,
        handle: &Handle,
        range: (u64, u64),
        verdict: Verdict,
    ) -> Result {
        let (mut first, last) = range;
        let mut found = false;
        loop {
            let mut state = this.end_overdue_leases(this.state.lock(), clock::monotonic());
            state.alive()?;
            let owner = owner_of(handle);
            let (settled, next) = state
                .queue
                .settle_leases(owner, (first, last), verdict, BATCH);
            found |= settled.msgs > 0;
            this.announce_settled(state, settled);
            match next {
                Some(next) => first = next,
                None if found => return Ok(()),
                None => return Err(ENOENT),
            }
        }
    }

    /// Gives back all messages that the file of `handle`, which is being closed, has on trust.
    pub(super) fn give_back_all(self: &Arc<Self>, handle: &Handle) {
        let verdict = Verdict::GiveBack { later: None };
        // The pipe may be destroyed, and the file may have no message: both are fine.
        let _ = Self::settle_leases(self, handle, (0, u64::MAX), verdict);
    }

    /// Returns how many messages the file of `handle` has on trust. Looks at them in batches, so
    /// the number may be of different moments.
    pub(crate) fn leases_of(&self, handle: &Handle) -> u64 {
        let mut found = 0u64;
        let mut first = 0;
        loop {
            let state = self.state.lock();
            let (held, next) = state.queue.count_leases(owner_of(handle), first, BATCH);
            found = found.saturating_add(held);
            match next {
                Some(next) => first = next,
                None => return found,
            }
        }
    }

    /// Ends the leases and delays that have ended by the time `now`, in batches. Releases the lock
    /// after each batch, and returns with it held.
    pub(super) fn end_overdue_leases<'a>(
        self: &'a Arc<Self>,
        mut state: StateGuard<'a, State>,
        now: u64,
    ) -> StateGuard<'a, State> {
        while state.flags.contains(Flag::Leases) {
            let (settled, more) = state.queue.end_leases(now, BATCH);
            if settled == Settled::default() && !more {
                break;
            }
            self.announce_settled(state, settled);
            state = self.state.lock();
        }
        state
    }

    /// Releases the lock after messages were `settled`, and announces those that can be delivered
    /// again and the free slots.
    fn announce_settled<'a>(
        self: &'a Arc<Self>,
        mut state: StateGuard<'a, State>,
        settled: Settled,
    ) {
        self.arm_lease_end(&mut state);
        if settled.returned > 0 {
            self.announce_messages(state, settled.returned);
            state = self.state.lock();
        }
        self.announce_room(state, settled.freed);
    }

    /// Queues the sweeper for the end of the next lease or delay, unless it is queued for an
    /// earlier time.
    #[inline]
    pub(super) fn arm_lease_end(self: &Arc<Self>, state: &mut State) {
        if state.flags.contains(Flag::Leases) {
            self.bring_sweeper_forward(state);
        }
    }
}
