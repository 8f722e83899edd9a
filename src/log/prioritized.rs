// SPDX-License-Identifier: GPL-2.0

//! The queue of a pipe with priorities: its messages are in lanes, one for each priority.
//!
//! The store of the queue stays empty. So its fast paths find no message and no room, and a queue
//! without lanes pays nothing for those that have them.

use kernel::prelude::*;

use super::{
    counters::Tally,
    iter::Run,
    lanes::{
        Lane,
        Lanes,
        Tag, //
    },
    message::{
        Class,
        Label,
        Record,
        Sender,
        Stamp,
        Terms, //
    },
    queue::Queue,
    store::Store,
    stream::Segments, //
};

use crate::kernel_ext::mm::segment::SEGMENT_SIZE;

impl Queue {
    /// Gives the queue, which must be empty, lanes for its messages.
    pub(crate) fn set_lanes(&mut self, lanes: KBox<Lanes>) {
        self.lanes = Some(lanes);
        self.update_cached();
    }

    /// Returns whether the queue has lanes.
    #[inline]
    pub(crate) fn has_lanes(&self) -> bool {
        self.lanes.is_some()
    }

    /// Returns the number of priorities.
    #[inline]
    pub(crate) fn priorities(&self) -> u32 {
        self.lanes.as_deref().map_or(1, Lanes::priorities)
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

    /// Returns the priority of the next message, if the queue has lanes and a message.
    #[inline]
    fn highest(&self) -> Option<u32> {
        self.lanes.as_deref()?.highest()
    }

    /// Returns the store whose oldest message is the next one to be delivered.
    #[inline]
    pub(crate) fn next_store(&self) -> &Store {
        match &self.lanes {
            None => self.store(),
            Some(lanes) => {
                let lane = lanes.highest().and_then(|highest| lanes.lane(highest));
                lane.map_or(self.store(), |lane| &lane.store)
            }
        }
    }

    /// Returns the label of the next message to be delivered. If the queue is empty, the sequence
    /// number is that of the next message to be sent.
    #[inline]
    pub(crate) fn next_label(&self) -> Label {
        match self.highest() {
            None => Label::plain(self.first_seq()),
            Some(priority) => {
                let lane = self.lanes.as_deref().and_then(|lanes| lanes.lane(priority));
                let tag = lane.and_then(Lane::front_tag);
                let seq = tag.map_or(0, |tag| tag.seq);
                Label { seq, priority }
            }
        }
    }

    /// Returns what the queue takes of messages to send.
    #[inline]
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            msg_size: self.limits.msg_size(),
            priorities: self.priorities(),
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
        self.depth_in_lanes().msgs >= self.slots()
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
            Some(lanes) => lanes.lowest().is_some_and(|lowest| lowest <= priority),
        }
    }

    /// Fast path: accepts a message of this class, of `len` bytes, if a slot is free and the last
    /// segments have room. `padded` is the payload with its padding. The stamp must not be earlier
    /// than the newest message.
    ///
    /// Returns whether the message was accepted. If not, the queue is unchanged.
    #[inline(always)]
    pub(crate) fn try_push_in_lane(
        &mut self,
        class: Class,
        len: u32,
        padded: &[u8],
        signed: (Sender, Stamp),
    ) -> bool {
        let (slots, tag) = (self.slots(), self.next_tag());
        let Some(lanes) = &mut self.lanes else {
            return false;
        };
        let has_slot = lanes.depth().msgs < slots;
        if !has_slot || !lanes.try_push(class.priority, len, padded, tag, signed) {
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
        let tag = self.next_tag();
        let Some(lanes) = &mut self.lanes else {
            return false;
        };
        let lowest = if over_oldest { lanes.lowest() } else { None };
        let record = Record { stamp, len, sender };
        if !lanes.push(class.priority, &record, tag, fresh, copy) {
            return false;
        }
        self.newest_time = stamp.monotonic;
        if let Some(lowest) = lowest {
            if let Some(gone) = self.remove_oldest_of(lowest) {
                self.counted.count_one_dropped(gone as usize);
            }
        }
        let depth = self.depth_in_lanes();
        self.counted.count_enqueued(len as usize, depth);
        true
    }

    /// Returns the tag of the next message to be sent.
    #[inline]
    fn next_tag(&self) -> Tag {
        Tag {
            seq: self.next_seq(),
            deadline: 0,
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

    /// Removes the next messages, which must be those of `run`, after they were delivered.
    #[inline]
    pub(super) fn deliver_in_lane(&mut self, run: Run) {
        if let (Some(highest), Some(lanes)) = (self.highest(), &mut self.lanes) {
            lanes.pop_all(highest, run, &mut self.store.spare);
        }
    }

    /// Removes the oldest message of this priority. Returns its length in bytes.
    fn remove_oldest_of(&mut self, priority: u32) -> Option<u32> {
        let lanes = self.lanes.as_deref_mut()?;
        let len = lanes.front(priority)?.len;
        lanes.pop_all(priority, Run::one(len), &mut self.store.spare);
        Some(len)
    }

    /// Returns the time of the oldest message of any priority, in nanoseconds of `CLOCK_MONOTONIC`.
    pub(crate) fn oldest_time(&self) -> Option<u64> {
        match &self.lanes {
            None => Some(self.front()?.stamp.monotonic),
            Some(lanes) => {
                let fronts = lanes.occupied().filter_map(|lane| lanes.front(lane));
                fronts.map(|record| record.stamp.monotonic).min()
            }
        }
    }

    /// Removes messages of all lanes that were sent at or before `cutoff`, as [`Queue::expire`]
    /// does. Stops after `limit` messages or `max_bytes` bytes.
    pub(super) fn expire_in_lanes(&mut self, cutoff: u64, limit: u32, max_bytes: u64) -> u32 {
        let (mut expired, mut bytes) = (0, 0);
        let mut left = match &self.lanes {
            Some(lanes) => lanes.occupied_bits(),
            None => 0,
        };
        while let Some(priority) = left.checked_ilog2() {
            let lanes = self.lanes.as_deref();
            let oldest = lanes.and_then(|lanes| lanes.front(priority));
            let oldest = oldest.filter(|record| record.stamp.monotonic <= cutoff);
            let Some(record) = oldest else {
                left &= !(1 << priority);
                continue;
            };
            if expired >= limit || bytes >= max_bytes {
                break;
            }
            self.remove_oldest_of(priority);
            self.counted.count_expired(record.len as usize);
            expired += 1;
            bytes += u64::from(record.len);
        }
        expired
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
