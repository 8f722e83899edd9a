// SPDX-License-Identifier: GPL-2.0

//! Files that receive with a lease: what they acknowledge, and what comes back.

use super::positions::{finish, reader, send, settle};
use super::*;
use crate::{kernel_ext::sync::notify::events, log::leased_queue::Verdict, pipe::LeaseTerms};

/// Nanoseconds after which a lease of these scenarios has ended.
const LEASE: u64 = 2_000_000;

/// Gives a message back at once.
const BACK: Verdict = Verdict::GiveBack { later: None };

/// Makes `file` receive with a lease of a millisecond.
fn lease(file: &Opened, max_deliveries: u32) -> Result {
    let terms = LeaseTerms {
        lease_ms: 1,
        max_deliveries,
    };
    file.attach(Reads::Queue(terms), Start::Now)
}

/// Opens a file that receives with a lease, and lets it receive one message for each tag.
fn lessee(bench: &Bench, tags: &[u8]) -> Opened {
    let file = Opened::new(bench, Modes::NONE);
    assert_eq!(lease(&file, 0), Ok(()));
    for tag in tags {
        send(bench, &[*tag]);
        assert_eq!(file.read(9), Ok(vec![*tag]));
    }
    file
}

/// Ends the lease that `file` has of message `seq`.
fn end(file: &Opened, seq: u64, verdict: Verdict) -> Result {
    Pipe::settle_leases(&file.pipe, &file.handle, (seq, seq), verdict)
}

/// Starts a task that ends the lease that `file` has of message `seq`.
fn ender(file: &Opened, seq: u64, verdict: Verdict) -> model::Spawned<Result> {
    let file = file.clone();
    model::spawn(move || end(&file, seq, verdict))
}

/// Starts a task that lets the leases end, and runs the sweeper.
fn time() {
    model::spawn(|| {
        model::advance(LEASE);
        workqueue::run_pending(2)
    });
}

#[test]
fn an_ack_beside_the_end_of_the_lease() {
    model::check("an_ack_beside_the_end_of_the_lease", 4, || {
        let bench = Bench::new(2, b"");
        let file = lessee(&bench, b"a");
        let (read, acked) = (bench.receiver(), ender(&file, 1, Verdict::Consume));
        time();
        let view = settle(&bench);
        // Either the file has consumed the message, or another reader gets it.
        match acked.result() {
            Some(Ok(())) => assert_eq!(read.result(), None),
            Some(Err(err)) => assert_eq!((err, read.result()), (ENOENT, Some(Ok(b'a')))),
            None => panic!("an acknowledgement that waits"),
        }
        assert_eq!((view.counters.dequeued.msgs, view.depth.msgs), (1, 0));
        finish(bench, [file]);
    });
}

#[test]
fn a_reader_that_goes_to_sleep_gets_what_comes_back() {
    model::check(
        "a_reader_that_goes_to_sleep_gets_what_comes_back",
        4,
        || {
            let bench = Bench::new(2, b"");
            let file = lessee(&bench, b"a");
            let read = bench.receiver();
            let back = ender(&file, 1, BACK);
            settle(&bench);
            assert_eq!(back.result(), Some(Ok(())));
            assert_eq!(read.result(), Some(Ok(b'a')));
            finish(bench, [file]);
        },
    );
}

#[test]
fn a_close_gives_each_reader_a_message() {
    model::check("a_close_gives_each_reader_a_message", 3, || {
        let bench = Bench::new(2, b"");
        let file = lessee(&bench, b"ab");
        let readers = [bench.receiver(), bench.receiver()];
        model::spawn(move || file.close());
        let view = settle(&bench);
        assert_eq!(done(&readers.map(|reader| reader.result())), 2);
        assert_eq!((view.counters.dequeued.msgs, view.depth.msgs), (2, 0));
        finish(bench, []);
    });
}

#[test]
fn the_end_of_leases_gives_each_reader_a_message() {
    model::check("the_end_of_leases_gives_each_reader_a_message", 3, || {
        let bench = Bench::new(2, b"");
        let file = lessee(&bench, b"ab");
        let readers = [bench.receiver(), bench.receiver()];
        time();
        let view = settle(&bench);
        assert_eq!(done(&readers.map(|reader| reader.result())), 2);
        assert_eq!((view.counters.dequeued.msgs, view.depth.msgs), (2, 0));
        finish(bench, [file]);
    });
}

#[test]
fn a_lease_that_begins_beside_the_sweeper_ends() {
    model::check("a_lease_that_begins_beside_the_sweeper_ends", 4, || {
        let bench = Bench::new(2, b"");
        let file = lessee(&bench, b"a");
        send(&bench, b"b");
        // The sweeper ends the first lease while the second one begins.
        let leased = reader(&file);
        time();
        settle(&bench);
        assert!(matches!(leased.result(), Some(Ok(b'a' | b'b'))));
        model::advance(LEASE);
        workqueue::run_pending(4);
        let readers = [bench.receiver(), bench.receiver()];
        settle(&bench);
        assert_eq!(done(&readers.map(|reader| reader.result())), 2);
        finish(bench, [file]);
    });
}

#[test]
fn a_writer_that_goes_to_sleep_gets_the_acknowledged_slot() {
    let name = "a_writer_that_goes_to_sleep_gets_the_acknowledged_slot";
    model::check(name, 4, || {
        let bench = Bench::new(2, b"");
        let file = lessee(&bench, b"ab");
        let sent = bench.sender(b'c');
        // The second one: its slot is free, although the first one is stored before it.
        let acked = ender(&file, 2, Verdict::Consume);
        let view = settle(&bench);
        assert_eq!(acked.result(), Some(Ok(())));
        assert_eq!(sent.result(), Some(Ok(())));
        assert_eq!((view.counters.dequeued.msgs, view.depth.msgs), (1, 2));
        finish(bench, [file]);
    });
}

#[test]
fn a_reader_sleeps_on_while_a_file_begins_to_lease() {
    model::check("a_reader_sleeps_on_while_a_file_begins_to_lease", 4, || {
        let bench = Bench::new(2, b"");
        let file = Opened::new(&bench, Modes::NONE);
        let read = bench.receiver();
        let begun = {
            let file = file.clone();
            model::spawn(move || lease(&file, 0))
        };
        let sent = bench.sender(b'a');
        settle(&bench);
        assert_eq!(begun.result(), Some(Ok(())));
        assert_eq!(sent.result(), Some(Ok(())));
        assert_eq!(read.result(), Some(Ok(b'a')));
        finish(bench, [file]);
    });
}

#[test]
fn a_lessee_and_a_reader_share_two_messages() {
    model::check("a_lessee_and_a_reader_share_two_messages", 3, || {
        let bench = Bench::new(2, b"");
        let file = lessee(&bench, b"");
        let (leased, read) = (reader(&file), bench.receiver());
        let user = bench.user();
        model::spawn(move || [user.send(b'a'), user.send(b'b')]);
        let view = settle(&bench);
        let both = [leased.result(), read.result()];
        assert!(
            both == [Some(Ok(b'a')), Some(Ok(b'b'))] || both == [Some(Ok(b'b')), Some(Ok(b'a'))]
        );
        assert_eq!((view.counters.dequeued.msgs, view.depth.msgs), (1, 1));
        finish(bench, [file]);
    });
}

#[test]
fn clear_beside_an_ack_counts_the_message_once() {
    model::check("clear_beside_an_ack_counts_the_message_once", 4, || {
        let bench = Bench::new(2, b"");
        let file = lessee(&bench, b"a");
        let acked = ender(&file, 1, Verdict::Consume);
        let pipe = bench.pipe.clone();
        model::spawn(move || pipe.clear());
        let view = settle(&bench);
        let gone = [view.counters.dequeued.msgs, view.counters.dropped.msgs];
        match acked.result() {
            Some(Ok(())) => assert_eq!(gone, [1, 0]),
            other => assert_eq!((other, gone), (Some(Err(ENOENT)), [0, 1])),
        }
        finish(bench, [file]);
    });
}

#[test]
fn a_message_dropped_after_its_last_delivery_frees_its_slot() {
    let name = "a_message_dropped_after_its_last_delivery_frees_its_slot";
    model::check(name, 4, || {
        let bench = Bench::new(1, b"");
        let file = Opened::new(&bench, Modes::NONE);
        assert_eq!(lease(&file, 1), Ok(()));
        send(&bench, b"a");
        assert_eq!(file.read(9), Ok(b"a".to_vec()));
        let sent = bench.sender(b'b');
        time();
        let view = settle(&bench);
        assert_eq!(sent.result(), Some(Ok(())));
        assert_eq!((view.counters.dropped.msgs, view.depth.msgs), (1, 1));
        finish(bench, [file]);
    });
}

#[test]
fn a_poller_sees_what_comes_back() {
    model::check("a_poller_sees_what_comes_back", 4, || {
        let bench = Bench::new(2, b"");
        let file = lessee(&bench, b"a");
        let polled = file.poller(events::IN);
        let back = ender(&file, 1, BACK);
        settle(&bench);
        assert_eq!(back.result(), Some(Ok(())));
        assert_eq!(
            polled.result().map(|answer| answer & events::IN),
            Some(events::IN)
        );
        finish(bench, [file]);
    });
}

#[test]
fn destruction_ends_all_beside_an_ack() {
    model::check("destruction_ends_all_beside_an_ack", 3, || {
        let bench = Bench::new(2, b"");
        let file = lessee(&bench, b"a");
        let (read, acked) = (bench.receiver(), ender(&file, 1, Verdict::Consume));
        let pipe = bench.pipe.clone();
        model::spawn(move || Pipe::shutdown(&pipe));
        settle(&bench);
        assert_eq!(read.result(), Some(Err(ENODEV)));
        assert!(matches!(acked.result(), Some(Ok(()) | Err(ENODEV))));
        file.close();
        bench.dead();
    });
}
