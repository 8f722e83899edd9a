// SPDX-License-Identifier: GPL-2.0

//! The store of queued messages: their records are in one stream, their payloads in another.
//!
//! A message costs its payload, at most 7 bytes of padding, and 32 bytes for its record. Memory use
//! depends on what is queued, plus one partly filled segment per stream, and not on the limits of
//! the pipe.
//!
//! Pure data: no function here sleeps, allocates or frees, so all of them may be called with the
//! pipe's lock held. The caller provides segments. The store recycles them as spare segments while
//! they are needed, and returns them to the caller to be freed.

use super::{
    counters::Tally,
    cursor::Cursor,
    iter::{
        ContiguousMessages,
        Run,
        Walk, //
    },
    message::{
        padded,
        Record,
        Sender,
        Stamp,
        ALIGN, //
    },
    stream::{
        Pieces,
        Segments,
        Stream,
        StreamIndex, //
    }, //
};
use kernel::prelude::*;

use crate::kernel_ext::mm::{
    pieces::{
        prefix,
        prefix_mut, //
    },
    segment::SEGMENT_SIZE,
    words, //
};

/// The number of spare segments that [`Store::trim`] takes out one by one in one call. It bounds
/// the critical section.
const TRIMMED_AT_ONCE: usize = 256;

// So no record is split between segments.
kernel::static_assert!(SEGMENT_SIZE % Record::SIZE == 0);

/// Queued messages, oldest first, and spare segments.
///
/// # Invariants
///
/// - `records` holds `depth.msgs` packed records.
/// - `payloads` holds their payloads in the same order, `depth.bytes` bytes in all. Each starts at
///   a multiple of [`ALIGN`].
/// - `spare` has not held fewer than `spare_low` segments since the last [`Store::trim`].
pub(crate) struct Store {
    pub(super) records: Stream,
    pub(super) payloads: Stream,
    depth: Tally,
    pub(super) spare: Segments,
    spare_low: usize,
    pub(super) cursor: Option<Cursor>,
}

/// Where [`Store::try_push_contiguous`] writes a payload.
#[derive(Clone, Copy)]
pub(crate) enum Placement {
    /// Behind the newest payload, in the last segment.
    Last,
    /// At the start of a spare segment, because the last segment is full.
    Spare,
}

/// Indexes of both streams, by which a message is found that is not the oldest one.
pub(crate) struct StoreIndex {
    records: KBox<StreamIndex>,
    payloads: KBox<StreamIndex>,
}

impl StoreIndex {
    /// Allocates indexes for a store of at most `msgs` messages, each of at most `msg_size` bytes.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(crate) fn new(msgs: usize, msg_size: u32) -> Result<Self> {
        // A message may be added before another one is removed, and the first and the last segment
        // of a stream are partly used. An emptied stream may keep its last segment, too.
        let pages = |len: usize| {
            let bytes = msgs.saturating_add(1).saturating_mul(len);
            bytes.div_ceil(SEGMENT_SIZE).saturating_add(3)
        };
        Ok(Self {
            records: StreamIndex::new(pages(Record::SIZE))?,
            payloads: StreamIndex::new(pages(padded(msg_size)))?,
        })
    }
}

/// Where a message is in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is the oldest one.
    Front,
    /// `ahead` messages are older, and its payload starts at the offset `payload` of the stream of
    /// payloads. Only a store with an index finds it.
    Behind {
        /// The number of messages that are older.
        ahead: u64,
        /// The offset of its payload.
        payload: u64,
    },
}

impl Place {
    /// Returns the place of the message behind the `ahead` oldest ones, to look at its record only.
    #[inline]
    pub(crate) fn nth(ahead: u64) -> Self {
        match ahead {
            0 => Self::Front,
            ahead => Self::Behind { ahead, payload: 0 },
        }
    }
}

impl Store {
    /// Creates an empty store.
    pub(crate) const fn new() -> Self {
        Self {
            records: Stream::new(),
            payloads: Stream::new(),
            depth: Tally::NONE,
            spare: Segments::new(),
            spare_low: 0,
            cursor: None,
        }
    }

    /// Returns how many messages and bytes of payload are stored.
    #[inline]
    pub(crate) fn depth(&self) -> Tally {
        self.depth
    }

    /// Returns the number of segments in both streams. A stream that is emptied keeps one for the
    /// next message.
    pub(crate) fn segments(&self) -> usize {
        self.records.segments() + self.payloads.segments()
    }

    /// Returns the number of spare segments, which hold no message.
    pub(crate) fn spare_segments(&self) -> usize {
        self.spare.len()
    }

    /// Moves spare segments to `fresh`, or from it, until it has exactly those that a message of
    /// `len` bytes takes now. Returns the number of segments that are missing.
    #[inline]
    pub(crate) fn provide(&mut self, fresh: &mut Segments, len: usize) -> usize {
        self.balance(fresh, self.segments_for(len))
    }

    /// Returns the number of segments that a message of `len` bytes takes now.
    #[inline]
    pub(super) fn segments_for(&self, len: usize) -> usize {
        self.records.segments_for(Record::SIZE) + self.payloads.segments_for(len)
    }

    /// Moves spare segments to `fresh`, or from it, until it has those that a message of `len`
    /// bytes takes at most, wherever its payload starts. Returns the number of segments that are
    /// missing.
    pub(crate) fn preallocate(&mut self, fresh: &mut Segments, len: usize) -> usize {
        self.balance(fresh, 1 + len.div_ceil(SEGMENT_SIZE))
    }

    /// Moves spare segments to `fresh`, or from it, until it has `needed` ones. Returns the number
    /// of segments that are missing.
    #[inline]
    pub(super) fn balance(&mut self, fresh: &mut Segments, needed: usize) -> usize {
        if needed == fresh.len() {
            return 0;
        }
        while fresh.len() > needed {
            let Some(segment) = fresh.pop_front() else {
                break;
            };
            self.spare.push_front(segment);
        }
        fresh.append(&mut self.spare.take_front(needed.saturating_sub(fresh.len())));
        self.spare_low = self.spare_low.min(self.spare.len());
        needed - fresh.len()
    }

    /// Fast path: stores a message of `len` bytes if its payload fits in one piece at `place`, and
    /// its record in the last segment of records.
    ///
    /// `copy` writes the payload and returns whether it succeeded. `signed` is called afterwards,
    /// and returns the sender and the stamp of the message.
    ///
    /// Returns whether the message was stored. If not, the store is unchanged.
    #[inline(always)]
    pub(crate) fn try_push_contiguous(
        &mut self,
        len: u32,
        place: Placement,
        copy: impl FnOnce(&mut [u8]) -> bool,
        signed: impl FnOnce() -> (Sender, Stamp),
    ) -> bool {
        let payload = match place {
            Placement::Last => self.payloads.tail_mut(len as usize),
            Placement::Spare if self.payloads.is_at_end() => {
                let segment = self.spare.front_mut();
                segment.and_then(|segment| segment.get_mut(..len as usize))
            }
            Placement::Spare => None,
        };
        let Some(payload) = payload else {
            return false;
        };
        let Some(packed) = self.records.tail_array_mut() else {
            return false;
        };
        if !copy(payload) {
            return false;
        }
        let (sender, stamp) = signed();
        *packed = Record { stamp, len, sender }.encode();
        match place {
            Placement::Last => self.payloads.advance_tail(len as usize, ALIGN),
            Placement::Spare => {
                if let Some(segment) = self.spare.pop_front() {
                    self.payloads.extend(segment, len as usize, ALIGN);
                }
                self.spare_low = self.spare_low.min(self.spare.len());
            }
        }
        self.records.advance_tail(Record::SIZE, 1);
        // INVARIANT: The record and the payload were just written.
        self.depth.add(len as usize);
        true
    }

    /// Returns the places for the record and for `len` bytes of payload of the next message, if
    /// each fits in the last segment of its stream. The message is not stored before
    /// [`Store::commit`].
    #[inline(always)]
    pub(crate) fn reserve(&mut self, len: usize) -> Option<(&mut [u8; Record::SIZE], &mut [u8])> {
        let payload = self.payloads.tail_mut(len)?;
        let packed = self.records.tail_array_mut()?;
        Some((packed, payload))
    }

    /// Writes at most `limit` of `messages` behind the newest one, while each payload and each
    /// record fits in the last segment of its stream. They are not stored before [`Store::commit`].
    ///
    /// Each item is the length of a message and its payload, padded to a multiple of [`ALIGN`]
    /// bytes. The stamp and the sender of all are those of `record`.
    #[inline(always)]
    pub(crate) fn stage<'a>(
        &mut self,
        record: &Record,
        limit: usize,
        messages: impl Iterator<Item = (u32, &'a [u8])>,
    ) -> Run {
        let mut run = Run::NONE;
        let (Some(records), Some(mut places)) = (self.records.last_mut(), self.payloads.last_mut())
        else {
            return run;
        };
        let mut records = prefix_mut(records, limit.saturating_mul(Record::SIZE));
        for (len, payload) in messages {
            let next = (
                records.split_first_chunk_mut(),
                places.split_at_mut_checked(payload.len()),
            );
            let (Some((packed, more_records)), Some((place, more_places))) = next else {
                break;
            };
            *packed = Record { len, ..*record }.encode();
            words::copy(place, payload);
            (records, places) = (more_records, more_places);
            run.add(len as usize, payload.len());
        }
        run
    }

    /// Stores the messages of `run`, which must have been written through [`Store::reserve`] or
    /// [`Store::stage`]. The store must not have changed since.
    #[inline]
    pub(crate) fn commit(&mut self, run: Run) {
        let records = (run.tally.msgs as usize).wrapping_mul(Record::SIZE);
        self.records.advance_tail(records, 1);
        self.payloads.advance_tail(run.span, ALIGN);
        // INVARIANT: By the precondition, the records and payloads of `run` were written.
        self.depth.merge(run.tally);
    }

    /// Returns an iterator over the messages from that at `place` on. It ends at the first whose
    /// record or payload is not all in the same segment of its stream as that of the one at
    /// `place`.
    #[inline(always)]
    pub(crate) fn contiguous_messages(&self, place: Place) -> ContiguousMessages<'_> {
        let (records, payloads, ahead) = match place {
            Place::Front => (self.records.first(), self.payloads.first(), 0),
            Place::Behind { ahead, payload } => (
                self.records.rest_at(self.record_offset(ahead)),
                self.payloads.rest_at(payload),
                ahead,
            ),
        };
        let (Some(records), Some(payloads)) = (records, payloads) else {
            return ContiguousMessages::new(&[], &[]);
        };
        // CAST: All these records are in memory, so their size fits.
        let left = self.depth.msgs.saturating_sub(ahead) as usize;
        ContiguousMessages::new(prefix(records, left.wrapping_mul(Record::SIZE)), payloads)
    }

    /// Removes the messages of `run`. [`Store::contiguous_messages`] or
    /// [`Store::front_contiguous`] must have returned them. The store must not have changed since,
    /// and must have no cursor.
    #[inline(always)]
    pub(crate) fn pop_contiguous_run(&mut self, run: Run) {
        // INVARIANT: The records and payloads of `run` are removed below.
        self.depth = self.depth.without(run.tally);
        if self.depth.msgs == 0 {
            // Reusing the start of the segments keeps it in the cache. The newest message was all
            // in the first segment, so each stream has no other one.
            self.records.rewind_segment();
            self.payloads.rewind_segment();
        } else {
            self.remove(run.tally.msgs as usize, run.span);
        }
    }

    /// Slow path: stores a message behind the newest one. `copy` writes the `record.len` bytes of
    /// its payload piece by piece. `fresh` must hold exactly the segments that [`Store::provide`]
    /// asks for; all of them are used up.
    ///
    /// Returns whether every call of `copy` returned `true` and `fresh` was right. If not, the
    /// stored messages are unchanged.
    #[inline]
    pub(crate) fn push(
        &mut self,
        record: &Record,
        fresh: &mut Segments,
        copy: impl FnMut(&mut [u8]) -> bool,
    ) -> bool {
        let mut for_record = Segments::new();
        if self.records.is_at_end_or_empty() {
            for_record = fresh.take_front(1);
        }
        // The record has its place before the payload is written: nothing can fail after that.
        let place = match for_record.front_mut() {
            Some(segment) => segment.first_chunk_mut(),
            None => self.records.tail_array_mut(),
        };
        let len = record.len as usize;
        let Some(packed) = place.filter(|_| self.payloads.write(len, ALIGN, fresh, copy)) else {
            fresh.append(&mut for_record);
            return false;
        };
        *packed = record.encode();
        match for_record.pop_front() {
            Some(segment) => self.records.extend(segment, Record::SIZE, 1),
            None => self.records.advance_tail(Record::SIZE, 1),
        }
        // INVARIANT: The record and the payload were just written.
        self.depth.add(len);
        true
    }

    /// Returns the record of the oldest message.
    #[inline]
    pub(crate) fn front(&self) -> Option<Record> {
        if self.depth.msgs == 0 {
            return None;
        }
        let bytes = self.records.read(Record::SIZE).next()?;
        Some(Record::decode(bytes.first_chunk()?))
    }

    /// Returns the record of the message at `place`.
    #[inline]
    pub(crate) fn record_at(&self, place: Place) -> Option<Record> {
        let Place::Behind { ahead, .. } = place else {
            return self.front();
        };
        if ahead >= self.depth.msgs {
            return None;
        }
        Some(Record::decode(self.packed_at(ahead)?))
    }

    /// Returns the packed record of the message behind the `ahead` oldest ones, which must be
    /// stored.
    #[inline(always)]
    fn packed_at(&self, ahead: u64) -> Option<&[u8; Record::SIZE]> {
        let bytes = ahead.wrapping_mul(Record::SIZE as u64);
        self.records.rest_behind(bytes)?.first_chunk()
    }

    /// Returns the offset of the record behind the `ahead` oldest ones.
    #[inline]
    fn record_offset(&self, ahead: u64) -> u64 {
        let bytes = ahead.wrapping_mul(Record::SIZE as u64);
        self.records.start().wrapping_add(bytes)
    }

    /// Returns the record of the message at `place`, and its payload in pieces.
    #[inline]
    pub(crate) fn message_at(&self, place: Place) -> Option<(Record, Pieces<'_>)> {
        let record = self.record_at(place)?;
        let len = record.len as usize;
        let payload = match place {
            Place::Front => self.payloads.read(len),
            Place::Behind { payload, .. } => self.payloads.read_at(payload, len),
        };
        Some((record, payload))
    }

    /// Returns the payload of the message behind the `ahead` oldest ones, if it is in one piece. It
    /// starts at the offset `payload` if `ahead` is not zero.
    #[inline(always)]
    pub(crate) fn contiguous_behind(&self, ahead: u64, payload: u64) -> Option<&[u8]> {
        if ahead >= self.depth.msgs {
            return None;
        }
        let len = Record::decode_len(self.packed_at(ahead)?) as usize;
        if ahead == 0 {
            return self.payloads.front_contiguous(len);
        }
        self.payloads.rest_at(payload)?.get(..len)
    }

    /// Returns a walk over the messages from that at `place` to the newest.
    #[inline]
    pub(crate) fn walk_at(&self, place: Place) -> Walk<'_> {
        // CAST: All these records are in memory, so their size fits.
        let size = |msgs: u64| msgs as usize * Record::SIZE;
        match place {
            Place::Front => Walk::new(
                self.records.read(size(self.depth.msgs)),
                self.payloads.read(0),
            ),
            Place::Behind { ahead, payload } => {
                let left = size(self.depth.msgs.saturating_sub(ahead));
                Walk::new(
                    self.records.read_at(self.record_offset(ahead), left),
                    self.payloads.read_at(payload, 0),
                )
            }
        }
    }

    /// Returns the offset of the payload of the oldest message. Offsets have a meaning only in a
    /// store with an index, and count the padding.
    #[inline]
    pub(crate) fn first_payload(&self) -> u64 {
        self.payloads.start()
    }

    /// Returns the offset of the payload of the next message.
    pub(crate) fn next_payload(&self) -> u64 {
        self.payloads.end()
    }

    /// Gives the store another index, or none, and returns the one it had, to be freed after the
    /// lock is released. The new one covers nothing before [`Store::index_more`].
    pub(crate) fn replace_index(&mut self, index: Option<StoreIndex>) -> Option<StoreIndex> {
        let (records, payloads) = match index {
            Some(StoreIndex { records, payloads }) => (Some(records), Some(payloads)),
            None => (None, None),
        };
        let records = self.records.replace_index(records);
        let payloads = self.payloads.replace_index(payloads);
        Some(StoreIndex {
            records: records?,
            payloads: payloads?,
        })
    }

    /// Returns whether the store has an index.
    pub(crate) fn is_indexed(&self) -> bool {
        self.records.is_indexed()
    }

    /// Extends the index by at most `limit` segments of each stream. Returns whether it covers all.
    pub(crate) fn index_more(&mut self, limit: usize) -> bool {
        let records = self.records.index_more(limit);
        self.payloads.index_more(limit) && records
    }

    /// Returns the number of bytes that all payloads take, including padding.
    pub(crate) fn payload_span(&self) -> usize {
        self.payloads.len()
    }

    /// Returns the packed record of the oldest message, if it is all in the first segment of
    /// records.
    #[inline(always)]
    pub(crate) fn front_contiguous(&self) -> Option<&[u8; Record::SIZE]> {
        if self.depth.msgs == 0 {
            return None;
        }
        self.records.front_contiguous(Record::SIZE)?.first_chunk()
    }

    /// Returns the first `len` bytes of the oldest payload and its padding, if they are all in the
    /// first segment of payloads.
    #[inline(always)]
    pub(crate) fn payload_contiguous(&self, len: usize) -> Option<&[u8]> {
        self.payloads.front_contiguous(len)
    }

    /// Removes the only message, which [`Store::front_contiguous`] and
    /// [`Store::payload_contiguous`] must have returned. There must be no cursor.
    #[inline(always)]
    pub(crate) fn pop_only(&mut self) {
        // INVARIANT: The streams are emptied below.
        self.depth = Tally::NONE;
        // The message was all in the first segment, so each stream has no other one.
        self.records.rewind_segment();
        self.payloads.rewind_segment();
    }

    /// Removes the oldest message, whose payload has `len` bytes.
    pub(crate) fn pop(&mut self, len: u32) {
        self.pop_all(Run::one(len));
    }

    /// Removes the oldest messages, which must be those of `run`.
    #[inline]
    pub(crate) fn pop_all(&mut self, run: Run) {
        // INVARIANT: The records and payloads of `run` are removed below.
        self.depth = self.depth.without(run.tally);
        if self.depth.msgs > 0 {
            self.remove(run.tally.msgs as usize, run.span);
        } else if self.cursor.is_some() {
            self.remove(run.tally.msgs as usize, run.span);
            self.records.release_last(&mut self.spare);
            self.payloads.release_last(&mut self.spare);
        } else {
            self.records.rewind(&mut self.spare);
            self.payloads.rewind(&mut self.spare);
        }
    }

    /// Removes the oldest `msgs` records, and the oldest `span` bytes of payload with the padding
    /// behind them.
    #[inline(never)]
    fn remove(&mut self, msgs: usize, span: usize) {
        self.records.remove(msgs * Record::SIZE, 1, &mut self.spare);
        self.payloads.remove(span, ALIGN, &mut self.spare);
    }

    /// Removes all messages. Returns their memory, to be freed after the lock is released.
    pub(crate) fn clear(&mut self) -> Segments {
        // INVARIANT: Both streams are emptied below.
        self.depth = Tally::NONE;
        let mut gone = self.records.clear();
        gone.append(&mut self.payloads.clear());
        gone
    }

    /// Takes out the spare segments that were not needed since the last call, at most
    /// [`TRIMMED_AT_ONCE`]. If the store is `idle`, takes out all segments that hold no message.
    /// Returns them, to be freed after the lock is released.
    pub(crate) fn trim(&mut self, idle: bool) -> Segments {
        let mut surplus = Segments::new();
        if idle {
            surplus = self.spare.take();
        } else {
            for _ in 0..self.spare_low.min(TRIMMED_AT_ONCE) {
                let Some(segment) = self.spare.pop_front() else {
                    break;
                };
                surplus.push_back(segment);
            }
        }
        if idle && self.depth.msgs == 0 && self.cursor.is_none() {
            surplus.append(&mut self.records.take_empty());
            surplus.append(&mut self.payloads.take_empty());
        }
        // INVARIANT: The period that `spare_low` covers starts here.
        self.spare_low = self.spare.len();
        surplus
    }
}
