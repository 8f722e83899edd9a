// SPDX-License-Identifier: MIT OR Apache-2.0

//! Records and batches, tested with a pair of datagram sockets, which like a pipe in records mode preserve
//! the boundaries of reads and writes.

use kmsgpipe::{Class, Error, ReceiveBatch, RecordPipe, SendBatch};
use std::{
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    thread,
    time::{Duration, Instant},
};

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(60);

/// Returns a pipe and the socket at its other end.
fn pair() -> (UnixDatagram, RecordPipe) {
    let (kernel, pipe) = UnixDatagram::pair().unwrap();
    (kernel, OwnedFd::from(pipe).into())
}

/// Returns records in the kernel's format, with these sequence numbers and payloads.
fn records(messages: &[(u64, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (seq, payload) in messages {
        for value in [*seq, 1, 2, 0] {
            bytes.extend(value.to_ne_bytes());
        }
        for value in [payload.len() as u32, 10, 20, 30, 1, 0, 1, 0] {
            bytes.extend(value.to_ne_bytes());
        }
        bytes.extend(*payload);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    bytes
}

/// Returns the sequence numbers of the remaining messages.
fn seqs(batch: &mut ReceiveBatch) -> Vec<u64> {
    batch.records().map(|record| record.seq).collect()
}

/// Returns a batch of messages to be sent.
fn messages(payloads: &[&[u8]]) -> SendBatch {
    let mut batch = SendBatch::new();
    for payload in payloads {
        batch.push(payload);
    }
    batch
}

#[test]
fn record_contains_the_metadata() {
    let (kernel, pipe) = pair();
    kernel.send(&records(&[(7, b"hello")])).unwrap();
    let mut batch = ReceiveBatch::new();
    let record = pipe.receive_record(&mut batch).unwrap();
    assert_eq!(record.payload, b"hello");
    assert_eq!(
        (record.seq, record.monotonic_ns, record.realtime_ns),
        (7, 1, 2)
    );
    assert!(record.age_ns > 1);
    assert_eq!((record.uid, record.gid, record.pid), (10, 20, 30));
    assert!(record.privileged);
    assert_eq!((record.deliveries, record.lost, record.priority), (1, 0, 0));
}

#[test]
fn buffered_records_are_returned_before_a_new_read() {
    let (kernel, pipe) = pair();
    let mut batch = ReceiveBatch::new();
    kernel
        .send(&records(&[(1, b"a"), (2, b"b"), (3, b"c")]))
        .unwrap();
    kernel.send(&records(&[(4, b"d")])).unwrap();
    assert_eq!(pipe.receive_batch(&mut batch), Ok(3));
    assert_eq!(batch.records().next().map(|record| record.seq), Some(1));
    assert_eq!(pipe.try_receive_batch(&mut batch), Ok(2));
    assert_eq!(pipe.receive_batch_timeout(&mut batch, SHORT), Ok(2));
    assert_eq!(pipe.receive_record(&mut batch).unwrap().seq, 2);
    let record = pipe.receive_record_timeout(&mut batch, SHORT).unwrap();
    assert_eq!((record.seq, record.payload), (3, &b"c"[..]));
    assert!(batch.is_empty());
    assert_eq!(pipe.try_receive_record(&mut batch).unwrap().seq, 4);
    let error = pipe.try_receive_record(&mut batch).unwrap_err();
    assert_eq!(error.class(), Class::WouldBlock);
    let error = pipe.try_receive_batch(&mut batch).unwrap_err();
    assert_eq!(error.class(), Class::WouldBlock);
}

#[test]
fn receive_waits_for_the_timeout() {
    let (kernel, pipe) = pair();
    let mut batch = ReceiveBatch::new();
    let start = Instant::now();
    let error = pipe.receive_record_timeout(&mut batch, SHORT).unwrap_err();
    assert!(matches!(error, Error::TimedOut { after: SHORT, .. }));
    let error = pipe.receive_batch_timeout(&mut batch, SHORT).unwrap_err();
    assert_eq!(error.class(), Class::TimedOut);
    assert!(start.elapsed() >= 2 * SHORT);
    kernel.send(&records(&[(1, b"a"), (2, b"b")])).unwrap();
    assert_eq!(pipe.receive_batch_timeout(&mut batch, LONG), Ok(2));
    assert_eq!(seqs(&mut batch), [1, 2]);
}

#[test]
fn blocking_receive_waits_on_a_nonblocking_file() {
    let (kernel, pipe) = UnixDatagram::pair().unwrap();
    pipe.set_nonblocking(true).unwrap();
    let pipe = RecordPipe::from(OwnedFd::from(pipe));
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(SHORT);
            kernel.send(&records(&[(1, b"late")])).unwrap();
        });
        let mut batch = ReceiveBatch::new();
        assert_eq!(pipe.receive_batch(&mut batch), Ok(1));
        assert_eq!(seqs(&mut batch), [1]);
    });
}

#[test]
fn batch_is_sent_in_one_call() {
    let (kernel, pipe) = pair();
    let mut bytes = [0; 256];
    let sends: [fn(&RecordPipe, &mut SendBatch) -> kmsgpipe::Result<usize>; 3] = [
        |pipe, batch| pipe.send_batch(batch),
        |pipe, batch| pipe.try_send_batch(batch),
        |pipe, batch| pipe.send_batch_timeout(batch, LONG),
    ];
    for send in sends {
        let mut batch = messages(&[b"one", b"two", b"3456789ab"]);
        assert_eq!(batch.len(), 3);
        assert_eq!(send(&pipe, &mut batch), Ok(3));
        assert!(batch.is_empty());
        assert_eq!(kernel.recv(&mut bytes).unwrap(), 32 + 32 + 40);
        assert_eq!(bytes[..4], 3_u32.to_ne_bytes());
        assert_eq!(&bytes[24..27], b"one");
        assert_eq!(bytes[64..68], 9_u32.to_ne_bytes());
        assert_eq!(&bytes[88..97], b"3456789ab");
    }
}

#[test]
fn unsent_messages_stay_in_the_batch() {
    let (kernel, pipe) = pair();
    let mut sent = 0;
    let mut batch = messages(&[b"a", b"b"]);
    while pipe.try_send_batch(&mut batch) == Ok(2) {
        sent += 1;
        batch = messages(&[b"a", b"b"]);
    }
    assert!(sent > 0);
    assert_eq!(batch.len(), 2);
    let error = pipe.send_batch_timeout(&mut batch, SHORT).unwrap_err();
    assert_eq!(error.class(), Class::TimedOut);
    assert_eq!(batch.len(), 2);
    kernel.recv(&mut [0; 64]).unwrap();
    assert_eq!(pipe.send_batch(&mut batch), Ok(2));
}

#[test]
fn empty_batch_or_message_sends_nothing() {
    let (kernel, pipe) = pair();
    kernel.set_nonblocking(true).unwrap();
    for payloads in [&[][..], &[&b"a"[..], b""]] {
        let mut batch = messages(payloads);
        let expected = match payloads {
            [] => Ok(0),
            _ => Err(Error::EmptyMessage {
                object: pipe.pipe().path().into(),
            }),
        };
        assert_eq!(pipe.send_batch(&mut batch), expected);
        assert_eq!(pipe.try_send_batch(&mut batch), expected);
        assert_eq!(pipe.send_batch_timeout(&mut batch, LONG), expected);
        assert_eq!(batch.len(), payloads.len());
    }
    assert!(kernel.recv(&mut [0; 64]).is_err());
}
