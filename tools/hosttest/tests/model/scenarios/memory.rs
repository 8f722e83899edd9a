// SPDX-License-Identifier: GPL-2.0

//! Ownership of memory: spare segments, segments of senders, and segments that a dump keeps.

use super::records::records;
use super::*;
use crate::pipe::Progress;

#[test]
fn trimming_beside_a_reader_and_a_writer() {
    model::check("trimming_beside_a_reader_and_a_writer", 3, || {
        let bench = Bench::new(1, b"x");
        let (reader, writer) = (bench.user(), bench.user().long(2));
        let received = model::spawn(move || [reader.receive(), reader.receive()]);
        let sent = model::spawn(move || [writer.send(b'a'), writer.send(b'b')]);
        bench.worker(2);
        bench.settle();
        assert_eq!(received.result(), Some([Ok(b'x'), Ok(b'a')]));
        assert_eq!(sent.result(), Some([Ok(()), Ok(())]));
        bench.finish();
    });
}

#[test]
fn two_writers_share_spare_segments() {
    model::check("two_writers_share_spare_segments", 3, || {
        let bench = Bench::new(3, b"");
        let long = bench.user().long(3);
        assert_eq!((long.send(b'x'), long.receive()), (Ok(()), Ok(b'x')));
        drop(long);
        let writers = [bench.user().long(2).absent(1), bench.user().long(1)];
        let sent = writers.map(|writer| model::spawn(move || writer.send(b'a')));
        bench.worker(2);
        bench.settle();
        assert_eq!(done(&sent.map(|writer| writer.result())), 2);
        bench.finish();
    });
}

#[test]
fn the_last_close_takes_the_spare_segments() {
    model::check("the_last_close_takes_the_spare_segments", 3, || {
        let bench = Bench::new(2, b"");
        for tag in *b"ab" {
            let (pipe, user) = (bench.pipe.clone(), bench.user().long(2));
            let file = pipe
                .attach(BOTH, Opener, Exclusivity::Ignored)
                .expect("a file");
            model::spawn(move || {
                assert_eq!(user.send(tag), Ok(()));
                assert!(user.receive().is_ok());
                Pipe::detach(&pipe, &file);
            });
        }
        bench.worker(1);
        let view = bench.settle();
        assert_eq!((view.open_counts.readers, view.open_counts.writers), (0, 0));
        assert_eq!(page::live(), 0);
        bench.finish();
    });
}

/// Dumps all messages, a few bytes at a time. Returns the sequence number and the tag of each.
pub(super) fn dump(pipe: &Arc<Pipe>) -> Result<Vec<(u64, u8)>> {
    let mut dump = pipe.dump()?;
    let mut all = Vec::new();
    let mut room = u64::MAX;
    let expected = loop {
        let mut out = [0; 96];
        let (bytes, end) = match dump.fill(&mut out, &mut room)? {
            Progress::More(bytes) => (bytes, None),
            Progress::Done {
                bytes,
                copied,
                missing,
            } => (bytes, Some((copied, missing))),
        };
        all.extend_from_slice(&out[..bytes]);
        if let Some((copied, missing)) = end {
            assert_eq!(missing, 0);
            break copied as usize;
        }
    };
    drop(dump);
    let found: Vec<_> = records(&all)
        .iter()
        .map(|(record, payload)| (record.seq, payload[0]))
        .collect();
    assert_eq!(found.len(), expected);
    Ok(found)
}

/// Starts a task that dumps all messages.
fn dumper(bench: &Bench) -> model::Spawned<Result<Vec<(u64, u8)>>> {
    let pipe = bench.pipe.clone();
    model::spawn(move || dump(&pipe))
}

/// Returns whether `found` is a part without gaps of `all`, the tags of all messages in order.
fn is_part(found: &[(u64, u8)], all: &[u8]) -> bool {
    let all: Vec<_> = (1..).zip(all.iter().copied()).collect();
    found.is_empty() || all.windows(found.len()).any(|part| part == found)
}

/// Makes a pipe for three messages that holds two, each of two segments.
fn two_long() -> Bench {
    let bench = Bench::new(3, b"");
    let user = bench.user().long(2);
    for tag in *b"ab" {
        assert_eq!(user.send(tag), Ok(()));
    }
    bench
}

#[test]
fn a_dump_beside_a_reader_and_a_writer() {
    model::check("a_dump_beside_a_reader_and_a_writer", 2, || {
        let bench = two_long();
        let dumper = dumper(&bench);
        let (reader, writer) = (bench.user(), bench.user().long(1));
        let received = model::spawn(move || [reader.receive(), reader.receive()]);
        model::spawn(move || writer.send(b'c'));
        bench.settle();
        assert_eq!(received.result(), Some([Ok(b'a'), Ok(b'b')]));
        let found = dumper.result().and_then(Result::ok).unwrap_or_default();
        assert!(is_part(&found, b"abc"), "{found:?}");
        bench.finish();
    });
}

#[test]
fn a_dump_beside_a_reader_and_a_clear() {
    model::check("a_dump_beside_a_reader_and_a_clear", 3, || {
        let bench = two_long();
        let dumper = dumper(&bench);
        let (user, pipe) = (bench.user().long(1), bench.pipe.clone());
        model::spawn(move || {
            assert_eq!(user.receive(), Ok(b'a'));
            assert_eq!(pipe.clear(), Ok(()));
            user.send(b'c')
        });
        bench.worker(1);
        bench.settle();
        let found = dumper.result().and_then(Result::ok).unwrap_or_default();
        assert!(is_part(&found, b"abc"), "{found:?}");
        assert!(found.len() < 3);
        bench.finish();
    });
}

#[test]
fn dumps_beside_the_end() {
    model::check("dumps_beside_the_end", 2, || {
        let bench = two_long();
        // The first dump to end wakes one of the others only.
        let dumpers = [dumper(&bench), dumper(&bench), dumper(&bench)];
        let pipe = bench.pipe.clone();
        model::spawn(move || Pipe::shutdown(&pipe));
        model::join();
        for dumper in dumpers {
            match dumper.result() {
                Some(Ok(found)) => assert!(found.is_empty() || found == [(1, b'a'), (2, b'b')]),
                other => assert_eq!(other, Some(Err(ENODEV))),
            }
        }
        bench.dead();
    });
}

#[test]
fn one_dump_at_a_time() {
    model::check("one_dump_at_a_time", 2, || {
        let bench = two_long();
        let dumpers = [dumper(&bench), dumper(&bench), dumper(&bench)];
        let id = dumpers[0].id();
        model::spawn(move || model::signal(id));
        bench.settle();
        for (index, dumper) in dumpers.into_iter().enumerate() {
            match dumper.result() {
                Some(Ok(found)) => assert_eq!(found, [(1, b'a'), (2, b'b')]),
                other => assert!(index == 0 && other == Some(Err(ERESTARTSYS))),
            }
        }
        bench.finish();
    });
}
