// SPDX-License-Identifier: MIT OR Apache-2.0

//! Blocking, non-blocking and timed operations, tested with a pair of datagram sockets, which like a pipe
//! preserve message boundaries, can be polled, and support non-blocking calls.

use kmsgpipe::{Class, Errno, Error, Pipe};
use std::{
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    thread,
    time::{Duration, Instant},
};

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(60);

/// Returns two ends, each of which sends to the other.
fn pair() -> (Pipe, Pipe) {
    let (one, other) = UnixDatagram::pair().unwrap();
    (OwnedFd::from(one).into(), OwnedFd::from(other).into())
}

/// Returns a buffer for any message of these tests; only a real pipe reports its maximum message size.
fn buffer() -> Vec<u8> {
    vec![0; 64]
}

/// Sends until the pipe is full, and returns the number of messages.
fn fill(pipe: &Pipe) -> usize {
    let mut sent = 0;
    while pipe.try_send(b"filling").is_ok() {
        sent += 1;
    }
    sent
}

#[test]
fn message_boundaries_and_buffer_size_are_preserved() {
    let (one, other) = pair();
    let mut buffer = buffer();
    for message in [&b"first"[..], b"2", b"a longer one"] {
        one.send(message).unwrap();
    }
    assert_eq!(other.receive(&mut buffer).unwrap(), b"first");
    assert_eq!(other.try_receive(&mut buffer).unwrap(), b"2");
    assert_eq!(
        other.receive_timeout(&mut buffer, SHORT).unwrap(),
        b"a longer one"
    );
    assert_eq!(buffer.len(), 64);
}

/// Retries until there is a message. The borrow checker rejects this for a call that returns the message,
/// which would borrow the buffer in the arm that retries.
fn receive_in_loop<'b>(
    pipe: &Pipe,
    buffer: &'b mut Vec<u8>,
    mut meanwhile: impl FnMut(),
) -> &'b [u8] {
    loop {
        match pipe.try_receive_len(buffer) {
            Ok(len) => return &buffer[..len],
            Err(error) if error.class() == Class::WouldBlock => meanwhile(),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn receive_len_can_be_retried_in_a_loop() {
    let (one, other) = pair();
    let mut tries = 0;
    let mut buffer = buffer();
    let message = receive_in_loop(&other, &mut buffer, || {
        tries += 1;
        if tries == 3 {
            one.send(b"third").unwrap();
        }
    });
    assert_eq!(message, b"third");
    assert_eq!(tries, 3);

    one.send(b"four").unwrap();
    assert_eq!(other.receive_len(&mut buffer), Ok(4));
    one.send(b"fifth").unwrap();
    assert_eq!(other.receive_timeout_len(&mut buffer, LONG), Ok(5));
    let error = other.receive_timeout_len(&mut buffer, SHORT).unwrap_err();
    assert_eq!(error.class(), Class::TimedOut);
    let error = std::io::Error::from(other.try_receive_len(&mut buffer).unwrap_err());
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn try_receive_does_not_block_on_an_empty_pipe() {
    let (_one, other) = pair();
    let error = other.try_receive(&mut buffer()).unwrap_err();
    assert_eq!(error.class(), Class::WouldBlock);
    assert_eq!(error.errno(), Some(Errno::EAGAIN));
    assert!(error
        .to_string()
        .ends_with("without waiting: it is empty (EAGAIN)"));
}

#[test]
fn try_send_does_not_block_on_a_full_pipe() {
    let (one, other) = pair();
    let room = fill(&one);
    assert!(room > 0);
    let error = one.try_send(b"x").unwrap_err();
    assert!(error
        .to_string()
        .ends_with("without waiting: it is full (EAGAIN)"));
    for _ in 0..room {
        assert_eq!(other.try_receive(&mut buffer()).unwrap(), b"filling");
    }
    assert_eq!(fill(&one), room);
}

#[test]
fn timed_calls_wait_for_the_timeout() {
    let (one, other) = pair();
    fill(&one);
    let start = Instant::now();
    let received = other.receive_timeout(&mut buffer(), LONG).map(<[u8]>::len);
    assert_eq!(received, Ok(7));
    assert!(start.elapsed() < LONG / 2);

    let (one, other) = pair();
    fill(&one);
    for timeout in [Duration::ZERO, SHORT] {
        let start = Instant::now();
        let error = one.send_timeout(b"x", timeout).unwrap_err();
        assert!(matches!(error, Error::TimedOut { after, .. } if after == timeout));
        assert!(start.elapsed() >= timeout);

        let start = Instant::now();
        let error = one.receive_timeout(&mut buffer(), timeout).unwrap_err();
        assert_eq!(error.class(), Class::TimedOut);
        assert!(start.elapsed() >= timeout);
    }
    drop(other);
}

#[test]
fn zero_timeout_succeeds_on_a_ready_pipe() {
    let (one, other) = pair();
    one.send_timeout(b"now", Duration::ZERO).unwrap();
    assert_eq!(
        other
            .receive_timeout(&mut buffer(), Duration::ZERO)
            .unwrap(),
        b"now"
    );
    one.send_timeout(b"ever", Duration::MAX).unwrap();
    assert_eq!(
        other.receive_timeout(&mut buffer(), Duration::MAX).unwrap(),
        b"ever"
    );
}

#[test]
fn blocking_calls_wait_on_a_nonblocking_file() {
    let (one, other) = UnixDatagram::pair().unwrap();
    one.set_nonblocking(true).unwrap();
    other.set_nonblocking(true).unwrap();
    let (one, other): (Pipe, Pipe) = (OwnedFd::from(one).into(), OwnedFd::from(other).into());
    let room = fill(&one);
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(SHORT);
            for _ in 0..=room {
                other.receive(&mut buffer()).unwrap();
            }
        });
        // Waits for space until the other end receives, which then waits for this message.
        one.send(b"last").unwrap();
    });
    assert!(other.try_receive(&mut buffer()).is_err());
}

#[test]
fn readers_that_lose_a_race_still_time_out() {
    const MESSAGES: usize = 200;

    let (one, other) = pair();
    thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut received = 0;
                    let mut buffer = buffer();
                    let timeout = Duration::from_millis(300);
                    loop {
                        let start = Instant::now();
                        match other.receive_timeout(&mut buffer, timeout) {
                            Ok(message) => received += usize::from(message == b"raced for"),
                            Err(Error::TimedOut { .. }) => {
                                assert!(start.elapsed() >= timeout);
                                return received;
                            }
                            Err(error) => panic!("{error}"),
                        }
                    }
                })
            })
            .collect();
        for _ in 0..MESSAGES {
            one.send(b"raced for").unwrap();
        }
        let received: usize = readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .sum();
        assert_eq!(received, MESSAGES);
    });
}
