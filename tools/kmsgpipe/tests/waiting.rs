// SPDX-License-Identifier: MIT OR Apache-2.0

//! Waiting and not waiting, as far as a pair of datagram sockets behaves like a pipe: one write is
//! one message, one read is one message, and both can be polled and refuse to wait.

use kmsgpipe::{Class, Errno, Error, Pipe};
use std::{
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    thread,
    time::{Duration, Instant},
};

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(60);

/// Two ends, each of which can send to the other.
fn pair() -> (Pipe, Pipe) {
    let (one, other) = UnixDatagram::pair().unwrap();
    (OwnedFd::from(one).into(), OwnedFd::from(other).into())
}

/// A buffer for any message of these tests: only a real pipe can tell how large it has to be.
fn buffer() -> Vec<u8> {
    vec![0; 64]
}

/// Sends until there is no more room, and returns how much there was.
fn fill(pipe: &Pipe) -> usize {
    let mut sent = 0;
    while pipe.try_send(b"filling").is_ok() {
        sent += 1;
    }
    sent
}

#[test]
fn messages_keep_their_bounds_and_the_buffer_its_size() {
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

/// Tries until there is a message: the compiler would not accept this of a message that borrows the buffer in
/// the arm that tries again.
fn at_last<'b>(pipe: &Pipe, buffer: &'b mut Vec<u8>, mut meanwhile: impl FnMut()) -> &'b [u8] {
    loop {
        match pipe.try_receive_len(buffer) {
            Ok(len) => return &buffer[..len],
            Err(error) if error.class() == Class::WouldBlock => meanwhile(),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_length_can_be_tried_for_again_and_again() {
    let (one, other) = pair();
    let mut tries = 0;
    let mut buffer = buffer();
    let message = at_last(&other, &mut buffer, || {
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
fn an_empty_pipe_makes_nobody_wait_who_would_not() {
    let (_one, other) = pair();
    let error = other.try_receive(&mut buffer()).unwrap_err();
    assert_eq!(error.class(), Class::WouldBlock);
    assert_eq!(error.errno(), Some(Errno::EAGAIN));
    assert!(error
        .to_string()
        .ends_with("without waiting: it is empty (EAGAIN)"));
}

#[test]
fn a_full_pipe_makes_nobody_wait_who_would_not() {
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
fn a_timeout_lasts_as_long_as_it_says() {
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
fn a_message_that_is_there_needs_no_time() {
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
fn a_file_in_non_blocking_mode_waits_when_told_to() {
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
        // Waits for room while the other end sleeps, and the other end then waits for this.
        one.send(b"last").unwrap();
    });
    assert!(other.try_receive(&mut buffer()).is_err());
}

#[test]
fn readers_that_lose_a_race_keep_to_their_timeouts() {
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
