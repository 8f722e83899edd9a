// SPDX-License-Identifier: GPL-2.0

//! Readers that wait for a message.

use super::*;

#[test]
fn messages_pass_one_by_one() {
    model::check("messages_pass_one_by_one", 5, || {
        let bench = Bench::new(1, b"");
        let (reader, writer) = (bench.user(), bench.user());
        let received = model::spawn(move || [reader.receive(), reader.receive()]);
        let sent = model::spawn(move || [writer.send(b'a'), writer.send(b'b')]);
        bench.settle();
        assert_eq!(received.result(), Some([Ok(b'a'), Ok(b'b')]));
        assert_eq!(sent.result(), Some([Ok(()), Ok(())]));
        bench.finish();
    });
}

#[test]
fn one_message_for_two_readers() {
    model::check("one_message_for_two_readers", 4, || {
        let bench = Bench::new(1, b"");
        let readers = [bench.receiver(), bench.receiver()];
        bench.sender(b'a');
        bench.settle();
        assert_eq!(done(&readers.map(|reader| reader.result())), 1);
        bench.finish();
    });
}

#[test]
fn two_messages_for_two_readers() {
    model::check("two_messages_for_two_readers", 3, || {
        let bench = Bench::new(2, b"");
        let readers = [bench.receiver(), bench.receiver()];
        let writer = bench.user();
        model::spawn(move || [writer.send(b'a'), writer.send(b'b')]);
        bench.settle();
        let mut received = readers.map(|reader| reader.result());
        received.sort_by_key(|result| result.and_then(Result::ok));
        assert_eq!(received, [Some(Ok(b'a')), Some(Ok(b'b'))]);
        bench.finish();
    });
}

#[test]
fn a_reader_that_does_not_wait_may_be_faster() {
    model::check("a_reader_that_does_not_wait_may_be_faster", 3, || {
        let bench = Bench::new(1, b"");
        let sleeper = bench.receiver();
        let fast = bench.user().nonblocking();
        let fast = model::spawn(move || fast.receive());
        bench.sender(b'a');
        bench.settle();
        match fast.result() {
            Some(Ok(b'a')) => assert_eq!(sleeper.result(), None),
            Some(Err(EAGAIN)) => assert_eq!(sleeper.result(), Some(Ok(b'a'))),
            other => panic!("{other:?}"),
        }
        bench.finish();
    });
}

/// Checks that a reader changed by `change` takes no message, and that another reader takes it.
fn another_one_gets_it(name: &str, change: fn(User) -> User, errors: &'static [Error]) {
    model::check(name, 3, move || {
        let bench = Bench::new(1, b"");
        assert_eq!(
            bench.pipe.set_modes(&bench.handle, Modes::WHOLE, |_| ()),
            Ok(())
        );
        let bad = change(bench.user());
        let bad = model::spawn(move || bad.receive());
        let good = bench.receiver();
        let sender = bench.user().bytes(2);
        model::spawn(move || sender.send(b'a'));
        bench.settle();
        assert_eq!(good.result(), Some(Ok(b'a')));
        match bad.result() {
            Some(Err(error)) => assert!(errors.contains(&error)),
            other => assert_eq!(other, None),
        }
        bench.finish();
    });
}

#[test]
fn a_reader_with_too_small_a_buffer_wakes_the_next() {
    another_one_gets_it(
        "a_reader_with_too_small_a_buffer_wakes_the_next",
        |user| user.room(1),
        &[EMSGSIZE],
    );
}

#[test]
fn a_reader_with_bad_memory_wakes_the_next() {
    another_one_gets_it(
        "a_reader_with_bad_memory_wakes_the_next",
        |user| user.absent(9).breaks_after(0),
        &[EFAULT],
    );
}

#[test]
fn a_reader_whose_memory_takes_no_stores_wakes_the_next() {
    another_one_gets_it(
        "a_reader_whose_memory_takes_no_stores_wakes_the_next",
        |user| user.absent(9).breaks_after(4),
        &[EFAULT],
    );
}

#[test]
fn a_reader_that_brings_its_memory_in_wakes_the_next() {
    model::check(
        "a_reader_that_brings_its_memory_in_wakes_the_next",
        3,
        || {
            let bench = Bench::new(1, b"");
            let slow = bench.user().absent(2);
            let slow = model::spawn(move || slow.receive());
            let other = bench.receiver();
            bench.sender(b'a');
            bench.settle();
            assert_eq!(done(&[slow.result(), other.result()]), 1);
            bench.finish();
        },
    );
}
