// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl recv`.

mod acks;

use super::unwritable;
use crate::{
    cli::{self, OutputFormat, WaitOptions},
    count::messages,
    failure::{warn, Failure},
    fdinfo::Fdinfo,
    framing,
    record::Format,
    signals::{self, BlockedSignals},
};
use acks::Acks;
use kmsgpipe::{
    Access, Action, Attach, Class, Deadline, Error, Kind, Modes, Overflow, Pipe, ReceiveBatch,
    Record, RecordPipe, Result, Start,
};
use nix::poll::{PollFd, PollFlags};
use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    time::Duration,
};

/// How long the program has a message on trust with `--ack`, unless `--lease` says otherwise. The help text names it.
const LEASE: Duration = Duration::from_secs(30);

/// Receives messages, and writes each before receiving the next.
pub fn recv(args: &cli::Recv, json: bool) -> Result<(), Failure> {
    let source = Source::open(args, args.output.selected(json))?;
    let pipe = source.pipe();
    attach(pipe, args)?;
    // The options decide whether to wait, not the default mode of the pipe.
    pipe.set_mode(pipe.mode()? - Modes::END)?;
    // Unbuffered: each message is written at once, in a single write.
    let output: File = io::stdout()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| Failure::io("use standard output", &error))?
        .into();
    let acks = args.ack.then(|| Acks::new(&output)).transpose();
    let mut receiver = Receiver {
        source,
        wait_options: match args.all {
            true => WaitOptions::NONE,
            false => args.wait,
        },
        acks: acks.map_err(|error| Failure::io("use standard output", &error))?,
        output,
        encoded: Encoded::default(),
        browses: args.browse,
    };
    let most = args.most();
    let mut received = 0;
    while received < most {
        let failure = match receiver.receive(most - received) {
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

/// Chooses what the pipe reads, and from where, unless that is what an open file reads anyway.
fn attach(pipe: &Pipe, args: &cli::Recv) -> Result<(), Failure> {
    let from = |start| match args.browse {
        true => Attach::Browse(start),
        false => Attach::Own(start),
    };
    let to = |start| {
        pipe.attach(from(start))
            .map_err(|error| match error.class() {
                Class::Usage if !args.browse => {
                    Failure::from(error).also("--since and --lines need --browse there")
                }
                _ => error.into(),
            })
    };
    match (args.since, args.lines) {
        _ if args.ack => Ok(pipe.attach(Attach::Lease {
            lease: args.lease.unwrap_or(LEASE),
            max_deliveries: args.max_deliveries,
        })?),
        (Some(start), _) => to(start),
        (None, Some(lines)) => {
            // The kernel has no request for the newest messages. Their numbers end at that of the next one to be
            // sent. Messages that are sent meanwhile come after them.
            to(Start::Now)?;
            match lines {
                0 => Ok(()),
                _ => to(Start::Seq(next_seq(pipe)?.saturating_sub(lines))),
            }
        }
        (None, None) if args.browse => to(Start::Oldest),
        (None, None) => Ok(()),
    }
}

/// Returns the sequence number of the message that the pipe reads next.
fn next_seq(pipe: &Pipe) -> Result<u64, Failure> {
    let shown = Fdinfo::of(pipe).and_then(|info| {
        let missing = || io::Error::other("it does not show the position of the file");
        info.next_seq.ok_or_else(missing)
    });
    shown.map_err(|error| {
        Failure::io(
            "read the number of the next message in /proc/self/fdinfo",
            &error,
        )
        .also("is procfs mounted there? Without it, use --since")
    })
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
        format: OutputFormat,
        /// Whether no other file misses the messages, so that those beyond the requested count may be left unwritten.
        is_alone: bool,
    },
}

/// Messages as they are written.
#[derive(Debug, Default)]
struct Encoded {
    bytes: Vec<u8>,
    /// Losses before a message: where its output begins, and how many messages were lost.
    losses: Vec<(usize, u64)>,
    /// Sequence number of the last message that came with its metadata.
    last_seq: Option<u64>,
}

impl Encoded {
    /// Discards all messages.
    fn clear(&mut self) {
        self.bytes.clear();
        self.losses.clear();
        self.last_seq = None;
    }

    /// Adds a message with its metadata.
    fn add(&mut self, record: &Record<'_>, format: OutputFormat) -> Result<(), Failure> {
        self.last_seq = Some(record.seq);
        // JSON has the number in the object.
        if record.lost > 0 && format != OutputFormat::Records(Format::Json) {
            self.losses.push((self.bytes.len(), record.lost));
        }
        match format {
            OutputFormat::Messages(framing) => self.add_payload(record.payload, framing),
            OutputFormat::Records(format) => {
                let text = format.text(record).map_err(unwritable)?;
                self.bytes.extend_from_slice(text.as_bytes());
                Ok(())
            }
        }
    }

    /// Adds a message without its metadata.
    fn add_payload(&mut self, payload: &[u8], framing: framing::Output) -> Result<(), Failure> {
        framing
            .encode(payload, &mut self.bytes)
            .map_err(|why| Failure::new(Class::Failed, why))
    }

    /// Writes the messages in a single write, except that each loss is reported before the message it precedes.
    fn write(&self, output: &mut impl Write, mut report: impl FnMut(u64)) -> io::Result<()> {
        let mut begin = 0;
        for (at, lost) in &self.losses {
            output.write_all(&self.bytes[begin..*at])?;
            report(*lost);
            begin = *at;
        }
        output.write_all(&self.bytes[begin..])
    }
}

/// Warns that messages were lost.
fn warn_of_loss(lost: u64) {
    warn(&format!("lost {} before this one", messages(lost)));
}

impl Source {
    /// Opens the pipe for the format of the output. Records are received only if the output needs metadata, if the
    /// pipe may lose messages, which only records tell, or to acknowledge messages by their numbers: only without
    /// records is a message always received alone.
    fn open(args: &cli::Recv, format: OutputFormat) -> Result<Self> {
        let name = &args.pipe;
        let node = name.locate();
        let is_alone =
            args.browse || args.ack || node.kind().is_ok_and(|kind| kind == Kind::Broadcast);
        let drops = node
            .overflow()
            .is_ok_and(|policy| policy != Overflow::Block);
        Ok(match format {
            OutputFormat::Messages(framing) if !is_alone && !drops => Self::Messages {
                pipe: Pipe::open(name, Access::Read)?,
                message: Vec::new(),
                framing,
            },
            format => Self::Records {
                pipe: RecordPipe::open(name, Access::Read)?,
                batch: ReceiveBatch::new(),
                format,
                is_alone,
            },
        })
    }

    /// Returns whether the program has received more than it has written.
    fn is_ahead(&self) -> bool {
        match self {
            Self::Messages { .. } => false,
            Self::Records { batch, .. } => !batch.is_empty(),
        }
    }

    /// Returns the pipe for queries.
    fn pipe(&self) -> &Pipe {
        match self {
            Self::Messages { pipe, .. } => pipe,
            Self::Records { pipe, .. } => pipe.pipe(),
        }
    }

    /// Receives a message, if there is one, and adds it to `out`. Returns the number of messages received.
    ///
    /// With records, this can be more than one, as described at [`RecordPipe::receive_record`]: a message of
    /// more than 72 bytes needs two calls, one for its length and one to read it. If another reader takes the
    /// message in between, the second call may return several shorter messages instead. They are no longer
    /// queued, so all of them are written, even if that exceeds `most`: no message is lost. If no other file gets
    /// them, `most` is kept.
    fn take(&mut self, most: u64, out: &mut Encoded) -> Result<u64, Failure> {
        match self {
            Self::Messages {
                pipe,
                message,
                framing,
            } => {
                out.add_payload(pipe.try_receive(message)?, *framing)?;
                Ok(1)
            }
            Self::Records {
                pipe,
                batch,
                format,
                is_alone,
            } => {
                out.add(&pipe.try_receive_record(batch)?, *format)?;
                let mut taken = 1;
                while taken < most || !*is_alone {
                    let Some(record) = batch.records().next() else {
                        break;
                    };
                    out.add(&record, *format)?;
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
    /// Acknowledges messages that the program has on trust.
    acks: Option<Acks>,
    encoded: Encoded,
    /// Whether the messages stay in the pipe.
    browses: bool,
}

impl Receiver {
    /// Receives a message, if possible at most `most`, and writes it. Returns the number of messages as
    /// [`Source::take`] does, or 0 if the timeout expired.
    ///
    /// No message is lost: while the program waits, it holds no message, and while it holds one, the signals
    /// that would end it are blocked. A message on trust needs no such care: it comes back.
    fn receive(&mut self, most: u64) -> Result<u64, Failure> {
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
            let ready = self.source.is_ahead() || self.wait(deadline)?;
            let held = match self.acks {
                Some(_) => None,
                None => {
                    let held = BlockedSignals::begin();
                    Some(held.map_err(|errno| Failure::io("hold signals", &errno.into()))?)
                }
            };
            // Tried once more at the deadline, because a message may just have arrived.
            let taken = self.take_one(most)?;
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

    /// Receives a message and writes it, if there is one, and acknowledges it if it is on trust. Returns the number of
    /// messages.
    fn take_one(&mut self, most: u64) -> Result<u64, Failure> {
        // A reader of the output that takes a part of a write may have taken one message of several.
        let most = self.acks.as_ref().map_or(most, |_| 1);
        self.encoded.clear();
        let taken = match self.source.take(most, &mut self.encoded) {
            Err(failure) if failure.class() == Class::WouldBlock => return Ok(0),
            result => result?,
        };
        let written = self.encoded.write(&mut self.output, warn_of_loss);
        written.map_err(|error| {
            let failure = Failure::io("write to standard output", &error);
            match self.browses || self.acks.is_some() {
                true => failure,
                false => failure.also("the message that was to be written is lost"),
            }
        })?;
        if let (Some(acks), Some(seq)) = (&self.acks, self.encoded.last_seq) {
            acks.acknowledge(self.source.pipe(), seq)?;
        }
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
            acks: None,
            encoded: Encoded::default(),
            browses: false,
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
            format: OutputFormat::Records(Format::Short),
            is_alone: false,
        }
    }

    /// Returns a record in the kernel's format, before which no message was lost.
    fn record(pid: u32, payload: &[u8; 8]) -> Vec<u8> {
        record_after(0, pid, payload)
    }

    /// Returns a record in the kernel's format, before which messages were lost.
    fn record_after(lost: u64, pid: u32, payload: &[u8; 8]) -> Vec<u8> {
        let mut bytes = vec![0; 24];
        bytes.extend(lost.to_ne_bytes());
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
            let failure = receiver.receive(1).unwrap_err();
            assert!(failure.message().contains("(EPIPE)"), "{failure:?}");
            sender.send(b"kept").unwrap();
            let failure = receiver.receive(1).unwrap_err();
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
        assert_eq!(receiver.receive(1), Ok(1));
        let mut buffer = [0; 16];
        assert_eq!(ours.recv(&mut buffer).unwrap(), 4);
        assert_eq!(&buffer[..4], b"one\n");
        receiver.wait_options = WaitOptions::NONE;
        assert_eq!(receiver.receive(1), Ok(0));
    }

    #[test]
    fn all_received_records_are_written_at_once() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let (sender, mut receiver) = receiver(theirs.into(), records);
        // The case in which another reader takes a message longer than 72 bytes.
        receiver.source = match receiver.source {
            Source::Records {
                pipe,
                format,
                is_alone,
                ..
            } => {
                let mut batch = ReceiveBatch::new();
                sender
                    .send(&[record(1, b"one     "), record(2, b"two     ")].concat())
                    .unwrap();
                assert_eq!(pipe.receive_batch(&mut batch), Ok(2));
                Source::Records {
                    pipe,
                    batch,
                    format,
                    is_alone,
                }
            }
            other => other,
        };
        sender.send(&record(3, b"three   ")).unwrap();
        assert_eq!(receiver.receive(1), Ok(2));
        assert_eq!(receiver.receive(1), Ok(1));
        receiver.wait_options = WaitOptions::NONE;
        assert_eq!(receiver.receive(1), Ok(0));

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

    #[test]
    fn files_that_read_alone_keep_the_count() {
        let (sender, pipe) = UnixDatagram::pair().unwrap();
        let three = [
            record(1, b"one     "),
            record(2, b"two     "),
            record(3, b"three   "),
        ];
        sender.send(&three.concat()).unwrap();
        let mut source = Source::Records {
            pipe: OwnedFd::from(pipe).into(),
            batch: ReceiveBatch::new(),
            format: OutputFormat::Messages(framing::Output::Text),
            is_alone: true,
        };
        // One read returns all of them, as for a file whose next length is not known.
        let Source::Records { pipe, batch, .. } = &mut source else {
            unreachable!();
        };
        assert_eq!(pipe.receive_batch(batch), Ok(3));
        for (most, taken, text) in [(2, 2, "one     \ntwo     \n"), (1, 1, "three   \n")] {
            let mut encoded = Encoded::default();
            assert!(source.is_ahead());
            assert_eq!(source.take(most, &mut encoded), Ok(taken));
            assert_eq!(String::from_utf8_lossy(&encoded.bytes), text);
        }
    }

    #[test]
    fn losses_are_reported_before_their_message() {
        let bytes = [
            record_after(3, 1, b"one     "),
            record(2, b"two     "),
            record_after(1, 3, b"three   "),
        ];
        let (sender, pipe) = UnixDatagram::pair().unwrap();
        let pipe = RecordPipe::from(OwnedFd::from(pipe));
        let text = OutputFormat::Messages(framing::Output::Raw);
        let json = OutputFormat::Records(Format::Json);
        for (format, losses) in [(text, &[(0, 3), (16, 1)][..]), (json, &[])] {
            sender.send(&bytes.concat()).unwrap();
            let mut batch = ReceiveBatch::new();
            assert_eq!(pipe.receive_batch(&mut batch), Ok(3));
            let mut encoded = Encoded::default();
            for record in batch.records() {
                encoded.add(&record, format).unwrap();
            }
            assert_eq!(encoded.losses, losses);
            let (mut written, mut reported) = (Vec::new(), Vec::new());
            encoded
                .write(&mut written, |lost| reported.push(lost))
                .unwrap();
            assert_eq!(written, encoded.bytes);
            let expected: Vec<u64> = losses.iter().map(|(_, lost)| *lost).collect();
            assert_eq!(reported, expected);
            encoded.clear();
            assert!(encoded.bytes.is_empty() && encoded.losses.is_empty());
        }
    }
}
