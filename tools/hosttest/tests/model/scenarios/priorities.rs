// SPDX-License-Identifier: GPL-2.0

//! Pipes with priorities: tasks that wait for a message of any priority, or for a slot that any
//! message has.

use super::*;
use crate::uapi::Send;

/// Makes a pipe with four priorities for `max_msgs` messages, and files of it: one in the mode
/// `RECORDS`, which writes, and one that reads.
fn bench(max_msgs: u32) -> (Bench, Opened, Opened) {
    let bench = Bench::of(&Spec {
        priorities: 4,
        ..spec(Kind::Queue, max_msgs)
    });
    let writer = Opened::new(&bench, Modes::RECORDS);
    let reader = Opened::new(&bench, Modes::NONE);
    (bench, writer, reader)
}

/// Returns a message of one byte for each pair of a priority and that byte, for one write.
fn messages(sent: &[(u32, u8)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (priority, tag) in sent {
        let mut message = [0; size_of::<Send>() + 8];
        message[0] = 1;
        let at = std::mem::offset_of!(Send, priority);
        message[at..at + 4].copy_from_slice(&priority.to_ne_bytes());
        message[size_of::<Send>()] = *tag;
        bytes.extend(message);
    }
    bytes
}

/// Starts a task that sends messages in one write.
fn send(bench: &Bench, file: &Opened, sent: &'static [(u32, u8)]) -> model::Spawned<()> {
    let (file, user) = (file.clone(), bench.user());
    model::spawn(move || {
        let bytes = messages(sent);
        assert_eq!(file.write(&bytes, &user), Ok(bytes.len()));
    })
}

/// Starts a task that reads `count` messages of one byte.
fn read(file: &Opened, count: usize) -> model::Spawned<Vec<u8>> {
    let file = file.clone();
    let one = move |_| file.read(8).expect("a message")[0];
    model::spawn(move || (0..count).map(&one).collect())
}

/// Closes the files, and checks that the pipe is empty and keeps no memory.
fn end(bench: Bench, files: [Opened; 2]) {
    let view = bench.pipe.snapshot();
    assert_eq!((view.waiting_readers, view.waiting_writers), (0, 0));
    assert_eq!(view.depth, Tally::default());
    bench.check_accounting(&view);
    files.into_iter().for_each(Opened::close);
    for _ in 0..4 {
        workqueue::run_pending(workqueue::pending().len());
    }
    let debug = bench.pipe.snapshot().debug;
    assert_eq!((debug.segments, debug.spare_segments), (0, 0));
    assert_eq!(page::live(), 0);
}

/// A reader that sleeps gets the message of the highest priority of one write, and the next read
/// the other one.
#[test]
fn a_sleeping_reader_gets_the_highest() {
    model::check("a_sleeping_reader_gets_the_highest", 3, || {
        let (bench, writer, reader) = bench(2);
        let got = read(&reader, 2);
        send(&bench, &writer, &[(1, b'l'), (3, b'h')]);
        model::join();
        let got = got.result().unwrap_or_default();
        // The reader may run between the two messages of the first write, while lanes are made.
        assert!(got == b"hl" || got == b"lh", "{got:?}");
        // Once there are lanes, both messages arrive at the same moment.
        let got = read(&reader, 2);
        send(&bench, &writer, &[(1, b'l'), (3, b'h')]);
        model::join();
        assert_eq!(got.result().as_deref(), Some(&b"hl"[..]));
        end(bench, [writer, reader]);
    });
}

/// Two readers sleep, and two writers send messages of different priorities: each reader gets one.
#[test]
fn each_of_two_readers_gets_a_message_of_any_priority() {
    model::check(
        "each_of_two_readers_gets_a_message_of_any_priority",
        2,
        || {
            let (bench, writer, reader) = bench(2);
            let got = [read(&reader, 1), read(&reader, 1)];
            send(&bench, &writer, &[(0, b'a')]);
            send(&bench, &writer, &[(2, b'b')]);
            model::join();
            let mut got = got.map(|got| got.result().unwrap_or_default()).concat();
            got.sort_unstable();
            assert_eq!(got, b"ab");
            end(bench, [writer, reader]);
        },
    );
}

/// A slot is free for a writer of any priority, whichever priority the message had that was read.
#[test]
fn a_slot_is_for_messages_of_any_priority() {
    model::check("a_slot_is_for_messages_of_any_priority", 2, || {
        let (bench, writer, reader) = bench(1);
        send(&bench, &writer, &[(3, b'a'), (0, b'b')]);
        send(&bench, &writer, &[(1, b'c')]);
        let got = read(&reader, 3);
        model::join();
        let mut got = got.result().unwrap_or_default();
        let place = |tag| got.iter().position(|found| *found == tag);
        assert!(place(b'a') < place(b'b'), "{got:?}");
        got.sort_unstable();
        assert_eq!(got, b"abc");
        end(bench, [writer, reader]);
    });
}

/// Memory of the callers is absent: messages of different priorities are neither lost nor delivered
/// twice.
#[test]
fn absent_memory_loses_no_priority() {
    model::check("absent_memory_loses_no_priority", 2, || {
        let (bench, writer, reader) = bench(2);
        send(&bench, &writer.absent(3), &[(1, b'a'), (2, b'b')]);
        let got = [read(&reader.absent(3), 1), read(&reader.absent(3), 1)];
        model::join();
        let mut got = got.map(|got| got.result().unwrap_or_default()).concat();
        got.sort_unstable();
        assert_eq!(got, b"ab");
        end(bench, [writer, reader]);
    });
}

/// With drop-oldest, a writer of a full pipe drops the message of the lowest priority, while a
/// reader takes messages.
#[test]
fn overflow_drops_the_lowest_while_a_reader_takes() {
    model::check("overflow_drops_the_lowest_while_a_reader_takes", 2, || {
        let (bench, writer, reader) = bench(2);
        assert_eq!(
            Pipe::set_overflow(&bench.pipe, Overflow::DropOldest),
            Ok(())
        );
        let got = read(&reader, 1);
        send(&bench, &writer, &[(1, b'a'), (2, b'b')]);
        send(&bench, &writer, &[(2, b'c'), (0, b'd')]);
        model::join();
        let first = got.result().unwrap_or_default();
        let view = bench.pipe.snapshot();
        // Three or four messages for two slots, of which at least one was lost.
        assert_eq!(view.counters.enqueued.msgs, 4);
        assert_eq!(view.depth.msgs + view.counters.dropped.msgs, 3);
        assert!(view.depth.msgs <= 2);
        assert_eq!(first.len(), 1);
        let left = read(&reader, view.depth.msgs as usize);
        model::join();
        let left = left.result().unwrap_or_default();
        // "b" and "c" are of the highest priority and are dropped for nothing.
        for tag in *b"bc" {
            assert!(
                first.contains(&tag) || left.contains(&tag),
                "{first:?} {left:?}"
            );
        }
        end(bench, [writer, reader]);
    });
}
