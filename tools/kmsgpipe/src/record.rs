// SPDX-License-Identifier: MIT OR Apache-2.0

//! Messages with what is known of each, as the kernel writes them.

use crate::sys::RawRecord;
use kmsgpipe_sys::raw::KMSGPIPE_RECORD_PRIVILEGED;
use nix::time::ClockId;
use std::{iter::FusedIterator, mem::offset_of, time::Duration};

/// The length of a record without its payload.
pub(crate) const HEADER: usize = size_of::<RawRecord>();

/// Records begin at multiples of so many bytes.
pub(crate) const ALIGNMENT: usize = 8;

/// The length of a record with a payload of `len` bytes.
pub(crate) const fn record_len(len: u32) -> usize {
    HEADER + (len as usize).next_multiple_of(ALIGNMENT)
}

/// The monotonic clock, in nanoseconds.
pub(crate) fn now_ns() -> u64 {
    // A clock that cannot be read makes no age.
    let now = ClockId::CLOCK_MONOTONIC.now().map(Duration::from);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

/// A message, and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Sequence number; the first message ever sent has 1.
    pub seq: u64,
    /// When it was sent, by `CLOCK_MONOTONIC` as the caller's time namespace has it.
    pub monotonic_ns: u64,
    /// When it was sent, by `CLOCK_REALTIME`.
    pub realtime_ns: u64,
    /// For how long it had been queued, in nanoseconds, without the time for which the machine was
    /// suspended.
    pub age_ns: u64,
    /// How many messages before it were lost; 0, as the kernel loses none.
    pub lost: u64,
    /// Real user id of its sender, in the caller's user namespace.
    pub uid: u32,
    /// Real group id of its sender, likewise.
    pub gid: u32,
    /// Process id of its sender, 0 when that has none here.
    pub pid: u32,
    /// Whether its sender had other effective ids than these, or its file was opened with others,
    /// as in a set-user-id program.
    pub privileged: bool,
    /// Its priority; 0, as all messages are equal.
    pub priority: u32,
    /// How often it was delivered: 1 when it was received, 0 in a [`Dump`](crate::Dump), which delivers
    /// nothing.
    pub deliveries: u32,
    /// The message.
    pub payload: &'a [u8],
}

/// The messages of a [`Dump`](crate::Dump).
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    now_ns: u64,
}

impl<'a> Records<'a> {
    /// The records in `bytes`, one behind the other, as they were at a time `now_ns`.
    pub(crate) fn new(bytes: &'a [u8], now_ns: u64) -> Self {
        Self {
            rest: bytes,
            now_ns,
        }
    }

    /// How many bytes there are behind the records that were handed out.
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

/// The 32-bit integer at an offset.
pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The 64-bit integer at an offset.
fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A record as the kernel writes it; that of an odd number is privileged.
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
    fn records_are_read_one_after_the_other() {
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
        // A clock that seems to run backwards makes no age.
        assert_eq!(read[3].age_ns, 0);
    }

    #[test]
    fn what_is_cut_off_is_no_record() {
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
