// SPDX-License-Identifier: GPL-2.0

//! Clearing, changing and destroying a pipe while tasks use it.

use super::*;

#[test]
fn clearing_wakes_a_writer_for_each_slot() {
    model::check("clearing_wakes_a_writer_for_each_slot", 3, || {
        let bench = Bench::new(2, b"xy");
        let writers = [bench.sender(b'a'), bench.sender(b'b')];
        let pipe = bench.pipe.clone();
        let cleared = model::spawn(move || pipe.clear());
        let view = bench.settle();
        assert_eq!(cleared.result(), Some(Ok(())));
        assert_eq!(done(&writers.map(|writer| writer.result())), 2);
        assert_eq!(view.counters.dropped.msgs, 2);
        bench.finish();
    });
}

#[test]
fn clearing_beside_a_reader_and_a_writer() {
    model::check("clearing_beside_a_reader_and_a_writer", 3, || {
        let bench = Bench::new(1, b"x");
        let pipe = bench.pipe.clone();
        model::spawn(move || pipe.clear());
        let reader = bench.receiver();
        let writer = bench.sender(b'a');
        let view = bench.settle();
        assert_eq!(writer.result(), Some(Ok(())));
        let received = usize::from(matches!(reader.result(), Some(Ok(_))));
        let counters = view.counters;
        assert_eq!(counters.dequeued.msgs, received as u64);
        assert_eq!(
            counters.dropped.msgs + counters.dequeued.msgs + view.depth.msgs,
            2
        );
        bench.finish();
    });
}

#[test]
fn more_room_wakes_as_many_writers() {
    model::check("more_room_wakes_as_many_writers", 3, || {
        let bench = Bench::new(1, b"x");
        let writers = [bench.sender(b'a'), bench.sender(b'b')];
        let (reader, pipe) = (bench.user(), bench.pipe.clone());
        let changed = model::spawn(move || {
            reader.receive()?;
            pipe.set_limits(limits(3))
        });
        bench.settle();
        let sent = done(&writers.map(|writer| writer.result()));
        match changed.result() {
            Some(Ok(())) => assert_eq!(sent, 2),
            Some(Err(EBUSY)) => assert_eq!(sent, 1),
            other => panic!("{other:?}"),
        }
        bench.finish();
    });
}

#[test]
fn destroying_beside_readers_and_a_writer() {
    model::check("destroying_beside_readers_and_a_writer", 3, || {
        let bench = Bench::new(1, b"");
        let readers = [bench.receiver(), bench.receiver()];
        let writer = bench.sender(b'a');
        let pipe = bench.pipe.clone();
        model::spawn(move || Pipe::shutdown(&pipe));
        model::join();
        let received = readers.map(|reader| reader.result());
        for result in &received {
            assert!(matches!(result, Some(Ok(b'a') | Err(ENODEV))));
        }
        assert!(done(&received) <= 1);
        assert!(matches!(writer.result(), Some(Ok(()) | Err(ENODEV))));
        bench.dead();
    });
}

#[test]
fn destroying_beside_writers_and_a_reader() {
    model::check("destroying_beside_writers_and_a_reader", 3, || {
        let bench = Bench::new(1, b"x");
        let writers = [bench.sender(b'a'), bench.sender(b'b')];
        let reader = bench.receiver();
        let pipe = bench.pipe.clone();
        model::spawn(move || Pipe::shutdown(&pipe));
        model::join();
        for writer in writers {
            assert!(matches!(writer.result(), Some(Ok(()) | Err(ENODEV))));
        }
        assert!(matches!(reader.result(), Some(Ok(_) | Err(ENODEV))));
        bench.dead();
    });
}

#[test]
fn destroying_beside_the_works() {
    model::check("destroying_beside_the_works", 3, || {
        let bench = Bench::new(2, b"x");
        bench.worker(3);
        let sender = bench.user().long(1);
        model::spawn(move || sender.send(b'a'));
        let pipe = bench.pipe.clone();
        model::spawn(move || Pipe::shutdown(&pipe));
        bench.dead();
    });
}
