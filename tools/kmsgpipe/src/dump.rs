// SPDX-License-Identifier: MIT OR Apache-2.0

//! A copy of the queued messages.

use crate::{
    error::{Action, Result},
    pipe::Pipe,
    sys::{self, RawRecord},
};
use kmsgpipe_sys::raw::KMSGPIPE_RECORD_PRIVILEGED;
use nix::{errno::Errno, time::ClockId};
use std::{mem::offset_of, os::fd::AsFd, time::Duration};

/// How often a dump is tried with more memory, as messages may keep coming.
const TRIES: u32 = 8;

/// What is added to the memory that should do.
const SPARE: usize = 4096;

/// The length of a record without its payload.
const HEADER: usize = size_of::<RawRecord>();

/// Records begin at multiples of so many bytes.
const ALIGNMENT: usize = 8;

/// A copy of all messages that were queued at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dump {
    /// Records, one behind the other.
    bytes: Vec<u8>,
    /// The number of records.
    records: u32,
    /// The number of newer messages that did not fit.
    missing: u32,
    /// The monotonic clock when the copy was there, in nanoseconds.
    now_ns: u64,
}

/// A queued message.
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
    /// Real user id of its sender, in the caller's user namespace.
    pub uid: u32,
    /// Real group id of its sender, likewise.
    pub gid: u32,
    /// Process id of its sender, 0 when that has none here.
    pub pid: u32,
    /// Whether its sender had other effective ids than these, or its file was opened with others,
    /// as in a set-user-id program.
    pub privileged: bool,
    /// The message.
    pub payload: &'a [u8],
}

impl Dump {
    /// The messages, oldest first.
    pub fn records(&self) -> Records<'_> {
        Records {
            rest: &self.bytes,
            left: self.records,
            now_ns: self.now_ns,
        }
    }

    /// How many messages there are in it.
    pub fn len(&self) -> u32 {
        self.records
    }

    /// Whether there is no message in it.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// How many newer messages did not fit into the memory for it.
    pub fn missing(&self) -> u32 {
        self.missing
    }
}

/// The messages of a [`Dump`].
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    left: u32,
    now_ns: u64,
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        self.left = self.left.checked_sub(1)?;
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
            uid: word(header, offset_of!(RawRecord, uid))?,
            gid: word(header, offset_of!(RawRecord, gid))?,
            pid: word(header, offset_of!(RawRecord, pid))?,
            privileged: word(header, offset_of!(RawRecord, flags))? & KMSGPIPE_RECORD_PRIVILEGED
                != 0,
            payload,
        })
    }
}

/// The 32-bit integer at an offset.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The 64-bit integer at an offset.
fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

impl Pipe {
    /// Copies all queued messages, as of one moment; none is consumed.
    ///
    /// When more and more messages come, the newest ones may be missing nevertheless: see
    /// [`Dump::missing`].
    ///
    /// # Errors
    ///
    /// [`Error::System`](crate::Error::System): `EPERM` without `CAP_SYS_ADMIN`, `ENOMEM` without
    /// the memory for the copy.
    pub fn dump(&self) -> Result<Dump> {
        let mut size = 0;
        let mut tries = 0;
        loop {
            // What the queue took a moment ago, and somewhat more each time.
            let stats = self.stats()?;
            let messages = usize::try_from(stats.depth_msgs).unwrap_or(usize::MAX);
            let payload = usize::try_from(stats.depth_bytes).unwrap_or(usize::MAX);
            let needed = messages
                .saturating_mul(HEADER + ALIGNMENT)
                .saturating_add(payload)
                .saturating_add(SPARE);
            size = needed.max(size).saturating_add(size / 2);
            let dump = self.dump_into(size)?;
            tries += 1;
            if dump.missing == 0 || tries == TRIES {
                return Ok(dump);
            }
        }
    }

    /// Copies the oldest queued messages, as many as fit into `size` bytes.
    ///
    /// # Errors
    ///
    /// As [`Pipe::dump`].
    pub fn dump_into(&self, size: usize) -> Result<Dump> {
        let failed = |errno| self.failed(Action::Dump, errno);
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(size)
            .map_err(|_| failed(Errno::ENOMEM))?;
        bytes.resize(size, 0);
        let raw = sys::dump(self.as_fd(), &mut bytes).map_err(failed)?;
        let now = Duration::from(ClockId::CLOCK_MONOTONIC.now().map_err(failed)?);
        bytes.truncate(usize::try_from(raw.used).unwrap_or(size));
        Ok(Dump {
            bytes,
            records: raw.records,
            missing: raw.missing,
            now_ns: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record as the kernel writes it; that of an odd number is privileged.
    fn record(seq: u64, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for value in [seq, 1_000 + seq, 2_000 + seq] {
            bytes.extend(value.to_ne_bytes());
        }
        for value in [payload.len() as u32, 10, 20, 30, seq as u32 & 1, 0] {
            bytes.extend(value.to_ne_bytes());
        }
        assert_eq!(bytes.len(), HEADER);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        bytes
    }

    #[test]
    fn records_are_read_one_after_the_other() {
        let payloads: [&[u8]; 4] = [b"1", b"12345678", b"\0\xff", &[7; 1001]];
        let mut bytes = Vec::new();
        for (seq, payload) in payloads.iter().enumerate() {
            bytes.extend(record(seq as u64, payload));
        }
        let dump = Dump {
            bytes,
            records: 4,
            missing: 3,
            now_ns: 1_002,
        };
        let read: Vec<Record<'_>> = dump.records().collect();
        let found: Vec<&[u8]> = read.iter().map(|record| record.payload).collect();
        assert_eq!(found, payloads);
        assert_eq!(
            read[1],
            Record {
                seq: 1,
                monotonic_ns: 1_001,
                realtime_ns: 2_001,
                age_ns: 1,
                uid: 10,
                gid: 20,
                pid: 30,
                privileged: true,
                payload: b"12345678",
            }
        );
        assert!(!read[2].privileged);
        // A clock that seems to run backwards makes no age.
        assert_eq!(read[3].age_ns, 0);
        assert_eq!((dump.len(), dump.missing(), dump.is_empty()), (4, 3, false));
    }

    #[test]
    fn what_is_cut_off_is_no_record() {
        let whole = record(1, b"123456789");
        for len in 0..whole.len() {
            let dump = Dump {
                bytes: whole[..len].to_vec(),
                records: 1,
                ..Dump::default()
            };
            assert_eq!(dump.records().count(), 0, "{len}");
        }
        let dump = Dump {
            bytes: whole,
            records: 2,
            ..Dump::default()
        };
        assert_eq!(dump.records().count(), 1);
        assert_eq!(Dump::default().records().count(), 0);
    }
}
