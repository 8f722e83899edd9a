// SPDX-License-Identifier: MIT OR Apache-2.0

//! An open pipe that transfers messages with their metadata, several in one call.

use crate::{
    action::Action,
    error::{Error, Result},
    modes::Modes,
    open::Access,
    pipe::Pipe,
    receive_batch::{ReceiveBatch, ONE},
    record::{record_len, Record},
    send_batch::SendBatch,
    sys,
};
use kmsgpipe_sys::MSG_SIZE_MAX;
use nix::{errno::Errno, unistd};
use std::{
    ffi::OsStr,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
    time::Duration,
};

/// The largest record, in bytes.
const ANY: usize = record_len(MSG_SIZE_MAX);

/// An open pipe in [`Modes::RECORDS`]: messages are received with their metadata, and one call sends or
/// receives several.
///
/// Threads may call methods concurrently, each with its own batch: each message is delivered to one of them.
/// Any event loop can poll it, like a [`Pipe`]; in that case use the methods whose names start with `try`,
/// which never block.
///
/// ```no_run
/// use kmsgpipe::{Access, ReceiveBatch, RecordPipe};
///
/// let pipe = RecordPipe::open("0", Access::Read)?;
/// let mut batch = ReceiveBatch::new();
/// loop {
///     let record = pipe.receive_record(&mut batch)?;
///     println!("{} bytes of user {}", record.payload.len(), record.uid);
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), kmsgpipe::Error>(())
/// ```
#[derive(Debug)]
pub struct RecordPipe {
    pipe: Pipe,
}

/// Why the kernel rejects a valid sequence of messages.
const REJECTED: &str =
    "the pipe has fewer priorities, or it is a broadcast pipe or browsed and allows no time to live; \
     `kmsgpipectl show` and `kmsgpipectl peers` tell";

/// How many messages a call receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Amount {
    /// One, if possible.
    One,
    /// As many as fit.
    Many,
}

impl RecordPipe {
    /// Opens a pipe by its name, number or path, as [`Pipe::open`] does.
    ///
    /// The file is in blocking mode and has close-on-exec set. Its mode is [`Modes::RECORDS`], plus
    /// [`Modes::EOF`] and [`Modes::HUP`] if these are set in the default mode of the pipe.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::open`].
    pub fn open(name: impl AsRef<OsStr>, access: Access) -> Result<Self> {
        let pipe = Pipe::open_as_is(name, access)?;
        let default = pipe.mode()?;
        let modes = modes(default);
        if modes != default {
            pipe.set_mode(modes)?;
        }
        Ok(Self { pipe })
    }

    /// Returns the pipe for queries and administration. Its methods that send and receive messages do not
    /// work in [`Modes::RECORDS`].
    pub fn pipe(&self) -> &Pipe {
        &self.pipe
    }

    /// Returns the next message of `batch`. If the batch is empty, receives a message first, and blocks while
    /// the pipe is empty.
    ///
    /// A read returns as many records as fit, so this reads into a buffer that is too small for two. A
    /// message of more than 72 bytes does not fit either: its length is queried, and the read repeated with
    /// exactly that size. If another reader takes the message or it expires in between, several shorter
    /// messages may be returned instead, and also if the file reads a subscription or browses, or if older messages
    /// are on trust ([`Attach`](crate::Attach)), where the length of its next message is not known. They stay in `batch` for
    /// the next calls: [`ReceiveBatch::len`] returns their number. [`RecordPipe::receive_batch`] is faster for many messages.
    ///
    /// # Errors
    ///
    /// No message was consumed. [`Error::WouldBlock`] in [`Modes::EOF`], and in [`Modes::HUP`] when all writers
    /// have gone. [`Error::System`]: `EINTR` if a signal was caught, `ENOTTY` if the file is not a pipe.
    pub fn receive_record<'b>(&self, batch: &'b mut ReceiveBatch) -> Result<Record<'b>> {
        self.receive(batch, Amount::One)?;
        self.next(batch)
    }

    /// Returns the next message of `batch` as [`RecordPipe::receive_record`] does, but without blocking.
    ///
    /// # Errors
    ///
    /// No message was consumed. Those of [`RecordPipe::receive_record`], and [`Error::WouldBlock`] if the
    /// pipe is empty.
    pub fn try_receive_record<'b>(&self, batch: &'b mut ReceiveBatch) -> Result<Record<'b>> {
        self.try_receive(batch, Amount::One)?;
        self.next(batch)
    }

    /// Returns the next message of `batch` as [`RecordPipe::receive_record`] does, but waits at most `timeout`,
    /// also when other receivers take messages first.
    ///
    /// # Errors
    ///
    /// No message was consumed. Those of [`RecordPipe::receive_record`], and [`Error::TimedOut`].
    pub fn receive_record_timeout<'b>(
        &self,
        batch: &'b mut ReceiveBatch,
        timeout: Duration,
    ) -> Result<Record<'b>> {
        self.receive_timeout(batch, Amount::One, timeout)?;
        self.next(batch)
    }

    /// Receives as many messages as are queued and fit into `batch`, and blocks while the pipe is empty.
    /// Returns the number of messages in the batch, which is at least 1.
    ///
    /// If `batch` is not empty, this receives nothing and returns the number of messages that are left.
    ///
    /// ```no_run
    /// use kmsgpipe::{Access, ReceiveBatch, RecordPipe};
    ///
    /// let pipe = RecordPipe::open("0", Access::Read)?;
    /// let mut batch = ReceiveBatch::new();
    /// loop {
    ///     pipe.receive_batch(&mut batch)?;
    ///     for record in batch.records() {
    ///         println!("number {}: {} bytes", record.seq, record.payload.len());
    ///     }
    /// }
    /// # #[allow(unreachable_code)]
    /// # Ok::<(), kmsgpipe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// No message was consumed. Those of [`RecordPipe::receive_record`].
    pub fn receive_batch(&self, batch: &mut ReceiveBatch) -> Result<usize> {
        self.receive(batch, Amount::Many)
    }

    /// Receives messages as [`RecordPipe::receive_batch`] does, but without blocking.
    ///
    /// # Errors
    ///
    /// No message was consumed. Those of [`RecordPipe::try_receive_record`].
    pub fn try_receive_batch(&self, batch: &mut ReceiveBatch) -> Result<usize> {
        self.try_receive(batch, Amount::Many)
    }

    /// Receives messages as [`RecordPipe::receive_batch`] does, but waits at most `timeout` for the first one,
    /// also when other receivers take messages first.
    ///
    /// # Errors
    ///
    /// No message was consumed. Those of [`RecordPipe::receive_record_timeout`].
    pub fn receive_batch_timeout(
        &self,
        batch: &mut ReceiveBatch,
        timeout: Duration,
    ) -> Result<usize> {
        self.receive_timeout(batch, Amount::Many, timeout)
    }

    /// Sends the messages of `batch` in one call, and blocks while the pipe is full. Removes the accepted
    /// messages from `batch` and returns their number. That is all of them, unless, after the first one, a
    /// signal was caught, the pipe was destroyed, or the shared open file is in non-blocking mode.
    ///
    /// ```no_run
    /// use kmsgpipe::{Access, RecordPipe, SendBatch};
    ///
    /// let pipe = RecordPipe::open("0", Access::Write)?;
    /// let mut batch = SendBatch::new();
    /// for message in [&b"one"[..], b"two", b"three"] {
    ///     batch.push(message);
    /// }
    /// while !batch.is_empty() {
    ///     pipe.send_batch(&mut batch)?;
    /// }
    /// # Ok::<(), kmsgpipe::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Nothing was sent, and `batch` is unchanged. [`Error::EmptyMessage`] or [`Error::TooLong`] if a message
    /// is invalid, and [`Error::System`]: `EINVAL` if the pipe has fewer priorities or allows no time to live, `EINTR` if a signal was
    /// caught.
    pub fn send_batch(&self, batch: &mut SendBatch) -> Result<usize> {
        self.pipe.retry_blocking(Action::Send, || {
            self.write(batch, |fd, bytes| unistd::write(fd, bytes))
        })
    }

    /// Sends as many messages of `batch`, in order, as fit without blocking. Removes them from `batch` and
    /// returns their number.
    ///
    /// # Errors
    ///
    /// Nothing was sent, and `batch` is unchanged. Those of [`RecordPipe::send_batch`], and
    /// [`Error::WouldBlock`] if the pipe is full.
    pub fn try_send_batch(&self, batch: &mut SendBatch) -> Result<usize> {
        self.write(batch, sys::write_nowait)
    }

    /// Waits at most `timeout` for space, also when other senders take it first, then sends as many messages of
    /// `batch`, in order, as fit without blocking. Removes them from `batch` and returns their number.
    ///
    /// # Errors
    ///
    /// Nothing was sent, and `batch` is unchanged. Those of [`RecordPipe::send_batch`], and
    /// [`Error::TimedOut`].
    pub fn send_batch_timeout(&self, batch: &mut SendBatch, timeout: Duration) -> Result<usize> {
        // An empty or invalid batch does not wait for space.
        if batch.is_empty() || batch.has_empty() {
            return self.try_send_batch(batch);
        }
        self.pipe
            .retry_until(Action::Send, timeout, || self.try_send_batch(batch))
    }

    /// Receives messages if `batch` is empty, and blocks for the first one.
    fn receive(&self, batch: &mut ReceiveBatch, amount: Amount) -> Result<usize> {
        let len = self.pipe.retry_blocking(Action::Receive, || {
            self.read(batch, amount, |fd, bytes| unistd::read(fd, bytes))
        })?;
        self.pipe.received(len)
    }

    /// Receives messages if `batch` is empty, without blocking.
    fn try_receive(&self, batch: &mut ReceiveBatch, amount: Amount) -> Result<usize> {
        self.pipe
            .received(self.read(batch, amount, sys::read_nowait)?)
    }

    /// Receives messages if `batch` is empty, and waits at most `timeout` for the first one.
    fn receive_timeout(
        &self,
        batch: &mut ReceiveBatch,
        amount: Amount,
        timeout: Duration,
    ) -> Result<usize> {
        // Received messages are returned without waiting.
        if !batch.is_empty() {
            return Ok(batch.len());
        }
        let len = self.pipe.retry_until(Action::Receive, timeout, || {
            self.read(batch, amount, sys::read_nowait)
        })?;
        self.pipe.received(len)
    }

    /// Receives messages with `call` if `batch` is empty, and returns the number of messages in it: 0 if the
    /// pipe is empty and the open file is at its end by [`Modes::END`].
    fn read(
        &self,
        batch: &mut ReceiveBatch,
        amount: Amount,
        call: impl Fn(BorrowedFd<'_>, &mut [u8]) -> nix::Result<usize>,
    ) -> Result<usize> {
        if !batch.is_empty() {
            return Ok(batch.len());
        }
        let room = match amount {
            Amount::One => ONE,
            // A read of 0 bytes would always succeed.
            Amount::Many => batch.room().max(ONE),
        };
        let read = |bytes: &mut [u8]| match call(self.as_fd(), bytes) {
            Ok(len) => Ok(Some(len)),
            Err(Errno::EMSGSIZE) => Ok(None),
            Err(errno) => Err(self.pipe.failed(Action::Receive, errno)),
        };
        match batch.fill(room, read, |room| self.room_for_next(amount, room))? {
            // Records are never empty: this is the end of a pipe, by `Modes::END`, or not a pipe, which has no mode.
            Some(0) => self.pipe.mode().map(|_| 0),
            Some(len) => Ok(len),
            None => Err(self.not_a_record()),
        }
    }

    /// Returns a read size for the next record, which did not fit into `room` bytes. The record stays queued,
    /// unless another reader takes it.
    fn room_for_next(&self, amount: Amount, room: usize) -> Result<usize> {
        if room >= ANY {
            return Err(self.pipe.failed(Action::Receive, Errno::EMSGSIZE));
        }
        let stats = self.pipe.stats()?;
        Ok(match amount {
            Amount::One => {
                let oldest = stats.head.map_or(0, |head| record_len(head.len));
                room_for(oldest, room)
            }
            Amount::Many => {
                // The message may predate a reduction of the pipe's maximum message size.
                let longest = record_len(stats.msg_size);
                if room < longest {
                    longest
                } else {
                    ANY
                }
            }
        })
    }

    /// Returns the next message of a batch that is not empty.
    fn next<'b>(&self, batch: &'b mut ReceiveBatch) -> Result<Record<'b>> {
        batch.records().next().ok_or_else(|| self.not_a_record())
    }

    /// Creates the error for data that is not a sequence of records.
    fn not_a_record(&self) -> Error {
        self.not_a_pipe("its data is not a record")
    }

    /// Creates the error for a file that does not behave like a pipe.
    fn not_a_pipe(&self, why: &'static str) -> Error {
        Error::NotAPipe {
            object: self.pipe.path().to_owned(),
            why,
        }
    }

    /// Sends messages with `call`, and returns how many were accepted.
    fn write(
        &self,
        batch: &mut SendBatch,
        call: impl Fn(BorrowedFd<'_>, &[u8]) -> nix::Result<usize>,
    ) -> Result<usize> {
        if batch.is_empty() {
            return Ok(0);
        }
        if batch.has_empty() {
            return Err(self.pipe.empty_message());
        }
        match call(self.as_fd(), batch.bytes()) {
            Ok(written) => batch
                .sent(written)
                .ok_or_else(|| self.not_a_pipe("it accepted a part of a message")),
            Err(Errno::EMSGSIZE) => Err(self.pipe.too_long(batch.longest().into())),
            Err(Errno::EINVAL) => Err(self.pipe.invalid(Action::Send, REJECTED.into())),
            Err(errno) => Err(self.pipe.failed(Action::Send, errno)),
        }
    }
}

/// Returns a read size for a record that did not fit into `room` bytes, where the record of the oldest message
/// of the pipe has `oldest` bytes.
///
/// If that would have fitted, another message is next: another reader took the one that did not fit, the oldest
/// one is on trust, or the file reads a subscription or browses. The length of the next one is not known then, so the size is doubled.
fn room_for(oldest: usize, room: usize) -> usize {
    if oldest > room {
        oldest
    } else {
        room.saturating_mul(2).min(ANY)
    }
}

/// Returns the records mode, plus those of [`Modes::END`] that `default` has.
fn modes(default: Modes) -> Modes {
    Modes::RECORDS | (default & Modes::END)
}

impl From<OwnedFd> for RecordPipe {
    /// Wraps an open file. If it is not a pipe, the methods fail.
    ///
    /// The mode stays as it is, because other processes may share the file: the methods require
    /// [`Modes::RECORDS`].
    fn from(fd: OwnedFd) -> Self {
        Self { pipe: fd.into() }
    }
}

impl From<RecordPipe> for OwnedFd {
    fn from(pipe: RecordPipe) -> Self {
        pipe.pipe.into()
    }
}

impl AsFd for RecordPipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

impl AsRawFd for RecordPipe {
    fn as_raw_fd(&self) -> RawFd {
        self.pipe.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::Class;
    use std::{fs::File, path::Path};

    #[test]
    fn records_mode_keeps_only_the_end() {
        let (records, eof, hup) = (Modes::RECORDS, Modes::EOF, Modes::HUP);
        for (default, expected) in [
            (Modes::empty(), records),
            (Modes::WHOLE | Modes::LINES, records),
            (Modes::WHOLE | eof, records | eof),
            (records | eof, records | eof),
            (Modes::LINES | hup, records | hup),
            (eof | hup, records | eof | hup),
        ] {
            assert_eq!(modes(default), expected, "{default}");
        }
    }

    #[test]
    fn room_grows_until_every_record_fits() {
        // The oldest message is the one that did not fit.
        assert_eq!(room_for(record_len(73), ONE), record_len(73));
        assert_eq!(room_for(ANY, ONE), ANY);
        // Another one is next, or there is none.
        for oldest in [0, record_len(1), ONE] {
            let mut room = ONE;
            let mut reads = 0;
            while room < ANY {
                let next = room_for(oldest, room);
                assert!(next > room && next <= ANY);
                room = next;
                reads += 1;
            }
            assert!(reads <= 14, "{reads}");
        }
    }

    #[test]
    fn other_files_are_rejected() {
        let error = RecordPipe::open("4294967295", Access::Read).unwrap_err();
        assert_eq!(error.class(), Class::NotFound);
        let error = RecordPipe::open("/dev/null", Access::Read).unwrap_err();
        assert_eq!(error.class(), Class::Mismatch);
        assert_eq!(error.errno(), Some(Errno::ENOTTY));

        let file = File::options().read(true).write(true).open("/dev/null");
        let pipe = RecordPipe::from(OwnedFd::from(file.unwrap()));
        assert_eq!(pipe.pipe().path(), Path::new("/dev/null"));
        // The end of a file is not a message.
        let mut batch = ReceiveBatch::new();
        let error = pipe.receive_record(&mut batch).unwrap_err();
        assert_eq!(error.class(), Class::Mismatch);
        assert!(batch.is_empty());
        let file = File::open("/dev/zero").unwrap();
        let pipe = RecordPipe::from(OwnedFd::from(file));
        let mut batch = ReceiveBatch::with_room(200);
        let error = pipe.receive_batch(&mut batch).unwrap_err();
        assert_eq!(error.class(), Class::NotFound);
        assert_eq!(
            error.to_string(),
            "/dev/zero is not a kmsgpipe pipe: its data is not a record; `kmsgpipectl list` lists the pipes"
        );
        assert!(batch.is_empty());
    }
}
