// SPDX-License-Identifier: GPL-2.0

//! Tests of a queue whose readers have messages on trust, at its bounds. Random operations are
//! compared with a model on the host.

#[kernel::macros::kunit_tests(kmsgpipe_leases)]
mod tests {
    use kernel::prelude::*;

    use crate::log::{
        counters::Tally,
        iter::Run,
        leased_queue::{
            Settled,
            Verdict, //
        },
        leases::{
            Lease,
            Leases, //
        },
        limits::Limits,
        queue::Queue,
        queue_tests::tests::push_slow,
        store::StoreIndex, //
    };

    /// The length of each message, in bytes.
    const LEN: u32 = 16;

    /// Makes an empty queue for `max_msgs` messages, which delivers on trust.
    fn queue(max_msgs: u32) -> Result<Queue> {
        let limits = Limits::new(LEN, max_msgs, u64::MAX).map_err(|_| EINVAL)?;
        let mut queue = Queue::new(limits);
        let index = StoreIndex::new(Leases::span_max_of(max_msgs), LEN)?;
        drop(queue.replace_index(Some(index)));
        assert!(queue.store_mut().index_more(1));
        drop(queue.set_leases(Leases::new(max_msgs)?));
        Ok(queue)
    }

    /// Sends `count` messages.
    fn push(queue: &mut Queue, count: u32) -> Result {
        for _ in 0..count {
            assert!(push_slow(queue, LEN, false, true)?);
        }
        Ok(())
    }

    /// Leases the next `count` messages to file 1 until the time 10.
    fn lease(queue: &mut Queue, count: u32) {
        let lease = Lease {
            owner: 1,
            until: 10,
            max_deliveries: 0,
        };
        for _ in 0..count {
            assert_eq!(queue.deliver_by(Run::one(LEN), Some(lease)), 0);
        }
    }

    /// Acknowledges messages of file 1, at most `limit` at once.
    fn ack(queue: &mut Queue, range: (u64, u64), limit: u32) -> (u64, Option<u64>) {
        let (settled, next) = queue.settle_leases(1, range, Verdict::Consume, limit);
        let Settled { msgs, freed, .. } = settled;
        assert_eq!((msgs, settled.returned), (freed, 0));
        (freed, next)
    }

    #[test]
    fn the_front_of_a_plain_queue_can_be_replaced_unless_it_is_empty() -> Result {
        let limits = Limits::new(LEN, 2, u64::MAX).map_err(|_| EINVAL)?;
        let mut queue = Queue::new(limits);
        assert!(!queue.can_replace_front());
        push(&mut queue, 1)?;
        assert!(queue.can_replace_front());
        Ok(())
    }

    #[test]
    fn a_message_behind_one_on_trust_can_be_replaced_within_the_span() -> Result {
        let mut queue = queue(2)?;
        assert!(!queue.can_replace_front());
        push(&mut queue, 2)?;
        assert!(queue.can_replace_front());
        lease(&mut queue, 1);
        // Messages 1 to 3 are stored, then 1 to 4: the span is twice the limit.
        assert!(queue.can_replace_front());
        assert!(push_slow(&mut queue, LEN, true, true)?);
        assert!(queue.is_full() && queue.can_replace_front());
        assert!(push_slow(&mut queue, LEN, true, true)?);
        assert_eq!(queue.store().depth().msgs, 4);
        assert!(queue.is_full() && !queue.can_replace_front());
        // The oldest message can be replaced all the same once it has come back.
        let back = Verdict::GiveBack { later: None };
        let (settled, _) = queue.settle_leases(1, (1, 1), back, 9);
        assert_eq!(settled.returned, 1);
        assert!(queue.can_replace_front());
        Ok(())
    }

    #[test]
    fn consumed_messages_are_removed_in_batches() -> Result {
        let mut queue = queue(300)?;
        push(&mut queue, 300)?;
        lease(&mut queue, 300);
        assert_eq!(ack(&mut queue, (2, 300), 299), (299, None));
        assert_eq!(queue.store().depth().msgs, 300);
        assert_eq!(queue.depth().msgs, 1);
        // The first message frees all others, 256 at once.
        let (freed, next) = ack(&mut queue, (1, 1), 9);
        assert_eq!((freed, queue.store().depth().msgs), (1, 44));
        assert_eq!(queue.depth(), Tally::NONE);
        assert_eq!(ack(&mut queue, (next.ok_or(EIO)?, 1), 9), (0, None));
        assert_eq!(queue.store().depth(), Tally::NONE);
        assert!(queue.take_unused_leases().is_some());
        Ok(())
    }

    #[test]
    fn consumed_messages_that_a_read_leaves_are_removed_later() -> Result {
        let mut queue = queue(300)?;
        push(&mut queue, 300)?;
        lease(&mut queue, 1);
        for _ in 2..=300 {
            assert_eq!(queue.deliver_by(Run::one(LEN), None), 1);
        }
        let back = Verdict::GiveBack { later: None };
        let (settled, _) = queue.settle_leases(1, (1, 1), back, 9);
        assert_eq!(settled.returned, 1);
        assert_eq!(queue.deliver_by(Run::one(LEN), None), 1);
        assert_eq!(
            (queue.depth(), queue.store().depth().msgs),
            (Tally::NONE, 44)
        );
        // A slot may be free now: the span of the stored messages has shrunk.
        let settled = Settled {
            freed: 1,
            ..Settled::default()
        };
        assert_eq!(queue.end_leases(0, 9), (settled, false));
        assert_eq!(queue.store().depth(), Tally::NONE);
        assert_eq!(queue.end_leases(0, 9), (Settled::default(), false));
        Ok(())
    }

    #[test]
    fn leases_end_in_batches() -> Result {
        let mut queue = queue(300)?;
        push(&mut queue, 300)?;
        lease(&mut queue, 300);
        assert_eq!(queue.end_leases(9, 256), (Settled::default(), false));
        for (returned, more) in [(256, true), (44, false), (0, false)] {
            let settled = Settled {
                msgs: returned,
                returned,
                freed: 0,
            };
            assert_eq!(queue.end_leases(10, 256), (settled, more));
        }
        assert_eq!(queue.next_delivery().map(|next| next.seq), Some(1));
        Ok(())
    }
}
