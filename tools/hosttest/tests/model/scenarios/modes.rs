// SPDX-License-Identifier: GPL-2.0

//! Rests of messages and beginnings of lines: no byte is lost, delivered twice, or out of order.

use super::*;

/// Queues one message.
fn queue(bench: &Bench, message: &[u8]) {
    let file = Opened::new(bench, Modes::NONE);
    assert_eq!(file.write(message, &bench.user()), Ok(message.len()));
    file.close();
}

/// Receives all messages without waiting. Returns them in order, each in brackets.
fn drain(bench: &Bench) -> String {
    let file = Opened::new(bench, Modes::EOF);
    let mut all = String::new();
    loop {
        let message = file.read(LONGEST as usize).expect("a message or the end");
        if message.is_empty() {
            file.close();
            return all;
        }
        all += &format!("[{}]", String::from_utf8_lossy(&message));
    }
}

#[test]
fn a_rest_keeps_its_slot_until_it_is_read() {
    model::check("a_rest_keeps_its_slot_until_it_is_read", 3, || {
        let bench = Bench::new(1, b"");
        queue(&bench, b"abc");
        let writer = Opened::new(&bench, Modes::NONE);
        let user = bench.user();
        let sent = model::spawn({
            let writer = writer.clone();
            move || writer.write(b"d", &user)
        });
        let reader = Opened::new(&bench, Modes::NONE);
        let read = model::spawn({
            let reader = reader.clone();
            move || [2, 1, 9].map(|room| reader.read(room))
        });
        model::join();
        assert_eq!(sent.result(), Some(Ok(1)));
        let expected = [b"ab".to_vec(), b"c".to_vec(), b"d".to_vec()].map(Ok);
        assert_eq!(read.result(), Some(expected));
        reader.close();
        writer.close();
        assert_eq!(
            bench.pipe.snapshot().counters.dequeued,
            Tally { msgs: 2, bytes: 4 }
        );
    });
}

#[test]
fn two_tasks_share_a_rest() {
    model::check("two_tasks_share_a_rest", 3, || {
        let bench = Bench::new(1, b"");
        queue(&bench, b"abcd");
        let file = Opened::new(&bench, Modes::EOF);
        let read = [1, 2].map(|room| {
            let file = file.clone();
            model::spawn(move || [(); 2].map(|()| file.read(room).unwrap_or_default()))
        });
        model::join();
        let mut bytes: Vec<u8> = read
            .iter()
            .filter_map(model::Spawned::result)
            .flatten()
            .flatten()
            .collect();
        bytes.sort_unstable();
        assert_eq!(bytes, b"abcd");
        file.close();
    });
}

#[test]
fn a_rest_wakes_a_waiter_for_its_file() {
    model::check("a_rest_wakes_a_waiter_for_its_file", 2, || {
        let bench = Bench::new(1, b"");
        let file = Opened::new(&bench, Modes::NONE);
        let another = Opened::new(&bench, Modes::NONE);
        // A reader that starts a message wakes the reader of another file, as it needs memory for
        // the rest.
        for (file, room) in [(&file, 1), (&another, 9), (&file, 9)] {
            let file = file.clone();
            model::spawn(move || file.read(room));
        }
        queue(&bench, b"ab");
        model::settle();
        assert_eq!(bench.pipe.show(&file.handle).rest, 0);
        Pipe::shutdown(&bench.pipe);
        model::join();
        file.close();
        another.close();
        bench.dead();
    });
}

#[test]
fn closing_gives_the_slot_of_a_rest_back() {
    model::check("closing_gives_the_slot_of_a_rest_back", 3, || {
        let bench = Bench::new(1, b"");
        queue(&bench, b"abc");
        let reader = Opened::new(&bench, Modes::NONE);
        assert_eq!(reader.read(1), Ok(b"a".to_vec()));
        let sender = bench.sender(b'd');
        model::spawn(move || reader.close());
        model::join();
        assert_eq!(sender.result(), Some(Ok(())));
        assert_eq!(drain(&bench), "[d]");
    });
}

#[test]
fn lines_of_two_tasks_are_whole() {
    model::check("lines_of_two_tasks_are_whole", 2, || {
        let bench = Bench::new(4, b"");
        let file = Opened::new(&bench, Modes::LINES);
        let written = [b"a\nb", b"c\nd"].map(|bytes| {
            let (file, user) = (file.clone(), bench.user());
            model::spawn(move || file.write(bytes, &user))
        });
        model::join();
        for write in written {
            assert_eq!(write.result(), Some(Ok(3)));
        }
        let before = drain(&bench);
        file.close();
        let all = before + &drain(&bench);
        // The second write continues the line that the first one has begun.
        let expected = ["[a\n][bc\n][d]", "[c\n][da\n][b]"];
        assert!(expected.contains(&all.as_str()), "{all:?}");
    });
}

#[test]
fn a_write_of_lines_waits_for_room_and_gives_its_turn_on() {
    model::check(
        "a_write_of_lines_waits_for_room_and_gives_its_turn_on",
        2,
        || {
            let bench = Bench::new(1, b"");
            let file = Opened::new(&bench, Modes::LINES);
            let written = [b"a\n", b"b\n"].map(|bytes| {
                let (file, user) = (file.clone(), bench.user());
                model::spawn(move || file.write(bytes, &user))
            });
            let reader = Opened::new(&bench, Modes::NONE);
            let read = model::spawn({
                let reader = reader.clone();
                move || [(); 2].map(|()| reader.read(9).unwrap_or_default())
            });
            model::join();
            for write in written {
                assert_eq!(write.result(), Some(Ok(2)));
            }
            let mut lines = read.result().unwrap_or_default();
            lines.sort();
            assert_eq!(lines, [b"a\n", b"b\n"]);
            reader.close();
            file.close();
        },
    );
}

#[test]
fn the_end_of_a_pipe_ends_writes_of_lines() {
    model::check("the_end_of_a_pipe_ends_writes_of_lines", 2, || {
        let bench = Bench::new(1, b"x");
        let file = Opened::new(&bench, Modes::LINES);
        let written = [b"a\n", b"b\n"].map(|bytes| {
            let (file, user) = (file.clone(), bench.user());
            model::spawn(move || file.write(bytes, &user))
        });
        let pipe = bench.pipe.clone();
        model::spawn(move || Pipe::shutdown(&pipe));
        model::join();
        for write in written {
            assert_eq!(write.result(), Some(Err(ENODEV)));
        }
        file.close();
        bench.dead();
    });
}

#[test]
fn no_line_stays_in_a_file_that_has_left_the_mode() {
    model::check("no_line_stays_in_a_file_that_has_left_the_mode", 2, || {
        let bench = Bench::new(4, b"");
        let file = Opened::new(&bench, Modes::LINES);
        for text in [&b"a\n"[..], b"b"] {
            let (file, user) = (file.clone(), bench.user());
            model::spawn(move || assert_eq!(file.write(text, &user), Ok(text.len())));
        }
        let left = model::spawn({
            let file = file.clone();
            move || file.pipe.set_modes(&file.handle, Modes::NONE, |_| ())
        });
        model::join();
        let view = file.pipe.show(&file.handle);
        match left.result() {
            Some(Ok(())) => assert_eq!((view.modes, view.line), (Modes::NONE, 0)),
            Some(Err(EBUSY)) => assert_eq!(view.modes, Modes::LINES),
            other => panic!("{other:?}"),
        }
        file.close();
    });
}
