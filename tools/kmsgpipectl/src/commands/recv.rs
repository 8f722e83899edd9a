// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl recv`.

use super::unwritable;
use crate::{
    cli::{self, OutputFormat, WaitOptions},
    count::messages,
    failure::Failure,
    framing,
    record::Format,
    signals::{self, BlockedSignals},
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

/// Receives messages, and writes each before receiving the next.
pub fn recv(args: &cli::Recv, json: bool) -> Result<(), Failure> {
    let source = Source::open(&args.pipe, args.output.selected(json))?;
    // The options decide whether to wait, not the default mode of the pipe.
    let pipe = source.pipe();
    pipe.set_mode(pipe.mode()? - Modes::EOF)?;
    let mut receiver = Receiver {
        source,
        wait_options: match args.all {
            true => WaitOptions::NONE,
            false => args.wait,
        },
        // Unbuffered: each message is written at once, in a single write.
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
            // Everything was received.
            Ok(0) if args.all => break,
            Ok(0) => receiver.no_message().into(),
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

/// Source of messages, and how they are written.
enum Source {
    /// Payloads only.
    Messages {
        pipe: Pipe,
        message: Vec<u8>,
        framing: framing::Output,
    },
    /// Messages with their metadata.
    Records {
        pipe: RecordPipe,
        batch: ReceiveBatch,
        format: Format,
    },
}

impl Source {
    /// Opens a pipe for the format output. Records are received only if the output needs metadata, because only
    /// without records is a message always received alone.
    fn open(name: &PipeName, format: OutputFormat) -> Result<Self> {
        Ok(match format {
            OutputFormat::Messages(framing) => Self::Messages {
                pipe: Pipe::open(name, Access::Read)?,
                message: Vec::new(),
                framing,
            },
            OutputFormat::Records(format) => Self::Records {
                pipe: RecordPipe::open(name, Access::Read)?,
                batch: ReceiveBatch::new(),
                format,
            },
        })
    }

    /// Returns the pipe for queries.
    fn pipe(&self) -> &Pipe {
        match self {
            Self::Messages { pipe, .. } => pipe,
            Self::Records { pipe, .. } => pipe.pipe(),
        }
    }

    /// Receives a message, if there is one, and appends its output to `out`. Returns the number of messages
    /// received.
    ///
    /// With records, this can be more than one, as described at [`RecordPipe::receive_record`]: a message of
    /// more than 72 bytes needs two calls, one for its length and one to read it. If another reader takes the
    /// message in between, the second call may return several shorter messages instead. They are no longer
    /// queued, so all of them are written, even if that exceeds the requested count: no message is lost.
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

/// Receives and writes messages.
struct Receiver {
    source: Source,
    wait_options: WaitOptions,
    output: File,
    encoded: Vec<u8>,
}

impl Receiver {
    /// Receives a message and writes it. Returns the number of messages as [`Source::take`] does, or 0 if the
    /// timeout expired.
    ///
    /// No message is lost: while the program waits, it holds no message, and while it holds one, the signals
    /// that would end it are blocked.
    fn receive(&mut self) -> Result<u64, Failure> {
        let wait_options = self.wait_options;
        let deadline = match wait_options {
            WaitOptions { nonblock: true, .. } => Deadline::after(Duration::ZERO),
            WaitOptions {
                timeout: Some(timeout),
                ..
            } => Deadline::after(timeout),
            _ => Deadline::NEVER,
        };
        loop {
            let ready = self.wait(deadline)?;
            let held = BlockedSignals::begin()
                .map_err(|errno| Failure::io("hold signals", &errno.into()))?;
            // Tried once more at the deadline, because a message may just have arrived.
            let taken = self.take_one()?;
            drop(held);
            if taken > 0 {
                return Ok(taken);
            }
            // The wakeup was for a message that another reader took.
            if !ready || deadline.has_passed() {
                return Ok(0);
            }
        }
    }

    /// Waits until a message may be available. Returns `false` if the deadline passes first.
    ///
    /// If standard output has no reader any more, ends the program before it consumes another message.
    fn wait(&self, deadline: Deadline) -> Result<bool, Failure> {
        let mut fds = [
            PollFd::new(self.source.pipe().as_fd(), PollFlags::POLLIN),
            // No events are requested: errors are always reported.
            PollFd::new(self.output.as_fd(), PollFlags::empty()),
        ];
        let ready = deadline
            .poll(&mut fds)
            .map_err(|errno| Failure::io("wait for a message", &errno.into()))?;
        let [_, output] = fds;
        // POLLERR: the read end of a pipe was closed. POLLHUP: the peer of a socket was closed.
        if output.any() != Some(false) {
            return Err(signals::closed_output());
        }
        Ok(ready)
    }

    /// Receives a message and writes it, if there is one. Returns the number of messages.
    fn take_one(&mut self) -> Result<u64, Failure> {
        self.encoded.clear();
        let taken = match self.source.take(&mut self.encoded) {
            Err(failure) if failure.class() == Class::WouldBlock => return Ok(0),
            result => result?,
        };
        self.output.write_all(&self.encoded).map_err(|error| {
            Failure::io("write to standard output", &error)
                .also("the message that was to be written is lost")
        })?;
        Ok(taken)
    }

    /// Creates the error for a timeout or an empty pipe.
    fn no_message(&self) -> Error {
        let object = self.source.pipe().path().to_owned();
        let action = Action::Receive;
        match self.wait_options.timeout {
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

    /// Returns a receiver and a socket that sends to it, which behaves like a pipe here.
    fn receiver(output: OwnedFd, source: impl Fn(OwnedFd) -> Source) -> (UnixDatagram, Receiver) {
        let (sender, pipe) = UnixDatagram::pair().unwrap();
        let receiver = Receiver {
            source: source(pipe.into()),
            wait_options: WaitOptions {
                timeout: Some(Duration::from_millis(200)),
                nonblock: false,
            },
            output: output.into(),
            encoded: Vec::new(),
        };
        (sender, receiver)
    }

    /// A source of payloads.
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

    /// Returns a record in the kernel's format.
    fn record(pid: u32, payload: &[u8; 8]) -> Vec<u8> {
        let mut bytes = vec![0; 32];
        for value in [8, 1000, 100, pid, 0, 0, 1, 0] {
            bytes.extend(value.to_ne_bytes());
        }
        [&bytes[..], payload].concat()
    }

    #[test]
    fn no_message_is_consumed_without_an_output_reader() {
        let (ours, socket) = UnixStream::pair().unwrap();
        drop(ours);
        let (ours, pipe) = nix::unistd::pipe().unwrap();
        drop(ours);
        // The test harness ignores SIGPIPE, so this returns.
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
    fn received_messages_are_written() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let (sender, mut receiver) = receiver(theirs.into(), messages);
        sender.send(b"one").unwrap();
        assert_eq!(receiver.receive(), Ok(1));
        let mut buffer = [0; 16];
        assert_eq!(ours.recv(&mut buffer).unwrap(), 4);
        assert_eq!(&buffer[..4], b"one\n");
        receiver.wait_options = WaitOptions::NONE;
        assert_eq!(receiver.receive(), Ok(0));
    }

    #[test]
    fn all_received_records_are_written_at_once() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let (sender, mut receiver) = receiver(theirs.into(), records);
        // The case in which another reader takes a message longer than 72 bytes.
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
        receiver.wait_options = WaitOptions::NONE;
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
