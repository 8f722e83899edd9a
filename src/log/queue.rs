// SPDX-License-Identifier: GPL-2.0

//! The bounded message queue of a pipe, with its counters.
//!
//! Pure data: no function here sleeps, allocates or frees, so all of them may be called with the
//! pipe's lock held. A function that removes memory returns it to the caller, which frees it.

use super::{
    counters::{
        Counters,
        RawCounters,
        Tally, //
    },
    fanout::Fanout,
    iter::Run,
    lanes::Lanes,
    leases::Leases,
    limits::Limits,
    message::{
        Record,
        Sender,
        Stamp, //
    },
    store::{
        Place,
        Placement,
        Store,
        StoreIndex, //
    },
    stream::Segments, //
};
use kernel::prelude::*;

/// The number of bytes of expired messages after which [`Queue::expire`] stops. It bounds the
/// critical section.
pub(super) const EXPIRED_AT_ONCE: u64 = 1 << 20;

/// A bounded FIFO queue of messages.
pub(crate) struct Queue {
    pub(super) limits: Limits,
    /// The messages, oldest first, in order of sequence number and of time.
    pub(super) store: Store,
    pub(super) counted: RawCounters,
    /// The time of the newest message that was accepted, in nanoseconds of `CLOCK_MONOTONIC`.
    pub(super) newest_time: u64,
    /// In a broadcast pipe, which messages its subscriptions have yet to read.
    pub(super) fanout: Option<KBox<Fanout>>,
    /// The messages by priority, in a queue with priorities, whose `store` is then empty.
    pub(super) lanes: Option<KBox<Lanes>>,
    /// Messages that were delivered on trust, in a queue with readers that have leases.
    pub(super) leases: Option<KBox<Leases>>,
    /// Slots in use by partly read messages, which have left the queue.
    reserved: u32,
    /// Whether the fast path is closed for new messages.
    fast_path_closed: bool,
    /// The number of messages that may be stored: `limits.max_msgs()` less `reserved`, and those
    /// that a broadcast pipe retains. Zero in a queue with lanes or with messages on
    /// trust. Cached by [`Queue::update_cached`].
    pub(super) capacity: u64,
    /// The longest message that the fast path accepts, in bytes: zero if it is closed. Cached by
    /// [`Queue::update_cached`].
    fast_max_len: u32,
}

impl Queue {
    /// Creates an empty queue.
    pub(crate) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            store: Store::new(),
            counted: RawCounters::new(),
            newest_time: 0,
            fanout: None,
            lanes: None,
            leases: None,
            reserved: 0,
            fast_path_closed: false,
            capacity: limits.max_msgs() as u64,
            fast_max_len: limits.msg_size(),
        }
    }

    /// Updates `capacity` and `fast_max_len` from the fields that they are computed from.
    pub(super) fn update_cached(&mut self) {
        let retained = self.fanout().map_or(0, |fanout| fanout.retained().msgs);
        self.capacity = match (&self.lanes, &self.leases) {
            (None, None) => self.slots().wrapping_add(retained),
            _ => 0,
        };
        let slots = self.slots();
        if let Some(lanes) = &mut self.lanes {
            lanes.set_limits(slots, u64::from(self.limits.max_msgs()) * 2);
        }
        self.fast_max_len = if self.fast_path_closed || self.capacity == 0 {
            0
        } else {
            self.limits.msg_size()
        };
    }

    /// Returns the number of messages that may be queued: `max_msgs` less the slots in use by
    /// partly read messages.
    #[inline]
    pub(super) fn slots(&self) -> u64 {
        self.limits.max_msgs().saturating_sub(self.reserved).into()
    }

    /// Returns the limits of the queue.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Sets the limits of the queue, which should be empty.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.update_cached();
    }

    /// Makes the queue, which must be empty, that of a broadcast pipe with the given limits, or
    /// changes them. The store must have an index. Returns the old state, to be freed after the
    /// lock is released.
    pub(crate) fn set_fanout(&mut self, mut fanout: KBox<Fanout>) -> Option<KBox<Fanout>> {
        if let Some(old) = &self.fanout {
            fanout.continue_from(old);
        }
        let old = self.fanout.replace(fanout);
        self.update_cached();
        old
    }

    /// Sets whether the history of a broadcast pipe makes room for new messages.
    pub(crate) fn set_sheds_history(&mut self, sheds: bool) {
        if let Some(fanout) = &mut self.fanout {
            fanout.set_sheds_history(sheds);
        }
    }

    /// Gives the store another index, or none, and returns the one it had, to be freed after the
    /// lock is released.
    pub(crate) fn replace_index(&mut self, index: Option<StoreIndex>) -> Option<StoreIndex> {
        self.store.replace_index(index)
    }

    /// Returns which messages the subscriptions of a broadcast pipe have yet to read.
    #[inline]
    pub(crate) fn fanout(&self) -> Option<&Fanout> {
        self.fanout.as_deref()
    }

    /// Returns the same for modification.
    #[inline]
    pub(super) fn fanout_mut(&mut self) -> Option<&mut Fanout> {
        self.fanout.as_deref_mut()
    }

    /// Returns the number of slots in use by partly read messages, which have left the queue.
    pub(crate) fn reserved_slots(&self) -> u32 {
        self.reserved
    }

    /// Sets the number of slots in use by partly read messages, which have left the queue.
    pub(crate) fn set_reserved_slots(&mut self, reserved: u32) {
        self.reserved = reserved;
        self.update_cached();
    }

    /// Closes the fast path for new messages, or opens it.
    pub(crate) fn set_fast_path_closed(&mut self, closed: bool) {
        self.fast_path_closed = closed;
        self.update_cached();
    }

    /// Returns the counters of the queue.
    pub(crate) fn counters(&self) -> Counters {
        self.counted.counters(self.depth())
    }

    /// Returns the store of the messages.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the store of the messages, to provide and trim its memory and to move its cursor.
    pub(crate) fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    /// Returns how many messages and bytes of payload are queued. A broadcast pipe may store more
    /// than these, for subscriptions still to come.
    #[inline]
    pub(crate) fn depth(&self) -> Tally {
        let stored = self.store.depth();
        match (&self.fanout, &self.leases) {
            (Some(fanout), _) => stored.without(fanout.retained()),
            (None, Some(leases)) => stored.without(leases.consumed()),
            (None, None) => {
                let mut depth = self.depth_in_lanes();
                depth.merge(stored);
                depth
            }
        }
    }

    /// Returns the sequence number of the newest message that was queued. Numbers start at one.
    pub(crate) fn last_seq(&self) -> u64 {
        self.counted.queued_msgs()
    }

    /// Returns the sequence number of the oldest queued message, or of the next one if the queue is
    /// empty. It is not kept: all messages from that one on are stored. The queue must have no
    /// lanes, or be empty.
    pub(crate) fn first_seq(&self) -> u64 {
        match &self.fanout {
            Some(fanout) => self.stored_seq().wrapping_add(fanout.retained().msgs),
            None => self.stored_seq(),
        }
    }

    /// Returns the record of the oldest queued message.
    pub(crate) fn head(&self) -> Option<Record> {
        let ahead = self.fanout().map_or(0, |fanout| fanout.retained().msgs);
        self.store.record_at(Place::nth(ahead))
    }

    /// Returns whether no slot is free.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.is_store_full() && !self.has_other_slot()
    }

    /// Returns whether a slot is free in a queue with lanes or with messages on trust, to which the
    /// fast paths do not add.
    fn has_other_slot(&self) -> bool {
        match (&self.lanes, &self.leases) {
            (None, None) => false,
            (Some(_), _) => !self.are_lanes_full(),
            (None, Some(leases)) => {
                self.store.depth().msgs < leases.span_max() && self.depth().msgs < self.slots()
            }
        }
    }

    /// Returns whether the store takes no message, as no slot is free, or the queue has lanes or
    /// messages on trust.
    #[inline]
    fn is_store_full(&self) -> bool {
        self.store.depth().msgs >= self.capacity
    }

    /// Returns whether no message is queued that a reader could get: messages on trust do not
    /// count.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        match self.store.depth().msgs {
            0 if self.lanes.is_none() => true,
            0 => self.depth_in_lanes().msgs == 0,
            _ if self.fanout.is_none() && self.leases.is_none() => false,
            _ => self.has_none_to_read(),
        }
    }

    /// Returns whether none of the stored messages is queued for a reader, in a broadcast pipe or
    /// in a queue with messages on trust.
    #[inline(never)]
    fn has_none_to_read(&self) -> bool {
        match &self.fanout {
            Some(fanout) => fanout.retained().msgs == self.store.depth().msgs,
            None => self.next_delivery().is_none(),
        }
    }

    /// Returns the record of the oldest stored message that no reader has on trust.
    pub(crate) fn front(&self) -> Option<Record> {
        match &self.leases {
            None => self.store.front(),
            Some(_) => self.store.record_at(self.next_delivery()?.place),
        }
    }

    /// Fast path: accepts a message of `len` bytes if a slot is free, the message is not too long,
    /// and its payload fits in one piece at `place`.
    ///
    /// `copy` writes the payload and returns whether it succeeded. `signed` is called afterwards
    /// with the time of the message, and returns its sender and stamp. That time is `now`, or the
    /// time of the newest message if that is later: another sender may have taken the lock first.
    ///
    /// Returns whether the message was accepted. If not, the queue is unchanged.
    #[inline(always)]
    pub(crate) fn try_push_contiguous(
        &mut self,
        len: usize,
        place: Placement,
        now: u64,
        copy: impl FnOnce(&mut [u8]) -> bool,
        signed: impl FnOnce(u64) -> (Sender, Stamp),
    ) -> bool {
        // A length of zero wraps around and is refused, too.
        if len.wrapping_sub(1) >= self.fast_max_len as usize || self.is_store_full() {
            return false;
        }
        let time = self.monotonic_time(now);
        if !self
            .store
            .try_push_contiguous(len as u32, place, copy, || signed(time))
        {
            return false;
        }
        self.newest_time = time;
        if self.fanout.is_some() {
            self.publish_one(len, false);
        } else {
            self.counted.count_enqueued(len, self.store.depth());
        }
        true
    }

    /// Returns the places for the record and for `len` bytes of payload of the next message, if a
    /// slot is free and each fits in one piece. The message is not queued before [`Queue::commit`].
    #[inline(always)]
    pub(crate) fn reserve(&mut self, len: usize) -> Option<(&mut [u8; Record::SIZE], &mut [u8])> {
        if self.is_store_full() {
            return None;
        }
        self.store.reserve(len)
    }

    /// Writes `messages` to the store while slots are free and each message fits in one piece. They
    /// are not queued before [`Queue::commit`].
    ///
    /// Each item is the length of a message, at least one and at most `msg_size`, and its payload,
    /// padded to a multiple of 8 bytes. All get this `sender` and `stamp`, which must not be
    /// earlier than the newest message.
    #[inline(always)]
    pub(crate) fn stage<'a>(
        &mut self,
        sender: Sender,
        stamp: Stamp,
        messages: impl Iterator<Item = (u32, &'a [u8])>,
    ) -> Run {
        let record = Record {
            stamp,
            len: 0,
            sender,
        };
        let room = self.capacity.saturating_sub(self.store.depth().msgs) as usize;
        self.store.stage(&record, room, messages)
    }

    /// Accepts the messages of `run`, which must not be empty, with this `time`. They must have
    /// been written through [`Queue::reserve`] or [`Queue::stage`], and the queue must not have
    /// changed since.
    #[inline(always)]
    pub(crate) fn commit(&mut self, run: Run, time: u64) {
        self.store.commit(run);
        self.newest_time = time;
        if self.fanout.is_some() {
            self.publish(run.tally);
        } else {
            self.counted
                .count_enqueued_all(run.tally, self.store.depth());
        }
    }

    /// Slow path: accepts a message of `len` bytes, whose payload `copy` writes piece by piece.
    /// `stamp` must not be earlier than the newest message. `fresh` must hold exactly the segments
    /// that [`Store::provide`] asks for; all of them are used up.
    ///
    /// With `over_oldest` no slot need be free: the oldest message, if there is one, is dropped to
    /// make room. That happens after the copy.
    ///
    /// Returns whether there was room and every call of `copy` returned `true`. If not, the queue
    /// is unchanged.
    #[inline]
    pub(crate) fn push(
        &mut self,
        len: u32,
        sender: Sender,
        stamp: Stamp,
        over_oldest: bool,
        fresh: &mut Segments,
        copy: impl FnMut(&mut [u8]) -> bool,
    ) -> bool {
        if self.is_full() && !over_oldest {
            return false;
        }
        let oldest = if over_oldest { self.front() } else { None };
        let record = Record { stamp, len, sender };
        if !self.store.push(&record, fresh, copy) {
            return false;
        }
        self.newest_time = stamp.monotonic;
        if self.fanout.is_some() {
            self.publish_one(len as usize, over_oldest);
            return true;
        }
        // Counted first: it has a sequence number, as all stored messages have. What leaves at once
        // does not raise the peak.
        self.counted.count_enqueued(len as usize, Tally::NONE);
        if let Some(oldest) = oldest {
            self.remove_front(oldest.len);
            self.counted.count_one_dropped(oldest.len as usize);
        }
        self.counted.update_peak(self.depth());
        true
    }

    /// Counts a message of `len` bytes that a writer has sent and that is not queued. It gets no
    /// sequence number.
    pub(crate) fn discard(&mut self, len: u32) {
        self.counted.count_discarded(len as usize);
        if let Some(fanout) = &mut self.fanout {
            fanout.discard();
        }
    }

    /// Fast path: delivers the oldest message if its record and its payload are each in one piece.
    /// `copy` reads the payload and returns whether it succeeded. The store must have no cursor.
    ///
    /// Returns the length of the delivered message in bytes. If it was not delivered, the queue is
    /// unchanged.
    #[inline(always)]
    pub(crate) fn pop_contiguous(&mut self, copy: impl FnOnce(&[u8]) -> bool) -> Option<u32> {
        let len = Record::decode_len(self.store.front_contiguous()?);
        if !copy(self.store.payload_contiguous(len as usize)?) {
            return None;
        }
        self.store.pop_contiguous_run(Run::one(len));
        Some(len)
    }

    /// Removes the message whose record [`Queue::front`] returns, of `len` bytes, in a pipe that is
    /// no broadcast pipe.
    #[inline]
    fn remove_front(&mut self, len: u32) {
        match &self.leases {
            None => self.store.pop(len),
            Some(_) => drop(self.deliver_by(Run::one(len), None)),
        }
    }

    /// Removes the oldest message, of `len` bytes, after it was delivered.
    pub(crate) fn deliver(&mut self, len: u32) {
        self.store.pop(len);
    }

    /// Removes the oldest messages, which must be those of `run`, after they were delivered.
    #[inline]
    pub(crate) fn deliver_all(&mut self, run: Run) {
        match self.lanes {
            None => self.store.pop_all(run),
            Some(_) => self.deliver_next(run),
        }
    }

    /// Removes the messages of `run` after they were delivered. [`Store::contiguous_messages`] or
    /// [`Store::front_contiguous`] must have returned them. The store must not have changed since,
    /// and must have no cursor.
    #[inline(always)]
    pub(crate) fn deliver_contiguous(&mut self, run: Run) {
        self.store.pop_contiguous_run(run);
    }

    /// Removes the only message after it was delivered. [`Store::front_contiguous`] must have
    /// returned it, and the store must have no cursor.
    #[inline(always)]
    pub(crate) fn deliver_only(&mut self) {
        self.store.pop_only();
    }

    /// Returns the time of a message that is accepted `now`: at least that of the newest message,
    /// so that messages stay in order of time.
    #[inline]
    pub(crate) fn monotonic_time(&self, now: u64) -> u64 {
        now.max(self.newest_time)
    }

    /// Removes messages that were sent at or before `cutoff`, in nanoseconds of `CLOCK_MONOTONIC`.
    /// Stops after `limit` messages or [`EXPIRED_AT_ONCE`] bytes. Returns the number of messages
    /// removed.
    pub(crate) fn expire(&mut self, cutoff: u64, limit: u32) -> u32 {
        if self.lanes.is_some() {
            return self.expire_oldest(0, Some(cutoff), limit).0;
        }
        let mut expired = 0;
        let mut bytes = 0;
        while expired < limit && bytes < EXPIRED_AT_ONCE {
            let Some(record) = self.front() else {
                break;
            };
            if record.stamp.monotonic > cutoff {
                break;
            }
            if self.fanout.is_some() {
                self.expire_published();
            } else {
                self.remove_front(record.len);
                self.counted.count_expired(record.len as usize);
            }
            expired += 1;
            bytes += u64::from(record.len);
        }
        expired
    }

    /// Drops all messages. Returns their memory, to be freed after the lock is released.
    pub(crate) fn clear(&mut self) -> Segments {
        let next = self.next_seq();
        let dropped = match &mut self.fanout {
            Some(fanout) => {
                let unread = fanout.unread();
                fanout.clear(next);
                unread
            }
            None => self.depth(),
        };
        self.counted.count_dropped(dropped);
        let mut gone = self.store.clear();
        if let Some(lanes) = &mut self.lanes {
            gone.append(&mut lanes.clear());
        }
        self.restart_leases();
        self.update_cached();
        gone
    }
}
