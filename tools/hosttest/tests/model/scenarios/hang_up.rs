// SPDX-License-Identifier: GPL-2.0

//! The mode `HUP`: no reader or poller sleeps through the end that the last writer leaves.

use super::*;
use crate::kernel_ext::sync::notify::events;

/// Kinds of pipes that the scenarios run on.
const KINDS: [Kind; 2] = [Kind::Queue, Kind::Broadcast { history: 0 }];

/// Opens a file that may only read.
fn open_reader(bench: &Bench, modes: Modes) -> Opened {
    let access = Access {
        write: false,
        ..BOTH
    };
    Opened::with_access(bench.pipe.clone(), access, modes)
}

/// Opens a file that may only write.
fn open_writer(bench: &Bench) -> Opened {
    let access = Access {
        read: false,
        ..BOTH
    };
    Opened::with_access(bench.pipe.clone(), access, Modes::NONE)
}

/// Starts a task that reads once.
fn read(file: &Opened) -> model::Spawned<Result<Vec<u8>>> {
    let file = file.clone();
    model::spawn(move || file.read(LONGEST as usize))
}

/// Closes `files`, destroys the pipe, and checks that nothing is left.
fn finish<const N: usize>(bench: Bench, files: [Opened; N]) {
    Pipe::shutdown(&bench.pipe);
    model::join();
    for file in files {
        file.close();
    }
    bench.dead();
}

#[test]
fn the_last_close_beside_readers_that_go_to_sleep() {
    for kind in KINDS {
        for modes in [Modes::HUP.bits(), Modes::HUP.bits() | Modes::RECORDS.bits()] {
            let modes = Modes::from_bits(modes).expect("a mode");
            let run = move || {
                let bench = Bench::of_kind(kind, 1);
                let files = [(); 2].map(|()| open_reader(&bench, modes));
                let writer = open_writer(&bench);
                let results = files.each_ref().map(read);
                model::spawn(move || writer.close());
                model::settle();
                for result in results {
                    assert_eq!(result.result(), Some(Ok(Vec::new())), "{kind:?}");
                }
                finish(bench, files);
            };
            model::check("the_last_close_beside_readers_that_go_to_sleep", 3, run);
        }
    }
}

#[test]
fn the_last_close_beside_a_reader_in_another_mode() {
    // The reader in another mode is woken, too. It gets the message that it leaves, or sleeps on.
    model::check("the_last_close_beside_a_reader_in_another_mode", 3, || {
        let bench = Bench::new(1, b"");
        let files = [Modes::HUP, Modes::NONE].map(|modes| open_reader(&bench, modes));
        let writer = open_writer(&bench);
        let [ending, staying] = files.each_ref().map(read);
        let user = bench.user();
        model::spawn(move || {
            assert_eq!(writer.write(b"a", &user), Ok(1));
            writer.close();
        });
        model::settle();
        let results = (ending.result(), staying.result());
        let (end, message) = (Some(Ok(Vec::new())), Some(Ok(b"a".to_vec())));
        assert!(
            results == (end.clone(), message.clone()) || results == (message, None),
            "{results:?}"
        );
        assert_eq!(bench.pipe.snapshot().depth.msgs, 0);
        finish(bench, files);
    });
}

#[test]
fn the_last_close_beside_a_new_writer() {
    for kind in KINDS {
        model::check("the_last_close_beside_a_new_writer", 3, move || {
            let bench = Bench::of_kind(kind, 1);
            let file = open_reader(&bench, Modes::HUP);
            let first = open_writer(&bench);
            let result = read(&file);
            model::spawn(move || first.close());
            let (pipe, user) = (bench.pipe.clone(), bench.user());
            let second = model::spawn(move || {
                let access = Access {
                    read: false,
                    ..BOTH
                };
                let file = Opened::with_access(pipe, access, Modes::NONE);
                assert_eq!(file.write(b"b", &user), Ok(1));
                file
            });
            model::settle();
            let got = result.result().expect("the end or a message");
            assert!(
                [Ok(Vec::new()), Ok(b"b".to_vec())].contains(&got),
                "{got:?}"
            );
            let left = u64::from(got == Ok(Vec::new()));
            assert_eq!(bench.pipe.snapshot().depth.msgs, left);
            finish(bench, [file, second.result().expect("a writer")]);
        });
    }
}

#[test]
fn the_last_close_beside_a_new_poller() {
    for kind in KINDS {
        model::check("the_last_close_beside_a_new_poller", 3, move || {
            let bench = Bench::of_kind(kind, 1);
            let file = open_reader(&bench, Modes::HUP);
            let writer = open_writer(&bench);
            let poller = file.poller(events::HUNG_UP);
            model::spawn(move || writer.close());
            model::settle();
            assert_eq!(poller.result(), Some(events::HUNG_UP));
            finish(bench, [file]);
        });
    }
}
