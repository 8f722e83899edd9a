// SPDX-License-Identifier: MIT OR Apache-2.0

//! A copy of the stored messages.

use crate::{
    action::Action,
    error::Result,
    pipe::Pipe,
    record::{now_ns, record_len, Records, ALIGNMENT, HEADER},
    sys,
};
use nix::errno::Errno;
use std::os::fd::AsFd;

/// Maximum attempts with a growing buffer: messages may keep arriving, and the length of a history is not known. Its
/// size at least doubles, which gets it beyond the limit of a pipe that the module has by default.
const MAX_ATTEMPTS: u32 = 16;

/// Additional buffer space in bytes, for messages that arrive before the copy.
const SPARE: usize = 4096;

/// A copy of all messages that were stored at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dump {
    /// Records back to back.
    bytes: Vec<u8>,
    /// Number of records.
    records: u32,
    /// Number of newer messages that did not fit.
    missing: u32,
    /// `CLOCK_MONOTONIC` after the copy, in nanoseconds.
    now_ns: u64,
}

impl Dump {
    /// Iterates over the messages, oldest first.
    pub fn records(&self) -> Records<'_> {
        Records::new(&self.bytes, self.now_ns)
    }

    /// Returns the number of messages in the copy.
    pub fn len(&self) -> u32 {
        self.records
    }

    /// Returns whether the copy contains no messages.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Returns the number of newer messages that did not fit into the buffer.
    pub fn missing(&self) -> u32 {
        self.missing
    }

    /// Returns the size of a buffer for all messages, if those that are missing are as long as the others on
    /// average; if there are no others, as the longest message of `msg_size` bytes.
    fn size_of_all(&self, msg_size: u32) -> usize {
        let each = match self.records {
            0 => record_len(msg_size),
            records => self.bytes.len().div_ceil(records as usize),
        };
        let all = u64::from(self.records) + u64::from(self.missing);
        each.saturating_mul(usize::try_from(all).unwrap_or(usize::MAX))
    }
}

impl Pipe {
    /// Copies all queued messages, and the history of a broadcast pipe, at one moment and consumes none.
    ///
    /// If messages keep arriving faster than the buffer grows, the newest ones may be missing: see
    /// [`Dump::missing`].
    ///
    /// # Errors
    ///
    /// [`Error::System`](crate::Error::System): `EPERM` without `CAP_SYS_ADMIN`, `ENOMEM` if there is no memory
    /// for the copy.
    pub fn dump(&self) -> Result<Dump> {
        let mut size = 0;
        // The history of a broadcast pipe is not in the statistics.
        let mut of_all = 0;
        let mut attempts = 0;
        loop {
            // The current size of the queue, plus a growing reserve.
            let stats = self.stats()?;
            let messages = usize::try_from(stats.depth_msgs).unwrap_or(usize::MAX);
            let payload = usize::try_from(stats.depth_bytes).unwrap_or(usize::MAX);
            let needed = messages
                .saturating_mul(HEADER + ALIGNMENT)
                .saturating_add(payload)
                .saturating_add(SPARE);
            size = needed.max(of_all).max(size).saturating_add(size);
            let dump = self.dump_into(size)?;
            of_all = dump.size_of_all(stats.msg_size);
            attempts += 1;
            if dump.missing == 0 || attempts == MAX_ATTEMPTS {
                return Ok(dump);
            }
        }
    }

    /// Copies the oldest queued messages, as many as fit into `size` bytes.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::dump`].
    pub fn dump_into(&self, size: usize) -> Result<Dump> {
        let failed = |errno| self.failed(Action::Dump, errno);
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(size)
            .map_err(|_| failed(Errno::ENOMEM))?;
        bytes.resize(size, 0);
        let raw = sys::dump(self.as_fd(), &mut bytes).map_err(failed)?;
        let now_ns = now_ns();
        bytes.truncate(usize::try_from(raw.used).unwrap_or(size));
        Ok(Dump {
            bytes,
            records: raw.records,
            missing: raw.missing,
            now_ns,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;

    #[test]
    fn size_is_estimated_from_the_messages_that_fit() {
        let dump = |bytes: Vec<u8>, records, missing| Dump {
            bytes,
            records,
            missing,
            now_ns: 0,
        };
        let two = [record(1, b"1"), record(2, &[2; 72])].concat();
        let all = two.len() / 2 * 10;
        assert_eq!(dump(two, 2, 8).size_of_all(1), all);
        let none = dump(Vec::new(), 0, 3);
        assert_eq!(none.size_of_all(9), 3 * record_len(9));
        assert_eq!(Dump::default().size_of_all(256), 0);
    }

    #[test]
    fn dump_iterates_over_its_records() {
        let dump = Dump {
            bytes: [record(4, b"four"), record(5, b"")].concat(),
            records: 2,
            missing: 3,
            now_ns: 1_005,
        };
        let found: Vec<_> = dump
            .records()
            .map(|record| (record.seq, record.age_ns, record.payload))
            .collect();
        assert_eq!(found, [(4, 1, &b"four"[..]), (5, 0, b"")]);
        assert_eq!((dump.len(), dump.missing(), dump.is_empty()), (2, 3, false));

        let dump = Dump::default();
        assert_eq!(dump.records().count(), 0);
        assert_eq!((dump.len(), dump.missing(), dump.is_empty()), (0, 0, true));
    }
}
