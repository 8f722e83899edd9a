// SPDX-License-Identifier: GPL-2.0

//! The queue of a pipe with priorities, or with messages that have a time to live: its messages are
//! in lanes, one for each priority.
//!
//! The store of the queue takes no message then. So its fast paths find no room, and a queue
//! without lanes pays nothing for those that have them. What was in the store when the queue got
//! lanes has priority 0, and is older than all in the lane of that priority.

use kernel::prelude::*;

use super::{
    counters::Tally,
    iter::Run,
    lane::{
        Lane,
        Tag, //
    },
    lanes::{
        is_sent_by,
        Lanes,
        SweepPosition, //
    },
    message::{
        Class,
        Label,
        Record,
        Sender,
        Stamp,
        Terms, //
    },
    queue::{
        Queue,
        EXPIRED_AT_ONCE, //
    },
    store::Store,
    stream::Segments, //
};

use crate::kernel_ext::mm::segment::SEGMENT_SIZE;

impl Queue {
    /// Gives the queue lanes for its next messages. With more than one priority, it must be empty.
    pub(crate) fn set_lanes(&mut self, mut lanes: KBox<Lanes>) {
        lanes.begin = self.next_seq();
        self.lanes = Some(lanes);
        self.update_cached();
    }

    /// Takes the lanes of a queue that has one priority and is empty, and so needs none.
    pub(crate) fn take_unused_lanes(&mut self) -> Option<KBox<Lanes>> {
        let is_used = self.priorities() > 1 || self.depth().msgs > 0 || self.dump_left() > 0;
        let lanes = self
            .lanes
            .take_if(|lanes| !is_used && lanes.highest().is_none());
        self.update_cached();
        lanes
    }

    /// Returns whether the queue has lanes.
    #[inline]
    pub(crate) fn has_lanes(&self) -> bool {
        self.lanes.is_some()
    }

    /// Returns whether all messages of the queue are in lanes.
    pub(crate) fn is_in_lanes(&self) -> bool {
        self.store.depth().msgs == 0
    }

    /// Returns the number of priorities.
    #[inline]
    pub(crate) fn priorities(&self) -> u32 {
        self.lanes.as_deref().map_or(1, Lanes::priorities)
    }

    /// Returns whether a message of this class needs lanes, and the queue has none.
    #[inline]
    pub(crate) fn lacks_lanes(&self, class: Class) -> bool {
        self.lanes.is_none() && class.ttl_ns > 0
    }

    /// Returns whether the lane of this priority has yet to be made.
    #[inline]
    pub(crate) fn lacks_lane(&self, priority: u32) -> bool {
        let lanes = self.lanes.as_deref();
        lanes.is_some_and(|lanes| lanes.lane(priority).is_none())
    }

    /// Adds the lane of a priority. Returns the lane if it is not needed.
    pub(crate) fn add_lane(&mut self, priority: u32, lane: KBox<Lane>) -> Option<KBox<Lane>> {
        match &mut self.lanes {
            Some(lanes) => lanes.add(priority, lane),
            None => Some(lane),
        }
    }

    /// Returns the priority of the next message, if that is in a lane.
    #[inline]
    fn highest(&self) -> Option<u32> {
        match &self.lanes {
            Some(lanes) if self.store.depth().msgs == 0 => lanes.highest(),
            _ => None,
        }
    }

    /// Returns the store whose oldest message is the next one to be delivered.
    #[inline]
    pub(crate) fn next_store(&self) -> &Store {
        let lane = self.highest().and_then(|highest| self.lane(highest));
        lane.map_or(self.store(), |lane| &lane.store)
    }

    /// Returns the lane of this priority.
    #[inline]
    fn lane(&self, priority: u32) -> Option<&Lane> {
        self.lanes.as_deref()?.lane(priority)
    }

    /// Returns the label of the next message to be delivered. If the queue is empty, the sequence
    /// number is that of the next message to be sent.
    #[inline]
    pub(crate) fn next_label(&self) -> Label {
        match self.highest() {
            None => Label::plain(self.seq_in_store()),
            Some(priority) => {
                let tag = self.lane(priority).and_then(Lane::front_tag);
                let seq = tag.map_or(0, |tag| tag.seq);
                Label { seq, priority }
            }
        }
    }

    /// Returns the sequence number of the oldest message in the store of a queue, or of the next
    /// one to be sent if the queue is empty.
    #[inline]
    pub(crate) fn seq_in_store(&self) -> u64 {
        let stored = self.store.depth().msgs;
        match &self.lanes {
            Some(lanes) if stored > 0 => lanes.begin.wrapping_sub(stored),
            Some(_) => self.next_seq(),
            None => self.first_seq(),
        }
    }

    /// Returns what the queue takes of messages to send. A message of a broadcast pipe has no time
    /// to live.
    #[inline]
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            msg_size: self.limits.msg_size(),
            priorities: self.priorities(),
            allows_ttl: self.fanout.is_none(),
        }
    }

    /// Returns the largest number of messages that are delivered from one store in turn, with
    /// consecutive sequence numbers.
    #[inline]
    pub(crate) fn most_in_order(&self) -> usize {
        match self.lanes {
            None => usize::MAX,
            Some(_) => 1,
        }
    }

    /// Returns the record of the next message to be delivered.
    pub(crate) fn next_record(&self) -> Option<Record> {
        match &self.lanes {
            None => self.head(),
            Some(_) => self.next_store().front(),
        }
    }

    /// Returns the number of messages in lanes, and the bytes of their payloads.
    #[inline]
    pub(super) fn depth_in_lanes(&self) -> Tally {
        self.lanes.as_deref().map_or(Tally::NONE, Lanes::depth)
    }

    /// Returns whether no slot is free for a message in a lane.
    #[inline]
    pub(super) fn are_lanes_full(&self) -> bool {
        let slots = self.lanes.as_deref().map_or(0, |lanes| lanes.slots);
        self.depth().msgs >= slots
    }

    /// Moves spare segments to `fresh`, or from it, until it has exactly those that a message of
    /// this priority, of `len` bytes, needs now. Returns the number of segments that are missing.
    #[inline]
    pub(crate) fn provide(&mut self, fresh: &mut Segments, priority: u32, len: usize) -> usize {
        match &self.lanes {
            None => self.store.provide(fresh, len),
            Some(lanes) => {
                let needed = lanes.segments_for(priority, len);
                self.store.balance(fresh, needed)
            }
        }
    }

    /// Moves spare segments to `fresh`, or from it, until it has those that a message of `len`
    /// bytes needs at most. Returns the number of segments that are missing.
    pub(crate) fn preallocate(&mut self, fresh: &mut Segments, len: usize) -> usize {
        match self.lanes {
            None => self.store.preallocate(fresh, len),
            // One more for the tag.
            Some(_) => self.store.balance(fresh, 2 + len.div_ceil(SEGMENT_SIZE)),
        }
    }

    /// Returns whether a message of this priority may take the slot of a queued one: of the oldest
    /// one of the lowest priority, which must not be higher.
    pub(crate) fn has_oldest_for(&self, priority: u32) -> bool {
        match &self.lanes {
            None => self.can_replace_front(),
            Some(lanes) => {
                let lowest = lanes.lowest().filter(|lowest| *lowest <= priority);
                self.store.depth().msgs > 0 || lowest.is_some()
            }
        }
    }

    /// Fast path: accepts a message of this priority, of `len` bytes, if a slot is free and the
    /// last segments have room. `padded` is the payload with its padding. The stamp must not be
    /// earlier than the newest message. The store of the queue must be empty.
    ///
    /// Returns whether the message was accepted. If not, the queue is unchanged.
    #[inline(always)]
    pub(crate) fn try_push_in_lane(
        &mut self,
        priority: u32,
        len: u32,
        padded: &[u8],
        signed: (Sender, Stamp),
    ) -> bool {
        let tag = self.next_tag(Tag::NEVER);
        let Some(lanes) = &mut self.lanes else {
            return false;
        };
        let has_slot = lanes.depth().msgs < lanes.slots;
        if !has_slot || !lanes.try_push(priority, len, padded, tag, signed) {
            return false;
        }
        let depth = lanes.depth();
        self.newest_time = signed.1.monotonic;
        self.counted.count_enqueued(len as usize, depth);
        true
    }

    /// Slow path: accepts a message of this class, as [`Queue::push`] does. `fresh` must hold
    /// exactly the segments that [`Queue::provide`] asks for, and there must be a lane if the queue
    /// has lanes. With `over_oldest`, the oldest message of the lowest priority makes room.
    #[inline]
    pub(crate) fn push_prioritized(
        &mut self,
        class: Class,
        len: u32,
        (sender, stamp): (Sender, Stamp),
        over_oldest: bool,
        fresh: &mut Segments,
        copy: impl FnMut(&mut [u8]) -> bool,
    ) -> bool {
        if self.lanes.is_none() {
            return self.push(len, sender, stamp, over_oldest, fresh, copy);
        }
        if self.are_lanes_full() && !over_oldest {
            return false;
        }
        let deadline = match class.ttl_ns {
            0 => Tag::NEVER,
            // Not beyond the last time before `NEVER`, which no clock reaches.
            ttl => stamp.monotonic.saturating_add(ttl).min(Tag::NEVER - 1),
        };
        let tag = self.next_tag(deadline);
        let has_stored = self.store.depth().msgs > 0;
        let Some(lanes) = &mut self.lanes else {
            return false;
        };
        let lowest = lanes.lowest();
        let record = Record { stamp, len, sender };
        if !lanes.push(class.priority, &record, tag, fresh, copy) {
            return false;
        }
        self.newest_time = stamp.monotonic;
        if over_oldest {
            let gone = match lowest {
                _ if has_stored => self.pop_stored(),
                Some(lowest) => self.pop_in_lane(lowest),
                None => None,
            };
            if let Some((len, true)) = gone {
                self.counted.count_one_dropped(len as usize);
            }
        }
        let depth = self.depth();
        self.counted.count_enqueued(len as usize, depth);
        true
    }

    /// Returns the tag of the next message to be sent.
    #[inline]
    fn next_tag(&self, deadline: u64) -> Tag {
        Tag {
            seq: self.next_seq(),
            deadline,
        }
    }

    /// Fast path: delivers the next message if its record and its payload are each in one piece.
    /// `copy` reads the payload and returns whether it succeeded. There must be no dump.
    ///
    /// Returns the length of the message in bytes. If it was not delivered, the queue is unchanged.
    #[inline(always)]
    pub(crate) fn try_pop_in_lane(&mut self, copy: impl FnOnce(&[u8]) -> bool) -> Option<u32> {
        let lanes = self.lanes.as_deref_mut()?;
        lanes.try_pop(&mut self.store.spare, copy)
    }

    /// Removes the next message, of a queue with lanes, which must be that of `run`, after it was
    /// delivered.
    #[inline]
    pub(super) fn deliver_next(&mut self, run: Run) {
        match self.highest() {
            None => self.store.pop_all(run),
            Some(highest) => {
                self.pop_in_lane(highest);
            }
        }
    }

    /// Removes the oldest message or hole of this priority. Returns its length in bytes, and
    /// whether it was a message.
    fn pop_in_lane(&mut self, priority: u32) -> Option<(u32, bool)> {
        let lanes = self.lanes.as_deref_mut()?;
        lanes.pop(priority, &mut self.store.spare)
    }

    /// Removes the oldest message of the store. Returns its length in bytes, and that it was a
    /// message.
    fn pop_stored(&mut self) -> Option<(u32, bool)> {
        let len = self.store.front()?.len;
        self.store.pop(len);
        Some((len, true))
    }

    /// Returns the time of the oldest message of any priority, in nanoseconds of `CLOCK_MONOTONIC`.
    pub(crate) fn oldest_time(&self) -> Option<u64> {
        let stored = self.front();
        let lanes = self.lanes.as_deref();
        let fronts = lanes.into_iter().flat_map(|lanes| {
            let occupied = lanes.occupied();
            occupied.filter_map(|lane| lanes.front(lane))
        });
        let all = Iterator::chain(stored.into_iter(), fronts);
        all.map(|record| record.stamp.monotonic).min()
    }

    /// Returns whether the oldest message of the queue, or of any priority, has expired by `now`,
    /// or was sent at or before `cutoff`.
    pub(crate) fn has_expired(&self, now: u64, cutoff: Option<u64>) -> bool {
        let is_expired = |lanes: &Lanes| {
            let mut occupied = lanes.occupied();
            occupied.any(|lane| lanes.is_front_expired(lane, now, cutoff))
        };
        is_sent_by(self.front(), cutoff) || self.lanes.as_deref().is_some_and(is_expired)
    }

    /// Removes the oldest messages of a queue with lanes that have expired by `now`, or were sent
    /// at or before `cutoff`, and the holes before and between them. Stops after `limit` of both,
    /// or [`EXPIRED_AT_ONCE`] bytes. Returns the number of messages removed, and whether it
    /// stopped.
    pub(crate) fn expire_oldest(
        &mut self,
        now: u64,
        cutoff: Option<u64>,
        limit: u32,
    ) -> (u32, bool) {
        let (mut expired, mut removed, mut bytes) = (0, 0, 0);
        let mut left = self.lanes.as_deref().map_or(0, Lanes::occupied_bits);
        while removed < limit && bytes < EXPIRED_AT_ONCE {
            let lanes = self.lanes.as_deref();
            let gone = if is_sent_by(self.front(), cutoff) {
                self.pop_stored()
            } else if let Some(priority) = left.checked_ilog2() {
                if !lanes.is_some_and(|lanes| lanes.is_front_expired(priority, now, cutoff)) {
                    left &= !(1 << priority);
                    continue;
                }
                self.pop_in_lane(priority)
            } else {
                None
            };
            let Some((len, is_message)) = gone else {
                return (expired, false);
            };
            if is_message {
                self.counted.count_expired(len as usize);
                expired += 1;
            }
            removed += 1;
            bytes += u64::from(len);
        }
        (expired, true)
    }

    /// Removes messages that have expired by `now` wherever they are, from the position `at` on.
    /// Looks at up to `limit` messages. Returns the number of messages that have expired, and
    /// whether all messages have been looked at. There must be no dump.
    pub(crate) fn sweep(&mut self, at: &mut SweepPosition, now: u64, limit: u64) -> (u64, bool) {
        let Some(lanes) = &mut self.lanes else {
            return (0, true);
        };
        let (expired, is_done) = lanes.sweep(at, now, limit);
        self.counted.count_all_expired(expired);
        (expired.msgs, is_done)
    }

    /// Returns whether a message has a deadline.
    pub(crate) fn has_deadlines(&self) -> bool {
        self.lanes.as_deref().is_some_and(Lanes::has_deadlines)
    }

    /// Returns a time before which no message has its deadline, if any message has one.
    pub(crate) fn earliest_deadline(&self) -> Option<u64> {
        self.lanes.as_deref()?.earliest()
    }

    /// Returns the number of bytes that all queued payloads take, including padding.
    pub(crate) fn payload_span(&self) -> usize {
        let lanes = self.lanes.as_deref().map_or(0, Lanes::payload_span);
        self.store.payload_span().saturating_add(lanes)
    }

    /// Returns the number of segments that hold messages.
    pub(crate) fn segments(&self) -> usize {
        let lanes = self.lanes.as_deref().map_or(0, Lanes::segments);
        self.store.segments().saturating_add(lanes)
    }

    /// Takes out surplus memory, as [`Store::trim`] does.
    pub(crate) fn trim(&mut self, idle: bool) -> Segments {
        let mut surplus = self.store.trim(idle);
        if let Some(lanes) = self.lanes.as_deref_mut().filter(|_| idle) {
            surplus.append(&mut lanes.trim());
        }
        surplus
    }
}
