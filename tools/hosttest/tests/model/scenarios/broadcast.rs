// SPDX-License-Identifier: GPL-2.0

//! Broadcast pipes: each subscription gets each message once or has lost it, no subscriber sleeps
//! through a message, and no writer waits beside a slot.

use super::positions::{account, drain, finish, listed, reader, send, settle, OWN};
use super::records::records;
use super::*;
use crate::{kernel_ext::sync::notify::events, log::subscription, pipe::Expiry};

/// Makes a broadcast pipe for `max_msgs` messages, with this history and policy.
fn bench(max_msgs: u32, history: u32, overflow: Overflow) -> Bench {
    let bench = Bench::of_kind(Kind::Broadcast { history }, max_msgs);
    assert_eq!(Pipe::set_overflow(&bench.pipe, overflow), Ok(()));
    bench
}

/// Returns the tags of all messages that `file`, which is in the modes `RECORDS` and `EOF`, reads
/// without waiting, and the number of messages that were lost before each.
fn drain_records(file: &Opened) -> Vec<(u8, u64)> {
    let bytes = file.read(LONGEST as usize).expect("records or the end");
    let all = records(&bytes);
    assert!(all.is_sorted_by(|a, b| a.0.seq < b.0.seq));
    all.iter()
        .map(|(record, payload)| (payload[0], record.lost))
        .collect()
}

/// Returns the mode of a file that reads records without waiting.
fn records_to_the_end() -> Modes {
    Modes::from_bits(Modes::RECORDS.bits() | Modes::EOF.bits()).expect("a mode")
}

#[test]
fn the_last_consumer_beside_a_new_subscriber() {
    for history in [0, 1] {
        model::check("the_last_consumer_beside_a_new_subscriber", 4, move || {
            let bench = bench(1, history, Overflow::Block);
            let first = Opened::new(&bench, Modes::NONE);
            send(&bench, b"a");
            let read = reader(&first);
            let pipe = bench.pipe.clone();
            let late = model::spawn(move || {
                let file = Opened::of_pipe(pipe, Modes::EOF);
                if history == 0 {
                    let at_oldest = file.attach(OWN, Start::Oldest);
                    assert_eq!(at_oldest, Ok(()));
                }
                let tags = drain(&file);
                assert_eq!(account(&file), [0; 3]);
                (file, tags)
            });
            let view = settle(&bench);
            assert_eq!(read.result(), Some(Ok(b'a')));
            let (late, tags) = late.result().expect("a subscriber");
            if history == 1 || !tags.is_empty() {
                assert_eq!(tags, b"a");
            }
            assert_eq!((view.counters.dequeued.msgs, view.depth.msgs), (1, 0));
            finish(bench, [first, late]);
        });
    }
}

#[test]
fn subscriptions_are_listed_beside_reads_and_closes() {
    model::check(
        "subscriptions_are_listed_beside_reads_and_closes",
        3,
        || {
            let bench = bench(2, 0, Overflow::DropOldest);
            let [staying, leaving] = [(); 2].map(|()| Opened::new(&bench, Modes::NONE));
            let read = reader(&staying);
            let user = bench.user();
            model::spawn(move || {
                assert_eq!([user.send(b'a'), user.send(b'b')], [Ok(()); 2]);
                leaving.close();
            });
            let pipe = bench.pipe.clone();
            let list = model::spawn(move || listed(&pipe));
            settle(&bench);
            assert_eq!(read.result(), Some(Ok(b'a')));
            let list = list.result().expect("a list");
            // The one that stays is there once, and before the one that leaves. The file of the bench
            // had the first number.
            assert_eq!(list[0].number, 2);
            assert!(list.len() <= 2);
            assert_eq!(listed(&bench.pipe).len(), 1);
            finish(bench, [staying]);
        },
    );
}

#[test]
fn two_last_consumers_make_room_once() {
    model::check("two_last_consumers_make_room_once", 3, || {
        let bench = bench(1, 0, Overflow::Block);
        let files = [(); 2].map(|()| Opened::new(&bench, Modes::NONE));
        send(&bench, b"a");
        let read = files.each_ref().map(reader);
        let writers = [bench.sender(b'b'), bench.sender(b'c')];
        let view = settle(&bench);
        assert_eq!(read.map(|read| read.result()), [Some(Ok(b'a')); 2]);
        // The second message takes the only slot.
        assert_eq!(done(&writers.map(|writer| writer.result())), 1);
        assert_eq!((view.counters.dequeued.msgs, view.depth.msgs), (1, 1));
        finish(bench, files);
    });
}

#[test]
fn the_oldest_is_dropped_beside_a_sleeping_subscriber() {
    model::check(
        "the_oldest_is_dropped_beside_a_sleeping_subscriber",
        4,
        || {
            let bench = bench(1, 0, Overflow::DropOldest);
            let file = Opened::new(&bench, Modes::RECORDS);
            let read = model::spawn({
                let file = file.clone();
                move || drain_records(&file)
            });
            let user = bench.user();
            model::spawn(move || assert_eq!([user.send(b'a'), user.send(b'b')], [Ok(()); 2]));
            let view = settle(&bench);
            let read = read.result().expect("a message");
            let dropped = view.counters.dropped.msgs;
            assert_eq!(account(&file)[1], dropped);
            match (read.as_slice(), dropped, view.depth.msgs) {
                ([(b'a', 0)], 0, 1) | ([(b'b', 1)], 1, 0) | ([(b'a', 0), (b'b', 0)], 0, 0) => {}
                other => panic!("{other:?}"),
            }
            finish(bench, [file]);
        },
    );
}

#[test]
fn the_newest_is_discarded_for_all() {
    model::check("the_newest_is_discarded_for_all", 3, || {
        let bench = bench(1, 0, Overflow::DropNewest);
        let files = [(); 2].map(|()| Opened::new(&bench, records_to_the_end()));
        send(&bench, b"a");
        let user = bench.user();
        model::spawn(move || assert_eq!(user.send(b'b'), Ok(())));
        let read = files.each_ref().map(|file| {
            let file = file.clone();
            model::spawn(move || drain_records(&file))
        });
        let view = settle(&bench);
        let dropped = view.counters.dropped.msgs;
        for (file, read) in files.iter().zip(read) {
            let mut all = read.result().expect("records");
            all.extend(drain_records(file));
            let expected: &[_] = match dropped {
                0 => &[(b'a', 0), (b'b', 0)],
                _ => &[(b'a', 0)],
            };
            assert_eq!(all, expected);
            assert_eq!(account(file), [0, dropped, 0]);
        }
        // The loss is reported by what follows.
        send(&bench, b"c");
        for file in &files {
            assert_eq!(drain_records(file), [(b'c', dropped)]);
        }
        finish(bench, files);
    });
}

/// Checks that `writers` waiting writers get through when the slowest subscription is closed.
fn close_of_the_slowest(name: &'static str, writers: u8) {
    model::check(name, 3, move || {
        let bench = bench(writers.into(), 0, Overflow::Block);
        let fast = Opened::new(&bench, Modes::EOF);
        let slow = Opened::new(&bench, Modes::NONE);
        for tag in 0..writers {
            send(&bench, &[tag]);
        }
        assert_eq!(drain(&fast).len(), writers.into());
        let sent: Vec<_> = (0..writers).map(|tag| bench.sender(b'a' + tag)).collect();
        model::spawn(move || slow.close());
        let view = settle(&bench);
        let sent: Vec<_> = sent.iter().map(model::Spawned::result).collect();
        assert_eq!(done(&sent), writers.into());
        assert_eq!(view.counters.dequeued.msgs, writers.into());
        let mut tags = drain(&fast);
        tags.sort_unstable();
        assert!(tags.iter().copied().eq((b'a'..).take(writers.into())));
        finish(bench, [fast]);
    });
}

#[test]
fn the_slowest_closes_beside_a_writer() {
    close_of_the_slowest("the_slowest_closes_beside_a_writer", 1);
}

#[test]
fn the_slowest_closes_beside_two_writers() {
    close_of_the_slowest("the_slowest_closes_beside_two_writers", 2);
}

#[test]
fn a_subscription_that_moves_on_makes_room() {
    model::check("a_subscription_that_moves_on_makes_room", 3, || {
        let bench = bench(1, 0, Overflow::Block);
        let file = Opened::new(&bench, Modes::EOF);
        send(&bench, b"a");
        let writer = bench.sender(b'b');
        let moved = file.clone();
        model::spawn(move || assert_eq!(moved.attach(OWN, Start::Now), Ok(())));
        let view = settle(&bench);
        assert_eq!(writer.result(), Some(Ok(())));
        assert_eq!((view.counters.dropped.msgs, view.depth.msgs), (1, 1));
        assert_eq!(drain(&file), b"b");
        finish(bench, [file]);
    });
}

#[test]
fn one_message_wakes_all_subscribers() {
    model::check("one_message_wakes_all_subscribers", 3, || {
        let bench = bench(1, 0, Overflow::Block);
        let files = [(); 3].map(|()| Opened::new(&bench, Modes::NONE));
        let read = files.each_ref().map(reader);
        bench.sender(b'a');
        let view = settle(&bench);
        assert_eq!(read.map(|read| read.result()), [Some(Ok(b'a')); 3]);
        assert_eq!((view.waiting_readers, view.depth.msgs), (0, 0));
        finish(bench, files);
    });
}

#[test]
fn two_writers_wake_two_subscribers() {
    model::check("two_writers_wake_two_subscribers", 2, || {
        let bench = bench(2, 0, Overflow::Block);
        let files = [(); 2].map(|()| Opened::new(&bench, Modes::NONE));
        let read = files.each_ref().map(|file| {
            let file = file.clone();
            model::spawn(move || [(); 2].map(|()| file.read(9)))
        });
        bench.sender(b'a');
        bench.sender(b'b');
        settle(&bench);
        let [first, second] = read.map(|read| read.result().expect("two messages"));
        // Both get all messages in the same order.
        assert_eq!(first, second);
        let mut tags: Vec<_> = first.into_iter().flatten().flatten().collect();
        tags.sort_unstable();
        assert_eq!(tags, b"ab");
        finish(bench, files);
    });
}

#[test]
fn a_signal_takes_no_wakeup_of_a_subscriber() {
    model::check("a_signal_takes_no_wakeup_of_a_subscriber", 3, || {
        let bench = bench(1, 0, Overflow::Block);
        let files = [(); 2].map(|()| Opened::new(&bench, Modes::NONE));
        let [hit, other] = files.each_ref().map(reader);
        let (id, user) = (hit.id(), bench.user());
        model::spawn(move || {
            model::signal(id);
            user.send(b'a')
        });
        settle(&bench);
        assert_eq!(other.result(), Some(Ok(b'a')));
        let lag = match hit.result() {
            Some(Ok(b'a')) => 0,
            Some(Err(ERESTARTSYS)) => 1,
            other => panic!("{other:?}"),
        };
        assert_eq!(account(&files[0]), [lag, 0, 0]);
        finish(bench, files);
    });
}

#[test]
fn two_readers_of_a_subscription_share_its_messages() {
    model::check(
        "two_readers_of_a_subscription_share_its_messages",
        2,
        || {
            let bench = bench(2, 0, Overflow::Block);
            let file = Opened::new(&bench, Modes::NONE);
            let read = [reader(&file), reader(&file)];
            let user = bench.user();
            model::spawn(move || [user.send(b'a'), user.send(b'b')]);
            settle(&bench);
            let mut tags = read.map(|read| read.result().expect("a message").ok());
            tags.sort_unstable();
            assert_eq!(tags, [Some(b'a'), Some(b'b')]);
            finish(bench, [file]);
        },
    );
}

#[test]
fn a_close_beside_a_message() {
    model::check("a_close_beside_a_message", 4, || {
        let bench = bench(1, 0, Overflow::Block);
        let file = Opened::new(&bench, Modes::NONE);
        let user = bench.user();
        let sent = model::spawn(move || [user.send(b'a'), user.send(b'b')]);
        model::spawn(move || file.close());
        let view = settle(&bench);
        assert_eq!(sent.result(), Some([Ok(()), Ok(())]));
        assert_eq!((view.counters.dropped.msgs, view.depth.msgs), (2, 0));
        finish(bench, []);
    });
}

#[test]
fn the_end_wakes_all_subscribers() {
    model::check("the_end_wakes_all_subscribers", 3, || {
        let bench = bench(1, 1, Overflow::Block);
        let files = [(); 2].map(|()| Opened::new(&bench, Modes::NONE));
        let browser = Opened::new(&bench, Modes::NONE);
        let browses = Reads::Position(subscription::Kind::Browse);
        let attached = browser.attach(browses, Start::Now);
        assert_eq!(attached, Ok(()));
        let read = [&files[0], &files[1], &browser].map(reader);
        let pipe = bench.pipe.clone();
        model::spawn(move || Pipe::shutdown(&pipe));
        model::join();
        assert_eq!(read.map(|read| read.result()), [Some(Err(ENODEV)); 3]);
        for file in files.into_iter().chain([browser]) {
            file.close();
        }
        bench.dead();
    });
}

#[test]
fn a_clear_beside_a_reader() {
    model::check("a_clear_beside_a_reader", 4, || {
        let bench = bench(2, 1, Overflow::Block);
        let file = Opened::new(&bench, records_to_the_end());
        send(&bench, b"ab");
        let read = model::spawn({
            let file = file.clone();
            move || drain_records(&file)
        });
        let writer = bench.sender(b'c');
        let pipe = bench.pipe.clone();
        model::spawn(move || pipe.clear());
        settle(&bench);
        assert_eq!(writer.result(), Some(Ok(())));
        let mut all = read.result().expect("records");
        all.extend(drain_records(&file));
        send(&bench, b"d");
        all.extend(drain_records(&file));
        // Each message was read or is reported as lost.
        let lost = all.iter().map(|(_, lost)| lost).sum::<u64>();
        assert_eq!(all.len() as u64 + lost, 4);
        assert_eq!(account(&file), [0, lost, 0]);
        let view = settle(&bench);
        assert_eq!(view.counters.dequeued.msgs, all.len() as u64);
        assert_eq!(view.counters.dropped.msgs, lost);
        finish(bench, [file]);
    });
}

#[test]
fn a_poller_of_a_subscription_gets_a_message() {
    model::check("a_poller_of_a_subscription_gets_a_message", 4, || {
        let bench = bench(1, 0, Overflow::Block);
        let files = [(); 2].map(|()| Opened::new(&bench, Modes::NONE));
        let pollers = files.each_ref().map(|file| file.poller(events::IN));
        bench.sender(b'a');
        settle(&bench);
        assert_eq!(pollers.map(|poller| poller.result()), [Some(events::IN); 2]);
        finish(bench, files);
    });
}

#[test]
fn a_poller_of_a_subscription_learns_of_a_loss() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        model::check(
            "a_poller_of_a_subscription_learns_of_a_loss",
            4,
            move || {
                let bench = bench(1, 0, overflow);
                let file = Opened::new(&bench, Modes::EOF);
                send(&bench, b"x");
                let poller = file.poller(events::LOST);
                bench.sender(b'a');
                settle(&bench);
                if overflow == Overflow::DropNewest {
                    // The loss comes behind the message that is stored.
                    assert_eq!((poller.result(), drain(&file)), (None, b"x".to_vec()));
                    send(&bench, b"yz");
                    settle(&bench);
                }
                assert_eq!(poller.result(), Some(events::LOST));
                finish(bench, [file]);
            },
        );
    }
}

#[test]
fn a_poller_of_a_broadcast_pipe_gets_room() {
    model::check("a_poller_of_a_broadcast_pipe_gets_room", 4, || {
        let bench = bench(1, 0, Overflow::Block);
        let [fast, slow] = [(); 2].map(|()| Opened::new(&bench, Modes::NONE));
        send(&bench, b"a");
        let poller = fast.poller(events::OUT);
        reader(&fast);
        model::spawn(move || slow.close());
        settle(&bench);
        assert_eq!(poller.result(), Some(events::OUT));
        finish(bench, [fast]);
    });
}

#[test]
fn a_subscriber_with_bad_memory_loses_nothing() {
    model::check("a_subscriber_with_bad_memory_loses_nothing", 3, || {
        let bench = bench(1, 0, Overflow::Block);
        let file = Opened::new(&bench, Modes::NONE);
        let bad = {
            let mut bad = file.absent(9);
            bad.behaviour.left = Some(0);
            reader(&bad)
        };
        let good = reader(&file);
        bench.sender(b'a');
        let view = settle(&bench);
        // The one with good memory has got the message, and the other one waits if it came later.
        assert_eq!(good.result(), Some(Ok(b'a')));
        assert_eq!(view.depth.msgs, 0);
        let failed = bad.result();
        assert!([None, Some(Err(EFAULT))].contains(&failed), "{failed:?}");
        Pipe::shutdown(&bench.pipe);
        model::join();
        file.close();
        bench.dead();
    });
}

#[test]
fn a_subscriber_whose_memory_comes_late_gets_the_message() {
    model::check(
        "a_subscriber_whose_memory_comes_late_gets_the_message",
        3,
        || {
            let bench = bench(1, 0, Overflow::DropOldest);
            let file = Opened::new(&bench, Modes::NONE);
            let read = reader(&file.absent(2));
            let user = bench.user();
            model::spawn(move || [user.send(b'a'), user.send(b'b')]);
            let view = settle(&bench);
            match read.result() {
                Some(Ok(b'a')) => assert_eq!(view.counters.dropped.msgs, 0),
                Some(Ok(b'b')) => assert_eq!(view.counters.dropped.msgs, 1),
                other => panic!("{other:?}"),
            }
            finish(bench, [file]);
        },
    );
}

#[test]
fn expiry_beside_a_subscriber() {
    model::check("expiry_beside_a_subscriber", 3, || {
        let bench = bench(1, 0, Overflow::Block);
        let file = Opened::new(&bench, Modes::EOF);
        send(&bench, b"a");
        let expiring = |old: Expiry| Expiry::new(true, old.interval_ms, 1);
        let read = model::spawn({
            let file = file.clone();
            move || drain(&file)
        });
        let writer = bench.sender(b'b');
        let pipe = bench.pipe.clone();
        model::spawn(move || {
            assert_eq!(Pipe::set_expiry(&pipe, expiring), Ok(()));
            model::advance(2_000_000);
            workqueue::run_pending(2);
        });
        settle(&bench);
        assert_eq!(writer.result(), Some(Ok(())));
        let mut tags = read.result().expect("messages");
        tags.extend(drain(&file));
        let view = settle(&bench);
        let [lag, lost, expired] = account(&file);
        assert_eq!((lag, lost), (0, 0));
        assert_eq!(tags.len() as u64 + expired, 2);
        assert_eq!(view.counters.expired.msgs, expired);
        finish(bench, [file]);
    });
}

#[test]
fn a_reader_wakes_when_its_subscription_moves() {
    model::check("a_reader_wakes_when_its_subscription_moves", 3, || {
        let bench = bench(2, 0, Overflow::Block);
        let slow = Opened::new(&bench, Modes::NONE);
        send(&bench, b"a");
        let file = Opened::new(&bench, Modes::NONE);
        let read = reader(&file);
        let moved = file.clone();
        model::spawn(move || {
            let result = moved.attach(OWN, Start::Oldest);
            assert_eq!(result, Ok(()));
        });
        settle(&bench);
        assert_eq!(read.result(), Some(Ok(b'a')));
        finish(bench, [file, slow]);
    });
}

#[test]
fn a_poller_learns_that_its_subscription_has_moved() {
    model::check("a_poller_learns_that_its_subscription_has_moved", 3, || {
        let bench = bench(2, 1, Overflow::Block);
        send(&bench, b"a");
        let file = Opened::new(&bench, Modes::EOF);
        assert_eq!(drain(&file), b"a");
        assert_eq!(
            file.pipe.set_modes(&file.handle, Modes::NONE, |_| ()),
            Ok(())
        );
        let poller = file.poller(events::IN);
        let moved = file.clone();
        model::spawn(move || {
            let result = moved.attach(OWN, Start::Oldest);
            assert_eq!(result, Ok(()));
        });
        settle(&bench);
        assert_eq!(poller.result(), Some(events::IN));
        finish(bench, [file]);
    });
}

#[test]
fn a_rest_of_a_subscription_takes_no_slot() {
    model::check("a_rest_of_a_subscription_takes_no_slot", 3, || {
        let bench = bench(1, 0, Overflow::Block);
        let file = Opened::new(&bench, Modes::NONE);
        assert_eq!(bench.user().bytes(3).send(b'a'), Ok(()));
        let first = file.read(1);
        assert_eq!(first, Ok(b"a".to_vec()));
        let writer = bench.sender(b'b');
        let read = [model::spawn({
            let file = file.clone();
            move || file.read(9)
        })];
        let view = settle(&bench);
        assert_eq!(view.counters.dequeued, Tally { msgs: 1, bytes: 3 });
        assert_eq!(writer.result(), Some(Ok(())));
        assert_eq!(read.map(|read| read.result()), [Some(Ok(b"aa".to_vec()))]);
        finish(bench, [file]);
    });
}

#[test]
fn a_dump_beside_a_subscriber() {
    model::check("a_dump_beside_a_subscriber", 2, || {
        let bench = bench(2, 1, Overflow::Block);
        let file = Opened::new(&bench, Modes::EOF);
        send(&bench, b"ab");
        let read = model::spawn({
            let file = file.clone();
            move || drain(&file)
        });
        let pipe = bench.pipe.clone();
        let dumped = model::spawn(move || super::memory::dump(&pipe));
        settle(&bench);
        assert_eq!(read.result(), Some(b"ab".to_vec()));
        let dumped = dumped.result().expect("a dump").expect("messages");
        // The newest message stays as history.
        let all = [(1, b'a'), (2, b'b')];
        assert!(dumped == all || dumped == all[1..], "{dumped:?}");
        finish(bench, [file]);
    });
}
