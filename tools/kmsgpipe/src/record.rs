// SPDX-License-Identifier: MIT OR Apache-2.0

//! Messages with their metadata, parsed from the kernel's format.

use crate::sys::RawRecord;
use kmsgpipe_sys::raw::KMSGPIPE_RECORD_PRIVILEGED;
use nix::time::ClockId;
use std::{iter::FusedIterator, mem::offset_of, time::Duration};

/// Length of a record without its payload.
pub(crate) const HEADER: usize = size_of::<RawRecord>();

/// Alignment of records in bytes.
pub(crate) const ALIGNMENT: usize = 8;

/// Returns the length of a record with a payload of `len` bytes.
pub(crate) const fn record_len(len: u32) -> usize {
    HEADER + (len as usize).next_multiple_of(ALIGNMENT)
}

/// Returns `CLOCK_MONOTONIC` in nanoseconds.
pub(crate) fn now_ns() -> u64 {
    // If the clock cannot be read, all ages are 0.
    let now = ClockId::CLOCK_MONOTONIC.now().map(Duration::from);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

/// A message and its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Sequence number; the first message of the pipe has 1.
    pub seq: u64,
    /// Time of sending, in `CLOCK_MONOTONIC` of the caller's time namespace.
    pub monotonic_ns: u64,
    /// Time of sending, in `CLOCK_REALTIME`.
    pub realtime_ns: u64,
    /// Time that the message was queued, in nanoseconds, excluding system suspend.
    pub age_ns: u64,
    /// Number of messages that were lost just before this one. In a queue, they were lost to overflow since a
    /// message was last delivered to any of its readers. In a subscription or when browsing, they left the pipe
    /// before the file had read them. 0 in a [`Dump`](crate::Dump).
    pub lost: u64,
    /// Real user ID of the sender, in the caller's user namespace.
    pub uid: u32,
    /// Real group ID of the sender, in the caller's user namespace.
    pub gid: u32,
    /// Process ID of the sender, 0 if it has none in the caller's PID namespace.
    pub pid: u32,
    /// Whether the credentials of the sender or of its open file differ from the real IDs, as in a set-user-ID
    /// program.
    pub privileged: bool,
    /// Priority: messages of higher priority are received first.
    pub priority: u32,
    /// Number of deliveries, this one included: 1 for a received message, more if it was received with a lease
    /// before and came back ([`Attach::Lease`](crate::Attach::Lease)), 0 in a [`Dump`](crate::Dump).
    pub deliveries: u32,
    /// The payload.
    pub payload: &'a [u8],
}

impl Record<'_> {
    /// Returns whether the message was delivered before, and came back.
    pub fn is_redelivered(&self) -> bool {
        self.deliveries > 1
    }
}

/// Iterator over the messages of a [`Dump`](crate::Dump).
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    now_ns: u64,
}

impl<'a> Records<'a> {
    /// Iterates over the records in `bytes`, whose ages are relative to `now_ns`.
    pub(crate) fn new(bytes: &'a [u8], now_ns: u64) -> Self {
        Self {
            rest: bytes,
            now_ns,
        }
    }

    /// Returns the number of bytes after the records that were returned.
    pub(crate) fn rest_len(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let (header, rest) = self.rest.split_at_checked(HEADER)?;
        let len = usize::try_from(word(header, offset_of!(RawRecord, len))?).ok()?;
        let payload = rest.get(..len)?;
        self.rest = rest.get(len.next_multiple_of(ALIGNMENT)..)?;

        let monotonic_ns = long(header, offset_of!(RawRecord, monotonic_ns))?;
        Some(Record {
            seq: long(header, offset_of!(RawRecord, seq))?,
            monotonic_ns,
            realtime_ns: long(header, offset_of!(RawRecord, realtime_ns))?,
            age_ns: self.now_ns.saturating_sub(monotonic_ns),
            lost: long(header, offset_of!(RawRecord, lost))?,
            uid: word(header, offset_of!(RawRecord, uid))?,
            gid: word(header, offset_of!(RawRecord, gid))?,
            pid: word(header, offset_of!(RawRecord, pid))?,
            privileged: word(header, offset_of!(RawRecord, flags))? & KMSGPIPE_RECORD_PRIVILEGED
                != 0,
            priority: word(header, offset_of!(RawRecord, priority))?,
            deliveries: word(header, offset_of!(RawRecord, deliveries))?,
            payload,
        })
    }
}

impl FusedIterator for Records<'_> {}

/// Returns the 32-bit integer at an offset.
pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Returns the 64-bit integer at an offset.
fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Returns a record in the kernel's format; odd sequence numbers are marked privileged.
    pub(crate) fn record(seq: u64, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for value in [seq, 1_000 + seq, 2_000 + seq, 3] {
            bytes.extend(value.to_ne_bytes());
        }
        for value in [payload.len() as u32, 10, 20, 30, seq as u32 & 1, 4, 5, 0] {
            bytes.extend(value.to_ne_bytes());
        }
        assert_eq!(bytes.len(), HEADER);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        assert_eq!(bytes.len(), record_len(payload.len() as u32));
        bytes
    }

    #[test]
    fn records_are_parsed_in_order() {
        let payloads: [&[u8]; 4] = [b"1", b"12345678", b"\0\xff", &[7; 1001]];
        let mut bytes = Vec::new();
        for (seq, payload) in payloads.iter().enumerate() {
            bytes.extend(record(seq as u64, payload));
        }
        let read: Vec<Record<'_>> = Records::new(&bytes, 1_002).collect();
        let found: Vec<&[u8]> = read.iter().map(|record| record.payload).collect();
        assert_eq!(found, payloads);
        assert_eq!(
            read[1],
            Record {
                seq: 1,
                monotonic_ns: 1_001,
                realtime_ns: 2_001,
                age_ns: 1,
                lost: 3,
                uid: 10,
                gid: 20,
                pid: 30,
                privileged: true,
                priority: 4,
                deliveries: 5,
                payload: b"12345678",
            }
        );
        assert!(!read[2].privileged);
        for (deliveries, is_redelivered) in [(0, false), (1, false), (2, true)] {
            let record = Record {
                deliveries,
                ..read[1]
            };
            assert_eq!(record.is_redelivered(), is_redelivered);
        }
        // A clock that appears to run backwards results in age 0.
        assert_eq!(read[3].age_ns, 0);
    }

    #[test]
    fn truncated_record_ends_the_iteration() {
        let whole = record(1, b"123456789");
        for len in 0..whole.len() {
            let mut records = Records::new(&whole[..len], 0);
            assert_eq!(records.by_ref().count(), 0, "{len}");
            assert_eq!(records.rest_len(), len);
        }
        let two = [&whole[..], &whole[..HEADER]].concat();
        let mut records = Records::new(&two, 0);
        assert_eq!(records.by_ref().count(), 1);
        assert_eq!(records.rest_len(), HEADER);
    }
}
