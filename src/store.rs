// SPDX-License-Identifier: GPL-2.0

//! Where queued messages are kept: their records in one stream, their payloads in another.
//!
//! So a message costs 32 bytes and at most 7 for rounding beyond its payload, whatever its length,
//! and the memory in use does not depend on the limits of the pipe, but on what is queued: to that
//! comes the rest of the last segment of each stream.
//!
//! Pure data: nothing here sleeps, allocates or frees, so that all of it may be called with the
//! pipe's lock held. Segments come from the caller, are used again while they are needed, and are
//! handed back to be freed.

use crate::{
    kernel_ext::{
        pieces,
        segment::SEGMENT_SIZE, //
    },
    message::{
        Record,
        Sender,
        Stamp, //
    },
    stats::Tally,
    stream::{
        Pieces,
        Segments,
        Stream, //
    },
};

/// Payloads begin at multiples of this, so that they are copied fast.
const ALIGN: u32 = 8;

/// How many spare segments are taken out one by one: the lock is held meanwhile.
const TRIMMED_AT_ONCE: usize = 256;

// No record is split between segments.
kernel::static_assert!(SEGMENT_SIZE % Record::SIZE == 0);

/// Queued messages, oldest first, and spare segments.
///
/// # Invariants
///
/// - There are as many records in `records` as `depth` says, and behind each other in `payloads`
///   their payloads, each beginning at a multiple of [`ALIGN`], with as many bytes as it says.
/// - The spare segments were never fewer than `spare_low` since [`Store::trim`] was called last.
pub(crate) struct Store {
    records: Stream,
    payloads: Stream,
    depth: Tally,
    spare: Segments,
    spare_low: usize,
    survey: Option<Survey>,
}

/// Where a payload goes that is not split.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// Behind the others, in the last segment.
    Last,
    /// At the beginning of a spare segment, as the last one is full.
    Spare,
}

/// How far a walk over the messages has got that were stored when it began.
struct Survey {
    /// How much of the payload of the current message is still to come, in bytes.
    payload: usize,
    /// How many records are still to come.
    records: u32,
}

impl Store {
    /// Makes an empty store.
    pub(crate) const fn new() -> Self {
        Self {
            records: Stream::new(),
            payloads: Stream::new(),
            depth: Tally::NONE,
            spare: Segments::new(),
            spare_low: 0,
            survey: None,
        }
    }

    /// What is stored.
    #[inline]
    pub(crate) fn depth(&self) -> Tally {
        self.depth
    }

    /// The number of segments that hold messages, or did so last.
    pub(crate) fn segments(&self) -> usize {
        self.records.segments() + self.payloads.segments()
    }

    /// The number of segments that hold none.
    pub(crate) fn spare_segments(&self) -> usize {
        self.spare.len()
    }

    /// Moves spare segments to `fresh`, or back, so that there are as many as a message of `len`
    /// bytes takes now; returns how many are missing then.
    #[inline]
    pub(crate) fn provide(&mut self, fresh: &mut Segments, len: usize) -> usize {
        let needed = self.records.segments_for(Record::SIZE) + self.payloads.segments_for(len);
        self.balance(fresh, needed)
    }

    /// Likewise, so that there are as many as a message of `len` bytes may ever take.
    pub(crate) fn provide_most(&mut self, fresh: &mut Segments, len: usize) -> usize {
        self.balance(fresh, 1 + len.div_ceil(SEGMENT_SIZE))
    }

    /// Moves spare segments to `fresh`, or back, so that there are `needed`; returns how many are
    /// missing then.
    #[inline]
    fn balance(&mut self, fresh: &mut Segments, needed: usize) -> usize {
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

    /// Stores a message of `len` bytes behind the others if its payload can be all in `place`, and
    /// its record is in the last segment: `copy` writes the payload, and returns whether it did so.
    /// `signed` says what else is to be stored.
    ///
    /// Returns whether it was stored; nothing has changed if not.
    #[inline(always)]
    pub(crate) fn push_here(
        &mut self,
        len: u32,
        place: Place,
        copy: impl FnOnce(&mut [u8]) -> bool,
        signed: impl FnOnce() -> (Sender, Stamp),
    ) -> bool {
        let payload = match place {
            Place::Last => self.payloads.place(len as usize),
            Place::Spare if self.payloads.is_at_end() => {
                let segment = self.spare.front_mut();
                segment.and_then(|segment| segment.get_mut(..len as usize))
            }
            Place::Spare => None,
        };
        let Some(payload) = payload else {
            return false;
        };
        let Some(packed) = self.records.place_array() else {
            return false;
        };
        if !copy(payload) {
            return false;
        }
        let (sender, stamp) = signed();
        *packed = Record { stamp, len, sender }.encode();
        match place {
            Place::Last => self.payloads.fill_place(len as usize, ALIGN),
            Place::Spare => {
                if let Some(segment) = self.spare.pop_front() {
                    self.payloads.extend(segment, len as usize, ALIGN);
                }
                self.spare_low = self.spare_low.min(self.spare.len());
            }
        }
        self.records.fill_place(Record::SIZE, 1);
        // INVARIANT: They were just written.
        self.depth.add(len as usize);
        true
    }

    /// Stores messages behind the others, with these `payloads`, as long as each can be all in the
    /// last segment, and its record, too. All of them were sent as `record` says. Returns what was
    /// stored, and how many bytes the payloads take, each with what it is rounded up by.
    #[inline(always)]
    pub(crate) fn push_all_here<'a>(
        &mut self,
        record: &Record,
        payloads: impl Iterator<Item = &'a [u8]>,
    ) -> (Tally, usize) {
        let packed = record.encode();
        let mut stored = Tally::NONE;
        let mut span: usize = 0;
        let mut records = self.records.last_mut();
        let mut left = self.payloads.last_mut();
        for payload in payloads {
            let len = payload.len();
            // Neither wraps: both are far below the largest number.
            let padded = len.wrapping_add(ALIGN as usize - 1) & !(ALIGN as usize - 1);
            let places = (
                records.split_first_chunk_mut::<{ Record::SIZE }>(),
                left.split_at_mut_checked(padded),
            );
            let (Some((place, more_records)), Some((bytes, more))) = places else {
                break;
            };
            *place = packed;
            Record::encode_len(place, len as u32);
            if let Some(bytes) = bytes.get_mut(..len) {
                bytes.copy_from_slice(payload);
            }
            records = more_records;
            left = more;
            span = span.wrapping_add(padded);
            stored.add(len);
        }
        self.records
            .fill_place((stored.msgs as usize).wrapping_mul(Record::SIZE), 1);
        self.payloads.fill_place(span, ALIGN);
        // INVARIANT: They were just written.
        self.depth.merge(stored);
        (stored, span)
    }

    /// Stores a message behind the others, with `record.len` bytes of payload that `copy` provides
    /// piece by piece. Uses up all segments of `fresh`, which must be those of [`Store::provide`].
    ///
    /// Returns whether `copy` always said that it did so; nothing has changed if not.
    #[inline]
    pub(crate) fn push(
        &mut self,
        record: &Record,
        fresh: &mut Segments,
        copy: impl FnMut(&mut [u8]) -> bool,
    ) -> bool {
        let mut for_record = Segments::new();
        if self.records.segments_for(Record::SIZE) > 0 {
            if let Some(segment) = fresh.pop_front() {
                for_record.push_back(segment);
            }
        }
        let len = record.len as usize;
        let stored = self.payloads.write(len, ALIGN, fresh, copy)
            && self
                .records
                .write(Record::SIZE, 1, &mut for_record, |place| {
                    place
                        .first_chunk_mut()
                        .map(|packed| *packed = record.encode())
                        .is_some()
                });
        if stored {
            // INVARIANT: They were just written.
            self.depth.add(len);
        } else {
            fresh.append(&mut for_record);
        }
        stored
    }

    /// The record of the oldest message.
    #[inline]
    pub(crate) fn front(&self) -> Option<Record> {
        if self.depth.msgs == 0 {
            return None;
        }
        let bytes = self.records.read(Record::SIZE).next()?;
        Some(Record::decode(bytes.first_chunk()?))
    }

    /// The record and the payload, piece by piece, of the oldest message.
    #[inline]
    pub(crate) fn front_message(&self) -> Option<(Record, Pieces<'_>)> {
        let record = self.front()?;
        Some((record, self.payloads.read(record.len as usize)))
    }

    /// All messages, oldest first.
    #[inline]
    pub(crate) fn walk(&self) -> Walk<'_> {
        Walk {
            // CAST: As many as there are fit into memory.
            records: self.records.read(self.depth.msgs as usize * Record::SIZE),
            here: &[],
            payloads: self.payloads.read(0),
            len: 0,
        }
    }

    /// The number of bytes that all payloads take, each with what it is rounded up by.
    pub(crate) fn payload_span(&self) -> usize {
        self.payloads.len()
    }

    /// Removes the oldest message if its payload is not split: `copy` reads it, and returns whether
    /// it did so. There must be no survey.
    ///
    /// Returns its length in bytes if it was removed; nothing has changed if not.
    #[inline(always)]
    pub(crate) fn pop_here(&mut self, copy: impl FnOnce(&[u8]) -> bool) -> Option<u32> {
        if self.depth.msgs == 0 {
            return None;
        }
        let record = Record::decode(self.records.here(Record::SIZE)?.first_chunk()?);
        let len = record.len;
        if !copy(self.payloads.here(len as usize)?) {
            return None;
        }
        // INVARIANT: They are removed here.
        self.depth.sub(len as usize);
        if self.depth.msgs == 0 {
            // What passes one by one stays in the cache. As the last message was all in the first
            // segment, there is no other.
            self.records.rewind_here();
            self.payloads.rewind_here();
        } else {
            self.remove(1, len as usize);
        }
        Some(len)
    }

    /// Removes the oldest message, whose payload has `len` bytes.
    pub(crate) fn pop(&mut self, len: u32) {
        let one = Tally {
            msgs: 1,
            bytes: len.into(),
        };
        self.pop_all(one, len as usize);
    }

    /// Removes the oldest messages, so many of them as `taken` says. Their payloads take `span`
    /// bytes, each with what it is rounded up by; the last one may be without that.
    #[inline]
    pub(crate) fn pop_all(&mut self, taken: Tally, span: usize) {
        // INVARIANT: They are removed here.
        self.depth = self.depth.without(taken);
        if self.depth.msgs > 0 {
            self.remove(taken.msgs as usize, span);
        } else if self.survey.is_some() {
            self.remove(taken.msgs as usize, span);
            self.records.restart(&mut self.spare);
            self.payloads.restart(&mut self.spare);
        } else {
            self.records.rewind(&mut self.spare);
            self.payloads.rewind(&mut self.spare);
        }
    }

    /// Goes on behind the oldest `msgs` messages, whose payloads take `span` bytes.
    #[inline(never)]
    fn remove(&mut self, msgs: usize, span: usize) {
        self.records.remove(msgs * Record::SIZE, 1, &mut self.spare);
        self.payloads.remove(span, ALIGN, &mut self.spare);
    }

    /// Removes all messages. Returns what is to be freed when no lock is held any more.
    pub(crate) fn clear(&mut self) -> Segments {
        // INVARIANT: All are removed.
        self.depth = Tally::NONE;
        let mut gone = self.records.clear();
        gone.append(&mut self.payloads.clear());
        gone
    }

    /// Takes the spare segments out that were not needed since the last call, to be freed when no
    /// lock is held any more; of an `idle` store, all that hold no message.
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
        if idle && self.depth.msgs == 0 && self.survey.is_none() {
            surplus.append(&mut self.records.take_empty());
            surplus.append(&mut self.payloads.take_empty());
        }
        // INVARIANT: It begins anew.
        self.spare_low = self.spare.len();
        surplus
    }

    /// Begins a survey of all messages that are stored now. There may be one at a time.
    pub(crate) fn survey_begin(&mut self) {
        self.records.survey_begin();
        self.payloads.survey_begin();
        self.survey = Some(Survey {
            payload: 0,
            // CAST: There are fewer than the limits allow.
            records: self.depth.msgs as u32,
        });
    }

    /// How many messages the survey has yet to begin with.
    pub(crate) fn survey_left(&self) -> u32 {
        self.survey.as_ref().map_or(0, |survey| survey.records)
    }

    /// Goes on to the next message of the survey and returns its record; none if there is none, or
    /// if the payload of this one was not all copied.
    pub(crate) fn survey_next(&mut self) -> Option<Record> {
        let survey = self.survey.as_mut()?;
        if survey.payload > 0 || survey.records == 0 {
            return None;
        }
        let mut bytes = [0; Record::SIZE];
        self.records.survey_read(&mut bytes, &mut self.spare);
        let record = Record::decode(&bytes);
        survey.payload = record.len as usize;
        survey.records -= 1;
        Some(record)
    }

    /// Copies as much of the current payload of the survey as fits into `out`, and returns how much
    /// is left of it, in bytes.
    pub(crate) fn survey_payload(&mut self, out: &mut [u8]) -> usize {
        let Some(survey) = &mut self.survey else {
            return 0;
        };
        let copied = survey.payload.min(out.len());
        if let Some(out) = out.get_mut(..copied) {
            self.payloads.survey_read(out, &mut self.spare);
        }
        survey.payload -= copied;
        if survey.payload == 0 {
            self.payloads.survey_align(ALIGN);
        }
        survey.payload
    }

    /// Ends the survey. Returns what is to be freed when no lock is held any more.
    pub(crate) fn survey_end(&mut self) -> Segments {
        self.survey = None;
        let mut kept = self.records.survey_end();
        kept.append(&mut self.payloads.survey_end());
        kept
    }
}

/// A walk over the messages of a [`Store`], which stay there.
pub(crate) struct Walk<'a> {
    records: Pieces<'a>,
    /// What is left of the current piece of these.
    here: &'a [u8],
    payloads: Pieces<'a>,
    /// The length of the payload that was shown last, in bytes.
    len: usize,
}

impl<'a> Walk<'a> {
    /// Goes on to the next message, and returns its record. All of the payload of the one before
    /// must have been taken.
    #[inline(always)]
    pub(crate) fn record(&mut self) -> Option<Record> {
        if self.here.is_empty() {
            self.here = self.records.next()?;
        }
        let (packed, behind) = self.here.split_first_chunk()?;
        self.here = behind;
        let record = Record::decode(packed);
        self.payloads
            .go_on(self.len, ALIGN as usize, record.len as usize);
        self.len = record.len as usize;
        Some(record)
    }

    /// Copies the payload of that message to `to`, which has as many bytes.
    #[inline(always)]
    pub(crate) fn copy_payload(&mut self, to: &mut [u8]) {
        if !self.payloads.copy_here(to) {
            pieces::copy(self.payload(), core::iter::once(to));
        }
    }

    /// The payload of that message, piece by piece.
    #[inline]
    pub(crate) fn payload(&mut self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.payloads.by_ref()
    }
}
