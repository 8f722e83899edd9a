// SPDX-License-Identifier: GPL-2.0

//! Iteration over stored messages without removing them.

use super::{
    counters::Tally,
    message::{
        padded,
        Record,
        ALIGN, //
    },
    stream::Pieces, //
};

/// A number of messages that are stored one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The number of messages, and of the bytes of their payloads.
    pub(crate) tally: Tally,
    /// The bytes that their payloads take in the store. Each includes its padding, except that the
    /// last one may lack it.
    pub(crate) span: usize,
}

impl Run {
    /// No message.
    pub(crate) const NONE: Self = Self {
        tally: Tally::NONE,
        span: 0,
    };

    /// Returns a run of one message of `len` bytes.
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

    /// Adds a message of `len` bytes, which takes `span` bytes with its padding.
    #[inline(always)]
    pub(crate) fn add(&mut self, len: usize, span: usize) {
        self.tally.add(len);
        // OVERFLOW: It does not wrap, as all these bytes are in memory.
        self.span = self.span.wrapping_add(span);
    }

    /// Adds a run that follows this one.
    pub(crate) fn merge(&mut self, other: Self) {
        self.tally.merge(other.tally);
        self.span = self.span.wrapping_add(other.span);
    }
}

/// An iterator over the messages that are in the first segments of a
/// [`Store`](crate::log::store::Store). It returns the packed record of each, and its payload with
/// the padding, which may have any value.
pub(crate) struct ContiguousMessages<'a> {
    records: &'a [u8],
    payloads: &'a [u8],
}

impl<'a> ContiguousMessages<'a> {
    /// Creates an iterator over messages whose packed records are in `records` and whose payloads
    /// are in `payloads`, in the same order.
    #[inline(always)]
    pub(crate) fn new(records: &'a [u8], payloads: &'a [u8]) -> Self {
        Self { records, payloads }
    }
}

impl<'a> Iterator for ContiguousMessages<'a> {
    type Item = (&'a [u8; Record::SIZE], &'a [u8]);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let (packed, more_records) = self.records.split_first_chunk()?;
        let span = padded(Record::decode_len(packed));
        let (payload, more_payloads) = self.payloads.split_at_checked(span)?;
        (self.records, self.payloads) = (more_records, more_payloads);
        Some((packed, payload))
    }
}

/// A walk over all messages of a [`Store`](crate::log::store::Store).
pub(crate) struct Walk<'a> {
    records: Pieces<'a>,
    /// The records of the current piece that were not returned yet.
    current: &'a [u8],
    payloads: Pieces<'a>,
    /// The length of the current payload, in bytes.
    len: usize,
}

impl<'a> Walk<'a> {
    /// Creates a walk over the messages with these records, and with the payloads that start where
    /// `payloads` does.
    pub(crate) fn new(records: Pieces<'a>, payloads: Pieces<'a>) -> Self {
        Self {
            records,
            current: &[],
            payloads,
            len: 0,
        }
    }

    /// Moves to the next message, and returns its record. The payload of the message before must
    /// have been taken to its end.
    #[inline(always)]
    pub(crate) fn record(&mut self) -> Option<Record> {
        if self.current.is_empty() {
            self.current = self.records.next()?;
        }
        let (packed, behind) = self.current.split_first_chunk()?;
        self.current = behind;
        let record = Record::decode(packed);
        self.payloads
            .skip_padding(self.len, ALIGN, record.len as usize);
        self.len = record.len as usize;
        Some(record)
    }

    /// Returns the payload of the current message, in pieces.
    #[inline]
    pub(crate) fn payload(&mut self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.payloads.by_ref()
    }
}
