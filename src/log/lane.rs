// SPDX-License-Identifier: GPL-2.0

//! One lane: the messages of one priority, with their tags.

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

use crate::kernel_ext::mm::{
    segment::SEGMENT_SIZE,
    words, //
};

// So no tag is split between segments.
kernel::static_assert!(SEGMENT_SIZE % Tag::SIZE == 0);

/// What is stored of a message in a lane beside its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    /// The sequence number.
    pub(crate) seq: u64,
    /// The time at which the message expires, in nanoseconds of `CLOCK_MONOTONIC`, or
    /// [`Tag::NEVER`], or [`Tag::HOLE`].
    pub(crate) deadline: u64,
}

impl Tag {
    /// The deadline of a message that does not expire by itself.
    pub(crate) const NEVER: u64 = u64::MAX;

    /// The deadline of a message that has expired and is counted so. It stays in the store until it
    /// is the oldest one.
    pub(super) const HOLE: u64 = 0;

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
    /// The number of messages that were removed.
    removed: u64,
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
            removed: 0,
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
    pub(super) fn segments_for(&self, len: usize) -> usize {
        self.store.segments_for(len) + self.tags.segments_for(Tag::SIZE)
    }

    /// Fast path: stores a message of `len` bytes if its record, its payload and its tag each fit
    /// in the last segment of their stream. `padded` is the payload with its padding.
    ///
    /// Returns whether the message was stored. If not, the lane is unchanged.
    #[inline(always)]
    pub(super) fn try_push(
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
    pub(super) fn push(
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
        self.removed = self.removed.wrapping_add(run.tally.msgs);
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

    /// Fast path: removes the oldest message if its record and its payload are each in one piece.
    /// `copy` reads the payload and returns whether it succeeded. The lane must have no cursor.
    ///
    /// Returns the length of the message, and whether it was the only one. If it was not removed,
    /// the lane is unchanged.
    #[inline(always)]
    pub(super) fn try_pop(&mut self, copy: impl FnOnce(&[u8]) -> bool) -> Option<(u32, bool)> {
        let len = Record::decode_len(self.store.front_contiguous()?);
        if !copy(self.store.payload_contiguous(len as usize)?) {
            return None;
        }
        // INVARIANT: The tag of the message is removed, too.
        let is_only = self.store.depth().msgs == 1;
        if is_only {
            self.store.pop_only();
            // It was the only tag, so there is one segment.
            self.tags.rewind_segment();
        } else {
            self.pop_one(len);
        }
        Some((len, is_only))
    }

    /// Removes the oldest message, of `len` bytes, behind which there are others.
    #[inline(never)]
    fn pop_one(&mut self, len: u32) {
        self.store.pop(len);
        self.tags.remove(Tag::SIZE, 1, &mut self.store.spare);
    }

    /// Makes holes of messages that have expired by `now`, beginning with the message `next` of all
    /// that were ever added. Looks at most at `limit` messages, and subtracts their number from it.
    /// Moves `next` behind them, and reduces `earliest` to the earliest deadline of the others.
    /// Returns the messages that have expired, and whether all have been looked at.
    pub(super) fn sweep(
        &mut self,
        next: &mut u64,
        now: u64,
        limit: &mut u64,
        earliest: &mut u64,
    ) -> (Tally, bool) {
        let behind = next.saturating_sub(self.removed);
        let left = self.store.depth().msgs.saturating_sub(behind);
        let count = left.min(*limit);
        let at = |size: usize| (behind as usize).saturating_mul(size);
        let tags = self.tags.chunks_mut::<{ Tag::SIZE }>(at(Tag::SIZE));
        let records = self
            .store
            .records
            .chunks::<{ Record::SIZE }>(at(Record::SIZE));
        let mut expired = Tally::NONE;
        for (packed, record) in tags.zip(records).take(count as usize) {
            let tag = Tag::decode(packed);
            if tag.deadline == Tag::HOLE {
                continue;
            }
            if tag.deadline <= now {
                expired.add(Record::decode_len(record) as usize);
                *packed = Tag {
                    deadline: Tag::HOLE,
                    ..tag
                }
                .encode();
            } else {
                *earliest = tag.deadline.min(*earliest);
            }
        }
        *next = self.removed.wrapping_add(behind).wrapping_add(count);
        *limit -= count;
        (expired, count == left)
    }

    /// Removes all messages. Returns their memory, to be freed after the lock is released.
    pub(super) fn clear(&mut self) -> Segments {
        self.removed = self.removed.wrapping_add(self.store.depth().msgs);
        // INVARIANT: The store and the stream of tags are emptied.
        let mut gone = self.store.clear();
        gone.append(&mut self.tags.clear());
        gone
    }

    /// Takes out all segments if the lane holds no message.
    pub(super) fn trim(&mut self) -> Segments {
        let mut surplus = self.store.trim(true);
        if self.store.depth().msgs == 0 && self.store.cursor.is_none() {
            surplus.append(&mut self.tags.take_empty());
        }
        surplus
    }

    /// Returns the number of segments in use.
    pub(super) fn segments(&self) -> usize {
        self.store.segments() + self.tags.segments()
    }
}
