// SPDX-License-Identifier: GPL-2.0

//! The bounded message queue of a pipe, with its counters.
//!
//! Pure data: no function here sleeps, allocates or frees, so all of them may be called with the
//! pipe's lock held. A function that removes memory returns it to the caller, which frees it.

use super::{
    counters::{
        Counters,
        Tallies,
        Tally, //
    },
    limits::Limits,
    message::{
        Record,
        Sender,
        Stamp, //
    },
    store::{
        Placement,
        Store, //
    },
    stream::Segments,
    walk::Run, //
};

/// The number of bytes of expired messages after which [`Queue::expire`] stops. It bounds the
/// critical section.
const EXPIRED_AT_ONCE: u64 = 1 << 20;

/// A bounded FIFO queue of messages.
pub(crate) struct Queue {
    limits: Limits,
    /// The messages, oldest first, in order of sequence number and of time.
    store: Store,
    counted: Tallies,
    /// The time of the newest message that was accepted, in nanoseconds of `CLOCK_MONOTONIC`.
    latest: u64,
    /// Slots in use by partly read messages, which have left the queue.
    held: u32,
    /// Whether the fast path is closed for new messages.
    closed: bool,
    /// The number of messages that may be queued: `limits.max_msgs()` less `held`. Cached by
    /// [`Queue::refit`].
    capacity: u64,
    /// The longest message that the fast path accepts, in bytes: zero if it is closed. Cached by
    /// [`Queue::refit`].
    short: u32,
}

impl Queue {
    /// Creates an empty queue.
    pub(crate) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            store: Store::new(),
            counted: Tallies::new(),
            latest: 0,
            held: 0,
            closed: false,
            capacity: limits.max_msgs() as u64,
            short: limits.msg_size(),
        }
    }

    /// Updates `capacity` and `short` from the fields that they are computed from.
    fn refit(&mut self) {
        self.capacity = self.limits.max_msgs().saturating_sub(self.held).into();
        self.short = if self.closed {
            0
        } else {
            self.limits.msg_size()
        };
    }

    /// Returns the limits of the queue.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Sets the limits of the queue, which should be empty.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.refit();
    }

    /// Sets the number of slots in use by partly read messages, which have left the queue.
    pub(crate) fn hold(&mut self, held: u32) {
        self.held = held;
        self.refit();
    }

    /// Closes the fast path for new messages, or opens it.
    pub(crate) fn close_fast_path(&mut self, closed: bool) {
        self.closed = closed;
        self.refit();
    }

    /// Returns the counters of the queue.
    pub(crate) fn counters(&self) -> Counters {
        self.counted.counters(self.depth())
    }

    /// Returns the store of the messages.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the store of the messages, to provide and trim its memory and to move its cursor.
    pub(crate) fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    /// Returns how many messages and bytes of payload are queued.
    #[inline]
    pub(crate) fn depth(&self) -> Tally {
        self.store.depth()
    }

    /// Returns the sequence number of the newest message that was accepted. Numbers start at one.
    pub(crate) fn last_seq(&self) -> u64 {
        self.counted.enqueued().msgs
    }

    /// Returns the sequence number of the oldest message, or of the next one if the queue is empty.
    /// It is not stored: messages leave in order, so the queued ones have consecutive numbers.
    pub(crate) fn first_seq(&self) -> u64 {
        self.last_seq()
            .wrapping_sub(self.depth().msgs)
            .wrapping_add(1)
    }

    /// Returns whether no slot is free.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.depth().msgs >= self.capacity
    }

    /// Returns whether no message is queued.
    pub(crate) fn is_empty(&self) -> bool {
        self.depth().msgs == 0
    }

    /// Returns the record of the oldest message.
    pub(crate) fn front(&self) -> Option<Record> {
        self.store.front()
    }

    /// Fast path: accepts a message of `len` bytes if a slot is free, the message is not too long,
    /// and its payload fits in one piece at `place`.
    ///
    /// `copy` writes the payload and returns whether it succeeded. `signed` is called afterwards
    /// with the time of the message, and returns its sender and stamp. That time is `now`, or the
    /// time of the newest message if that is later: another sender may have taken the lock first.
    ///
    /// Returns whether the message was accepted. If not, the queue is unchanged.
    #[inline(always)]
    pub(crate) fn try_push_contiguous(
        &mut self,
        len: usize,
        place: Placement,
        now: u64,
        copy: impl FnOnce(&mut [u8]) -> bool,
        signed: impl FnOnce(u64) -> (Sender, Stamp),
    ) -> bool {
        // A length of zero wraps around and is refused, too.
        if len.wrapping_sub(1) >= self.short as usize || self.is_full() {
            return false;
        }
        let time = self.time(now);
        if !self
            .store
            .try_push_contiguous(len as u32, place, copy, || signed(time))
        {
            return false;
        }
        self.latest = time;
        self.counted.arrive(len, self.store.depth());
        true
    }

    /// Returns the places for the record and for `len` bytes of payload of the next message, if a
    /// slot is free and each fits in one piece. The message is not queued before [`Queue::accept`].
    #[inline(always)]
    pub(crate) fn place(&mut self, len: usize) -> Option<(&mut [u8; Record::SIZE], &mut [u8])> {
        if self.is_full() {
            return None;
        }
        self.store.place(len)
    }

    /// Writes `messages` to the store while slots are free and each message fits in one piece. They
    /// are not queued before [`Queue::accept`].
    ///
    /// Each item is the length of a message, at least one and at most `msg_size`, and its payload,
    /// padded to a multiple of 8 bytes. All get this `sender` and `stamp`, which must not be
    /// earlier than the newest message.
    #[inline(always)]
    pub(crate) fn write_down<'a>(
        &mut self,
        sender: Sender,
        stamp: Stamp,
        messages: impl Iterator<Item = (u32, &'a [u8])>,
    ) -> Run {
        let record = Record {
            stamp,
            len: 0,
            sender,
        };
        let room = self.capacity.saturating_sub(self.depth().msgs) as usize;
        self.store.write_down(&record, room, messages)
    }

    /// Accepts the messages of `run`, which must not be empty, with this `time`. They must have
    /// been written through [`Queue::place`] or [`Queue::write_down`], and the queue must not have
    /// changed since.
    #[inline(always)]
    pub(crate) fn accept(&mut self, run: Run, time: u64) {
        self.store.keep(run);
        self.latest = time;
        self.counted.arrive_all(run.tally, self.store.depth());
    }

    /// Slow path: accepts a message of `len` bytes, whose payload `copy` writes piece by piece.
    /// `stamp` must not be earlier than the newest message. `fresh` must hold exactly the segments
    /// that [`Store::provide`] asks for; all of them are used up.
    ///
    /// Returns whether a slot was free and every call of `copy` returned `true`. If not, the queue
    /// is unchanged.
    #[inline]
    pub(crate) fn push(
        &mut self,
        len: u32,
        sender: Sender,
        stamp: Stamp,
        fresh: &mut Segments,
        copy: impl FnMut(&mut [u8]) -> bool,
    ) -> bool {
        if self.is_full() {
            return false;
        }
        let record = Record { stamp, len, sender };
        if !self.store.push(&record, fresh, copy) {
            return false;
        }
        self.latest = stamp.monotonic;
        self.counted.arrive(len as usize, self.store.depth());
        true
    }

    /// Fast path: delivers the oldest message if its record and its payload are each in one piece.
    /// `copy` reads the payload and returns whether it succeeded. The store must have no cursor.
    ///
    /// Returns the length of the delivered message in bytes. If it was not delivered, the queue is
    /// unchanged.
    #[inline(always)]
    pub(crate) fn pop_contiguous(&mut self, copy: impl FnOnce(&[u8]) -> bool) -> Option<u32> {
        let len = Record::decode_len(self.store.front_contiguous()?);
        if !copy(self.store.payload_contiguous(len as usize)?) {
            return None;
        }
        self.store.pop_seen(Run::one(len));
        Some(len)
    }

    /// Removes the oldest message, of `len` bytes, after it was delivered.
    pub(crate) fn deliver(&mut self, len: u32) {
        self.store.pop(len);
    }

    /// Removes the oldest messages, which must be those of `run`, after they were delivered.
    #[inline]
    pub(crate) fn deliver_all(&mut self, run: Run) {
        self.store.pop_all(run);
    }

    /// Removes the messages of `run` after they were delivered. [`Store::look`] or
    /// [`Store::front_contiguous`] must have returned them. The store must not have changed since,
    /// and must have no cursor.
    #[inline(always)]
    pub(crate) fn deliver_seen(&mut self, run: Run) {
        self.store.pop_seen(run);
    }

    /// Removes the only message after it was delivered. [`Store::front_contiguous`] must have
    /// returned it, and the store must have no cursor.
    #[inline(always)]
    pub(crate) fn deliver_only(&mut self) {
        self.store.pop_only();
    }

    /// Returns the time of a message that is accepted `now`: at least that of the newest message,
    /// so that messages stay in order of time.
    #[inline]
    pub(crate) fn time(&self, now: u64) -> u64 {
        now.max(self.latest)
    }

    /// Removes messages that were sent at or before `cutoff`, in nanoseconds of `CLOCK_MONOTONIC`.
    /// Stops after `limit` messages or [`EXPIRED_AT_ONCE`] bytes. Returns the number of messages
    /// removed.
    pub(crate) fn expire(&mut self, cutoff: u64, limit: u32) -> u32 {
        let mut expired = 0;
        let mut bytes = 0;
        while expired < limit && bytes < EXPIRED_AT_ONCE {
            let Some(record) = self.front() else {
                break;
            };
            if record.stamp.monotonic > cutoff {
                break;
            }
            self.store.pop(record.len);
            self.counted.expire(record.len as usize);
            expired += 1;
            bytes += u64::from(record.len);
        }
        expired
    }

    /// Drops all messages. Returns their memory, to be freed after the lock is released.
    pub(crate) fn clear(&mut self) -> Segments {
        self.counted.drop_all(self.depth());
        self.store.clear()
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_queue)]
mod tests {
    use super::*;
    use crate::kernel_ext::mm::segment::{
        Segment,
        SEGMENT_SIZE, //
    };
    use kernel::prelude::*;

    fn queue(msg_size: u32, max_msgs: u32) -> Result<Queue> {
        let limits = Limits::new(msg_size, max_msgs, u64::MAX).map_err(|_| EINVAL)?;
        Ok(Queue::new(limits))
    }

    /// Returns byte `at` of the payload of message `seq`.
    fn pattern(seq: u64, at: usize) -> u8 {
        (seq as usize).wrapping_mul(31).wrapping_add(at) as u8
    }

    /// Sends a message of `len` bytes whose time is its sequence number. Every second one takes the
    /// fast path if possible.
    fn push(queue: &mut Queue, len: u32) -> Result {
        let seq = queue.last_seq() + 1;
        if seq % 2 == 0 && try_push_contiguous(queue, len as usize) {
            return Ok(());
        }
        let mut fresh = Segments::new();
        let missing = queue.store_mut().provide(&mut fresh, len as usize);
        for _ in 0..missing {
            fresh.push_back(Segment::new()?);
        }
        let mut at = 0;
        let accepted = queue.push(len, Sender::default(), stamp(seq), &mut fresh, |piece| {
            for byte in piece {
                *byte = pattern(seq, at);
                at += 1;
            }
            true
        });
        if accepted {
            assert_eq!(at, len as usize);
            assert!(fresh.is_empty());
        }
        accepted.then_some(()).ok_or(EAGAIN)
    }

    /// Sends a message of `len` bytes on the fast path, and returns whether that was possible.
    fn try_push_contiguous(queue: &mut Queue, len: usize) -> bool {
        let seq = queue.last_seq() + 1;
        let fill = |piece: &mut [u8]| {
            assert_eq!(piece.len(), len);
            for (at, byte) in piece.iter_mut().enumerate() {
                *byte = pattern(seq, at);
            }
            true
        };
        let sign = |now| (Sender::default(), stamp(now));
        queue.try_push_contiguous(len, Placement::Last, seq, fill, sign)
            || queue.try_push_contiguous(len, Placement::Spare, seq, fill, sign)
    }

    /// Receives a message, checks its payload, and returns its sequence number and length. Two of
    /// four take the fast path if possible.
    fn pop(queue: &mut Queue) -> Option<(u64, u32)> {
        let seq = queue.first_seq();
        if seq % 4 < 2 {
            let check = |payload: &[u8]| {
                for (at, byte) in payload.iter().enumerate() {
                    assert_eq!(*byte, pattern(seq, at));
                }
                true
            };
            if let Some(len) = queue.pop_contiguous(check) {
                return Some((seq, len));
            }
        }
        let (record, pieces) = queue.store().front_message()?;
        let mut at = 0;
        for piece in pieces {
            for byte in piece {
                assert_eq!(*byte, pattern(seq, at));
                at += 1;
            }
        }
        assert_eq!(at, record.len as usize);
        queue.deliver(record.len);
        Some((seq, record.len))
    }

    fn stamp(monotonic: u64) -> Stamp {
        Stamp {
            monotonic,
            realtime: 0,
        }
    }

    fn tally(msgs: u64, bytes: u64) -> Tally {
        Tally { msgs, bytes }
    }

    #[test]
    fn delivers_in_order() -> Result {
        let mut queue = queue(16, 3)?;
        assert!(queue.is_empty());
        assert_eq!(queue.front(), None);
        push(&mut queue, 3)?;
        push(&mut queue, 5)?;
        assert_eq!(queue.front().map(|record| record.len), Some(3));
        assert_eq!(queue.depth(), tally(2, 8));

        assert_eq!(pop(&mut queue), Some((1, 3)));
        assert_eq!(pop(&mut queue), Some((2, 5)));
        assert_eq!(pop(&mut queue), None);
        assert_eq!(queue.counters().dequeued, tally(2, 8));
        assert_eq!(queue.counters().peak, tally(2, 8));
        Ok(())
    }

    #[test]
    fn stops_at_its_limit() -> Result {
        let mut queue = queue(16, 2)?;
        push(&mut queue, 1)?;
        assert!(!queue.is_full());
        push(&mut queue, 1)?;
        assert!(queue.is_full());
        assert_eq!(push(&mut queue, 1), Err(EAGAIN));
        assert_eq!(queue.counters().enqueued, tally(2, 2));

        assert_eq!(pop(&mut queue), Some((1, 1)));
        assert!(!queue.is_full());
        push(&mut queue, 1)?;
        assert_eq!((queue.first_seq(), queue.front().is_some()), (2, true));
        Ok(())
    }

    #[test]
    fn a_slot_that_is_held_is_no_room() -> Result {
        let mut queue = queue(16, 2)?;
        push(&mut queue, 1)?;
        queue.hold(1);
        assert!(queue.is_full());
        assert_eq!(push(&mut queue, 1), Err(EAGAIN));
        // More slots than there are.
        queue.hold(3);
        assert!(queue.is_full());
        queue.hold(0);
        push(&mut queue, 1)?;
        assert!(queue.is_full());

        queue.hold(1);
        assert!(pop(&mut queue).is_some() && queue.is_full());
        assert!(pop(&mut queue).is_some() && !queue.is_full());
        queue.set_limits(Limits::new(16, 1, u64::MAX).map_err(|_| EINVAL)?);
        assert!(queue.is_full());
        Ok(())
    }

    #[test]
    fn a_closed_fast_path_takes_nothing() -> Result {
        let mut queue = queue(16, 4)?;
        push(&mut queue, 1)?;
        assert!(try_push_contiguous(&mut queue, 1));
        queue.close_fast_path(true);
        assert!(!try_push_contiguous(&mut queue, 1));
        queue.set_limits(queue.limits());
        assert!(!try_push_contiguous(&mut queue, 1));
        queue.close_fast_path(false);
        assert!(try_push_contiguous(&mut queue, 1));
        assert_eq!(queue.depth(), tally(3, 3));
        Ok(())
    }

    #[test]
    fn a_failed_copy_changes_nothing() -> Result {
        let long = 2 * SEGMENT_SIZE as u32;
        let mut queue = queue(long, 4)?;
        push(&mut queue, 10)?;
        let mut fresh = Segments::new();
        for _ in 0..queue.store_mut().provide(&mut fresh, long as usize) {
            fresh.push_back(Segment::new()?);
        }
        let mut pieces = 0;
        let accepted = queue.push(
            long,
            Sender::default(),
            Stamp::default(),
            &mut fresh,
            |_| {
                pieces += 1;
                pieces < 2
            },
        );
        assert_eq!((accepted, pieces), (false, 2));
        assert_eq!(queue.counters().enqueued, tally(1, 10));
        assert_eq!(queue.last_seq(), 1);
        assert_eq!(pop(&mut queue), Some((1, 10)));
        assert_eq!(pop(&mut queue), None);
        Ok(())
    }

    #[test]
    fn the_short_way_is_taken_or_nothing_changes() -> Result {
        let segment = SEGMENT_SIZE as u32;
        let mut queue = queue(segment, 2)?;
        // There is no segment yet.
        assert!(!try_push_contiguous(&mut queue, 8));
        push(&mut queue, segment - 8)?;
        // Empty, too long, split, and far too long.
        for len in [0, SEGMENT_SIZE + 1, 9, usize::MAX] {
            assert!(!try_push_contiguous(&mut queue, len));
        }
        assert!(!queue.try_push_contiguous(8, Placement::Last, 2, |_| false, |_| unreachable!()));
        assert_eq!(queue.depth(), tally(1, u64::from(segment) - 8));
        assert!(try_push_contiguous(&mut queue, 8));
        assert!(!try_push_contiguous(&mut queue, 8));

        assert_eq!(queue.pop_contiguous(|_| false), None);
        assert_eq!(queue.depth().msgs, 2);
        assert_eq!(
            queue.pop_contiguous(|payload| payload.len() > 8),
            Some(segment - 8)
        );
        assert_eq!(queue.pop_contiguous(|payload| payload.len() == 8), Some(8));
        assert_eq!(queue.pop_contiguous(|_| true), None);
        Ok(())
    }

    #[test]
    fn the_short_way_begins_a_spare_segment() -> Result {
        let segment = SEGMENT_SIZE as u32;
        let mut queue = queue(segment, 8)?;
        push(&mut queue, segment)?;
        // There is no spare segment yet.
        assert!(!try_push_contiguous(&mut queue, 8));
        let mut fresh = Segments::new();
        fresh.push_back(Segment::new()?);
        assert_eq!(queue.store_mut().provide(&mut fresh, 0), 0);
        assert!(queue.store_mut().trim(false).is_empty());

        assert!(!queue.try_push_contiguous(8, Placement::Spare, 2, |_| false, |_| unreachable!()));
        assert!(!try_push_contiguous(&mut queue, SEGMENT_SIZE + 1));
        assert_eq!(queue.store().spare_segments(), 1);
        assert!(try_push_contiguous(&mut queue, 9));
        assert_eq!(queue.store().spare_segments(), 0);
        // The last segment is not full, so no spare one may be used.
        let sign = |_| unreachable!();
        assert!(!queue.try_push_contiguous(8, Placement::Spare, 3, |_| true, sign));
        assert!(try_push_contiguous(&mut queue, 8));
        assert_eq!(queue.depth(), tally(3, u64::from(segment) + 17));
        for (seq, len) in [(1, segment), (2, 9), (3, 8)] {
            assert_eq!(pop(&mut queue), Some((seq, len)));
        }
        assert_eq!(pop(&mut queue), None);
        // One segment is spare again. The trim keeps it, as it was in use since the last one.
        assert_eq!(queue.store().spare_segments(), 1);
        assert!(queue.store_mut().trim(false).is_empty());
        Ok(())
    }

    #[test]
    fn nothing_is_older_than_what_is_before_it() -> Result {
        let mut queue = queue(16, 8)?;
        push(&mut queue, 1)?;
        for (now, time) in [(5, 5), (3, 5), (6, 6)] {
            let mut signed = None;
            let sign = |now| {
                signed = Some(now);
                (Sender::default(), stamp(now))
            };
            assert!(queue.try_push_contiguous(1, Placement::Last, now, |_| true, sign));
            assert_eq!(signed, Some(time));
        }
        // The slow path raises the time for later messages, too.
        let mut none = Segments::new();
        assert!(queue.push(1, Sender::default(), stamp(9), &mut none, |_| true));
        let sign = |now| (Sender::default(), stamp(now));
        assert!(queue.try_push_contiguous(1, Placement::Last, 8, |_| true, sign));
        for time in [1, 5, 5, 6, 9, 9] {
            assert_eq!(
                queue.front().map(|record| record.stamp.monotonic),
                Some(time)
            );
            assert_eq!(queue.pop_contiguous(|_| true), Some(1));
        }
        Ok(())
    }

    #[test]
    fn messages_may_end_anywhere_in_a_segment() -> Result {
        let segment = SEGMENT_SIZE as u32;
        let longest = 3 * segment;
        let mut queue = queue(longest, 8)?;
        // A message of `before` bytes in front decides where the next one starts in its segment.
        for before in [
            1,
            8,
            9,
            segment - 8,
            segment - 7,
            segment - 1,
            segment,
            segment + 1,
        ] {
            for len in [
                1,
                7,
                8,
                segment - 8,
                segment - 1,
                segment,
                segment + 1,
                longest,
            ] {
                push(&mut queue, before)?;
                push(&mut queue, len)?;
                push(&mut queue, 7)?;
                let first = queue.last_seq() - 2;
                assert_eq!(pop(&mut queue), Some((first, before)));
                assert_eq!(pop(&mut queue), Some((first + 1, len)));
                assert_eq!(pop(&mut queue), Some((first + 2, 7)));
                assert!(queue.is_empty());
                assert_eq!(queue.store().segments(), 2);
            }
        }
        Ok(())
    }

    #[test]
    fn records_may_end_with_their_segment() -> Result {
        let records = (SEGMENT_SIZE / Record::SIZE) as u64;
        let mut queue = queue(8, 65536)?;
        for depth in [records - 1, records, records + 1, 2 * records] {
            for _ in 0..depth {
                push(&mut queue, 8)?;
            }
            let first = queue.first_seq();
            for seq in first..first + depth {
                assert_eq!(pop(&mut queue), Some((seq, 8)));
                // The queue is never empty in this loop, so its streams never rewind and pass
                // through all segments.
                push(&mut queue, 8)?;
            }
            while pop(&mut queue).is_some() {}
        }
        Ok(())
    }

    #[test]
    fn costs_at_most_39_bytes_a_message() -> Result {
        for (len, msgs) in [
            (1, 4096),
            (256, 4096),
            (257, 4096),
            (1000, 4096),
            (65536, 64),
            (1 << 20, 8),
        ] {
            let mut queue = queue(len, msgs)?;
            for _ in 0..msgs {
                push(&mut queue, len)?;
            }
            let used = |bytes: usize| (bytes * msgs as usize).div_ceil(SEGMENT_SIZE);
            let payloads = used((len as usize).next_multiple_of(8));
            assert_eq!(queue.store().segments(), payloads + used(Record::SIZE));
        }
        Ok(())
    }

    #[test]
    fn segments_are_used_again() -> Result {
        let mut queue = queue(SEGMENT_SIZE as u32, 16)?;
        let half = (SEGMENT_SIZE / 2) as u32;
        for _ in 0..4 {
            push(&mut queue, half)?;
        }
        let all = queue.store().segments() + queue.store().spare_segments();
        for _ in 0..100 {
            pop(&mut queue).ok_or(ENOENT)?;
            push(&mut queue, half)?;
            let now = queue.store().segments() + queue.store().spare_segments();
            assert!(now <= all + 1);
        }
        Ok(())
    }

    #[test]
    fn trimming_takes_what_is_not_needed() -> Result {
        let mut queue = queue(SEGMENT_SIZE as u32, 64)?;
        for _ in 0..9 {
            push(&mut queue, SEGMENT_SIZE as u32)?;
        }
        while pop(&mut queue).is_some() {}
        assert_eq!(queue.store().spare_segments(), 8);
        // The first trim takes all segments as needed.
        assert_eq!(queue.store_mut().trim(false).len(), 0);
        push(&mut queue, SEGMENT_SIZE as u32)?;
        push(&mut queue, SEGMENT_SIZE as u32)?;
        assert_eq!(pop(&mut queue), Some((10, SEGMENT_SIZE as u32)));
        assert_eq!(pop(&mut queue), Some((11, SEGMENT_SIZE as u32)));
        // The second message needed one of the eight.
        assert_eq!(queue.store_mut().trim(false).len(), 7);
        assert_eq!(queue.store().spare_segments(), 1);

        assert_eq!(queue.store_mut().trim(true).len(), 3);
        assert_eq!(queue.store().segments() + queue.store().spare_segments(), 0);
        push(&mut queue, 5)?;
        assert_eq!(queue.store_mut().trim(true).len(), 0);
        assert_eq!(pop(&mut queue), Some((12, 5)));
        Ok(())
    }

    #[test]
    fn clearing_drops_everything() -> Result {
        let long = 2 * SEGMENT_SIZE as u32;
        let mut queue = queue(long, 4)?;
        push(&mut queue, 2)?;
        push(&mut queue, long)?;
        assert_eq!(queue.clear().len(), 4);
        assert!(queue.is_empty());
        assert_eq!(pop(&mut queue), None);
        assert_eq!(queue.counters().dropped, tally(2, u64::from(long) + 2));
        assert_eq!(queue.counters().dequeued, tally(0, 0));

        // Sequence numbers continue.
        push(&mut queue, 1)?;
        assert_eq!((queue.first_seq(), queue.front().is_some()), (3, true));
        assert_eq!(queue.clear().len(), 2);
        assert!(queue.clear().is_empty());
        Ok(())
    }

    #[test]
    fn the_old_expire() -> Result {
        let mut queue = queue(20000, 8)?;
        for len in [10, 20000, 30, 40] {
            push(&mut queue, len)?;
        }
        assert_eq!(queue.expire(0, 8), 0);
        assert_eq!(queue.expire(3, 2), 2);
        assert_eq!(queue.counters().expired, tally(2, 20010));
        assert_eq!(queue.expire(3, 2), 1);
        assert_eq!(queue.expire(3, 2), 0);
        assert_eq!(pop(&mut queue), Some((4, 40)));
        assert_eq!(queue.counters().dequeued, tally(1, 40));
        assert_eq!(queue.expire(u64::MAX, 2), 0);
        Ok(())
    }

    /// Reads the next message of the cursor, `step` bytes at a time, and returns its length. It
    /// must be message `seq`.
    fn cursor(queue: &mut Queue, seq: u64, step: usize) -> Option<u32> {
        let record = queue.store_mut().cursor_next()?;
        let mut at = 0;
        loop {
            let mut piece = [0; 512];
            let before = queue.store_mut().cursor_payload(&mut []);
            let piece = piece.get_mut(..step).unwrap_or_default();
            let left = queue.store_mut().cursor_payload(piece);
            for byte in piece.iter().take(before - left) {
                assert_eq!(*byte, pattern(seq, at));
                at += 1;
            }
            if left == 0 {
                break;
            }
            assert!(queue.store_mut().cursor_next().is_none());
        }
        assert_eq!(at, record.len as usize);
        Some(record.len)
    }

    #[test]
    fn a_survey_sees_what_was_there_when_it_began() -> Result {
        for disturbance in 0..4 {
            let mut queue = queue(30000, 8)?;
            push(&mut queue, 5000)?;
            for len in [100, 5000, 30000, 1, 8136] {
                push(&mut queue, len)?;
            }
            assert_eq!(pop(&mut queue), Some((1, 5000)));

            queue.store_mut().cursor_begin();
            assert_eq!(queue.store().cursor_left(), 5);
            assert_eq!(cursor(&mut queue, 2, 7), Some(100));
            // Stop in the middle of the payload.
            assert_eq!(
                queue.store_mut().cursor_next().map(|record| record.len),
                Some(5000)
            );
            let mut most = [0; 500];
            for _ in 0..9 {
                queue.store_mut().cursor_payload(&mut most);
            }
            match disturbance {
                0 => {}
                1 => while pop(&mut queue).is_some() {},
                2 => assert!(queue.clear().is_empty()),
                _ => assert_eq!(queue.expire(u64::MAX, 4), 4),
            }
            push(&mut queue, 3000)?;
            assert_eq!(queue.store_mut().cursor_payload(&mut most), 0);
            assert_eq!(most.last().copied(), Some(pattern(3, 4999)));

            assert_eq!(cursor(&mut queue, 4, 512), Some(30000));
            assert_eq!(cursor(&mut queue, 5, 512), Some(1));
            assert_eq!(cursor(&mut queue, 6, 512), Some(8136));
            assert!(queue.store_mut().cursor_next().is_none());
            assert_eq!(queue.store().cursor_left(), 0);
            drop(queue.store_mut().cursor_end());

            let mut last = None;
            while let Some((seq, len)) = pop(&mut queue) {
                last = Some((seq, len));
            }
            assert_eq!(last, Some((7, 3000)));
        }
        Ok(())
    }
}
