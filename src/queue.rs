// SPDX-License-Identifier: GPL-2.0

//! The bounded queue of a pipe and its accounting.
//!
//! Pure data: nothing here sleeps, allocates or frees, so that all of it may be called with the
//! pipe's lock held. What is to be freed is handed to the caller.

use crate::{
    limits::Limits,
    message::{
        Record,
        Sender,
        Stamp, //
    },
    stats::{
        Account,
        Counted,
        Tally, //
    },
    store::{
        Place,
        Store, //
    },
    stream::Segments,
    walk::Run, //
};

/// After how many bytes of expired messages to stop: the lock is held meanwhile.
const EXPIRED_AT_ONCE: u64 = 1 << 20;

/// A bounded first-in-first-out queue of messages.
pub(crate) struct Queue {
    limits: Limits,
    /// The messages, oldest first, ordered by sequence number and by time.
    store: Store,
    counted: Counted,
    /// The time of the message that was accepted last: nanoseconds of `CLOCK_MONOTONIC`.
    latest: u64,
    /// Slots that are taken by what is not queued any more.
    held: u32,
    /// The fast path accepts no message.
    closed: bool,
    /// The number of messages that fit beside what is held. It follows from `limits` and `held`.
    capacity: u64,
    /// The longest message that the fast path accepts, in bytes; none if it is zero. It follows
    /// from `limits` and `closed`.
    short: u32,
}

impl Queue {
    /// Makes an empty queue.
    pub(crate) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            store: Store::new(),
            counted: Counted::new(),
            latest: 0,
            held: 0,
            closed: false,
            capacity: limits.max_msgs() as u64,
            short: limits.msg_size(),
        }
    }

    /// Works out what follows from other fields.
    fn refit(&mut self) {
        self.capacity = self.limits.max_msgs().saturating_sub(self.held).into();
        self.short = if self.closed {
            0
        } else {
            self.limits.msg_size()
        };
    }

    /// What the queue may hold.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Changes what the queue may hold. It should be empty.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.refit();
    }

    /// Lets `held` slots be taken by what is not queued any more.
    pub(crate) fn hold(&mut self, held: u32) {
        self.held = held;
        self.refit();
    }

    /// Closes the fast path for new messages, or opens it.
    pub(crate) fn close_fast_path(&mut self, closed: bool) {
        self.closed = closed;
        self.refit();
    }

    /// Where the messages have gone.
    pub(crate) fn account(&self) -> Account {
        self.counted.account(self.depth())
    }

    /// Where the messages are kept.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Where the messages are kept, to look after its memory and to survey it.
    pub(crate) fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    /// What is queued.
    #[inline]
    pub(crate) fn depth(&self) -> Tally {
        self.store.depth()
    }

    /// Sequence number of the message that was accepted last: they are counted from one on.
    pub(crate) fn last_seq(&self) -> u64 {
        self.counted.enqueued().msgs
    }

    /// Sequence number of the oldest message, or of the next one if there is none. Messages leave
    /// in order, so that those in between are all there.
    pub(crate) fn first_seq(&self) -> u64 {
        self.last_seq()
            .wrapping_sub(self.depth().msgs)
            .wrapping_add(1)
    }

    /// Returns whether no message can be accepted.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.depth().msgs >= self.capacity
    }

    /// Returns whether there is no message.
    pub(crate) fn is_empty(&self) -> bool {
        self.depth().msgs == 0
    }

    /// What is known of the message to be delivered next.
    pub(crate) fn front(&self) -> Option<Record> {
        self.store.front()
    }

    /// Accepts a message of `len` bytes if that takes no more than writing it down in one piece: it
    /// is not longer than the queue takes, there is room for it, and it can be all in `place`. It
    /// is written by `copy`, which returns whether it did so, and what is known of it is asked of
    /// `signed` then. It was sent at a time `now`, or at that of the one before it if it was
    /// overtaken by that.
    ///
    /// Returns whether it was accepted; nothing has changed if not.
    #[inline(always)]
    pub(crate) fn push_here(
        &mut self,
        len: usize,
        place: Place,
        now: u64,
        copy: impl FnOnce(&mut [u8]) -> bool,
        signed: impl FnOnce(u64) -> (Sender, Stamp),
    ) -> bool {
        // A message of no bytes is none.
        if len.wrapping_sub(1) >= self.short as usize || self.is_full() {
            return false;
        }
        let time = self.time(now);
        if !self
            .store
            .push_here(len as u32, place, copy, || signed(time))
        {
            return false;
        }
        self.latest = time;
        self.counted.arrive(len, self.store.depth());
        true
    }

    /// Where the record of a message and `len` bytes of its payload are to be written down, if
    /// there is room and that can be done. It is not accepted before [`Queue::accept`].
    #[inline(always)]
    pub(crate) fn place(&mut self, len: usize) -> Option<(&mut [u8; Record::SIZE], &mut [u8])> {
        if self.is_full() {
            return None;
        }
        self.store.place(len)
    }

    /// Writes `messages` down, as long as there is room and each only has to be written down. Each
    /// has its length, which is at least one and no longer than the queue takes, and its payload,
    /// which goes up to a multiple of 8 bytes. All were sent as `sender` and `stamp` say, and are
    /// not older than those before them. They are not accepted before [`Queue::accept`].
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

    /// Accepts what was written down as `run`, which is something, sent at this `time`; nothing has
    /// changed since.
    #[inline(always)]
    pub(crate) fn accept(&mut self, run: Run, time: u64) {
        self.store.keep(run);
        self.latest = time;
        self.counted.arrive_all(run.tally, self.store.depth());
    }

    /// Accepts a message of `len` bytes, which `copy` writes piece by piece, gives it its sequence
    /// number, and puts it at the end. It must not be older than those before it. It uses up all
    /// segments of `fresh`, which must be those that [`Store::provide`] asks for.
    ///
    /// Returns whether there is room for it and `copy` always said that it did so; nothing has
    /// changed if not.
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

    /// Delivers the oldest message if that takes no more than reading it in one piece, which `copy`
    /// does; it returns whether it did so. There must be no survey of the store.
    ///
    /// Returns its length in bytes if it was delivered; nothing has changed if not.
    #[inline(always)]
    pub(crate) fn pop_here(&mut self, copy: impl FnOnce(&[u8]) -> bool) -> Option<u32> {
        let len = Record::decode_len(self.store.front_here()?);
        if !copy(self.store.payload_here(len as usize)?) {
            return None;
        }
        self.store.pop_seen(Run::one(len));
        Some(len)
    }

    /// Removes the oldest message, of `len` bytes, which was delivered.
    pub(crate) fn deliver(&mut self, len: u32) {
        self.store.pop(len);
    }

    /// Removes the oldest messages, which were delivered and are those of `run`.
    #[inline]
    pub(crate) fn deliver_all(&mut self, run: Run) {
        self.store.pop_all(run);
    }

    /// Removes the oldest messages, which were delivered and are those of `run`. The store has just
    /// shown them, and there is no survey.
    #[inline(always)]
    pub(crate) fn deliver_seen(&mut self, run: Run) {
        self.store.pop_seen(run);
    }

    /// Removes the only message, which was delivered. The store has just shown it, and there is no
    /// survey.
    #[inline(always)]
    pub(crate) fn deliver_only(&mut self) {
        self.store.pop_only();
    }

    /// The time at which a message counts as sent that is accepted `now`: it is not older than the
    /// one before it.
    #[inline]
    pub(crate) fn time(&self, now: u64) -> u64 {
        now.max(self.latest)
    }

    /// Removes messages that are older than `cutoff`, in nanoseconds of `CLOCK_MONOTONIC`, but at
    /// most `limit` of them, and fewer if they are long; returns how many.
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

    /// Drops every queued message. Returns what is to be freed when no lock is held any more.
    pub(crate) fn clear(&mut self) -> Segments {
        self.counted.drop_all(self.depth());
        self.store.clear()
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_queue)]
mod tests {
    use super::*;
    use crate::kernel_ext::segment::{
        Segment,
        SEGMENT_SIZE, //
    };
    use kernel::prelude::*;

    fn queue(msg_size: u32, max_msgs: u32) -> Result<Queue> {
        let limits = Limits::new(msg_size, max_msgs, u64::MAX).map_err(|_| EINVAL)?;
        Ok(Queue::new(limits))
    }

    /// Byte `at` of the payload of message `seq`.
    fn pattern(seq: u64, at: usize) -> u8 {
        (seq as usize).wrapping_mul(31).wrapping_add(at) as u8
    }

    /// Sends a message of `len` bytes that arrives at the time of its sequence number; every second
    /// one the short way, if that can be.
    fn push(queue: &mut Queue, len: u32) -> Result {
        let seq = queue.last_seq() + 1;
        if seq % 2 == 0 && push_here(queue, len as usize) {
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

    /// Sends one the short way, or returns that this is not possible.
    fn push_here(queue: &mut Queue, len: usize) -> bool {
        let seq = queue.last_seq() + 1;
        let fill = |piece: &mut [u8]| {
            assert_eq!(piece.len(), len);
            for (at, byte) in piece.iter_mut().enumerate() {
                *byte = pattern(seq, at);
            }
            true
        };
        let sign = |now| (Sender::default(), stamp(now));
        queue.push_here(len, Place::Last, seq, fill, sign)
            || queue.push_here(len, Place::Spare, seq, fill, sign)
    }

    /// Receives a message, checks its payload, and returns its sequence number and length; two of
    /// four the short way, if that can be.
    fn pop(queue: &mut Queue) -> Option<(u64, u32)> {
        let seq = queue.first_seq();
        if seq % 4 < 2 {
            let check = |payload: &[u8]| {
                for (at, byte) in payload.iter().enumerate() {
                    assert_eq!(*byte, pattern(seq, at));
                }
                true
            };
            if let Some(len) = queue.pop_here(check) {
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
        assert_eq!(queue.account().dequeued, tally(2, 8));
        assert_eq!(queue.account().peak, tally(2, 8));
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
        assert_eq!(queue.account().enqueued, tally(2, 2));

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
        // More than there are.
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
        assert!(push_here(&mut queue, 1));
        queue.close_fast_path(true);
        assert!(!push_here(&mut queue, 1));
        queue.set_limits(queue.limits());
        assert!(!push_here(&mut queue, 1));
        queue.close_fast_path(false);
        assert!(push_here(&mut queue, 1));
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
        assert_eq!(queue.account().enqueued, tally(1, 10));
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
        assert!(!push_here(&mut queue, 8));
        push(&mut queue, segment - 8)?;
        // None is a message, one too long, one split, one without a copy, and one too many.
        for len in [0, SEGMENT_SIZE + 1, 9, usize::MAX] {
            assert!(!push_here(&mut queue, len));
        }
        assert!(!queue.push_here(8, Place::Last, 2, |_| false, |_| unreachable!()));
        assert_eq!(queue.depth(), tally(1, u64::from(segment) - 8));
        assert!(push_here(&mut queue, 8));
        assert!(!push_here(&mut queue, 8));

        assert_eq!(queue.pop_here(|_| false), None);
        assert_eq!(queue.depth().msgs, 2);
        assert_eq!(
            queue.pop_here(|payload| payload.len() > 8),
            Some(segment - 8)
        );
        assert_eq!(queue.pop_here(|payload| payload.len() == 8), Some(8));
        assert_eq!(queue.pop_here(|_| true), None);
        Ok(())
    }

    #[test]
    fn the_short_way_begins_a_spare_segment() -> Result {
        let segment = SEGMENT_SIZE as u32;
        let mut queue = queue(segment, 8)?;
        push(&mut queue, segment)?;
        // There is no spare one yet.
        assert!(!push_here(&mut queue, 8));
        let mut fresh = Segments::new();
        fresh.push_back(Segment::new()?);
        assert_eq!(queue.store_mut().provide(&mut fresh, 0), 0);
        assert!(queue.store_mut().trim(false).is_empty());

        assert!(!queue.push_here(8, Place::Spare, 2, |_| false, |_| unreachable!()));
        assert!(!push_here(&mut queue, SEGMENT_SIZE + 1));
        assert_eq!(queue.store().spare_segments(), 1);
        assert!(push_here(&mut queue, 9));
        assert_eq!(queue.store().spare_segments(), 0);
        // It is not full.
        let sign = |_| unreachable!();
        assert!(!queue.push_here(8, Place::Spare, 3, |_| true, sign));
        assert!(push_here(&mut queue, 8));
        assert_eq!(queue.depth(), tally(3, u64::from(segment) + 17));
        for (seq, len) in [(1, segment), (2, 9), (3, 8)] {
            assert_eq!(pop(&mut queue), Some((seq, len)));
        }
        assert_eq!(pop(&mut queue), None);
        // There is one again, which was needed.
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
            assert!(queue.push_here(1, Place::Last, now, |_| true, sign));
            assert_eq!(signed, Some(time));
        }
        // One that waited for its turn.
        let mut none = Segments::new();
        assert!(queue.push(1, Sender::default(), stamp(9), &mut none, |_| true));
        let sign = |now| (Sender::default(), stamp(now));
        assert!(queue.push_here(1, Place::Last, 8, |_| true, sign));
        for time in [1, 5, 5, 6, 9, 9] {
            assert_eq!(
                queue.front().map(|record| record.stamp.monotonic),
                Some(time)
            );
            assert_eq!(queue.pop_here(|_| true), Some(1));
        }
        Ok(())
    }

    #[test]
    fn messages_may_end_anywhere_in_a_segment() -> Result {
        let segment = SEGMENT_SIZE as u32;
        let longest = 3 * segment;
        let mut queue = queue(longest, 8)?;
        // One that stays in front, so that the next does not begin at the beginning.
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
                // Never empty, never with more than one message at a time: on through the segments.
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
        // They were all in use since the last time, as there has been none.
        assert_eq!(queue.store_mut().trim(false).len(), 0);
        push(&mut queue, SEGMENT_SIZE as u32)?;
        push(&mut queue, SEGMENT_SIZE as u32)?;
        assert_eq!(pop(&mut queue), Some((10, SEGMENT_SIZE as u32)));
        assert_eq!(pop(&mut queue), Some((11, SEGMENT_SIZE as u32)));
        // One of them was.
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
        assert_eq!(queue.account().dropped, tally(2, u64::from(long) + 2));
        assert_eq!(queue.account().dequeued, tally(0, 0));

        // The sequence goes on.
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
        assert_eq!(queue.account().expired, tally(2, 20010));
        assert_eq!(queue.expire(3, 2), 1);
        assert_eq!(queue.expire(3, 2), 0);
        assert_eq!(pop(&mut queue), Some((4, 40)));
        assert_eq!(queue.account().dequeued, tally(1, 40));
        assert_eq!(queue.expire(u64::MAX, 2), 0);
        Ok(())
    }

    /// Takes the next message out of a survey, `step` bytes at a time, and returns its length; it
    /// must have this sequence number.
    fn survey(queue: &mut Queue, seq: u64, step: usize) -> Option<u32> {
        let record = queue.store_mut().survey_next()?;
        let mut at = 0;
        loop {
            let mut piece = [0; 512];
            let before = queue.store_mut().survey_payload(&mut []);
            let piece = piece.get_mut(..step).unwrap_or_default();
            let left = queue.store_mut().survey_payload(piece);
            for byte in piece.iter().take(before - left) {
                assert_eq!(*byte, pattern(seq, at));
                at += 1;
            }
            if left == 0 {
                break;
            }
            assert!(queue.store_mut().survey_next().is_none());
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

            queue.store_mut().survey_begin();
            assert_eq!(queue.store().survey_left(), 5);
            assert_eq!(survey(&mut queue, 2, 7), Some(100));
            // In the middle of a payload.
            assert_eq!(
                queue.store_mut().survey_next().map(|record| record.len),
                Some(5000)
            );
            let mut most = [0; 500];
            for _ in 0..9 {
                queue.store_mut().survey_payload(&mut most);
            }
            match disturbance {
                0 => {}
                1 => while pop(&mut queue).is_some() {},
                2 => assert!(queue.clear().is_empty()),
                _ => assert_eq!(queue.expire(u64::MAX, 4), 4),
            }
            push(&mut queue, 3000)?;
            assert_eq!(queue.store_mut().survey_payload(&mut most), 0);
            assert_eq!(most.last().copied(), Some(pattern(3, 4999)));

            assert_eq!(survey(&mut queue, 4, 512), Some(30000));
            assert_eq!(survey(&mut queue, 5, 512), Some(1));
            assert_eq!(survey(&mut queue, 6, 512), Some(8136));
            assert!(queue.store_mut().survey_next().is_none());
            assert_eq!(queue.store().survey_left(), 0);
            drop(queue.store_mut().survey_end());

            let mut last = None;
            while let Some((seq, len)) = pop(&mut queue) {
                last = Some((seq, len));
            }
            assert_eq!(last, Some((7, 3000)));
        }
        Ok(())
    }
}
