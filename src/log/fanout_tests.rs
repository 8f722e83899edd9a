// SPDX-License-Identifier: GPL-2.0

//! Tests of a [`Queue`](super::queue::Queue) with a [`Fanout`](super::fanout::Fanout): which
//! messages stay, and for how long.

#[kernel::macros::kunit_tests(kmsgpipe_fanout)]
pub(super) mod tests {
    use kernel::prelude::*;

    use crate::{
        kernel_ext::mm::segment::SEGMENT_SIZE,
        log::{
            counters::Tally,
            fanout::Fanout,
            iter::Run,
            limits::Limits,
            message::Sender,
            queue::Queue,
            queue_tests::tests::{
                pattern,
                push_slow,
                stamp, //
            },
            store::StoreIndex,
            subscription::{
                Kind,
                Search,
                Start,
                Subscription, //
            }, //
        }, //
    };

    /// Length of the longest message.
    pub(crate) const LONGEST: u32 = 2 * SEGMENT_SIZE as u32;

    /// Returns an empty queue for `max_msgs` messages, with an index that has room for `history`
    /// more.
    pub(crate) fn indexed(max_msgs: u32, history: u32) -> Result<Queue> {
        let limits = Limits::new(LONGEST, max_msgs, u64::MAX).map_err(|_| EINVAL)?;
        let mut queue = Queue::new(limits);
        let index = StoreIndex::new(max_msgs as usize + history as usize, LONGEST)?;
        assert!(queue.replace_index(Some(index)).is_none());
        Ok(queue)
    }

    /// Returns the empty queue of a broadcast pipe.
    pub(crate) fn broadcast(max_msgs: u32, history: u32) -> Result<Queue> {
        let mut queue = indexed(max_msgs, history)?;
        assert!(queue.set_fanout(Fanout::new(max_msgs, history)?).is_none());
        Ok(queue)
    }

    /// Sends a message of `len` bytes, over the oldest one if `over_oldest`.
    fn push_to(queue: &mut Queue, len: u32, over_oldest: bool) -> Result {
        let accepted = push_slow(queue, len, over_oldest, true)?;
        check(queue);
        accepted.then_some(()).ok_or(EAGAIN)
    }

    /// Sends a message of `len` bytes.
    pub(crate) fn push(queue: &mut Queue, len: u32) -> Result {
        push_to(queue, len, false)
    }

    /// Sends a message of `len` bytes over the oldest one.
    fn push_over_oldest(queue: &mut Queue, len: u32) -> Result {
        push_to(queue, len, true)
    }

    /// Checks what holds between any two calls.
    pub(crate) fn check(queue: &Queue) {
        let counters = queue.counters();
        let mut sum = queue.depth();
        for tally in [counters.dequeued, counters.expired, counters.dropped] {
            sum.merge(tally);
        }
        assert_eq!(counters.enqueued, sum);
        assert_eq!(
            queue.head().is_some(),
            queue.depth().msgs > 0 && queue.store().depth().msgs > 0
        );
        let full = queue.depth().msgs >= queue.limits().max_msgs().into();
        assert_eq!(queue.is_full(), full);
    }

    /// Returns a file that reads from `start` on.
    pub(crate) fn subscribe(queue: &mut Queue, kind: Kind, start: Start) -> Subscription {
        let mut search = Search::new(start);
        while !queue.search(&mut search, 1) {}
        queue.subscribe(kind, &search)
    }

    /// Returns a subscription that reads from `start` on.
    pub(crate) fn own(queue: &mut Queue, start: Start) -> Subscription {
        subscribe(queue, Kind::Own, start)
    }

    /// Ends a subscription, and lets the messages leave that only it has not read.
    pub(crate) fn unsubscribe(queue: &mut Queue, subscription: &Subscription) -> u64 {
        queue.unsubscribe(subscription);
        let mut freed = 0;
        loop {
            match queue.settle(1) {
                0 => break,
                left => freed += left,
            }
            check(queue);
        }
        freed
    }

    /// Receives the next message, and checks its payload. Returns its sequence number and the
    /// number of messages that were lost before it. Every second one takes the fast path if
    /// possible.
    pub(crate) fn read(queue: &mut Queue, subscription: &mut Subscription) -> Option<(u64, u64)> {
        let found = (subscription.next_seq(), subscription.unreported());
        if found.0 % 2 == 0 {
            let mut ticket = subscription.ticket();
            if let Some(payload) = queue.next_contiguous(&ticket) {
                for (at, byte) in payload.iter().enumerate() {
                    assert_eq!(*byte, pattern(found.0, at));
                }
                let len = payload.len();
                queue.pass_contiguous(&mut ticket, len);
                subscription.move_to(&ticket);
                check(queue);
                return Some(found);
            }
        }
        read_many(queue, subscription, 1)
    }

    /// Receives the next `count` messages at once, and checks their payloads. Returns the sequence
    /// number of the first, and the number of messages that were lost before it. Returns [`None`]
    /// if there are fewer messages.
    pub(crate) fn read_many(
        queue: &mut Queue,
        subscription: &mut Subscription,
        count: u64,
    ) -> Option<(u64, u64)> {
        queue.catch_up(subscription);
        let place = queue.next_place(subscription)?;
        let found = (subscription.next_seq(), subscription.unreported());
        let mut run = Run::NONE;
        let mut walk = queue.store().walk_at(place);
        for seq in (found.0..).take(count as usize) {
            let len = walk.record()?.len as usize;
            let mut at = 0;
            for byte in walk.payload().flatten() {
                assert_eq!(*byte, pattern(seq, at));
                at += 1;
            }
            assert_eq!(at, len);
            run.add(len, len.next_multiple_of(8));
        }
        queue.advance(subscription, run);
        check(queue);
        Some(found)
    }

    /// Returns the messages that a subscription has yet to read, has lost, and that have expired
    /// before it read them.
    pub(crate) fn account(queue: &Queue, subscription: &mut Subscription) -> [u64; 3] {
        queue.catch_up(subscription);
        [
            queue.lag(subscription),
            subscription.lost(),
            subscription.expired(),
        ]
    }

    pub(crate) fn tally(msgs: u64, bytes: u64) -> Tally {
        Tally { msgs, bytes }
    }

    #[test]
    fn a_message_leaves_when_the_last_subscription_has_read_it() -> Result {
        let mut queue = broadcast(4, 0)?;
        let mut first = own(&mut queue, Start::Open);
        push(&mut queue, 5)?;
        let mut second = own(&mut queue, Start::Open);
        push(&mut queue, 3)?;
        assert_eq!(account(&queue, &mut first), [2, 0, 0]);
        assert_eq!(account(&queue, &mut second), [1, 0, 0]);

        assert_eq!(read(&mut queue, &mut second), Some((2, 0)));
        assert_eq!(read(&mut queue, &mut second), None);
        assert_eq!(queue.depth(), tally(2, 8));
        assert_eq!(queue.counters().dequeued, Tally::NONE);
        assert_eq!(queue.head().map(|record| record.len), Some(5));

        // The first message was meant for one subscription only.
        assert_eq!(read(&mut queue, &mut first), Some((1, 0)));
        assert_eq!((queue.depth(), queue.first_seq()), (tally(1, 3), 2));
        assert_eq!(read(&mut queue, &mut first), Some((2, 0)));
        assert_eq!(read(&mut queue, &mut first), None);
        assert_eq!(queue.depth(), Tally::NONE);
        assert_eq!(queue.store().depth(), Tally::NONE);
        assert_eq!(queue.counters().dequeued, tally(2, 8));
        assert_eq!(queue.counters().peak, tally(2, 8));
        Ok(())
    }

    #[test]
    fn a_message_without_subscriptions_is_dropped() -> Result {
        let mut queue = broadcast(1, 0)?;
        push(&mut queue, 5)?;
        push(&mut queue, LONGEST)?;
        let all = tally(2, 5 + u64::from(LONGEST));
        assert_eq!(queue.counters().dropped, all);
        assert_eq!(queue.counters().peak, Tally::NONE);
        assert_eq!(queue.last_seq(), 2);
        // A subscription that comes later does not get it, and has not lost it.
        let mut late = own(&mut queue, Start::Oldest);
        assert_eq!(account(&queue, &mut late), [0, 0, 0]);
        assert_eq!(late.next_seq(), 3);
        Ok(())
    }

    #[test]
    fn messages_that_are_stored_together_are_published_in_order() -> Result {
        for subscribed in [false, true] {
            let mut queue = broadcast(3, 0)?;
            let mut reader = own(&mut queue, Start::Open);
            // There is a segment for each stream then.
            push(&mut queue, 8)?;
            assert_eq!(read(&mut queue, &mut reader), Some((1, 0)));
            if !subscribed {
                unsubscribe(&mut queue, &reader);
            }
            let payloads = [2, 3, 4, 5].map(|seq| [0; 8].map(|_: u8| pattern(seq, 0)));
            let messages = payloads.iter().map(|payload| (1, payload.as_slice()));
            let run = queue.stage(Sender::default(), stamp(2), messages);
            assert_eq!(run.tally, tally(3, 3));
            queue.commit(run, 2);
            check(&queue);
            assert_eq!(queue.last_seq(), 4);
            if subscribed {
                assert_eq!(queue.depth(), tally(3, 3));
                assert_eq!(queue.counters().peak, tally(3, 8));
                assert_eq!(read_many(&mut queue, &mut reader, 2), Some((2, 0)));
                assert_eq!(read(&mut queue, &mut reader), Some((4, 0)));
                assert_eq!(queue.counters().dequeued, tally(4, 11));
            } else {
                assert_eq!(queue.counters().dropped, tally(3, 3));
                // The backlog was never longer than before.
                assert_eq!(queue.counters().peak, tally(1, 8));
            }
            assert!(queue.is_empty());
        }
        Ok(())
    }

    #[test]
    fn the_slowest_subscription_makes_a_pipe_full() -> Result {
        let mut queue = broadcast(2, 0)?;
        let mut fast = own(&mut queue, Start::Open);
        let mut slow = own(&mut queue, Start::Open);
        push(&mut queue, 1)?;
        push(&mut queue, 1)?;
        assert_eq!(read_many(&mut queue, &mut fast, 2), Some((1, 0)));
        assert_eq!(push(&mut queue, 1), Err(EAGAIN));
        assert_eq!(read(&mut queue, &mut slow), Some((1, 0)));
        push(&mut queue, 1)?;
        assert_eq!(push(&mut queue, 1), Err(EAGAIN));
        // The end of the slow one makes room for what the other has read.
        assert_eq!(unsubscribe(&mut queue, &slow), 1);
        assert_eq!(queue.counters().dequeued, tally(2, 2));
        push(&mut queue, 1)?;
        assert!(queue.is_full());
        // What nobody is left to read was dropped.
        assert_eq!(unsubscribe(&mut queue, &fast), 2);
        assert_eq!(queue.counters().dropped, tally(2, 2));
        assert!(queue.is_empty());
        Ok(())
    }

    #[test]
    fn settling_goes_on_in_steps() -> Result {
        let mut queue = broadcast(8, 0)?;
        let slow = own(&mut queue, Start::Open);
        for _ in 0..5 {
            push(&mut queue, 1)?;
        }
        queue.unsubscribe(&slow);
        assert_eq!(queue.depth().msgs, 5);
        assert_eq!(queue.settle(2), 2);
        // A subscription may begin at a message that is yet to leave.
        let mut late = own(&mut queue, Start::Oldest);
        assert_eq!(late.next_seq(), 3);
        push(&mut queue, 1)?;
        assert_eq!(queue.settle(9), 0);
        for seq in 3..=6 {
            assert_eq!(read(&mut queue, &mut late), Some((seq, 0)));
        }
        assert_eq!(queue.counters().dropped, tally(2, 2));
        assert_eq!(queue.counters().dequeued, tally(4, 4));
        // In a queue nothing settles.
        let mut queue = indexed(8, 0)?;
        push(&mut queue, 1)?;
        assert_eq!(queue.settle(9), 0);
        assert_eq!(queue.depth().msgs, 1);
        Ok(())
    }

    #[test]
    fn a_message_that_makes_room_is_lost_where_it_was_not_read() -> Result {
        let mut queue = broadcast(2, 0)?;
        let mut fast = own(&mut queue, Start::Open);
        let mut slow = own(&mut queue, Start::Open);
        push_over_oldest(&mut queue, 1)?;
        push_over_oldest(&mut queue, 2)?;
        assert_eq!(read(&mut queue, &mut fast), Some((1, 0)));
        // Message 1 counts as dequeued, as one subscription has read it.
        push_over_oldest(&mut queue, 4)?;
        assert_eq!(queue.counters().dequeued, tally(1, 1));
        assert_eq!(queue.counters().dropped, Tally::NONE);
        push_over_oldest(&mut queue, 8)?;
        assert_eq!(queue.counters().dropped, tally(1, 2));
        assert_eq!(queue.counters().peak, tally(2, 12));
        assert_eq!(account(&queue, &mut fast), [2, 1, 0]);
        assert_eq!(account(&queue, &mut slow), [2, 2, 0]);
        assert_eq!(slow.next_seq(), 3);
        // The next message reports the loss, once.
        assert_eq!(read(&mut queue, &mut slow), Some((3, 2)));
        assert_eq!(read(&mut queue, &mut slow), Some((4, 0)));
        assert_eq!(read(&mut queue, &mut fast), Some((3, 1)));
        assert_eq!(account(&queue, &mut slow), [0, 2, 0]);
        assert_eq!(queue.depth(), tally(1, 8));
        Ok(())
    }

    #[test]
    fn a_discarded_message_is_lost_by_all() -> Result {
        let mut queue = broadcast(2, 0)?;
        let mut reader = own(&mut queue, Start::Open);
        let mut browser = subscribe(&mut queue, Kind::Browse, Start::Now);
        push(&mut queue, 1)?;
        push(&mut queue, 1)?;
        queue.discard(7);
        queue.discard(7);
        check(&queue);
        assert_eq!(queue.counters().dropped, tally(2, 14));
        // They were sent behind the messages that are stored, and are reported behind them.
        let mut late = own(&mut queue, Start::Seq(2));
        for subscription in [&mut browser, &mut reader] {
            assert_eq!(account(&queue, subscription), [2, 0, 0]);
            assert_eq!(read_many(&mut queue, subscription, 2), Some((1, 0)));
            assert_eq!(account(&queue, subscription), [0, 2, 0]);
        }
        assert_eq!(read(&mut queue, &mut late), Some((2, 0)));
        // One that begins behind them has not lost them.
        let mut later = own(&mut queue, Start::Now);
        push(&mut queue, 1)?;
        for subscription in [&mut reader, &mut browser, &mut late] {
            assert_eq!(read(&mut queue, subscription), Some((3, 2)));
            assert_eq!(account(&queue, subscription), [0, 2, 0]);
        }
        assert_eq!(read(&mut queue, &mut later), Some((3, 0)));
        assert!(queue.is_empty());
        Ok(())
    }

    #[test]
    fn what_expires_is_not_lost() -> Result {
        let mut queue = broadcast(8, 0)?;
        let mut reader = own(&mut queue, Start::Open);
        let mut fast = own(&mut queue, Start::Open);
        for _ in 0..5 {
            push(&mut queue, 1)?;
        }
        assert_eq!(read_many(&mut queue, &mut fast, 2), Some((1, 0)));
        assert_eq!(queue.expire(3, 8), 3);
        check(&queue);
        assert_eq!(queue.counters().dequeued, tally(2, 2));
        assert_eq!(queue.counters().expired, tally(1, 1));
        assert_eq!(account(&queue, &mut reader), [2, 0, 3]);
        assert_eq!(account(&queue, &mut fast), [2, 0, 1]);
        assert_eq!(read(&mut queue, &mut reader), Some((4, 0)));
        // Without subscriptions, a message leaves before it can expire.
        assert_eq!(unsubscribe(&mut queue, &reader), 0);
        assert_eq!(unsubscribe(&mut queue, &fast), 2);
        assert_eq!(queue.counters().dequeued, tally(3, 3));
        assert_eq!(queue.counters().dropped, tally(1, 1));
        assert_eq!(queue.expire(9, 8), 0);
        Ok(())
    }

    #[test]
    fn what_a_clear_drops_is_lost() -> Result {
        let mut queue = broadcast(4, 2)?;
        let mut fast = own(&mut queue, Start::Open);
        let mut slow = own(&mut queue, Start::Open);
        push(&mut queue, 3)?;
        push(&mut queue, 5)?;
        assert_eq!(read(&mut queue, &mut fast), Some((1, 0)));
        drop(queue.clear());
        check(&queue);
        assert_eq!(queue.store().depth(), Tally::NONE);
        assert_eq!(queue.counters().dequeued, tally(1, 3));
        assert_eq!(queue.counters().dropped, tally(1, 5));
        assert_eq!(account(&queue, &mut fast), [0, 1, 0]);
        assert_eq!(account(&queue, &mut slow), [0, 2, 0]);
        // The subscriptions go on.
        push(&mut queue, 9)?;
        assert_eq!(read(&mut queue, &mut slow), Some((3, 2)));
        assert_eq!(queue.depth(), tally(1, 9));
        assert_eq!(read(&mut queue, &mut fast), Some((3, 1)));
        assert_eq!(queue.depth(), Tally::NONE);
        assert_eq!(queue.store().depth(), tally(1, 9));
        // A clear drops the history, which was counted before.
        drop(queue.clear());
        check(&queue);
        assert_eq!(queue.store().depth(), Tally::NONE);
        assert_eq!(queue.counters().dequeued, tally(2, 12));
        assert_eq!(queue.counters().dropped, tally(1, 5));
        Ok(())
    }

    #[test]
    fn losses_and_expiry_are_told_apart() -> Result {
        let mut queue = broadcast(2, 0)?;
        let mut reader = own(&mut queue, Start::Open);
        push(&mut queue, 1)?;
        push(&mut queue, 1)?;
        push_over_oldest(&mut queue, 1)?;
        assert_eq!(queue.expire(2, 9), 1);
        assert_eq!(account(&queue, &mut reader), [1, 1, 1]);
        assert_eq!(read(&mut queue, &mut reader), Some((3, 1)));
        // Of those that a subscription has missed at once, all up to the last one that was dropped
        // are lost.
        push(&mut queue, 1)?;
        push(&mut queue, 1)?;
        assert_eq!(queue.expire(4, 9), 1);
        push(&mut queue, 1)?;
        push_over_oldest(&mut queue, 1)?;
        assert_eq!(account(&queue, &mut reader), [2, 3, 1]);
        Ok(())
    }

    #[test]
    fn history_is_for_subscriptions_still_to_come() -> Result {
        let mut queue = broadcast(3, 2)?;
        for len in 1..=4 {
            push(&mut queue, len)?;
            assert_eq!(queue.depth(), Tally::NONE);
        }
        assert_eq!(queue.counters().dropped, tally(4, 10));
        assert_eq!(queue.store().depth(), tally(2, 7));
        assert_eq!(queue.front().map(|record| record.len), Some(3));
        assert_eq!(queue.head(), None);
        let mut late = own(&mut queue, Start::Open);
        assert_eq!(account(&queue, &mut late), [2, 0, 0]);
        let mut now = own(&mut queue, Start::Now);
        assert_eq!(account(&queue, &mut now), [0, 0, 0]);
        assert_eq!(read(&mut queue, &mut late), Some((3, 0)));
        // What was counted as dropped stays so.
        assert_eq!(queue.counters().dropped, tally(4, 10));

        // The history takes no slot: three messages fit.
        for len in 5..=7 {
            push(&mut queue, len)?;
        }
        assert_eq!(push(&mut queue, 8), Err(EAGAIN));
        assert_eq!(queue.depth(), tally(3, 18));
        assert_eq!(queue.store().depth(), tally(5, 25));
        assert_eq!(queue.head().map(|record| record.len), Some(5));
        // It waits for the subscription that began with it.
        assert_eq!(read_many(&mut queue, &mut late, 2), Some((4, 0)));
        assert_eq!(queue.store().depth(), tally(5, 25));
        assert_eq!(read_many(&mut queue, &mut now, 3), Some((5, 0)));
        assert_eq!(queue.depth(), tally(2, 13));
        assert_eq!(queue.store().depth(), tally(4, 22));
        assert_eq!(read_many(&mut queue, &mut late, 2), Some((6, 0)));
        assert_eq!(queue.depth(), Tally::NONE);
        assert_eq!(queue.store().depth(), tally(2, 13));
        assert_eq!(queue.counters().dequeued, tally(3, 18));
        assert_eq!(queue.counters().peak, tally(3, 18));
        Ok(())
    }

    #[test]
    fn history_that_makes_room_is_lost() -> Result {
        let mut queue = broadcast(1, 1)?;
        push(&mut queue, 1)?;
        let mut late = own(&mut queue, Start::Open);
        push(&mut queue, 2)?;
        assert_eq!(account(&queue, &mut late), [2, 0, 0]);
        // Message 2 is dropped, and takes the place of message 1 in the history.
        push_over_oldest(&mut queue, 4)?;
        assert_eq!(queue.counters().dropped, tally(2, 3));
        assert_eq!(account(&queue, &mut late), [2, 1, 0]);
        assert_eq!(read(&mut queue, &mut late), Some((2, 1)));
        assert_eq!(queue.counters().dropped, tally(2, 3));
        assert_eq!(read(&mut queue, &mut late), Some((3, 0)));
        assert_eq!(queue.counters().dequeued, tally(1, 4));
        assert_eq!(queue.store().depth(), tally(1, 4));
        Ok(())
    }

    #[test]
    fn a_history_that_is_not_full_is_read_from_its_start() -> Result {
        let mut queue = broadcast(8, 8)?;
        let mut first = own(&mut queue, Start::Open);
        assert_eq!(account(&queue, &mut first), [0, 0, 0]);
        for seq in 1..=3 {
            push(&mut queue, 1)?;
            let mut late = own(&mut queue, Start::Open);
            assert_eq!((late.next_seq(), queue.lag(&late)), (1, seq));
            assert_eq!(read(&mut queue, &mut late), Some((1, 0)));
            unsubscribe(&mut queue, &late);
        }
        assert_eq!(read_many(&mut queue, &mut first, 3), Some((1, 0)));
        Ok(())
    }

    #[test]
    fn history_expires() -> Result {
        let mut queue = broadcast(4, 3)?;
        push(&mut queue, 1)?;
        push(&mut queue, 1)?;
        let mut late = own(&mut queue, Start::Open);
        push(&mut queue, 1)?;
        assert_eq!(queue.expire(1, 9), 1);
        check(&queue);
        assert_eq!(account(&queue, &mut late), [2, 0, 1]);
        // One of the history and one of the backlog.
        assert_eq!(queue.expire(3, 9), 2);
        check(&queue);
        assert_eq!(queue.store().depth(), Tally::NONE);
        assert_eq!(queue.counters().dropped, tally(2, 2));
        assert_eq!(queue.counters().expired, tally(1, 1));
        assert_eq!(account(&queue, &mut late), [0, 0, 3]);
        push(&mut queue, 1)?;
        assert_eq!(read(&mut queue, &mut late), Some((4, 0)));
        assert_eq!(queue.store().depth(), tally(1, 1));
        Ok(())
    }
}
