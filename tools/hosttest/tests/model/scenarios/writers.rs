// SPDX-License-Identifier: GPL-2.0

//! Writers that wait for a slot.

use super::*;

#[test]
fn one_slot_for_two_writers() {
    model::check("one_slot_for_two_writers", 3, || {
        let bench = Bench::new(1, b"x");
        let writers = [bench.sender(b'a'), bench.sender(b'b')];
        let reader = bench.receiver();
        bench.settle();
        assert_eq!(reader.result().map(|r| r.is_ok()), Some(true));
        assert_eq!(done(&writers.map(|writer| writer.result())), 1);
        bench.finish();
    });
}

#[test]
fn two_slots_for_two_writers() {
    model::check("two_slots_for_two_writers", 2, || {
        let bench = Bench::new(2, b"xy");
        let writers = [bench.sender(b'a'), bench.sender(b'b')];
        let reader = bench.user();
        let received = model::spawn(move || [reader.receive(), reader.receive()]);
        bench.settle();
        assert_eq!(received.result(), Some([Ok(b'x'), Ok(b'y')]));
        assert_eq!(done(&writers.map(|writer| writer.result())), 2);
        bench.finish();
    });
}

#[test]
fn a_writer_that_does_not_wait_may_be_faster() {
    model::check("a_writer_that_does_not_wait_may_be_faster", 3, || {
        let bench = Bench::new(1, b"x");
        let sleeper = bench.sender(b'a');
        let fast = bench.user().nonblocking();
        let fast = model::spawn(move || fast.send(b'b'));
        bench.receiver();
        bench.settle();
        match fast.result() {
            Some(Ok(())) => {}
            Some(Err(EAGAIN)) => assert_eq!(sleeper.result(), Some(Ok(()))),
            other => panic!("{other:?}"),
        }
        bench.finish();
    });
}

#[test]
fn a_writer_that_brings_its_memory_in_wakes_the_next() {
    model::check(
        "a_writer_that_brings_its_memory_in_wakes_the_next",
        3,
        || {
            let bench = Bench::new(1, b"x");
            let slow = bench.user().absent(2);
            let slow = model::spawn(move || slow.send(b'a'));
            let other = bench.sender(b'b');
            bench.receiver();
            bench.settle();
            assert_eq!(done(&[slow.result(), other.result()]), 1);
            bench.finish();
        },
    );
}

#[test]
fn a_writer_whose_memory_goes_bad_wakes_the_next() {
    model::check("a_writer_whose_memory_goes_bad_wakes_the_next", 3, || {
        let bench = Bench::new(1, b"x");
        let bad = bench.user().absent(9).breaks_after(1);
        let bad = model::spawn(move || bad.send(b'a'));
        let good = bench.sender(b'b');
        bench.receiver();
        bench.settle();
        assert_eq!(good.result(), Some(Ok(())));
        assert!(matches!(bad.result(), None | Some(Err(EFAULT))));
        bench.finish();
    });
}

#[test]
fn a_writer_whose_memory_is_taken_away_sends_a_copy() {
    model::check(
        "a_writer_whose_memory_is_taken_away_sends_a_copy",
        2,
        || {
            let bench = Bench::new(1, b"x");
            let slow = bench.user().absent(9).long(2);
            let slow = model::spawn(move || slow.send(b'a'));
            let reader = bench.user();
            let received = model::spawn(move || [reader.receive(), reader.receive()]);
            bench.settle();
            assert_eq!(received.result(), Some([Ok(b'x'), Ok(b'a')]));
            assert_eq!(slow.result(), Some(Ok(())));
            bench.finish();
        },
    );
}

#[test]
fn a_writer_without_memory_takes_no_slot() {
    model::check("a_writer_without_memory_takes_no_slot", 3, || {
        // Two segments are in use, and become free when the reader has received the message. The
        // writer of a long message needs more segments than are ever available to it.
        let bench = Bench::with_memory(1, b"x", 2);
        let poor = bench.user().long(4);
        let poor = model::spawn(move || poor.send(b'a'));
        let modest = bench.sender(b'b');
        bench.receiver();
        bench.settle();
        assert_eq!(poor.result(), Some(Err(ENOMEM)));
        assert!(matches!(modest.result(), Some(Ok(()) | Err(ENOMEM))));
        bench.finish();
    });
}

#[test]
fn writers_whose_messages_have_become_too_long_wake_the_next() {
    model::check(
        "writers_whose_messages_have_become_too_long_wake_the_next",
        1,
        || {
            // The reader wakes one of the writers with a long message, and the change the other.
            let bench = Bench::new(1, b"x");
            let long = (*b"ab").map(|tag| {
                let writer = bench.user().long(2);
                model::spawn(move || writer.send(tag))
            });
            let short = bench.sender(b'c');
            let (reader, pipe) = (bench.user(), bench.pipe.clone());
            let changed = model::spawn(move || {
                reader.receive()?;
                pipe.set_limits(Limits::new(1, 1, u64::MAX).map_err(|_| EINVAL)?)
            });
            bench.settle();
            let changed = changed.result();
            assert!(matches!(changed, Some(Ok(()) | Err(EBUSY))));
            if changed == Some(Ok(())) {
                assert_eq!(short.result(), Some(Ok(())));
            }
            for long in long {
                assert!(matches!(long.result(), None | Some(Ok(()) | Err(EMSGSIZE))));
            }
            bench.finish();
        },
    );
}
