// SPDX-License-Identifier: GPL-2.0

//! Files that browse a queue: they take nothing from its readers, and hold nothing back.

use super::positions::{account, drain, finish, reader, send, settle};
use super::*;
use crate::{kernel_ext::sync::notify::events, log::subscription, pipe::LeaseTerms};

/// Makes `file` browse from `start` on.
fn browse(file: &Opened, start: Start) -> Result {
    let browses = Reads::Position(subscription::Kind::Browse);
    file.attach(browses, start)
}

/// Makes `file` read the queue with the other files.
fn unbrowse(file: &Opened) -> Result {
    file.attach(Reads::Queue(LeaseTerms::default()), Start::Now)
}

/// Opens a file that browses what is sent from now on.
fn browser(bench: &Bench) -> Opened {
    let file = Opened::new(bench, Modes::NONE);
    assert_eq!(browse(&file, Start::Now), Ok(()));
    file
}

#[test]
fn a_reader_gets_the_message_beside_a_browser() {
    model::check("a_reader_gets_the_message_beside_a_browser", 4, || {
        let bench = Bench::new(1, b"");
        let file = browser(&bench);
        let (browsed, read) = (reader(&file), bench.receiver());
        let user = bench.user();
        model::spawn(move || assert_eq!(user.send(b'a'), Ok(())));
        let view = settle(&bench);
        assert_eq!(read.result(), Some(Ok(b'a')));
        assert_eq!((view.counters.dequeued.msgs, view.depth.msgs), (1, 0));
        // The message may be gone before the browser gets it. It then gets the next one.
        let first = browsed.result();
        if first.is_none() {
            assert_eq!(account(&file), [0, 1, 0]);
            send(&bench, b"b");
            settle(&bench);
            assert_eq!(browsed.result(), Some(Ok(b'b')));
        } else {
            assert_eq!(first, Some(Ok(b'a')));
        }
        finish(bench, [file]);
    });
}

#[test]
fn a_browser_takes_no_wakeup_of_a_reader() {
    model::check("a_browser_takes_no_wakeup_of_a_reader", 3, || {
        let bench = Bench::new(2, b"");
        let file = browser(&bench);
        let browsed = reader(&file);
        let readers = [bench.receiver(), bench.receiver()];
        let user = bench.user();
        model::spawn(move || [user.send(b'a'), user.send(b'b')]);
        let view = settle(&bench);
        assert_eq!(done(&readers.map(|reader| reader.result())), 2);
        assert_eq!(view.counters.dequeued.msgs, 2);
        drop(browsed);
        Pipe::shutdown(&bench.pipe);
        model::join();
        file.close();
        bench.dead();
    });
}

#[test]
fn two_browsers_see_each_message() {
    model::check("two_browsers_see_each_message", 3, || {
        let bench = Bench::new(2, b"");
        let files = [browser(&bench), browser(&bench)];
        let browsed = files.each_ref().map(|file| {
            let file = file.clone();
            model::spawn(move || [(); 2].map(|()| file.read(9)))
        });
        let user = bench.user();
        model::spawn(move || [user.send(b'a'), user.send(b'b')]);
        let view = settle(&bench);
        let all = || [b"a", b"b"].map(|tag| Ok(tag.to_vec()));
        assert_eq!(
            browsed.map(|browsed| browsed.result()),
            [Some(all()), Some(all())]
        );
        assert_eq!((view.counters.dequeued.msgs, view.depth.msgs), (0, 2));
        finish(bench, files);
    });
}

/// A reader whose file begins to browse leaves the message for which it was woken to another one.
#[test]
fn a_woken_reader_that_begins_to_browse_wakes_another() {
    for modes in [Modes::NONE, Modes::RECORDS] {
        let name = "a_woken_reader_that_begins_to_browse_wakes_another";
        model::check(name, 3, move || {
            let bench = Bench::new(1, b"");
            let file = Opened::new(&bench, modes);
            let browsed = model::spawn({
                let file = file.clone();
                move || file.read(LONGEST as usize).map(drop)
            });
            let other = bench.receiver();
            let user = bench.user();
            model::spawn(move || assert_eq!(user.send(b'a'), Ok(())));
            let changed = file.clone();
            model::spawn(move || assert_eq!(browse(&changed, Start::Now), Ok(())));
            let view = settle(&bench);
            assert!(
                other.result() == Some(Ok(b'a')) || view.depth.msgs == 0,
                "a reader waits, and there is a message"
            );
            assert!(matches!(browsed.result(), None | Some(Ok(()))));
            Pipe::shutdown(&bench.pipe);
            model::join();
            file.close();
            bench.dead();
        });
    }
}

#[test]
fn a_browser_wakes_when_its_file_reads_the_queue() {
    model::check("a_browser_wakes_when_its_file_reads_the_queue", 3, || {
        let bench = Bench::new(1, b"a");
        let file = browser(&bench);
        let read = reader(&file);
        let changed = file.clone();
        model::spawn(move || assert_eq!(unbrowse(&changed), Ok(())));
        let view = settle(&bench);
        assert_eq!(read.result(), Some(Ok(b'a')));
        assert_eq!(view.depth.msgs, 0);
        finish(bench, [file]);
    });
}

#[test]
fn a_reader_of_records_wakes_when_its_file_reads_the_queue() {
    model::check(
        "a_reader_of_records_wakes_when_its_file_reads_the_queue",
        3,
        || {
            let bench = Bench::new(1, b"a");
            let file = Opened::new(&bench, Modes::RECORDS);
            assert_eq!(browse(&file, Start::Now), Ok(()));
            let read = model::spawn({
                let file = file.clone();
                move || file.read(LONGEST as usize).map(|bytes| bytes.len())
            });
            let changed = file.clone();
            model::spawn(move || assert_eq!(unbrowse(&changed), Ok(())));
            let view = settle(&bench);
            assert!(matches!(read.result(), Some(Ok(_))));
            assert_eq!(view.depth.msgs, 0);
            finish(bench, [file]);
        },
    );
}

#[test]
fn a_rest_of_a_browser_takes_no_slot() {
    model::check("a_rest_of_a_browser_takes_no_slot", 3, || {
        let bench = Bench::new(1, b"");
        let file = browser(&bench);
        assert_eq!(bench.user().bytes(3).send(b'a'), Ok(()));
        assert_eq!(file.read(1), Ok(b"a".to_vec()));
        let sent = bench.sender(b'b');
        let read = bench.receiver();
        settle(&bench);
        assert_eq!(read.result(), Some(Ok(b'a')));
        assert_eq!(sent.result(), Some(Ok(())));
        assert_eq!(file.read(9), Ok(b"aa".to_vec()));
        finish(bench, [file]);
    });
}

#[test]
fn a_file_with_a_rest_is_not_attached() {
    model::check("a_file_with_a_rest_is_not_attached", 2, || {
        let bench = Bench::new(1, b"");
        let file = Opened::new(&bench, Modes::NONE);
        assert_eq!(bench.user().bytes(3).send(b'a'), Ok(()));
        assert_eq!(file.read(1), Ok(b"a".to_vec()));
        assert_eq!(browse(&file, Start::Now), Err(EBUSY));
        assert_eq!(unbrowse(&file), Err(EBUSY));
        let read = reader(&file);
        let changed = file.clone();
        let changed = model::spawn(move || browse(&changed, Start::Oldest));
        settle(&bench);
        assert_eq!(read.result(), Some(Ok(b'a')));
        assert!(matches!(changed.result(), Some(Ok(()) | Err(EBUSY))));
        // Only a broadcast pipe has subscriptions.
        let subscribes = Reads::Position(subscription::Kind::Own);
        assert_eq!(file.attach(subscribes, Start::Now), Err(EINVAL));
        finish(bench, [file]);
    });
}

#[test]
fn a_rest_of_a_reader_keeps_its_slot_beside_a_browser() {
    model::check(
        "a_rest_of_a_reader_keeps_its_slot_beside_a_browser",
        3,
        || {
            let bench = Bench::new(1, b"");
            let (file, queued) = (browser(&bench), Opened::new(&bench, Modes::NONE));
            assert_eq!(bench.user().bytes(3).send(b'a'), Ok(()));
            let writer = bench.sender(b'b');
            assert_eq!(queued.read(1), Ok(b"a".to_vec()));
            model::settle();
            assert_eq!(writer.result(), None);
            let read = reader(&queued);
            settle(&bench);
            assert_eq!(read.result(), Some(Ok(b'a')));
            assert_eq!(writer.result(), Some(Ok(())));
            finish(bench, [file, queued]);
        },
    );
}

#[test]
fn a_poller_that_browses_gets_a_message() {
    model::check("a_poller_that_browses_gets_a_message", 4, || {
        let bench = Bench::new(1, b"");
        let file = browser(&bench);
        let poller = file.poller(events::IN);
        bench.sender(b'a');
        settle(&bench);
        assert_eq!(poller.result(), Some(events::IN));
        finish(bench, [file]);
    });
}

/// A browser reports a loss of its own, whether or not the readers of the queue have one to report.
#[test]
fn a_poller_that_browses_learns_of_each_loss() {
    model::check("a_poller_that_browses_learns_of_each_loss", 3, || {
        let bench = Bench::new(1, b"");
        assert_eq!(
            Pipe::set_overflow(&bench.pipe, Overflow::DropOldest),
            Ok(())
        );
        let file = browser(&bench);
        send(&bench, b"ab");
        assert_eq!(file.read(9), Ok(b"b".to_vec()));
        send(&bench, b"c");
        let poller = file.poller(events::LOST);
        bench.sender(b'd');
        settle(&bench);
        assert_eq!(poller.result(), Some(events::LOST));
        finish(bench, [file]);
    });
}

#[test]
fn other_limits_beside_a_new_browser() {
    model::check("other_limits_beside_a_new_browser", 3, || {
        let bench = Bench::new(1, b"");
        let pipe = bench.pipe.clone();
        let changed = model::spawn(move || pipe.set_limits(limits(40)));
        let file = Opened::new(&bench, Modes::EOF);
        let begun = model::spawn({
            let file = file.clone();
            move || browse(&file, Start::Oldest)
        });
        settle(&bench);
        assert_eq!(changed.result(), Some(Ok(())));
        assert_eq!(begun.result(), Some(Ok(())));
        let tags: Vec<u8> = (1..=40).collect();
        let user = bench.user().long(2);
        for tag in &tags {
            assert_eq!(user.send(*tag), Ok(()));
        }
        assert_eq!(drain(&file), tags);
        drop(user);
        finish(bench, [file]);
    });
}

#[test]
fn the_last_close_beside_a_new_browser() {
    model::check("the_last_close_beside_a_new_browser", 3, || {
        let bench = Bench::new(3, b"ab");
        let last = browser(&bench);
        model::spawn(move || last.close());
        let pipe = bench.pipe.clone();
        let late = model::spawn(move || {
            let file = Opened::of_pipe(pipe, Modes::EOF);
            assert_eq!(browse(&file, Start::Oldest), Ok(()));
            let tags = drain(&file);
            file.close();
            tags
        });
        settle(&bench);
        assert_eq!(late.result(), Some(b"ab".to_vec()));
        finish(bench, []);
    });
}
