// SPDX-License-Identifier: GPL-2.0

//! Tests of [`Queue`](super::queue::Queue), with the store and the streams below it.

#[kernel::macros::kunit_tests(kmsgpipe_queue)]
pub(super) mod tests {
    use kernel::prelude::*;

    use crate::{
        kernel_ext::mm::{
            pieces::prefix_mut,
            segment::{
                Segment,
                SEGMENT_SIZE, //
            }, //
        },
        log::{
            counters::Tally,
            cursor::CursorMemory,
            limits::Limits,
            message::{
                Record,
                Sender,
                Stamp, //
            },
            queue::Queue,
            store::{
                Place,
                Placement, //
            },
            stream::Segments, //
        }, //
    };

    fn queue(msg_size: u32, max_msgs: u32) -> Result<Queue> {
        let limits = Limits::new(msg_size, max_msgs, u64::MAX).map_err(|_| EINVAL)?;
        Ok(Queue::new(limits))
    }

    /// Returns byte `at` of the payload of message `seq`.
    pub(crate) fn pattern(seq: u64, at: usize) -> u8 {
        (seq as usize).wrapping_mul(31).wrapping_add(at) as u8
    }

    /// Sends a message of `len` bytes whose time is its sequence number. Every second one takes the
    /// fast path if possible.
    fn push(queue: &mut Queue, len: u32) -> Result {
        let seq = queue.last_seq() + 1;
        if seq % 2 == 0 && try_push_contiguous(queue, len as usize) {
            return Ok(());
        }
        push_slow(queue, len, false, true)?
            .then_some(())
            .ok_or(EAGAIN)
    }

    /// Sends a message of `len` bytes on the slow path, over the oldest one if `over_oldest`. Its
    /// time is its sequence number. The copy succeeds if `readable`. Returns whether the message
    /// was accepted.
    pub(crate) fn push_slow(
        queue: &mut Queue,
        len: u32,
        over_oldest: bool,
        readable: bool,
    ) -> Result<bool> {
        let seq = queue.next_seq();
        let mut fresh = Segments::new();
        for _ in 0..queue.store_mut().provide(&mut fresh, len as usize) {
            fresh.push_back(Segment::new()?);
        }
        let mut at = 0;
        let copy = |piece: &mut [u8]| {
            for byte in piece {
                *byte = pattern(seq, at);
                at += 1;
            }
            readable
        };
        let (sender, stamp) = (Sender::default(), stamp(seq));
        let accepted = queue.push(len, sender, stamp, over_oldest, &mut fresh, copy);
        if accepted {
            assert_eq!(at, len as usize);
            assert!(fresh.is_empty());
        }
        Ok(accepted)
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
        let (record, pieces) = queue.store().message_at(Place::Front)?;
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

    pub(crate) fn stamp(monotonic: u64) -> Stamp {
        Stamp {
            monotonic,
            realtime: monotonic as i64 * 10,
        }
    }

    fn tally(msgs: u64, bytes: u64) -> Tally {
        Tally { msgs, bytes }
    }

    #[test]
    fn a_message_takes_the_place_of_the_oldest() -> Result {
        let mut queue = queue(8192, 2)?;
        push(&mut queue, 3)?;
        push(&mut queue, 5)?;
        assert!(!push_slow(&mut queue, 5000, true, false)?);
        assert_eq!(queue.first_seq(), 1);
        assert_eq!(queue.counters().dropped, Tally::NONE);

        assert!(push_slow(&mut queue, 5000, true, true)?);
        assert_eq!(queue.depth(), tally(2, 5005));
        assert_eq!(queue.first_seq(), 2);
        assert_eq!(queue.counters().dropped, tally(1, 3));
        assert_eq!(queue.counters().enqueued, tally(3, 5008));
        assert_eq!(queue.counters().dequeued, Tally::NONE);
        // The queue never held three messages.
        assert_eq!(queue.counters().peak, tally(2, 5005));
        assert_eq!(pop(&mut queue), Some((2, 5)));
        assert_eq!(pop(&mut queue), Some((3, 5000)));
        assert_eq!(pop(&mut queue), None);
        Ok(())
    }

    #[test]
    fn a_discarded_message_is_counted_and_not_numbered() -> Result {
        let mut queue = queue(16, 1)?;
        push(&mut queue, 3)?;
        queue.discard(7);
        assert_eq!(queue.depth(), tally(1, 3));
        assert_eq!(queue.counters().enqueued, tally(2, 10));
        assert_eq!(queue.counters().dropped, tally(1, 7));
        assert_eq!(queue.counters().peak, tally(1, 3));
        assert_eq!(queue.first_seq(), 1);
        assert_eq!(pop(&mut queue), Some((1, 3)));
        assert_eq!(queue.counters().dequeued, tally(1, 3));
        push(&mut queue, 4)?;
        assert_eq!(pop(&mut queue), Some((2, 4)));
        Ok(())
    }

    // spec: 2-struct-kmsgpipe
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

    // spec: 2-struct-kmsgpipe
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
        queue.set_reserved_slots(1);
        assert!(queue.is_full());
        assert_eq!(push(&mut queue, 1), Err(EAGAIN));
        // More slots than there are.
        queue.set_reserved_slots(3);
        assert!(queue.is_full());
        queue.set_reserved_slots(0);
        push(&mut queue, 1)?;
        assert!(queue.is_full());

        queue.set_reserved_slots(1);
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
        queue.set_fast_path_closed(true);
        assert!(!try_push_contiguous(&mut queue, 1));
        queue.set_limits(queue.limits());
        assert!(!try_push_contiguous(&mut queue, 1));
        queue.set_fast_path_closed(false);
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
            false,
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
    fn a_contiguous_push_succeeds_or_changes_nothing() -> Result {
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
    fn a_contiguous_push_may_begin_a_spare_segment() -> Result {
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
        assert!(queue.push(1, Sender::default(), stamp(9), false, &mut none, |_| true));
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

    #[test]
    fn the_only_message_is_delivered_at_once() -> Result {
        let mut queue = queue(16, 1)?;
        push(&mut queue, 7)?;
        queue.deliver_only();
        assert!(queue.is_empty());
        assert_eq!(queue.counters().dequeued, tally(1, 7));
        Ok(())
    }

    #[test]
    fn expiry_stops_after_a_mebibyte() -> Result {
        const QUARTER: u32 = 1 << 18;

        let mut queue = queue(QUARTER, 8)?;
        for _ in 0..6 {
            push(&mut queue, QUARTER)?;
        }
        assert_eq!(queue.expire(u64::MAX, 8), 4);
        assert_eq!(queue.expire(u64::MAX, 8), 2);
        Ok(())
    }

    /// Reads the next message of the cursor, `step` bytes at a time, and returns its length. It
    /// must be message `seq`.
    fn cursor(queue: &mut Queue, seq: u64, step: usize) -> Option<u32> {
        let record = queue.store_mut().cursor_next()?;
        let mut at = 0;
        loop {
            let mut piece = [0; 512];
            let piece = prefix_mut(&mut piece, step);
            let copied = queue.store_mut().cursor_payload(piece)?;
            for byte in piece.iter().take(copied) {
                assert_eq!(*byte, pattern(seq, at));
                at += 1;
            }
            if queue.store().cursor_payload_left() == 0 {
                break;
            }
            assert!(queue.store_mut().cursor_next().is_none());
        }
        assert_eq!(at, record.len as usize);
        Some(record.len)
    }

    #[test]
    fn a_cursor_sees_the_messages_of_its_beginning() -> Result {
        for disturbance in 0..4 {
            let mut queue = queue(30000, 8)?;
            push(&mut queue, 5000)?;
            for len in [100, 5000, 30000, 1, 8136] {
                push(&mut queue, len)?;
            }
            assert_eq!(pop(&mut queue), Some((1, 5000)));

            queue.store_mut().cursor_begin(CursorMemory::new()?);
            assert_eq!(queue.store().cursor_left(), 5);
            assert_eq!(cursor(&mut queue, 2, 7), Some(100));
            // Stop in the middle of the payload.
            assert_eq!(
                queue.store_mut().cursor_next().map(|record| record.len),
                Some(5000)
            );
            let mut most = [0; 500];
            for _ in 0..9 {
                assert_eq!(queue.store_mut().cursor_payload(&mut most), Some(500));
            }
            match disturbance {
                0 => {}
                1 => while pop(&mut queue).is_some() {},
                2 => assert!(queue.clear().is_empty()),
                _ => assert_eq!(queue.expire(u64::MAX, 4), 4),
            }
            push(&mut queue, 3000)?;
            assert_eq!(queue.store_mut().cursor_payload(&mut most), Some(500));
            assert_eq!(queue.store().cursor_payload_left(), 0);
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
