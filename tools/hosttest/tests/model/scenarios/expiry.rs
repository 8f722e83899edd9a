// SPDX-License-Identifier: GPL-2.0

//! Messages that expire, and the sweeper that removes them.

use super::*;
use crate::pipe::Expiry;

/// A millisecond in nanoseconds.
const MSEC: u64 = 1_000_000;

/// Id of the work of the sweeper.
const SWEEP: u64 = 0;

/// Sets the expiry of messages to one millisecond, or turns it off.
fn set(pipe: &Arc<Pipe>, enabled: bool) -> Result {
    Pipe::set_expiry(pipe, |_| Expiry::new(enabled, 1, 1))
}

/// Makes a full pipe whose messages have expired.
fn old(max_msgs: u32, queued: &[u8]) -> Bench {
    let bench = Bench::new(max_msgs, queued);
    assert_eq!(set(&bench.pipe, true), Ok(()));
    model::advance(2 * MSEC);
    bench
}

/// Checks that the sweeper is queued if there are messages that expire, and that the flag says so.
fn check_sweeper(bench: &Bench) {
    let view = bench.settle();
    let queued = workqueue::pending().contains(&SWEEP);
    let depth = view.depth.msgs;
    assert!(queued || !view.expiry.enabled || depth == 0, "no sweeper");
    assert!(queued || !view.debug.sweeping, "no sweeper, flag set");
}

/// Ends a scenario: the messages that are left expire and are removed, or stay.
fn finish(bench: Bench) {
    check_sweeper(&bench);
    if bench.pipe.snapshot().expiry.enabled {
        model::advance(2 * MSEC);
        workqueue::run_pending(4);
        assert_eq!(bench.settle().depth.msgs, 0);
    }
    bench.finish();
}

#[test]
fn the_sweeper_wakes_writers() {
    model::check("the_sweeper_wakes_writers", 3, || {
        let bench = old(2, b"xy");
        let writers = [bench.sender(b'a'), bench.sender(b'b')];
        bench.worker(3);
        let view = bench.settle();
        assert_eq!(done(&writers.map(|writer| writer.result())), 2);
        assert_eq!(view.counters.expired.msgs, 2);
        finish(bench);
    });
}

#[test]
fn the_sweeper_beside_a_reader_and_a_writer() {
    model::check("the_sweeper_beside_a_reader_and_a_writer", 3, || {
        let bench = old(1, b"x");
        let reader = bench.receiver();
        let writer = bench.sender(b'a');
        bench.worker(2);
        let view = bench.settle();
        assert_eq!(reader.result(), Some(Ok(b'a')));
        assert_eq!(writer.result(), Some(Ok(())));
        assert_eq!(view.counters.expired.msgs, 1);
        finish(bench);
    });
}

#[test]
fn growing_old_beside_a_reader_and_a_writer() {
    model::check("growing_old_beside_a_reader_and_a_writer", 3, || {
        let bench = Bench::new(1, b"x");
        assert_eq!(set(&bench.pipe, true), Ok(()));
        model::spawn(|| {
            model::advance(2 * MSEC);
            workqueue::run_pending(2)
        });
        let reader = bench.receiver();
        let writer = bench.sender(b'a');
        let view = bench.settle();
        assert_eq!(writer.result(), Some(Ok(())));
        let counters = view.counters;
        assert_eq!(counters.dequeued.msgs, u64::from(reader.result().is_some()));
        finish(bench);
    });
}

#[test]
fn a_reader_that_removes_the_old_wakes_writers() {
    model::check("a_reader_that_removes_the_old_wakes_writers", 3, || {
        let bench = old(1, b"x");
        // The task has slept since before the message expired.
        let (pipe, handle) = (bench.pipe.clone(), bench.handle.clone());
        let writers = [bench.sender(b'a'), bench.sender(b'b')];
        let reader = bench.receiver();
        let looked = model::spawn(move || pipe.next_len(&handle));
        bench.settle();
        assert!(matches!(looked.result(), Some(Ok(0 | 1))));
        assert!(matches!(reader.result(), Some(Ok(b'a' | b'b'))));
        assert_eq!(done(&writers.map(|writer| writer.result())), 2);
        finish(bench);
    });
}

#[test]
fn changes_beside_the_sweeper_and_a_writer() {
    model::check("changes_beside_the_sweeper_and_a_writer", 3, || {
        let bench = Bench::new(2, b"x");
        let pipes = [bench.pipe.clone(), bench.pipe.clone()];
        for (pipe, on) in pipes.into_iter().zip([true, false]) {
            model::spawn(move || set(&pipe, on));
        }
        bench.sender(b'a');
        bench.worker(1);
        finish(bench);
    });
}

#[test]
fn changes_beside_the_end() {
    model::check("changes_beside_the_end", 3, || {
        let bench = old(1, b"x");
        bench.worker(1);
        let pipe = bench.pipe.clone();
        let changed = model::spawn(move || set(&pipe, true));
        let pipe = bench.pipe.clone();
        model::spawn(move || Pipe::shutdown(&pipe));
        model::join();
        assert!(matches!(changed.result(), Some(Ok(()) | Err(ENODEV))));
        bench.dead();
    });
}
