// SPDX-License-Identifier: GPL-2.0

//! Lanes: the messages of a queue by priority.
//!
//! Each priority has a lane, a store of its own, which is made when it is first used. The store of
//! a lane does not imply the sequence numbers of its messages, so each message also has a tag.
//!
//! Pure data: no function here sleeps, allocates or frees, except where a caller without the lock
//! makes a lane.

use kernel::prelude::*;

use super::{
    counters::Tally,
    iter::Run,
    lane::{
        Lane,
        Tag, //
    },
    message::{
        Record,
        Sender,
        Stamp, //
    },
    stream::Segments, //
};

use crate::{
    kernel_ext::mm::segment::SEGMENT_SIZE,
    uapi, //
};

/// The largest number of priorities.
const PRIORITIES_MAX: usize = uapi::PRIORITIES_MAX as usize;

// The priorities are the bits of `Lanes::occupied`.
kernel::static_assert!(PRIORITIES_MAX == u32::BITS as usize);

/// Returns whether a message was sent at or before `cutoff`.
pub(super) fn is_sent_by(record: Option<Record>, cutoff: Option<u64>) -> bool {
    match (record, cutoff) {
        (Some(record), Some(cutoff)) => record.stamp.monotonic <= cutoff,
        _ => false,
    }
}

/// The lanes of a queue.
///
/// # Invariants
///
/// - Bit `n` of `occupied` is set if and only if the lane of priority `n` holds a message or a
///   hole.
/// - `depth` is the sum of the depths of all lanes, without holes.
/// - `holes` holes are in all lanes.
/// - `timed` messages and holes have a deadline. No message has one before `earliest`.
/// - The stores of lanes have no spare segments: those are in the store of the queue.
pub(crate) struct Lanes {
    lanes: [Option<KBox<Lane>>; PRIORITIES_MAX],
    occupied: u32,
    depth: Tally,
    priorities: u32,
    /// The number of messages that may be in the queue: `most` or what the holes leave of
    /// `span_max`, whichever is less. Cached by [`Lanes::update_slots`].
    pub(super) slots: u64,
    /// The number of messages that may be in the queue if there is no hole.
    most: u64,
    /// The number of messages and holes that may be stored. It bounds the memory of holes.
    span_max: u64,
    /// The number of holes.
    holes: u64,
    timed: u64,
    earliest: u64,
    /// The number of messages that a dump has yet to return.
    pub(super) undumped: u32,
    /// The sequence number behind that of the newest message that was in the store of the queue
    /// when the queue got lanes.
    pub(super) begin: u64,
}

/// A position in all lanes, for [`Lanes::sweep`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SweepPosition {
    priority: u32,
    next: u64,
    /// The walk computes the earliest deadline anew. At most one such walk may be in progress.
    renews: bool,
}

impl SweepPosition {
    /// Returns the beginning of a walk that computes the earliest deadline anew.
    pub(crate) fn renewing() -> Self {
        Self {
            renews: true,
            ..Self::default()
        }
    }
}

impl Lanes {
    /// Allocates the lanes of a queue with so many priorities, of which none is made yet.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(crate) fn new(priorities: u32) -> Result<KBox<Self>> {
        // INVARIANT: No lane holds a message or a segment.
        let lanes = Self {
            lanes: [const { None }; PRIORITIES_MAX],
            occupied: 0,
            depth: Tally::NONE,
            priorities,
            slots: 0,
            most: 0,
            span_max: 0,
            holes: 0,
            timed: 0,
            earliest: Tag::NEVER,
            undumped: 0,
            begin: 0,
        };
        Ok(KBox::new(lanes, GFP_KERNEL_ACCOUNT)?)
    }

    /// Returns the number of priorities.
    #[inline]
    pub(super) fn priorities(&self) -> u32 {
        self.priorities
    }

    /// Sets the number of messages that may be in the queue if there is no hole, and the number of
    /// messages and holes that may be stored.
    pub(super) fn set_limits(&mut self, most: u64, span_max: u64) {
        self.most = most;
        self.span_max = span_max;
        self.update_slots();
    }

    /// Updates `slots` from the fields that it is computed from.
    fn update_slots(&mut self) {
        self.slots = self.most.min(self.span_max.saturating_sub(self.holes));
    }

    /// Returns how many messages and bytes of payload are in all lanes.
    #[inline]
    pub(super) fn depth(&self) -> Tally {
        self.depth
    }

    /// Returns the priorities whose lanes hold messages, highest first.
    pub(super) fn occupied(&self) -> impl Iterator<Item = u32> {
        let mut left = self.occupied;
        core::iter::from_fn(move || {
            let highest = left.checked_ilog2()?;
            left &= !(1 << highest);
            Some(highest)
        })
    }

    /// Returns the same as bits.
    pub(super) fn occupied_bits(&self) -> u32 {
        self.occupied
    }

    /// Returns the highest priority whose lane holds a message.
    #[inline(always)]
    pub(super) fn highest(&self) -> Option<u32> {
        self.occupied.checked_ilog2()
    }

    /// Returns the lowest priority whose lane holds a message.
    pub(super) fn lowest(&self) -> Option<u32> {
        (self.occupied != 0).then(|| self.occupied.trailing_zeros())
    }

    /// Returns the lane of a priority, if it has been made.
    #[inline]
    pub(super) fn lane(&self, priority: u32) -> Option<&Lane> {
        self.lanes.get(priority as usize)?.as_deref()
    }

    /// Returns the lane of a priority for modification. The caller must neither add nor remove
    /// messages.
    #[inline(always)]
    pub(super) fn lane_mut(&mut self, priority: u32) -> Option<&mut Lane> {
        self.lanes.get_mut(priority as usize)?.as_deref_mut()
    }

    /// Adds the lane of a priority that has none. Returns the lane if it has one.
    pub(super) fn add(&mut self, priority: u32, lane: KBox<Lane>) -> Option<KBox<Lane>> {
        match self.lanes.get_mut(priority as usize) {
            Some(place) if place.is_none() => {
                *place = Some(lane);
                None
            }
            _ => Some(lane),
        }
    }

    /// Returns the number of segments that a message of this priority, of `len` bytes, needs now.
    pub(super) fn segments_for(&self, priority: u32, len: usize) -> usize {
        match self.lane(priority) {
            Some(lane) => lane.segments_for(len),
            None => 2 + len.div_ceil(SEGMENT_SIZE),
        }
    }

    /// Counts a message of `len` bytes that was added to the lane of this priority.
    #[inline(always)]
    fn count_added(&mut self, priority: u32, len: u32) {
        // INVARIANT: The lane holds the message.
        self.occupied |= 1 << priority;
        self.depth.add(len as usize);
    }

    /// Fast path: adds a message of this priority, as [`Lane::try_push`] does.
    #[inline(always)]
    pub(super) fn try_push(
        &mut self,
        priority: u32,
        len: u32,
        padded: &[u8],
        tag: Tag,
        signed: (Sender, Stamp),
    ) -> bool {
        let Some(lane) = self.lane_mut(priority) else {
            return false;
        };
        if !lane.try_push(len, padded, tag, signed) {
            return false;
        }
        self.count_added(priority, len);
        true
    }

    /// Adds a message of this priority, as [`Lane::push`] does.
    pub(super) fn push(
        &mut self,
        priority: u32,
        record: &Record,
        tag: Tag,
        fresh: &mut Segments,
        copy: impl FnMut(&mut [u8]) -> bool,
    ) -> bool {
        let Some(lane) = self.lane_mut(priority) else {
            return false;
        };
        if !lane.push(record, tag, fresh, copy) {
            return false;
        }
        if tag.deadline != Tag::NEVER {
            self.timed = self.timed.wrapping_add(1);
            self.earliest = self.earliest.min(tag.deadline);
        }
        self.count_added(priority, record.len);
        true
    }

    /// Fast path: removes the oldest message of the highest priority, as [`Lane::try_pop`] does.
    #[inline(always)]
    pub(super) fn try_pop(
        &mut self,
        spare: &mut Segments,
        copy: impl FnOnce(&[u8]) -> bool,
    ) -> Option<u32> {
        let highest = self.highest()?;
        let lane = self.lane_mut(highest)?;
        let (len, is_only) = lane.try_pop(copy)?;
        // INVARIANT: The bit is cleared if this was the last message, and the spare segments leave
        // the lane.
        if is_only {
            self.occupied &= !(1 << highest);
        } else if !lane.store.spare.is_empty() {
            spare.append(&mut lane.store.spare);
        }
        self.depth = self.depth.without(Tally::one(len as usize));
        Some(len)
    }

    /// Removes the oldest message or hole of this priority. Segments that are no longer needed move
    /// to `spare`. Returns its length, and whether it was a message.
    pub(super) fn pop(&mut self, priority: u32, spare: &mut Segments) -> Option<(u32, bool)> {
        let lane = self.lane_mut(priority)?;
        let (tag, record) = (lane.front_tag()?, lane.store.front()?);
        lane.pop_all(Run::one(record.len));
        // INVARIANT: The spare segments leave the lane, and the message, or the hole, is not
        // counted any more.
        spare.append(&mut lane.store.spare);
        if lane.store.depth().msgs == 0 {
            self.occupied &= !(1 << priority);
        }
        if tag.deadline != Tag::NEVER {
            self.timed = self.timed.wrapping_sub(1);
        }
        let is_message = tag.deadline != Tag::HOLE;
        if is_message {
            self.depth = self.depth.without(Tally::one(record.len as usize));
        } else {
            self.holes = self.holes.wrapping_sub(1);
            self.update_slots();
        }
        Some((record.len, is_message))
    }

    /// Returns whether the oldest message of this priority has expired by `now`, or was sent at or
    /// before `cutoff`, or is a hole.
    pub(super) fn is_front_expired(&self, priority: u32, now: u64, cutoff: Option<u64>) -> bool {
        let Some(lane) = self.lane(priority) else {
            return false;
        };
        let is_late = lane.front_tag().is_some_and(|tag| tag.deadline <= now);
        is_late || is_sent_by(lane.store.front(), cutoff)
    }

    /// Makes holes of all messages that have expired by `now`, beginning at the position `at`.
    /// Looks at up to `limit` messages, and moves the position behind them. Returns the messages
    /// that have expired, and whether all have been looked at.
    pub(super) fn sweep(&mut self, at: &mut SweepPosition, now: u64, limit: u64) -> (Tally, bool) {
        let mut left = limit;
        let mut expired = Tally::NONE;
        let mut earliest = self.earliest;
        if at.renews {
            at.renews = false;
            earliest = Tag::NEVER;
        }
        let mut is_done = true;
        while (at.priority as usize) < PRIORITIES_MAX {
            if let Some(lane) = self.lane_mut(at.priority) {
                let (gone, done) = lane.sweep(&mut at.next, now, &mut left, &mut earliest);
                expired.merge(gone);
                if !done {
                    is_done = false;
                    break;
                }
            }
            at.priority += 1;
            at.next = 0;
        }
        // INVARIANT: Holes are no messages. After the last step, `earliest` is the smallest of the
        // deadlines that were looked at and of those that were added meanwhile.
        self.depth = self.depth.without(expired);
        self.holes = self.holes.wrapping_add(expired.msgs);
        self.update_slots();
        self.earliest = earliest;
        (expired, is_done)
    }

    /// Returns whether a message or a hole has a deadline.
    pub(super) fn has_deadlines(&self) -> bool {
        self.timed > 0
    }

    /// Returns a time before which no deadline is, if there are deadlines.
    pub(super) fn earliest(&self) -> Option<u64> {
        self.has_deadlines().then_some(self.earliest)
    }

    /// Returns the record of the oldest message of this priority.
    pub(super) fn front(&self, priority: u32) -> Option<Record> {
        self.lane(priority)?.store.front()
    }

    /// Removes all messages. Returns their memory, to be freed after the lock is released.
    pub(super) fn clear(&mut self) -> Segments {
        // INVARIANT: All lanes are emptied below.
        self.occupied = 0;
        self.depth = Tally::NONE;
        self.timed = 0;
        self.holes = 0;
        self.update_slots();
        self.collect(Lane::clear)
    }

    /// Takes out all segments of lanes that hold no message.
    pub(super) fn trim(&mut self) -> Segments {
        self.collect(Lane::trim)
    }

    /// Returns all segments that `take` takes out of the lanes.
    fn collect(&mut self, take: impl Fn(&mut Lane) -> Segments) -> Segments {
        let mut gone = Segments::new();
        for lane in self.made_mut() {
            gone.append(&mut take(lane));
        }
        gone
    }

    /// Returns the number of segments in use by all lanes.
    pub(super) fn segments(&self) -> usize {
        self.made().map(Lane::segments).sum()
    }

    /// Returns the number of bytes that all payloads take, including padding.
    pub(super) fn payload_span(&self) -> usize {
        self.made().map(|lane| lane.store.payload_span()).sum()
    }

    /// Returns the lane whose messages a walk passes now, and its priority: that of the highest
    /// priority with messages, or a part of one, that are still to be copied.
    pub(super) fn dumped_mut(&mut self) -> Option<(u32, &mut Lane)> {
        let lanes = self.lanes.iter_mut().enumerate().rev();
        // CAST: There are at most 32 priorities.
        let mut made =
            lanes.filter_map(|(priority, lane)| Some((priority as u32, lane.as_deref_mut()?)));
        made.find(|(_, lane)| lane.store.cursor_left() > 0 || lane.store.cursor_payload_left() > 0)
    }

    /// Returns the lanes that have been made, for modification. The caller must neither add nor
    /// remove messages.
    pub(super) fn made_mut(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.lanes.iter_mut().flatten().map(|lane| &mut **lane)
    }

    /// Returns the lanes that have been made.
    pub(super) fn made(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.iter().flatten().map(|lane| &**lane)
    }
}
