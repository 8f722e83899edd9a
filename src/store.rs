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
        segment::SEGMENT_SIZE,
        words, //
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
    walk::{
        Look,
        Run,
        Walk, //
    },
};

/// Payloads begin at multiples of this, so that they are copied fast.
pub(crate) const ALIGN: u32 = 8;

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

    /// Where the record of the next message and `len` bytes of payload go, if the payload can be
    /// all in the last segment, and the record, too. They are not stored before [`Store::keep`].
    #[inline(always)]
    pub(crate) fn place(&mut self, len: usize) -> Option<(&mut [u8; Record::SIZE], &mut [u8])> {
        let payload = self.payloads.place(len)?;
        let packed = self.records.place_array()?;
        Some((packed, payload))
    }

    /// Writes `messages` down behind the others, but no more than `limit`, as long as each can be
    /// all in the last segment, and its record, too. Each has its length and its payload, which
    /// goes up to a multiple of [`ALIGN`] bytes. All were sent as `record` says. They are not
    /// stored before [`Store::keep`].
    #[inline(always)]
    pub(crate) fn write_down<'a>(
        &mut self,
        record: &Record,
        limit: usize,
        messages: impl Iterator<Item = (u32, &'a [u8])>,
    ) -> Run {
        let mut run = Run::NONE;
        let records = self.records.last_mut();
        let most = limit.saturating_mul(Record::SIZE).min(records.len());
        let mut records = records.get_mut(..most).unwrap_or_default();
        let mut places = self.payloads.last_mut();
        for (len, payload) in messages {
            let here = (
                records.split_first_chunk_mut(),
                places.split_at_mut_checked(payload.len()),
            );
            let (Some((packed, more_records)), Some((place, more_places))) = here else {
                break;
            };
            *packed = Record { len, ..*record }.encode();
            words::copy(place, payload);
            (records, places) = (more_records, more_places);
            run.add(len as usize, payload.len());
        }
        run
    }

    /// Stores what was written down as `run`; nothing has changed since.
    #[inline]
    pub(crate) fn keep(&mut self, run: Run) {
        let records = (run.tally.msgs as usize).wrapping_mul(Record::SIZE);
        self.records.fill_place(records, 1);
        self.payloads.fill_place(run.span, ALIGN);
        // INVARIANT: They were written down.
        self.depth.merge(run.tally);
    }

    /// The oldest messages, one after the other, as long as each is all in the first segment.
    #[inline(always)]
    pub(crate) fn look(&self) -> Look<'_> {
        let records = self.records.first();
        // CAST: As many as there are fit into memory.
        let all = (self.depth.msgs as usize).wrapping_mul(Record::SIZE);
        let records = records.get(..all.min(records.len())).unwrap_or_default();
        Look::new(records, self.payloads.first())
    }

    /// Removes the messages of `run`, which [`Store::look`] or [`Store::front_here`] has shown;
    /// nothing has changed since. There must be no survey.
    #[inline(always)]
    pub(crate) fn pop_seen(&mut self, run: Run) {
        // INVARIANT: They are removed here.
        self.depth = self.depth.without(run.tally);
        if self.depth.msgs == 0 {
            // What passes at once stays in the cache. As the last message was all in the first
            // segment, there is no other.
            self.records.rewind_here();
            self.payloads.rewind_here();
        } else {
            self.remove(run.tally.msgs as usize, run.span);
        }
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
        // CAST: As many as there are fit into memory.
        let records = self.records.read(self.depth.msgs as usize * Record::SIZE);
        Walk::new(records, self.payloads.read(0))
    }

    /// The number of bytes that all payloads take, each with what it is rounded up by.
    pub(crate) fn payload_span(&self) -> usize {
        self.payloads.len()
    }

    /// The packed record of the oldest message.
    #[inline(always)]
    pub(crate) fn front_here(&self) -> Option<&[u8; Record::SIZE]> {
        if self.depth.msgs == 0 {
            return None;
        }
        self.records.here(Record::SIZE)?.first_chunk()
    }

    /// The first `len` bytes of the oldest payload, and of what it is rounded up by, if they are
    /// not split.
    #[inline(always)]
    pub(crate) fn payload_here(&self, len: usize) -> Option<&[u8]> {
        self.payloads.here(len)
    }

    /// Removes the only message, which [`Store::front_here`] has shown, with its payload. There
    /// must be no survey.
    #[inline(always)]
    pub(crate) fn pop_only(&mut self) {
        // INVARIANT: It is removed here.
        self.depth = Tally::NONE;
        // As it was all in the first segment, there is no other.
        self.records.rewind_here();
        self.payloads.rewind_here();
    }

    /// Removes the oldest message, whose payload has `len` bytes.
    pub(crate) fn pop(&mut self, len: u32) {
        self.pop_all(Run::one(len));
    }

    /// Removes the oldest messages, which are those of `run`.
    #[inline]
    pub(crate) fn pop_all(&mut self, run: Run) {
        // INVARIANT: They are removed here.
        self.depth = self.depth.without(run.tally);
        if self.depth.msgs > 0 {
            self.remove(run.tally.msgs as usize, run.span);
        } else if self.survey.is_some() {
            self.remove(run.tally.msgs as usize, run.span);
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
