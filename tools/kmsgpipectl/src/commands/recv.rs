// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl recv`.

use super::{messages, unwritable};
use crate::{
    cli::{self, Patience, Wanted},
    failure::Failure,
    framing,
    record::Format,
    signals::{self, Held},
};
use kmsgpipe::{
    Access, Action, Class, Deadline, Error, Modes, Pipe, PipeName, ReceiveBatch, Record,
    RecordPipe, Result,
};
use nix::poll::{PollFd, PollFlags};
use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    time::Duration,
};

/// Receives messages and writes each to standard output before it takes the next one.
pub fn recv(args: &cli::Recv, json: bool) -> Result<(), Failure> {
    let source = Source::open(&args.pipe, args.output.chosen(json))?;
    // Whether to wait is for the options to say, and not for the default mode of the pipe.
    let pipe = source.pipe();
    pipe.set_mode(pipe.mode()? - Modes::EOF)?;
    let mut receiver = Receiver {
        source,
        patience: match args.all {
            true => Patience::NONE,
            false => args.patience,
        },
        // Without a buffer: what a message became goes out in one write, at once.
        output: io::stdout()
            .as_fd()
            .try_clone_to_owned()
            .map_err(|error| Failure::io("use standard output", &error))?
            .into(),
        encoded: Vec::new(),
    };
    let most = match args.count {
        0 => u64::MAX,
        _ if args.follow || args.all => u64::MAX,
        count => count,
    };
    let mut received = 0;
    while received < most {
        let failure = match receiver.receive() {
            // All that were there, which may be none.
            Ok(0) if args.all => break,
            Ok(0) => receiver.in_vain().into(),
            Ok(count) => {
                received = received.saturating_add(count);
                continue;
            }
            Err(failure) => failure,
        };
        return Err(match received {
            0 => failure,
            _ => failure.also(&format!("{} received before", messages(received))),
        });
    }
    Ok(())
}

/// Where messages come from, and what is written of them.
enum Source {
    /// They alone.
    Messages {
        pipe: Pipe,
        message: Vec<u8>,
        framing: framing::Output,
    },
    /// They, with what is known of them.
    Records {
        pipe: RecordPipe,
        batch: ReceiveBatch,
        format: Format,
    },
}

impl Source {
    /// Opens a pipe for what is wanted. Only what needs records receives them: a message alone is always
    /// received alone.
    fn open(name: &PipeName, wanted: Wanted) -> Result<Self> {
        Ok(match wanted {
            Wanted::Messages(framing) => Self::Messages {
                pipe: Pipe::open(name, Access::Read)?,
                message: Vec::new(),
                framing,
            },
            Wanted::Records(format) => Self::Records {
                pipe: RecordPipe::open(name, Access::Read)?,
                batch: ReceiveBatch::new(),
                format,
            },
        })
    }

    /// The pipe, to be asked.
    fn pipe(&self) -> &Pipe {
        match self {
            Self::Messages { pipe, .. } => pipe,
            Self::Records { pipe, .. } => pipe.pipe(),
        }
    }

    /// Takes a message, if there is one, and adds what is to be written of it to `out`. Returns how many
    /// messages were taken.
    ///
    /// A record is taken alone, too, but for one case, which [`RecordPipe::receive_record`] describes: a
    /// message of more than 72 bytes leaves the pipe between the two calls by which this program asks for its
    /// length and reads as much, and several short ones come in its place. As these are not in the pipe any
    /// more, all of them are written, even if that is more than were asked for: nothing is lost.
    fn take(&mut self, out: &mut Vec<u8>) -> Result<u64, Failure> {
        match self {
            Self::Messages {
                pipe,
                message,
                framing,
            } => {
                framing
                    .encode(pipe.try_receive(message)?, out)
                    .map_err(|why| Failure::new(Class::Failed, why))?;
                Ok(1)
            }
            Self::Records {
                pipe,
                batch,
                format,
            } => {
                let mut add = |record: Record<'_>| -> Result<(), Failure> {
                    let text = format.text(&record).map_err(unwritable)?;
                    out.extend_from_slice(text.as_bytes());
                    Ok(())
                };
                add(pipe.try_receive_record(batch)?)?;
                let mut taken = 1;
                for record in batch.records() {
                    add(record)?;
                    taken += 1;
                }
                Ok(taken)
            }
        }
    }
}

/// Receives one message after the other.
struct Receiver {
    source: Source,
    patience: Patience,
    output: File,
    encoded: Vec<u8>,
}

impl Receiver {
    /// Receives a message and writes it; returns how many messages that were, as [`Source::take`] does, or 0 if
    /// none came before the patience was at its end.
    ///
    /// Nothing is lost on the way: while the program waits, no message is in its hands, and while one
    /// is, signals that would end it are kept for later.
    fn receive(&mut self) -> Result<u64, Failure> {
        let patience = self.patience;
        let deadline = match patience {
            Patience { nonblock: true, .. } => Deadline::after(Duration::ZERO),
            Patience {
                timeout: Some(timeout),
                ..
            } => Deadline::after(timeout),
            _ => Deadline::NEVER,
        };
        loop {
            let ready = self.wait(deadline)?;
            let held = Held::begin().map_err(|errno| Failure::io("hold signals", &errno.into()))?;
            // When the deadline has come, one may still have arrived just now.
            let taken = self.take_one()?;
            drop(held);
            if taken > 0 {
                return Ok(taken);
            }
            // It was another reader that got what this one was woken for.
            if !ready || deadline.has_passed() {
                return Ok(0);
            }
        }
    }

    /// Waits until there may be a message, and returns whether that was so before the deadline.
    ///
    /// Ends the program when nobody reads its output any more, before it takes another message.
    fn wait(&self, deadline: Deadline) -> Result<bool, Failure> {
        let mut fds = [
            PollFd::new(self.source.pipe().as_fd(), PollFlags::POLLIN),
            // Asks for nothing, as errors are told of anyway.
            PollFd::new(self.output.as_fd(), PollFlags::empty()),
        ];
        let ready = deadline
            .poll(&mut fds)
            .map_err(|errno| Failure::io("wait for a message", &errno.into()))?;
        let [_, output] = fds;
        // The reading end of a pipe was closed, which is POLLERR, or that of a socket, which is POLLHUP.
        if output.any() != Some(false) {
            return Err(signals::output_is_closed());
        }
        Ok(ready)
    }

    /// Takes a message and writes it, if there is one; returns how many messages that were.
    fn take_one(&mut self) -> Result<u64, Failure> {
        self.encoded.clear();
        let taken = match self.source.take(&mut self.encoded) {
            Err(failure) if failure.class() == Class::WouldBlock => return Ok(0),
            result => result?,
        };
        self.output.write_all(&self.encoded).map_err(|error| {
            Failure::io("write to standard output", &error).also("what was to be written is lost")
        })?;
        Ok(taken)
    }

    /// Makes the error that no message came.
    fn in_vain(&self) -> Error {
        let object = self.source.pipe().path().to_owned();
        let action = Action::Receive;
        match self.patience.timeout {
            Some(after) => Error::TimedOut {
                action,
                object,
                after,
            },
            None => Error::WouldBlock { action, object },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use std::os::{
        fd::OwnedFd,
        unix::net::{UnixDatagram, UnixStream},
    };

    /// A receiver of what is sent to a socket, which behaves like a pipe here.
    fn receiver(output: OwnedFd, source: impl Fn(OwnedFd) -> Source) -> (UnixDatagram, Receiver) {
        let (sender, pipe) = UnixDatagram::pair().unwrap();
        let receiver = Receiver {
            source: source(pipe.into()),
            patience: Patience {
                timeout: Some(Duration::from_millis(200)),
                nonblock: false,
            },
            output: output.into(),
            encoded: Vec::new(),
        };
        (sender, receiver)
    }

    /// A source of messages alone.
    fn messages(fd: OwnedFd) -> Source {
        Source::Messages {
            pipe: fd.into(),
            message: vec![0; 16],
            framing: framing::Output::Text,
        }
    }

    /// A source of records.
    fn records(fd: OwnedFd) -> Source {
        Source::Records {
            pipe: fd.into(),
            batch: ReceiveBatch::new(),
            format: Format::Short,
        }
    }

    /// A record as the kernel writes it.
    fn record(pid: u32, payload: &[u8; 8]) -> Vec<u8> {
        let mut bytes = vec![0; 32];
        for value in [8, 1000, 100, pid, 0, 0, 1, 0] {
            bytes.extend(value.to_ne_bytes());
        }
        [&bytes[..], payload].concat()
    }

    #[test]
    fn no_message_is_taken_when_nobody_reads() {
        let (ours, socket) = UnixStream::pair().unwrap();
        drop(ours);
        let (ours, pipe) = nix::unistd::pipe().unwrap();
        drop(ours);
        // The tests ignore the signal, so that this returns.
        for output in [OwnedFd::from(socket), pipe] {
            let (sender, mut receiver) = receiver(output, messages);
            let failure = receiver.receive().unwrap_err();
            assert!(failure.message().contains("(EPIPE)"), "{failure:?}");
            sender.send(b"kept").unwrap();
            let failure = receiver.receive().unwrap_err();
            assert!(failure.message().contains("(EPIPE)"), "{failure:?}");
            let mut buffer = vec![0; 16];
            let pipe = receiver.source.pipe();
            assert_eq!(pipe.try_receive(&mut buffer).unwrap(), b"kept");
        }
    }

    #[test]
    fn what_is_taken_is_written() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let (sender, mut receiver) = receiver(theirs.into(), messages);
        sender.send(b"one").unwrap();
        assert_eq!(receiver.receive(), Ok(1));
        let mut buffer = [0; 16];
        assert_eq!(ours.recv(&mut buffer).unwrap(), 4);
        assert_eq!(&buffer[..4], b"one\n");
        receiver.patience = Patience::NONE;
        assert_eq!(receiver.receive(), Ok(0));
    }

    #[test]
    fn all_records_that_are_taken_are_written_at_once() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let (sender, mut receiver) = receiver(theirs.into(), records);
        // What the kernel makes of them where one is longer than 72 bytes and another program receives it.
        receiver.source = match receiver.source {
            Source::Records { pipe, format, .. } => {
                let mut batch = ReceiveBatch::new();
                sender
                    .send(&[record(1, b"one     "), record(2, b"two     ")].concat())
                    .unwrap();
                assert_eq!(pipe.receive_batch(&mut batch), Ok(2));
                Source::Records {
                    pipe,
                    batch,
                    format,
                }
            }
            other => other,
        };
        sender.send(&record(3, b"three   ")).unwrap();
        assert_eq!(receiver.receive(), Ok(2));
        assert_eq!(receiver.receive(), Ok(1));
        receiver.patience = Patience::NONE;
        assert_eq!(receiver.receive(), Ok(0));

        let mut buffer = [0; 256];
        let time = clock::short(Duration::ZERO);
        for expected in [
            format!("{time} uid 1000 pid 1: one     \n{time} uid 1000 pid 2: two     \n"),
            format!("{time} uid 1000 pid 3: three   \n"),
        ] {
            let len = ours.recv(&mut buffer).unwrap();
            assert_eq!(String::from_utf8_lossy(&buffer[..len]), expected);
        }
    }
}
