// SPDX-License-Identifier: GPL-2.0

//! Walks over the messages of a store, which stay there.

use crate::{
    message::Record,
    stats::Tally,
    store::ALIGN,
    stream::Pieces, //
};

/// Messages that are stored one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// How many, and the bytes of their payloads.
    pub(crate) tally: Tally,
    /// The bytes of their payloads, each with what it is rounded up by; the last one may be without
    /// that.
    pub(crate) span: usize,
}

impl Run {
    /// None.
    pub(crate) const NONE: Self = Self {
        tally: Tally::NONE,
        span: 0,
    };

    /// A message of `len` bytes.
    #[inline(always)]
    pub(crate) fn one(len: u32) -> Self {
        Self {
            tally: Tally {
                msgs: 1,
                bytes: len.into(),
            },
            span: len as usize,
        }
    }

    /// Adds a message of `len` bytes, which are rounded up to `span`.
    #[inline(always)]
    pub(crate) fn add(&mut self, len: usize, span: usize) {
        self.tally.add(len);
        // It does not wrap: it is far below the largest number.
        self.span = self.span.wrapping_add(span);
    }

    /// Adds those of another one, which follows.
    pub(crate) fn merge(&mut self, other: Self) {
        self.tally.merge(other.tally);
        self.span = self.span.wrapping_add(other.span);
    }
}

/// The bytes that a payload of `len` bytes takes.
#[inline(always)]
fn aligned(len: u32) -> usize {
    let len = len as usize;
    // Nothing wraps on a machine of 64 bits: a length has 32.
    len.wrapping_add(ALIGN as usize - 1) & !(ALIGN as usize - 1)
}

/// The messages in the first segments of a [`Store`](crate::store::Store): the packed record of
/// each, and the payload with what it is rounded up by, which is any bytes.
pub(crate) struct Look<'a> {
    records: &'a [u8],
    payloads: &'a [u8],
}

impl<'a> Look<'a> {
    /// Those with these records and payloads, each of which begins with the first one.
    #[inline(always)]
    pub(crate) fn new(records: &'a [u8], payloads: &'a [u8]) -> Self {
        Self { records, payloads }
    }
}

impl<'a> Iterator for Look<'a> {
    type Item = (&'a [u8; Record::SIZE], &'a [u8]);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let (packed, more_records) = self.records.split_first_chunk()?;
        let span = aligned(Record::decode_len(packed));
        let (payload, more_payloads) = self.payloads.split_at_checked(span)?;
        (self.records, self.payloads) = (more_records, more_payloads);
        Some((packed, payload))
    }
}

/// A walk over the messages of a [`Store`](crate::store::Store), which stay there.
pub(crate) struct Walk<'a> {
    records: Pieces<'a>,
    /// What is left of the current piece of these.
    here: &'a [u8],
    payloads: Pieces<'a>,
    /// The length of the payload that was shown last, in bytes.
    len: usize,
}

impl<'a> Walk<'a> {
    /// One over the messages with these records, and with the payloads that begin at `payloads`.
    pub(crate) fn new(records: Pieces<'a>, payloads: Pieces<'a>) -> Self {
        Self {
            records,
            here: &[],
            payloads,
            len: 0,
        }
    }

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

    /// The payload of that message, piece by piece.
    #[inline]
    pub(crate) fn payload(&mut self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.payloads.by_ref()
    }
}
