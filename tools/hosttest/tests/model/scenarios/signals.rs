// SPDX-License-Identifier: GPL-2.0

//! Signals that race with a wakeup.

use super::*;

/// Checks that `hit`, a task with a signal, or else `other` has the result `taken`. The other one of
/// the two was interrupted, or still waits: a task with a signal does not.
fn one_takes<T: PartialEq + std::fmt::Debug>(
    hit: &model::Spawned<Result<T>>,
    other: &model::Spawned<Result<T>>,
    taken: T,
) {
    match hit.result() {
        Some(Err(ERESTARTSYS)) => assert_eq!(other.result(), Some(Ok(taken))),
        result => {
            assert_eq!(result, Some(Ok(taken)));
            assert_eq!(other.result(), None);
        }
    }
}

#[test]
fn a_signal_swallows_no_message() {
    model::check("a_signal_swallows_no_message", 3, || {
        let bench = Bench::new(1, b"");
        let hit = bench.receiver();
        let other = bench.receiver();
        let sender = bench.user();
        let id = hit.id();
        model::spawn(move || {
            model::signal(id);
            sender.send(b'a')
        });
        bench.settle();
        one_takes(&hit, &other, b'a');
        bench.finish();
    });
}

#[test]
fn a_signal_during_the_wakeup_swallows_no_message() {
    model::check("a_signal_during_the_wakeup_swallows_no_message", 3, || {
        let bench = Bench::new(2, b"");
        let hit = bench.receiver();
        let other = bench.receiver();
        bench.sender(b'a');
        let id = hit.id();
        model::spawn(move || model::signal(id));
        bench.settle();
        // A chosen reader that leaves by the signal passes the wakeup on.
        one_takes(&hit, &other, b'a');
        bench.finish();
    });
}

#[test]
fn a_signal_swallows_no_slot() {
    model::check("a_signal_swallows_no_slot", 3, || {
        let bench = Bench::new(1, b"x");
        let hit = bench.sender(b'a');
        let other = bench.sender(b'b');
        bench.receiver();
        let id = hit.id();
        model::spawn(move || model::signal(id));
        bench.settle();
        one_takes(&hit, &other, ());
        bench.finish();
    });
}

#[test]
fn signals_for_all_leave_the_message() {
    model::check("signals_for_all_leave_the_message", 2, || {
        let bench = Bench::new(1, b"");
        let readers = [bench.receiver(), bench.receiver()];
        let ids = [readers[0].id(), readers[1].id()];
        let sender = bench.sender(b'a');
        model::spawn(move || ids.into_iter().for_each(model::signal));
        let view = bench.settle();
        assert_eq!(sender.result(), Some(Ok(())));
        let received = done(&readers.map(|reader| reader.result()));
        assert_eq!(received as u64 + view.depth.msgs, 1);
        assert_eq!(view.waiting_readers, 0);
        bench.finish();
    });
}

#[test]
fn a_signal_ends_a_reader_whose_memory_is_taken_away() {
    model::check(
        "a_signal_ends_a_reader_whose_memory_is_taken_away",
        2,
        || {
            let bench = Bench::new(1, b"");
            let hit = bench.user().absent(u32::MAX);
            let hit = model::spawn(move || hit.receive());
            let other = bench.receiver();
            let sender = bench.user();
            let id = hit.id();
            model::spawn(move || {
                model::signal(id);
                sender.send(b'a')
            });
            bench.settle();
            assert_eq!(hit.result(), Some(Err(ERESTARTSYS)));
            assert_eq!(other.result(), Some(Ok(b'a')));
            bench.finish();
        },
    );
}

#[test]
fn a_signal_does_not_hide_the_end() {
    model::check("a_signal_does_not_hide_the_end", 3, || {
        for queued in [&b""[..], b"x"] {
            let bench = Bench::new(1, queued);
            let user = bench.user();
            let reads = queued.is_empty();
            let hit = model::spawn(move || {
                if reads {
                    user.receive().map(drop)
                } else {
                    user.send(b'a')
                }
            });
            let (id, pipe) = (hit.id(), bench.pipe.clone());
            model::spawn(move || Pipe::shutdown(&pipe));
            let pipe = bench.pipe.clone();
            model::spawn(move || {
                // The pipe is destroyed, but the task may not have been woken yet.
                if pipe.alive().is_err() {
                    model::signal(id);
                }
            });
            model::join();
            assert_eq!(hit.result(), Some(Err(ENODEV)));
            bench.dead();
        }
    });
}
