// SPDX-License-Identifier: GPL-2.0

//! Reads of several records and writes of several messages: none is lost, delivered twice or torn.

use super::*;
use crate::{
    log::wire,
    uapi::{Record, Send},
};

/// Returns the number at offset `at` of `bytes`.
fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("so many bytes")
}

/// Decodes `bytes`, which are whole records.
pub(super) fn records(bytes: &[u8]) -> Vec<(Record, Vec<u8>)> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let record = Record {
            seq: u64::from_ne_bytes(number(rest, std::mem::offset_of!(Record, seq))),
            len: u32::from_ne_bytes(number(rest, std::mem::offset_of!(Record, len))),
            deliveries: u32::from_ne_bytes(number(rest, std::mem::offset_of!(Record, deliveries))),
            lost: u64::from_ne_bytes(number(rest, std::mem::offset_of!(Record, lost))),
            ..Record::default()
        };
        let (this, behind) = rest.split_at(wire::record_len(record.len));
        let (payload, zeroes) = this[size_of::<Record>()..].split_at(record.len as usize);
        assert!(wire::is_zero(zeroes));
        assert!(payload.iter().all(|byte| *byte == payload[0]));
        found.push((record, payload.to_vec()));
        rest = behind;
    }
    found
}

/// Encodes one message of `len` bytes for each tag, for a write.
fn messages(tags: &[u8], len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for tag in tags {
        let begin = bytes.len();
        bytes.extend((len as u32).to_ne_bytes());
        bytes.resize(begin + size_of::<Send>(), 0);
        bytes.resize(bytes.len() + len, *tag);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    bytes
}

/// Returns the tags of records, and checks that the records are in order and delivered once.
fn tags(bytes: &[u8]) -> Vec<u8> {
    let all = records(bytes);
    assert!(all.is_sorted_by(|a, b| a.0.seq < b.0.seq));
    assert!(all.iter().all(|(record, _)| record.deliveries == 1));
    all.iter().map(|(_, payload)| payload[0]).collect()
}

/// Makes a pipe for `max_msgs` messages, and a file in the mode `RECORDS`.
fn bench(max_msgs: u32) -> (Bench, Opened) {
    let bench = Bench::new(max_msgs, b"");
    let file = Opened::new(&bench, Modes::RECORDS);
    (bench, file)
}

/// Closes the file, and checks that the pipe is empty and idle.
fn end(bench: &Bench, file: Opened) {
    assert_eq!(bench.pipe.snapshot().depth.msgs, 0);
    file.close();
    assert_eq!(bench.pipe.snapshot().open_counts.readers, 0);
}

/// Checks that a reader receives all messages of two writers of two messages each, in the order of
/// each writer.
fn writers_and_readers(name: &'static str, len: usize, absent: u32) {
    model::check(name, 2, move || {
        let (bench, file) = bench(2);
        let sent = [b"ab", b"cd"].map(|tags| {
            let (file, user) = (file.absent(absent), bench.user());
            model::spawn(move || {
                let bytes = messages(tags, len);
                assert_eq!(file.write(&bytes, &user), Ok(bytes.len()));
            })
        });
        let read = model::spawn({
            let file = file.absent(absent);
            move || {
                let mut all = Vec::new();
                while all.len() < 4 {
                    let bytes = file
                        .read(3 * wire::record_len(len as u32))
                        .expect("records");
                    all.extend(tags(&bytes));
                }
                all
            }
        });
        model::join();
        assert_eq!(sent.map(|writer| writer.result()), [Some(()), Some(())]);
        let all = read.result().unwrap_or_default();
        let place = |tag| all.iter().position(|found| *found == tag);
        assert_eq!(all.len(), 4);
        assert!(
            place(b'a') < place(b'b') && place(b'c') < place(b'd'),
            "{all:?}"
        );
        assert!(place(b'a').is_some() && place(b'c').is_some(), "{all:?}");
        end(&bench, file);
    });
}

#[test]
fn short_messages_of_two_writers() {
    writers_and_readers("short_messages_of_two_writers", 1, 0);
}

#[test]
fn long_messages_of_two_writers() {
    writers_and_readers("long_messages_of_two_writers", 100, 0);
}

#[test]
fn memory_that_is_not_there() {
    // The memory is absent for one copy of each read path, and for some more.
    writers_and_readers("memory_that_is_not_there", 1, 6);
}

/// Each message of a full pipe must be received before the next one is sent: a woken reader wakes a
/// writer.
#[test]
fn a_woken_reader_makes_room() {
    model::check("a_woken_reader_makes_room", 2, || {
        let (bench, file) = bench(1);
        let read = model::spawn({
            let file = file.clone();
            move || {
                let one = || tags(&file.read(wire::record_len(1)).expect("a record"));
                [one(), one(), one()].concat()
            }
        });
        let (writer, user) = (file.clone(), bench.user());
        let sent = model::spawn(move || writer.write(&messages(b"abc", 1), &user));
        model::join();
        assert_eq!(sent.result(), Some(Ok(messages(b"abc", 1).len())));
        assert_eq!(read.result(), Some(b"abc".to_vec()));
        end(&bench, file);
    });
}

#[test]
fn two_readers_share_what_there_is() {
    model::check("two_readers_share_what_there_is", 2, || {
        let (bench, file) = bench(4);
        let bytes = messages(b"abc", 1);
        let read = [1, 2].map(|count| {
            let file = file.clone();
            model::spawn(move || tags(&file.read(count * wire::record_len(1)).expect("records")))
        });
        let (writer, user) = (file.clone(), bench.user());
        let sent = model::spawn(move || writer.write(&bytes, &user));
        model::join();
        assert!(matches!(sent.result(), Some(Ok(_))));
        let mut all: Vec<u8> = read
            .iter()
            .filter_map(model::Spawned::result)
            .flatten()
            .collect();
        // A reader with room for two records may have got a single one.
        assert!(all.len() >= 2);
        let eof = Opened::new(&bench, Modes::EOF);
        while let Ok([tag]) = eof.read(9).as_deref() {
            all.push(*tag);
        }
        eof.close();
        all.sort_unstable();
        assert_eq!(all, b"abc");
        end(&bench, file);
    });
}

#[test]
fn the_end_of_a_pipe_ends_a_write_of_several() {
    model::check("the_end_of_a_pipe_ends_a_write_of_several", 2, || {
        let (bench, file) = bench(1);
        let (writer, user) = (file.clone(), bench.user());
        let sent = model::spawn(move || writer.write(&messages(b"ab", 1), &user));
        let pipe = bench.pipe.clone();
        model::spawn(move || Pipe::shutdown(&pipe));
        model::join();
        // The pipe may have accepted the first message.
        let one = messages(b"a", 1).len();
        let result = sent.result();
        assert!(
            [Some(Ok(one)), Some(Err(ENODEV))].contains(&result),
            "{result:?}"
        );
        file.close();
        bench.dead();
    });
}

#[test]
fn a_signal_ends_a_read_of_records_beside_a_rest() {
    model::check("a_signal_ends_a_read_of_records_beside_a_rest", 2, || {
        let (bench, file) = bench(2);
        let hit = model::spawn({
            let file = file.clone();
            move || file.read(200)
        });
        let (id, user) = (hit.id(), bench.user());
        let mut plain = file.clone();
        plain.records = false;
        model::spawn(move || {
            assert_eq!(
                plain.pipe.set_modes(&plain.handle, Modes::NONE, |_| ()),
                Ok(())
            );
            assert_eq!(plain.write(b"aa", &user), Ok(2));
            // It leaves a rest, unless the other reader has the message.
            let mut dest = IovIterDest::new(1, plain.behaviour);
            let first = Pipe::receive(&plain.pipe, &plain.handle, &mut dest, || true);
            assert!(matches!(first, Ok(1) | Err(EAGAIN)));
            model::signal(id);
        });
        model::join();
        match hit.result() {
            Some(Ok(bytes)) => assert_eq!(tags(&bytes), b"a"),
            Some(Err(ERESTARTSYS)) => {
                assert_eq!(file.pipe.show(&file.handle).rest, 1);
            }
            other => panic!("{other:?}"),
        }
        file.close();
    });
}
