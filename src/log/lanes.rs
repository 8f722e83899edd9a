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
    message::{
        field,
        Record,
        Sender,
        Stamp, //
    },
    store::Store,
    stream::{
        Segments,
        Stream, //
    }, //
};

use crate::{
    kernel_ext::mm::{
        segment::SEGMENT_SIZE,
        words, //
    },
    uapi, //
};

/// The largest number of priorities.
const PRIORITIES_MAX: usize = uapi::PRIORITIES_MAX as usize;

// So no tag is split between segments.
kernel::static_assert!(SEGMENT_SIZE % Tag::SIZE == 0);

// The priorities are the bits of `Lanes::occupied`.
kernel::static_assert!(PRIORITIES_MAX == u32::BITS as usize);

/// What is stored of a message in a lane beside its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    /// The sequence number.
    pub(crate) seq: u64,
    /// Unused.
    pub(crate) deadline: u64,
}

impl Tag {
    /// The size of a packed tag, in bytes.
    pub(super) const SIZE: usize = 16;

    /// Packs the tag.
    #[inline]
    fn encode(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[0..8].copy_from_slice(&self.seq.to_ne_bytes());
        bytes[8..16].copy_from_slice(&self.deadline.to_ne_bytes());
        bytes
    }

    /// Unpacks a tag that [`Tag::encode`] packed.
    #[inline]
    pub(super) fn decode(bytes: &[u8; Self::SIZE]) -> Self {
        Self {
            seq: u64::from_ne_bytes(field(bytes, 0)),
            deadline: u64::from_ne_bytes(field(bytes, 8)),
        }
    }
}

/// The messages of one priority.
///
/// # Invariants
///
/// `tags` holds the packed tags of the messages in `store`, in the same order.
pub(crate) struct Lane {
    pub(super) store: Store,
    pub(super) tags: Stream,
}

impl Lane {
    /// Allocates an empty lane.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(crate) fn new() -> Result<KBox<Self>> {
        let lane = Self {
            store: Store::new(),
            tags: Stream::new(),
        };
        Ok(KBox::new(lane, GFP_KERNEL_ACCOUNT)?)
    }

    /// Returns the tag of the oldest message.
    #[inline]
    pub(super) fn front_tag(&self) -> Option<Tag> {
        if self.store.depth().msgs == 0 {
            return None;
        }
        let bytes = self.tags.read(Tag::SIZE).next()?;
        Some(Tag::decode(bytes.first_chunk()?))
    }

    /// Returns the number of segments that a message of `len` bytes needs now.
    fn segments_for(&self, len: usize) -> usize {
        self.store.segments_for(len) + self.tags.segments_for(Tag::SIZE)
    }

    /// Fast path: stores a message of `len` bytes if its record, its payload and its tag each fit
    /// in the last segment of their stream. `padded` is the payload with its padding.
    ///
    /// Returns whether the message was stored. If not, the lane is unchanged.
    #[inline(always)]
    fn try_push(
        &mut self,
        len: u32,
        padded: &[u8],
        tag: Tag,
        (sender, stamp): (Sender, Stamp),
    ) -> bool {
        let Some(place) = self.tags.tail_array_mut() else {
            return false;
        };
        let Some((packed, payload)) = self.store.reserve(padded.len()) else {
            return false;
        };
        words::copy(payload, padded);
        *place = tag.encode();
        *packed = Record { stamp, len, sender }.encode();
        // INVARIANT: The message and its tag were just written.
        self.tags.advance_tail(Tag::SIZE, 1);
        self.store.commit(Run::one(len));
        true
    }

    /// Stores a message, as [`Store::push`] does, with its tag.
    fn push(
        &mut self,
        record: &Record,
        tag: Tag,
        fresh: &mut Segments,
        copy: impl FnMut(&mut [u8]) -> bool,
    ) -> bool {
        let mut for_tag = Segments::new();
        if self.tags.is_at_end_or_empty() {
            for_tag = fresh.take_front(1);
        }
        let place = match for_tag.front_mut() {
            Some(segment) => segment.first_chunk_mut(),
            None => self.tags.tail_array_mut(),
        };
        let stored = match place {
            Some(place) => {
                *place = tag.encode();
                self.store.push(record, fresh, copy)
            }
            None => false,
        };
        if !stored {
            fresh.append(&mut for_tag);
            return false;
        }
        // INVARIANT: The message and its tag were just written.
        match for_tag.pop_front() {
            Some(segment) => self.tags.extend(segment, Tag::SIZE, 1),
            None => self.tags.advance_tail(Tag::SIZE, 1),
        }
        true
    }

    /// Removes the oldest messages, which must be those of `run`.
    pub(super) fn pop_all(&mut self, run: Run) {
        let has_cursor = self.store.cursor.is_some();
        self.store.pop_all(run);
        // INVARIANT: The tags of the messages are removed, too.
        let tags = run.tally.msgs as usize * Tag::SIZE;
        if self.store.depth().msgs == 0 && !has_cursor {
            self.tags.rewind(&mut self.store.spare);
            return;
        }
        self.tags.remove(tags, 1, &mut self.store.spare);
        if self.store.depth().msgs == 0 {
            self.tags.release_last(&mut self.store.spare);
        }
    }

    /// Fast path: removes the oldest message if its record and its payload are each in one piece,
    /// and returns its length. `copy` reads the payload and returns whether it succeeded. The lane
    /// must have no cursor.
    ///
    /// If the message was not removed, the lane is unchanged.
    #[inline(always)]
    fn try_pop(&mut self, copy: impl FnOnce(&[u8]) -> bool) -> Option<u32> {
        let len = Record::decode_len(self.store.front_contiguous()?);
        if !copy(self.store.payload_contiguous(len as usize)?) {
            return None;
        }
        // INVARIANT: The tag of the message is removed, too.
        if self.store.depth().msgs == 1 {
            self.store.pop_only();
            // It was the only tag, so there is one segment.
            self.tags.rewind_segment();
        } else {
            self.pop_one(len);
        }
        Some(len)
    }

    /// Removes the oldest message, of `len` bytes, behind which there are others.
    #[inline(never)]
    fn pop_one(&mut self, len: u32) {
        self.store.pop(len);
        self.tags.remove(Tag::SIZE, 1, &mut self.store.spare);
    }

    /// Removes all messages. Returns their memory, to be freed after the lock is released.
    fn clear(&mut self) -> Segments {
        // INVARIANT: The store and the stream of tags are emptied.
        let mut gone = self.store.clear();
        gone.append(&mut self.tags.clear());
        gone
    }

    /// Takes out all segments if the lane holds no message.
    fn trim(&mut self) -> Segments {
        let mut surplus = self.store.trim(true);
        if self.store.depth().msgs == 0 && self.store.cursor.is_none() {
            surplus.append(&mut self.tags.take_empty());
        }
        surplus
    }

    /// Returns the number of segments in use.
    fn segments(&self) -> usize {
        self.store.segments() + self.tags.segments()
    }
}

/// The lanes of a queue.
///
/// # Invariants
///
/// - Bit `n` of `occupied` is set if and only if the lane of priority `n` holds a message.
/// - `depth` is the sum of the depths of all lanes.
/// - The stores of lanes have no spare segments: those are in the store of the queue.
pub(crate) struct Lanes {
    lanes: [Option<KBox<Lane>>; PRIORITIES_MAX],
    occupied: u32,
    depth: Tally,
    priorities: u32,
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
        };
        Ok(KBox::new(lanes, GFP_KERNEL_ACCOUNT)?)
    }

    /// Returns the number of priorities.
    #[inline]
    pub(super) fn priorities(&self) -> u32 {
        self.priorities
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

    /// Counts the messages of `gone` that were removed from the lane of this priority. Spare
    /// segments of the lane move to `spare`.
    #[inline]
    fn count_removed(&mut self, priority: u32, gone: Tally, spare: &mut Segments) {
        // INVARIANT: The bit is cleared if this was the last message, and the spare segments leave
        // the lane.
        self.depth = self.depth.without(gone);
        let Some(lane) = self.lane_mut(priority) else {
            return;
        };
        spare.append(&mut lane.store.spare);
        if lane.store.depth().msgs == 0 {
            self.occupied &= !(1 << priority);
        }
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
        let len = lane.try_pop(copy)?;
        // INVARIANT: The bit is cleared if this was the last message, and the spare segments leave
        // the lane.
        if lane.store.depth().msgs == 0 {
            self.occupied &= !(1 << highest);
        } else if !lane.store.spare.is_empty() {
            spare.append(&mut lane.store.spare);
        }
        self.depth = self.depth.without(Tally::one(len as usize));
        Some(len)
    }

    /// Removes the oldest messages of this priority, which must be those of `run`. Segments that
    /// are no longer needed move to `spare`.
    pub(super) fn pop_all(&mut self, priority: u32, run: Run, spare: &mut Segments) {
        let Some(lane) = self.lane_mut(priority) else {
            return;
        };
        lane.pop_all(run);
        self.count_removed(priority, run.tally, spare);
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
