// SPDX-License-Identifier: GPL-2.0

//! Counters of a pipe.

/// A number of messages, and of the bytes of their payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// The number of messages.
    pub(crate) msgs: u64,
    /// The bytes of their payloads.
    pub(crate) bytes: u64,
}

impl Tally {
    /// No message.
    pub(crate) const NONE: Self = Self { msgs: 0, bytes: 0 };

    /// Returns the tally of one message of `len` bytes.
    #[inline]
    pub(crate) const fn one(len: usize) -> Self {
        Self {
            msgs: 1,
            bytes: len as u64,
        }
    }

    /// Adds one message of `len` bytes.
    ///
    /// Counters wrap, because an overflow check would panic the kernel. At one message per
    /// nanosecond, the number of messages wraps after five centuries.
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

    /// Returns the difference to another tally.
    #[inline]
    pub(crate) fn without(self, other: Tally) -> Self {
        Self {
            msgs: self.msgs.wrapping_sub(other.msgs),
            bytes: self.bytes.wrapping_sub(other.bytes),
        }
    }
}

/// Counters of the messages of a queue.
///
/// Between any two calls of the queue, `enqueued` is the sum of `dequeued`, `expired`, `dropped`
/// and the messages that are queued, in messages and in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// The largest number of queued messages so far, and of queued bytes. The two may be of
    /// different moments.
    pub(crate) peak: Tally,
    /// Messages that were accepted.
    pub(crate) enqueued: Tally,
    /// Messages that were delivered to a reader.
    pub(crate) dequeued: Tally,
    /// Messages that were removed because they grew too old.
    pub(crate) expired: Tally,
    /// Messages that were accepted and then discarded unread.
    pub(crate) dropped: Tally,
}

/// The counters that a queue maintains.
///
/// Deliveries are not counted, which keeps that off the fast path:
/// [`RawCounters::counters`] computes them.
pub(crate) struct RawCounters {
    peak: Tally,
    /// Messages that were queued, and the bytes of all that were accepted.
    queued: Tally,
    expired: Tally,
    /// Messages that were queued and then discarded unread, and the bytes of all that were
    /// discarded.
    dropped: Tally,
    /// The number of messages that were accepted and discarded at once: they were never queued.
    discarded: u64,
}

impl RawCounters {
    /// Creates counters that are all zero.
    pub(crate) const fn new() -> Self {
        Self {
            peak: Tally::NONE,
            queued: Tally::NONE,
            expired: Tally::NONE,
            dropped: Tally::NONE,
            discarded: 0,
        }
    }

    /// Returns the number of messages that were queued.
    #[inline]
    pub(crate) fn queued_msgs(&self) -> u64 {
        self.queued.msgs
    }

    /// Returns all counters of a queue in which `depth` is queued.
    pub(crate) fn counters(&self, depth: Tally) -> Counters {
        let gone = self.queued.without(depth);
        let with_discarded = |mut tally: Tally| {
            tally.msgs = tally.msgs.wrapping_add(self.discarded);
            tally
        };
        Counters {
            peak: self.peak,
            enqueued: with_discarded(self.queued),
            dequeued: gone.without(self.expired).without(self.dropped),
            expired: self.expired,
            dropped: with_discarded(self.dropped),
        }
    }

    /// Counts a message of `len` bytes that was queued, after which `depth` is queued.
    #[inline]
    pub(crate) fn count_enqueued(&mut self, len: usize, depth: Tally) {
        self.queued.add(len);
        self.update_peak(depth);
    }

    /// Counts the messages of `arrived` that were queued, after which `depth` is queued.
    #[inline]
    pub(crate) fn count_enqueued_all(&mut self, arrived: Tally, depth: Tally) {
        self.queued.merge(arrived);
        self.update_peak(depth);
    }

    /// Raises the peak to `depth` where that is larger.
    #[inline(always)]
    pub(crate) fn update_peak(&mut self, depth: Tally) {
        if depth.msgs > self.peak.msgs {
            self.peak.msgs = depth.msgs;
        }
        if depth.bytes > self.peak.bytes {
            self.peak.bytes = depth.bytes;
        }
    }

    /// Counts a message of `len` bytes that expired.
    pub(crate) fn count_expired(&mut self, len: usize) {
        self.expired.add(len);
    }

    /// Counts the messages of `gone` that expired.
    pub(crate) fn count_all_expired(&mut self, gone: Tally) {
        self.expired.merge(gone);
    }

    /// Counts a queued message of `len` bytes as dropped.
    pub(crate) fn count_one_dropped(&mut self, len: usize) {
        self.dropped.add(len);
    }

    /// Counts a message of `len` bytes that was accepted and is not queued.
    pub(crate) fn count_discarded(&mut self, len: usize) {
        self.discarded = self.discarded.wrapping_add(1);
        for tally in [&mut self.queued, &mut self.dropped] {
            tally.bytes = tally.bytes.wrapping_add(len as u64);
        }
    }

    /// Counts the messages of `depth` as dropped.
    pub(crate) fn count_dropped(&mut self, depth: Tally) {
        self.dropped.merge(depth);
    }
}

/// Writes that were refused. They are in no [`Counters`], as no message was accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Writes that were refused because the pipe was full and the call must not wait.
    pub(crate) full: u64,
    /// Writes that were refused because the message was longer than `msg_size`.
    pub(crate) size: u64,
}
