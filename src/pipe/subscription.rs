// SPDX-License-Identifier: GPL-2.0

//! Open files that read from a position of their own: the subscriptions of a broadcast pipe, and
//! files that browse.
//!
//! The reads of such files have a fast path of their own, [`Pipe::receive_own`], so those of other
//! files cost no more. [`Flag::Subscribed`] tells the slow paths that there are such files. Tasks
//! that wait for a message of such a file have a wait list of their own. Each message wakes all of
//! them, as each of their files gets it: no wakeup is passed on.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    kind::Kind,
    lease::LeaseTerms,
    roster::{
        Listed,
        Room, //
    },
    waiters::Waiters,
    FileSnapshot,
    Flag,
    Handle,
    Pipe,
    State, //
};

use crate::{
    kernel_ext::sync::lock::StateGuard,
    log::{
        fanout::Fanout,
        iter::Run,
        leases::Leases,
        limits::Limits,
        message::{
            Label,
            Record, //
        },
        store::{
            Place,
            StoreIndex, //
        },
        stream::Segments,
        subscription::{
            self,
            Search,
            Start,
            Subscription, //
        }, //
    }, //
};

/// Maximum number of messages, and of segments, that are looked at in one critical section.
const BATCH: u32 = 256;

/// What an open file reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// The messages of a queue, each of which goes to one file, on these terms.
    Queue(LeaseTerms),
    /// A subscription of its own, or messages that stay.
    Position(subscription::Kind),
}

/// Next message that an open file reads.
#[derive(Clone, Copy)]
pub(super) struct Next {
    /// Where it is in the store.
    pub(super) place: Place,
    /// Its sequence number and priority.
    pub(super) label: Label,
    /// Number of messages that were lost just before it.
    pub(super) lost: u64,
    /// How often it will have been delivered.
    pub(super) deliveries: u32,
    /// Maximum number of messages that a read of several gets together: others were lost behind
    /// them, or the next message may be in another lane.
    pub(super) most: usize,
}

/// Memory that a pipe with files that read from a position of their own needs.
pub(super) struct LogMemory {
    index: StoreIndex,
    fanout: Option<KBox<Fanout>>,
    leases: Option<KBox<Leases>>,
}

impl LogMemory {
    /// Allocates what a pipe of this kind needs from its creation on, which for a queue is nothing.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(super) fn of_kind(kind: Kind, limits: Limits) -> Result<Option<Self>> {
        match kind {
            Kind::Queue => Ok(None),
            Kind::Broadcast { history } => Ok(Some(Self {
                index: Self::index(
                    limits,
                    (limits.max_msgs() as usize).saturating_add(history as usize),
                )?,
                fanout: Some(Fanout::new(limits.max_msgs(), history)?),
                leases: None,
            })),
        }
    }

    /// Returns whether `memory` replaces all that a pipe with this state has, and nothing else.
    pub(super) fn suits(memory: Option<&Self>, state: &State) -> bool {
        let has_leases = memory.is_some_and(|memory| memory.leases.is_some());
        let queue = &state.queue;
        (memory.is_some(), has_leases) == (queue.store().is_indexed(), queue.leases().is_some())
    }

    /// Allocates the index of a pipe with these limits, which may store `msgs` messages.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    fn index(limits: Limits, msgs: usize) -> Result<StoreIndex> {
        StoreIndex::new(msgs, limits.msg_size())
    }

    /// Allocates the index of a queue with these limits, which suffices while messages are leased.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    fn queue_index(limits: Limits) -> Result<StoreIndex> {
        Self::index(limits, Leases::span_max_of(limits.max_msgs()))
    }
}

impl State {
    /// Gives the pipe the memory that it needs by its limits. The queue must be empty. Returns the
    /// memory that the pipe had, to be freed after the lock is released.
    pub(super) fn keep_log_memory(&mut self, memory: LogMemory) -> impl Sized {
        let index = self.queue.replace_index(Some(memory.index));
        // An empty queue has at most a few segments.
        self.index_more();
        let fanout = memory
            .fanout
            .and_then(|fanout| self.queue.set_fanout(fanout));
        let leases = memory.leases.and_then(|leases| self.keep_leases(leases));
        (index, fanout, leases)
    }

    /// Takes out the index of a queue, which is needed only while files browse or have leases.
    /// There must be no such file.
    pub(super) fn take_unused_index(&mut self) -> Option<StoreIndex> {
        let is_unused = self.queue.fanout().is_none() && self.queue.leases().is_none();
        is_unused.then(|| self.queue.replace_index(None)).flatten()
    }

    /// Takes out the messages that stay for subscriptions still to come, and those that were
    /// acknowledged and not removed yet. The queue must be empty.
    pub(super) fn take_history(&mut self) -> Option<Segments> {
        let keeps_some = self.queue.fanout().is_some() || self.queue.leases().is_some();
        keeps_some.then(|| self.queue.clear())
    }

    /// Extends the index by a bounded number of segments. Returns whether it covers all.
    fn index_more(&mut self) -> bool {
        self.queue.store_mut().index_more(BATCH as usize)
    }

    /// Returns the subscription of the file of `handle`, if it has one, and moves it over what has
    /// left the store.
    #[inline(always)]
    pub(super) fn subscription(&mut self, handle: &Handle) -> Option<Subscription> {
        if self.flags.contains(Flag::Subscribed) {
            self.subscription_beside_others(handle)
        } else {
            None
        }
    }

    /// Does the same as [`State::subscription`] in a pipe with files that read from a position of
    /// their own.
    #[inline(never)]
    fn subscription_beside_others(&mut self, handle: &Handle) -> Option<Subscription> {
        let mut subscription = handle.listed(self)?.subscription;
        self.queue.catch_up(&mut subscription);
        self.store_subscription(handle, subscription);
        Some(subscription)
    }

    /// Makes the file of `handle` begin at the oldest stored message if it has lost messages, and
    /// forgets these.
    fn forget_losses(&mut self, handle: &Handle) {
        if let Some(mut subscription) = self.subscription(handle) {
            subscription.forget_losses();
            self.store_subscription(handle, subscription);
        }
    }

    /// Stores the changed subscription of the file of `handle`.
    #[inline]
    fn store_subscription(&mut self, handle: &Handle, subscription: Subscription) {
        if let Some(listed) = handle.listed_mut(self) {
            listed.subscription = subscription;
        }
    }

    /// Returns the next message that the file of `handle` reads, if there is one.
    #[inline]
    pub(super) fn next_of(&mut self, handle: &Handle) -> Option<Next> {
        match self.subscription(handle) {
            Some(subscription) => Some(Next {
                place: self.queue.next_place(&subscription)?,
                label: Label::plain(subscription.next_seq()),
                lost: subscription.unreported(),
                deliveries: 1,
                most: self.queue.most_together(&subscription),
            }),
            None if self.queue.is_empty() => None,
            None if self.flags.contains(Flag::Leases) => {
                let delivery = self.queue.next_delivery()?;
                Some(Next {
                    place: delivery.place,
                    label: Label::plain(delivery.seq),
                    lost: self.lost,
                    deliveries: delivery.deliveries,
                    most: delivery.most,
                })
            }
            None => Some(Next {
                place: Place::Front,
                label: self.queue.next_label(),
                lost: self.lost,
                deliveries: 1,
                most: self.queue.most_in_order(),
            }),
        }
    }

    /// Returns the record of the next message that the file of `handle` reads.
    pub(super) fn next_record(&mut self, handle: &Handle) -> Option<Record> {
        let next = self.next_of(handle)?;
        self.queue.next_store().record_at(next.place)
    }

    /// Returns whether there is a message for the file of `handle`.
    #[inline]
    pub(super) fn has_message(&mut self, handle: &Handle) -> bool {
        self.pending(handle).0
    }

    /// Returns whether there is a message for the file of `handle`, and whether the file has lost
    /// messages that it has not reported.
    #[inline]
    pub(super) fn pending(&mut self, handle: &Handle) -> (bool, bool) {
        match self.subscription(handle) {
            Some(subscription) => {
                let has_message = self.queue.lag(&subscription) > 0;
                (has_message, subscription.unreported() > 0)
            }
            None => (!self.queue.is_empty(), self.flags.contains(Flag::Lost)),
        }
    }

    /// Consumes the next messages of the file of `handle`, which must be those of `run` and not
    /// none, after they and what was lost before were delivered. Returns the number of slots that
    /// are free now.
    #[inline]
    pub(super) fn consume(&mut self, handle: &Handle, run: Run) -> u64 {
        match self.subscription(handle) {
            Some(mut subscription) => self.advance(handle, &mut subscription, run),
            None if self.flags.contains(Flag::Leases) => {
                self.report_lost();
                self.deliver_on_terms(handle, run)
            }
            None => {
                self.queue.deliver_all(run);
                self.report_lost();
                run.tally.msgs
            }
        }
    }

    /// Moves the `subscription` of the file of `handle` over its next messages, which must be those
    /// of `run`. Returns the number of slots that are free now.
    #[inline]
    pub(super) fn advance(
        &mut self,
        handle: &Handle,
        subscription: &mut Subscription,
        run: Run,
    ) -> u64 {
        let freed = self.queue.advance(subscription, run);
        self.store_subscription(handle, *subscription);
        freed
    }

    /// Returns the number of bytes that all messages take which the file of `handle` can read now:
    /// their payloads with padding, and a header of `header` bytes each.
    pub(super) fn span_of(&mut self, handle: &Handle, header: usize) -> usize {
        match self.subscription(handle) {
            Some(subscription) => {
                let headers = self.queue.lag(&subscription) as usize * header;
                headers.saturating_add(self.queue.span_behind(&subscription))
            }
            None if self.flags.contains(Flag::Leases) => self.queue.deliverable_span(header),
            None => {
                let headers = self.queue.depth().msgs as usize * header;
                headers.saturating_add(self.queue.payload_span())
            }
        }
    }

    /// Makes the file of `handle` read from the position that `search` has found. `room` has the
    /// memory for the entry of the list, or gets that of the position from which the file has read.
    /// The file must have a place.
    pub(super) fn subscribe(
        &mut self,
        handle: &Handle,
        kind: subscription::Kind,
        search: &Search,
        room: &mut Option<Room>,
    ) {
        let (Some(free), Some(place)) = (room.take(), handle.place.as_ref()) else {
            return;
        };
        *room = self.unsubscribe(handle);
        let listed = Listed {
            number: self.roster.enter(place, free),
            subscription: self.queue.subscribe(kind, search),
        };
        *place.access_mut(self) = Some(listed);
        self.flags |= Flag::Subscribed;
    }

    /// Makes the file of `handle` read from no position of its own. Returns the memory that it has
    /// needed for that, if it had one. The caller frees it without the lock.
    pub(super) fn unsubscribe(&mut self, handle: &Handle) -> Option<Room> {
        let listed = handle.place.as_ref()?.access_mut(self).take()?;
        self.queue.unsubscribe(&listed.subscription);
        let room = self.roster.leave(listed.number);
        let subscribed = !self.roster.is_empty();
        self.flags.set(Flag::Subscribed, subscribed);
        room
    }
}

impl Reads {
    /// Returns the word for it that `fdinfo` shows.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Queue(_) => "queue",
            Self::Position(subscription::Kind::Own) => "own",
            Self::Position(subscription::Kind::Browse) => "browse",
        }
    }
}

impl Pipe {
    /// Returns the wait list of the readers of the file of `handle`.
    pub(super) fn readers_of(&self, state: &mut State, handle: &Handle) -> &Waiters {
        if handle.has_position(state) {
            &self.subscribers
        } else {
            &self.readers
        }
    }

    /// Allocates what the pipe needs to get these limits.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`]: the history of the pipe does not fit.
    /// - [`ENOMEM`].
    pub(super) fn log_memory_for(&self, limits: Limits) -> Result<Option<LogMemory>> {
        if self.kind.history() > limits.max_msgs() {
            return Err(EINVAL);
        }
        let (is_indexed, has_leases) = {
            let state = self.state.lock();
            (
                state.queue.store().is_indexed(),
                state.queue.leases().is_some(),
            )
        };
        match LogMemory::of_kind(self.kind, limits)? {
            None if is_indexed => {
                let leases = has_leases.then(|| Leases::new(limits.max_msgs()));
                Ok(Some(LogMemory {
                    index: LogMemory::queue_index(limits)?,
                    fanout: None,
                    leases: leases.transpose()?,
                }))
            }
            memory => Ok(memory),
        }
    }

    /// Lets the messages leave the backlog that no subscription has yet to read, after a
    /// subscription has ended or moved, and announces the slots. Releases the lock after each
    /// batch.
    pub(super) fn settle<'a>(self: &'a Arc<Self>, mut state: StateGuard<'a, State>) {
        loop {
            let freed = state.queue.settle(BATCH);
            self.announce_room(state, freed);
            if freed < BATCH.into() {
                return;
            }
            state = self.state.lock();
        }
    }

    /// Gives the pipe an index that covers all segments, if it has none.
    ///
    /// # Errors
    ///
    /// - [`ENODEV`]: the pipe is destroyed.
    /// - [`ENOMEM`].
    pub(super) fn provide_index(&self) -> Result {
        let mut memory: Option<(Limits, StoreIndex)> = None;
        loop {
            let mut state = self.state.lock();
            state.alive()?;
            let limits = state.queue.limits();
            if state.queue.store().is_indexed() {
                if state.index_more() {
                    return Ok(());
                }
                continue;
            }
            // The limits may have changed while the memory was allocated.
            let fitting = memory.take_if(|(allocated, _)| *allocated == limits);
            if let Some((_, index)) = fitting {
                state.queue.replace_index(Some(index));
                continue;
            }
            drop(state);
            memory = Some((limits, LogMemory::queue_index(limits)?));
        }
    }

    /// Takes the lock at the end of `search`, which goes on in batches.
    pub(super) fn lock_at(&self, search: &mut Search) -> StateGuard<'_, State> {
        loop {
            let state = self.state.lock();
            if state.queue.search(search, BATCH) {
                return state;
            }
        }
    }

    /// Makes the file of `handle`, which must be open for reading, read from `start` on as `reads`
    /// says, from the next call on. Calls `switch` with the new state of the file and the lock
    /// held, which serializes concurrent changes.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`]: the pipe is of the wrong kind: only a queue is read with others, only a
    ///   broadcast pipe has subscriptions, and no file browses a pipe with priorities or with
    ///   messages that have a time to live.
    /// - [`EBUSY`]: the file keeps the rest of a message.
    /// - [`ENODEV`]: the pipe is destroyed.
    /// - [`ENOMEM`].
    pub(crate) fn read_from(
        this: &Arc<Self>,
        handle: &Handle,
        reads: Reads,
        start: Start,
        switch: impl FnOnce(FileSnapshot),
    ) -> Result {
        let is_queue = this.kind == Kind::Queue;
        let reads = match reads {
            Reads::Queue(terms) => return this.read_queue(handle, terms, switch),
            Reads::Position(subscription::Kind::Own) if is_queue => return Err(EINVAL),
            Reads::Position(_) if this.priorities > 1 => return Err(EINVAL),
            Reads::Position(reads) => reads,
        };
        this.provide_index()?;
        let mut search = Search::new(start);
        // Declared before the guard: memory that is not needed is freed without the lock.
        let mut room = Some(handle.provide_place(this)?);
        let mut state = this.lock_at(&mut search);
        state.alive()?;
        if handle.state(&mut state).rest_len() > 0 {
            return Err(EBUSY);
        }
        if state.queue.has_lanes() {
            return Err(EINVAL);
        }
        state.subscribe(handle, reads, &search, &mut room);
        switch(state.show(handle));
        this.settle(state);
        if reads == subscription::Kind::Browse {
            // The subscription of the file may have been the last one to wait for some messages,
            // which are gone with it.
            this.state.lock().forget_losses(handle);
        }
        this.announce_move(handle);
        Ok(())
    }

    /// Wakes the tasks that wait for messages of the file of `handle`, and notifies pollers, after
    /// the file has begun to read elsewhere: there may be messages for it now.
    pub(super) fn announce_move(&self, handle: &Handle) {
        self.readers.wake_all_of(&self.state, handle);
        self.subscribers.wake_all_of(&self.state, handle);
        let is_readable = self.state.lock().has_message(handle);
        if is_readable {
            self.notifier.readable(true);
        }
    }
}
