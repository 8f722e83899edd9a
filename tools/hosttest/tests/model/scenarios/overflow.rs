// SPDX-License-Identifier: GPL-2.0

//! Overflow policies: with one that drops, no writer waits, no reader sleeps through a message, and no message
//! vanishes uncounted.

use super::*;
use crate::kernel_ext::sync::notify::events;

/// Makes a pipe for `max_msgs` messages with this policy, which holds one for each tag in `queued`.
fn bench(overflow: Overflow, max_msgs: u32, queued: &[u8]) -> Bench {
    let bench = Bench::new(max_msgs, queued);
    assert_eq!(Pipe::set_overflow(&bench.pipe, overflow), Ok(()));
    bench
}

/// Starts a task that changes the policy.
fn change(bench: &Bench, overflow: Overflow) -> model::Spawned<Result> {
    let pipe = bench.pipe.clone();
    model::spawn(move || Pipe::set_overflow(&pipe, overflow))
}

/// Waits until all tasks sleep or have ended, and checks that no writer waits.
fn settle(bench: &Bench) -> Snapshot {
    let view = bench.settle();
    assert_eq!(view.waiting_writers, 0, "a writer waits");
    view
}

#[test]
fn the_oldest_is_dropped_beside_a_reader_that_is_woken() {
    model::check(
        "the_oldest_is_dropped_beside_a_reader_that_is_woken",
        4,
        || {
            let bench = bench(Overflow::DropOldest, 1, b"");
            let reader = bench.receiver();
            let user = bench.user();
            let writer = model::spawn(move || [user.send(b'a'), user.send(b'b')]);
            let view = settle(&bench);
            assert_eq!(writer.result(), Some([Ok(()), Ok(())]));
            let received = reader.result();
            match (received, view.counters.dropped.msgs, view.depth.msgs) {
                // The reader came between the two messages, or after both.
                (Some(Ok(b'a')), 0, 1) | (Some(Ok(b'b')), 1, 0) => {}
                other => panic!("{other:?}"),
            }
            bench.finish();
        },
    );
}

#[test]
fn two_readers_and_two_writers_that_drop() {
    model::check("two_readers_and_two_writers_that_drop", 2, || {
        let bench = bench(Overflow::DropOldest, 1, b"");
        let readers = [bench.receiver(), bench.receiver()];
        let writers = [b"ab", b"cd"].map(|tags| {
            let user = bench.user();
            model::spawn(move || tags.map(|tag| user.send(tag)))
        });
        let view = settle(&bench);
        let all = Some([Ok(()), Ok(())]);
        assert_eq!(writers.map(|writer| writer.result()), [all, all]);
        let received = done(&readers.map(|reader| reader.result())) as u64;
        assert_eq!(view.counters.enqueued.msgs, 4);
        assert_eq!(view.counters.dequeued.msgs, received);
        assert!(received > 0);
        bench.finish();
    });
}

#[test]
fn the_newest_is_discarded_beside_a_reader() {
    model::check("the_newest_is_discarded_beside_a_reader", 4, || {
        let bench = bench(Overflow::DropNewest, 1, b"x");
        let reader = bench.receiver();
        let writer = bench.sender(b'a');
        let view = settle(&bench);
        assert_eq!(writer.result(), Some(Ok(())));
        assert_eq!(reader.result(), Some(Ok(b'x')));
        assert_eq!(view.counters.dropped.msgs + view.depth.msgs, 1);
        bench.finish();
    });
}

/// Checks that two writers that may wait get through when the policy becomes `overflow`.
fn change_of_policy(name: &'static str, overflow: Overflow) {
    model::check(name, 3, move || {
        let bench = bench(Overflow::Block, 1, b"x");
        let writers = [bench.sender(b'a'), bench.sender(b'b')];
        let changed = change(&bench, overflow);
        let view = settle(&bench);
        assert_eq!(changed.result(), Some(Ok(())));
        assert_eq!(done(&writers.map(|writer| writer.result())), 2);
        assert_eq!(view.counters.dropped.msgs, 2);
        bench.finish();
    });
}

#[test]
fn a_change_to_drop_oldest_lets_writers_through() {
    change_of_policy(
        "a_change_to_drop_oldest_lets_writers_through",
        Overflow::DropOldest,
    );
}

#[test]
fn a_change_to_drop_newest_lets_writers_through() {
    change_of_policy(
        "a_change_to_drop_newest_lets_writers_through",
        Overflow::DropNewest,
    );
}

#[test]
fn a_change_beside_a_wakeup_in_flight() {
    model::check("a_change_beside_a_wakeup_in_flight", 2, || {
        let bench = bench(Overflow::Block, 1, b"x");
        let writers = [bench.sender(b'a'), bench.sender(b'b'), bench.sender(b'c')];
        let reader = bench.receiver();
        let changed = change(&bench, Overflow::DropNewest);
        let view = settle(&bench);
        assert_eq!(changed.result(), Some(Ok(())));
        assert_eq!(done(&writers.map(|writer| writer.result())), 3);
        assert!(matches!(reader.result(), Some(Ok(_))));
        assert_eq!(view.counters.dropped.msgs + view.depth.msgs, 3);
        bench.finish();
    });
}

#[test]
fn a_change_and_back_strands_no_writer() {
    model::check("a_change_and_back_strands_no_writer", 3, || {
        let bench = bench(Overflow::Block, 1, b"x");
        let writers = [bench.sender(b'a'), bench.sender(b'b')];
        let pipe = bench.pipe.clone();
        model::spawn(move || {
            [Overflow::DropOldest, Overflow::Block]
                .map(|overflow| Pipe::set_overflow(&pipe, overflow))
        });
        // A writer may wait again, but not beside a free slot.
        bench.settle();
        let reader = bench.user();
        let emptied = model::spawn(move || [reader.receive(), reader.receive()]);
        let view = bench.settle();
        let sent = done(&writers.map(|writer| writer.result())) as u64;
        assert_eq!(view.counters.enqueued.msgs, 1 + sent);
        assert!(
            sent > 0 && view.waiting_writers == 0,
            "{sent} writers are through"
        );
        drop(emptied);
        bench.finish();
    });
}

#[test]
fn a_writer_with_bad_memory_drops_nothing() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        model::check("a_writer_with_bad_memory_drops_nothing", 3, move || {
            let bench = bench(overflow, 1, b"x");
            let bad = bench.user().absent(9).breaks_after(0);
            let bad = model::spawn(move || bad.send(b'a'));
            let view = settle(&bench);
            assert_eq!(bad.result(), Some(Err(EFAULT)));
            assert_eq!((view.counters.dropped.msgs, view.depth.msgs), (0, 1));
            bench.finish();
        });
    }
}

#[test]
fn a_new_poller_learns_of_a_loss() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        model::check("a_new_poller_learns_of_a_loss", 4, move || {
            let bench = bench(overflow, 1, b"x");
            let poller = bench.poller(events::LOST);
            bench.sender(b'a');
            settle(&bench);
            assert_eq!(poller.result(), Some(events::LOST));
            bench.finish();
        });
    }
}

#[test]
fn a_new_poller_learns_of_a_change() {
    model::check("a_new_poller_learns_of_a_change", 4, || {
        let bench = bench(Overflow::Block, 1, b"x");
        let poller = bench.poller(events::OUT);
        change(&bench, Overflow::DropNewest);
        settle(&bench);
        assert_eq!(poller.result(), Some(events::OUT));
        bench.finish();
    });
}

#[test]
fn a_poller_of_a_pipe_that_stops_dropping_gets_room() {
    model::check(
        "a_poller_of_a_pipe_that_stops_dropping_gets_room",
        4,
        || {
            let bench = bench(Overflow::DropNewest, 1, b"x");
            let poller = bench.poller(events::OUT);
            change(&bench, Overflow::Block);
            bench.receiver();
            settle(&bench);
            assert_eq!(poller.result(), Some(events::OUT));
            bench.finish();
        },
    );
}
