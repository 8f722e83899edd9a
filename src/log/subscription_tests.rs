// SPDX-License-Identifier: GPL-2.0

//! Tests of [`Subscription`](super::subscription::Subscription): where it begins, and how it moves.

#[kernel::macros::kunit_tests(kmsgpipe_subscription)]
mod tests {
    use kernel::prelude::*;

    use crate::{
        kernel_ext::mm::segment::SEGMENT_SIZE,
        log::{
            counters::Tally,
            fanout::Fanout,
            fanout_tests::tests::{
                account,
                broadcast,
                check,
                indexed,
                own,
                push,
                read,
                read_many,
                subscribe,
                tally,
                unsubscribe,
                LONGEST, //
            },
            limits::Limits,
            store::{
                Place,
                StoreIndex, //
            },
            subscription::{
                Kind,
                Search,
                Start, //
            }, //
        }, //
    };

    #[test]
    fn each_start_has_its_position() -> Result {
        let mut queue = broadcast(8, 2)?;
        let slow = own(&mut queue, Start::Open);
        for len in 1..=5 {
            push(&mut queue, len * 300)?;
        }
        // Messages 1 and 2 leave.
        assert_eq!(queue.expire(2, 9), 2);
        for (start, seq) in [
            (Start::Open, 4),
            (Start::Now, 6),
            (Start::Oldest, 3),
            (Start::Seq(0), 3),
            (Start::Seq(3), 3),
            (Start::Seq(4), 4),
            (Start::Seq(5), 5),
            (Start::Seq(6), 6),
            (Start::Seq(u64::MAX), 6),
            (Start::Time(0), 3),
            (Start::Time(30), 3),
            (Start::Time(31), 4),
            (Start::Time(50), 5),
            (Start::Time(51), 6),
            (Start::Time(u64::MAX), 6),
        ] {
            for kind in [Kind::Own, Kind::Browse] {
                let mut found = subscribe(&mut queue, kind, start);
                assert_eq!(found.next_seq(), seq);
                assert_eq!(found.kind(), kind);
                assert_eq!(account(&queue, &mut found), [6 - seq, 0, 0]);
                let bytes = (seq..6).map(|seq| (seq as usize * 300).next_multiple_of(8));
                assert_eq!(queue.span_behind(&found), bytes.sum::<usize>());
                for next in seq..6 {
                    assert_eq!(read(&mut queue, &mut found), Some((next, 0)));
                }
                assert_eq!(read(&mut queue, &mut found), None);
                unsubscribe(&mut queue, &found);
            }
        }
        assert_eq!(queue.depth().msgs, 3);
        unsubscribe(&mut queue, &slow);
        assert_eq!(queue.counters().dequeued.msgs, 3);
        Ok(())
    }

    #[test]
    fn a_search_goes_on_while_messages_leave() -> Result {
        let mut queue = indexed(16, 0)?;
        for _ in 0..8 {
            push(&mut queue, 700)?;
        }
        let mut search = Search::new(Start::Seq(7));
        assert!(!queue.search(&mut search, 0));
        assert!(!queue.search(&mut search, 3));
        // The messages up to the position, and then some behind it, leave.
        for _ in 0..5 {
            queue.deliver(700);
        }
        assert!(!queue.search(&mut search, 1));
        push(&mut queue, 700)?;
        assert!(queue.search(&mut search, 9));
        let mut browser = queue.subscribe(Kind::Browse, &search);
        assert_eq!(read(&mut queue, &mut browser), Some((7, 0)));

        let mut search = Search::new(Start::Time(1000));
        assert!(!queue.search(&mut search, 2));
        drop(queue.clear());
        assert!(queue.search(&mut search, 1));
        let mut browser = queue.subscribe(Kind::Browse, &search);
        assert_eq!(read(&mut queue, &mut browser), None);
        push(&mut queue, 1)?;
        assert_eq!(read(&mut queue, &mut browser), Some((10, 0)));
        Ok(())
    }

    #[test]
    fn browsing_holds_nothing_back() -> Result {
        let mut queue = broadcast(2, 0)?;
        let mut browser = subscribe(&mut queue, Kind::Browse, Start::Now);
        push(&mut queue, 1)?;
        assert_eq!(account(&queue, &mut browser), [0, 1, 0]);
        let mut reader = own(&mut queue, Start::Now);
        push(&mut queue, 1)?;
        assert_eq!(read(&mut queue, &mut browser), Some((2, 1)));
        assert_eq!(queue.counters().dequeued, Tally::NONE);
        assert_eq!(read(&mut queue, &mut reader), Some((2, 0)));
        assert_eq!(queue.counters().dequeued, tally(1, 1));
        push(&mut queue, 1)?;
        // What expires is lost, too.
        assert_eq!(queue.expire(9, 9), 1);
        assert_eq!(account(&queue, &mut browser), [0, 2, 0]);
        assert_eq!(account(&queue, &mut reader), [0, 0, 1]);
        unsubscribe(&mut queue, &browser);
        push(&mut queue, 1)?;
        assert_eq!(read(&mut queue, &mut reader), Some((4, 0)));
        Ok(())
    }

    #[test]
    fn a_browser_of_a_queue_follows_its_readers() -> Result {
        let mut queue = indexed(4, 0)?;
        push(&mut queue, 1000)?;
        let mut browser = subscribe(&mut queue, Kind::Browse, Start::Oldest);
        let mut end = subscribe(&mut queue, Kind::Browse, Start::Now);
        for _ in 0..3 {
            push(&mut queue, 1000)?;
        }
        assert_eq!(read(&mut queue, &mut browser), Some((1, 0)));
        for _ in 0..3 {
            queue.deliver(1000);
        }
        assert_eq!(account(&queue, &mut browser), [1, 2, 0]);
        assert_eq!(read(&mut queue, &mut browser), Some((4, 2)));
        assert_eq!(account(&queue, &mut end), [1, 2, 0]);
        // The emptied store begins again at the start of its segment.
        queue.deliver(1000);
        push(&mut queue, 5)?;
        push(&mut queue, 6)?;
        for browser in [&mut browser, &mut end] {
            assert_eq!(account(&queue, browser)[0], 2);
            queue.catch_up(browser);
            assert_eq!(queue.span_behind(browser), 16);
        }
        assert_eq!(read_many(&mut queue, &mut browser, 2), Some((5, 0)));
        assert_eq!(read(&mut queue, &mut end), Some((5, 3)));
        assert_eq!(queue.counters().dequeued, tally(4, 4000));
        Ok(())
    }

    #[test]
    fn messages_are_found_wherever_they_begin() -> Result {
        let segment = SEGMENT_SIZE as u32;
        let mut queue = broadcast(64, 0)?;
        let mut slow = own(&mut queue, Start::Open);
        let mut lens = [0; 40];
        for (len, seq) in lens.iter_mut().zip(0..) {
            *len = match seq % 4 {
                0 => segment - 8 * (seq / 4),
                1 => 8 * (seq / 4) + 1,
                2 => segment,
                _ => LONGEST - seq,
            };
            push(&mut queue, *len)?;
        }
        for (seq, len) in (1..).zip(lens) {
            let mut found = own(&mut queue, Start::Seq(seq));
            let place = queue.next_place(&found).ok_or(EIO)?;
            let record = queue.store().record_at(place);
            assert_eq!(record.map(|record| record.len), Some(len));
            assert_eq!(read(&mut queue, &mut found), Some((seq, 0)));
            assert_eq!(read(&mut queue, &mut slow), Some((seq, 0)));
            unsubscribe(&mut queue, &found);
        }
        assert!(queue.is_empty());
        Ok(())
    }

    #[test]
    fn other_limits_keep_the_subscriptions() -> Result {
        let mut queue = broadcast(2, 2)?;
        let mut reader = own(&mut queue, Start::Open);
        let mut browser = subscribe(&mut queue, Kind::Browse, Start::Now);
        for _ in 0..2 {
            push(&mut queue, 1)?;
        }
        queue.discard(1);
        assert_eq!(read_many(&mut queue, &mut reader, 2), Some((1, 0)));
        let mut late = own(&mut queue, Start::Open);

        drop(queue.clear());
        let index = StoreIndex::new(7, LONGEST)?;
        assert!(queue.replace_index(Some(index)).is_some());
        assert!(queue.store_mut().index_more(9));
        assert!(queue.set_fanout(Fanout::new(5, 2)?).is_some());
        queue.set_limits(Limits::new(LONGEST, 5, u64::MAX).map_err(|_| EINVAL)?);
        check(&queue);
        for _ in 0..5 {
            push(&mut queue, LONGEST)?;
        }
        assert!(queue.is_full());
        assert_eq!(account(&queue, &mut reader), [5, 1, 0]);
        assert_eq!(account(&queue, &mut late), [5, 3, 0]);
        assert_eq!(account(&queue, &mut browser), [5, 3, 0]);
        assert_eq!(read_many(&mut queue, &mut late, 5), Some((3, 3)));
        assert_eq!(read_many(&mut queue, &mut browser, 5), Some((3, 3)));
        assert_eq!(queue.depth().msgs, 5);
        assert_eq!(read_many(&mut queue, &mut reader, 5), Some((3, 1)));
        assert!(queue.is_empty());
        Ok(())
    }

    #[test]
    fn a_subscription_that_moves_counts_once() -> Result {
        let mut queue = broadcast(4, 0)?;
        let mut other = own(&mut queue, Start::Open);
        let first = own(&mut queue, Start::Open);
        for _ in 0..3 {
            push(&mut queue, 1)?;
        }
        // As a file does that attaches again.
        queue.unsubscribe(&first);
        let mut moved = own(&mut queue, Start::Seq(3));
        assert_eq!(read_many(&mut queue, &mut other, 3), Some((1, 0)));
        assert_eq!(queue.depth().msgs, 1);
        queue.unsubscribe(&moved);
        moved = own(&mut queue, Start::Oldest);
        assert_eq!(read(&mut queue, &mut moved), Some((3, 0)));
        assert!(queue.is_empty());
        assert_eq!(queue.store().record_at(Place::Front), None);
        Ok(())
    }
}
