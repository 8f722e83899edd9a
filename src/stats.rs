// SPDX-License-Identifier: GPL-2.0

//! Counters of a pipe.

/// A number of messages and of their bytes of payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Messages.
    pub(crate) msgs: u64,
    /// Their payload, in bytes.
    pub(crate) bytes: u64,
}

impl Tally {
    /// Nothing.
    pub(crate) const NONE: Self = Self { msgs: 0, bytes: 0 };

    /// Counts one more message of `len` bytes.
    ///
    /// Counters wrap instead of stopping the kernel: at a message a nanosecond the first does so
    /// after five centuries.
    #[inline]
    pub(crate) fn add(&mut self, len: usize) {
        self.msgs = self.msgs.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(len as u64);
    }

    /// Adds another tally.
    #[inline]
    pub(crate) fn merge(&mut self, other: Tally) {
        self.msgs = self.msgs.wrapping_add(other.msgs);
        self.bytes = self.bytes.wrapping_add(other.bytes);
    }

    /// What is left of it without another tally.
    #[inline]
    pub(crate) fn without(self, other: Tally) -> Self {
        Self {
            msgs: self.msgs.wrapping_sub(other.msgs),
            bytes: self.bytes.wrapping_sub(other.bytes),
        }
    }
}

/// Where the messages of a queue have gone.
///
/// At every point at which its queue can be seen from outside, `enqueued` is the sum of `dequeued`,
/// `expired`, `dropped` and what is queued, in messages and in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// The largest depth so far, in messages and in bytes, not necessarily at one moment.
    pub(crate) peak: Tally,
    /// Accepted.
    pub(crate) enqueued: Tally,
    /// Delivered to a reader.
    pub(crate) dequeued: Tally,
    /// Removed because they grew too old.
    pub(crate) expired: Tally,
    /// Accepted and then discarded unread.
    pub(crate) dropped: Tally,
}

/// What a queue counts of where its messages go.
///
/// Those that were delivered are not counted, as that is done with each message: they follow from
/// the others, and from what is queued.
pub(crate) struct Counted {
    peak: Tally,
    enqueued: Tally,
    expired: Tally,
    dropped: Tally,
}

impl Counted {
    /// Nothing has happened.
    pub(crate) const fn new() -> Self {
        Self {
            peak: Tally::NONE,
            enqueued: Tally::NONE,
            expired: Tally::NONE,
            dropped: Tally::NONE,
        }
    }

    /// What was accepted.
    #[inline]
    pub(crate) fn enqueued(&self) -> Tally {
        self.enqueued
    }

    /// Where the messages have gone, if `depth` is queued.
    pub(crate) fn account(&self, depth: Tally) -> Account {
        let gone = self.enqueued.without(depth);
        Account {
            peak: self.peak,
            enqueued: self.enqueued,
            dequeued: gone.without(self.expired).without(self.dropped),
            expired: self.expired,
            dropped: self.dropped,
        }
    }

    /// Counts the arrival of a message of `len` bytes, with which `depth` is queued.
    #[inline]
    pub(crate) fn arrive(&mut self, len: usize, depth: Tally) {
        self.enqueued.add(len);
        self.reach(depth);
    }

    /// Counts the arrival of the messages of `arrived`, with which `depth` is queued.
    #[inline]
    pub(crate) fn arrive_all(&mut self, arrived: Tally, depth: Tally) {
        self.enqueued.merge(arrived);
        self.reach(depth);
    }

    /// Notes that `depth` is queued.
    #[inline(always)]
    fn reach(&mut self, depth: Tally) {
        if depth.msgs > self.peak.msgs {
            self.peak.msgs = depth.msgs;
        }
        if depth.bytes > self.peak.bytes {
            self.peak.bytes = depth.bytes;
        }
    }

    /// Counts the removal of a message of `len` bytes that grew too old.
    pub(crate) fn expire(&mut self, len: usize) {
        self.expired.add(len);
    }

    /// Counts the loss of all of `depth`, which was queued.
    pub(crate) fn drop_all(&mut self, depth: Tally) {
        self.dropped.merge(depth);
    }
}

/// Attempts to write that were refused: they are in no [`Account`], as no message came to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The pipe was full and the writer would not wait.
    pub(crate) full: u64,
    /// The message was longer than the pipe takes.
    pub(crate) size: u64,
}
