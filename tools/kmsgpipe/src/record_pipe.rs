// SPDX-License-Identifier: MIT OR Apache-2.0

//! An open pipe through which messages pass with what is known of each, and several at a time.

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

/// The room that every record fits into.
const ANY: usize = record_len(MSG_SIZE_MAX);

/// An open pipe whose file is in [`Modes::RECORDS`]: messages are received with what is known of each, and
/// several are sent or received by one call.
///
/// Each method may be called by several threads at a time, each with a batch of its own: every message goes to
/// one of them. As a [`Pipe`], it can be registered with any event loop; then use the methods whose names begin
/// with `try`, which never wait.
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

/// How many messages a call is to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Amount {
    /// One, as far as that can be had.
    One,
    /// As many as there is room for.
    Many,
}

impl RecordPipe {
    /// Opens a pipe by its name, its number or its path, as [`Pipe::open`] does.
    ///
    /// Its file is in blocking mode and is closed by `execve(2)`. It is in [`Modes::RECORDS`], and in
    /// [`Modes::EOF`] if the default mode of the pipe has that.
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

    /// The pipe, to be asked and administered. Its methods that send and receive messages do not work in
    /// [`Modes::RECORDS`].
    pub fn pipe(&self) -> &Pipe {
        &self.pipe
    }

    /// Hands out the next message of `batch`. If there is none, receives one first, and waits for it as long
    /// as need be.
    ///
    /// The kernel has no call for exactly one record, only for as many as fit. So this receives into so little
    /// memory that two never fit. A message of more than 72 bytes needs more memory than that: the pipe is asked
    /// for its length, and it is received into memory of just that size. If it leaves the pipe in between, as
    /// another program receives it or it expires, several short ones may come in its place. They are in
    /// `batch` then, and the next calls hand them out: [`ReceiveBatch::len`] tells how many there are. Many
    /// messages are received faster by [`RecordPipe::receive_batch`].
    ///
    /// # Errors
    ///
    /// No message was taken then. [`Error::WouldBlock`] in [`Modes::EOF`], and [`Error::System`]: `EINTR`
    /// when a signal was caught, `ENOTTY` for another file.
    pub fn receive_record<'b>(&self, batch: &'b mut ReceiveBatch) -> Result<Record<'b>> {
        self.receive(batch, Amount::One)?;
        self.next(batch)
    }

    /// Hands out the next message of `batch` as [`RecordPipe::receive_record`] does, but does not wait.
    ///
    /// # Errors
    ///
    /// No message was taken then. As [`RecordPipe::receive_record`], and [`Error::WouldBlock`].
    pub fn try_receive_record<'b>(&self, batch: &'b mut ReceiveBatch) -> Result<Record<'b>> {
        self.try_receive(batch, Amount::One)?;
        self.next(batch)
    }

    /// Hands out the next message of `batch` as [`RecordPipe::receive_record`] does, but waits for `timeout` at
    /// most, whoever else receives meanwhile.
    ///
    /// # Errors
    ///
    /// No message was taken then. As [`RecordPipe::receive_record`], and [`Error::TimedOut`].
    pub fn receive_record_timeout<'b>(
        &self,
        batch: &'b mut ReceiveBatch,
        timeout: Duration,
    ) -> Result<Record<'b>> {
        self.receive_timeout(batch, Amount::One, timeout)?;
        self.next(batch)
    }

    /// Receives messages into `batch`, as many as are there and fit, and waits for the first one as long as
    /// need be. Returns how many there are, which is at least one.
    ///
    /// Messages that are in `batch` already are not lost: while there are some, no more are received.
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
    /// No message was taken then. Those of [`RecordPipe::receive_record`].
    pub fn receive_batch(&self, batch: &mut ReceiveBatch) -> Result<usize> {
        self.receive(batch, Amount::Many)
    }

    /// Receives messages as [`RecordPipe::receive_batch`] does, but does not wait for the first one.
    ///
    /// # Errors
    ///
    /// No message was taken then. Those of [`RecordPipe::try_receive_record`].
    pub fn try_receive_batch(&self, batch: &mut ReceiveBatch) -> Result<usize> {
        self.try_receive(batch, Amount::Many)
    }

    /// Receives messages as [`RecordPipe::receive_batch`] does, but waits for the first one for `timeout` at
    /// most, whoever else receives meanwhile.
    ///
    /// # Errors
    ///
    /// No message was taken then. Those of [`RecordPipe::receive_record_timeout`].
    pub fn receive_batch_timeout(
        &self,
        batch: &mut ReceiveBatch,
        timeout: Duration,
    ) -> Result<usize> {
        self.receive_timeout(batch, Amount::Many, timeout)
    }

    /// Sends the messages of `batch` by one call, and waits for room as long as need be. Returns how many were
    /// accepted: all, unless a signal was caught or the pipe was destroyed after the first one, or somebody has
    /// put the file into non-blocking mode. They are taken out of `batch`.
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
    /// Nothing was sent then, and `batch` is as it was. [`Error::EmptyMessage`] and [`Error::TooLong`] if one
    /// of the messages is so, and [`Error::System`]: `EINTR` when a signal was caught.
    pub fn send_batch(&self, batch: &mut SendBatch) -> Result<usize> {
        self.pipe.insist(Action::Send, || {
            self.write(batch, |fd, bytes| unistd::write(fd, bytes))
        })
    }

    /// Sends those of the first messages of `batch` for which there is room at once, as
    /// [`RecordPipe::send_batch`] does. Returns how many were accepted.
    ///
    /// # Errors
    ///
    /// Nothing was sent then, and `batch` is as it was. As [`RecordPipe::send_batch`], and
    /// [`Error::WouldBlock`].
    pub fn try_send_batch(&self, batch: &mut SendBatch) -> Result<usize> {
        self.write(batch, sys::write_nowait)
    }

    /// Waits for room for `timeout` at most, whoever else sends meanwhile, and then sends those of the first
    /// messages of `batch` for which there is room at once. Returns how many were accepted.
    ///
    /// # Errors
    ///
    /// Nothing was sent then, and `batch` is as it was. As [`RecordPipe::send_batch`], and [`Error::TimedOut`].
    pub fn send_batch_timeout(&self, batch: &mut SendBatch, timeout: Duration) -> Result<usize> {
        // What cannot be sent needs no time.
        if batch.is_empty() || batch.has_empty() {
            return self.try_send_batch(batch);
        }
        self.pipe
            .within(Action::Send, timeout, || self.try_send_batch(batch))
    }

    /// Receives messages unless there are some, and waits for the first one as long as need be.
    fn receive(&self, batch: &mut ReceiveBatch, amount: Amount) -> Result<usize> {
        let len = self.pipe.insist(Action::Receive, || {
            self.read(batch, amount, |fd, bytes| unistd::read(fd, bytes))
        })?;
        self.pipe.received(len)
    }

    /// Receives messages unless there are some, without waiting.
    fn try_receive(&self, batch: &mut ReceiveBatch, amount: Amount) -> Result<usize> {
        self.pipe
            .received(self.read(batch, amount, sys::read_nowait)?)
    }

    /// Receives messages unless there are some, and waits for the first one for `timeout` at most.
    fn receive_timeout(
        &self,
        batch: &mut ReceiveBatch,
        amount: Amount,
        timeout: Duration,
    ) -> Result<usize> {
        // What is there already needs no time.
        if !batch.is_empty() {
            return Ok(batch.len());
        }
        let len = self.pipe.within(Action::Receive, timeout, || {
            self.read(batch, amount, sys::read_nowait)
        })?;
        self.pipe.received(len)
    }

    /// Receives messages with `call` unless there are some; returns how many there are, which is 0 if there is
    /// none and the open file is in a mode that says so.
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
            // No bytes at all would always be read.
            Amount::Many => batch.room().max(ONE),
        };
        let read = |bytes: &mut [u8]| match call(self.as_fd(), bytes) {
            Ok(len) => Ok(Some(len)),
            Err(Errno::EMSGSIZE) => Ok(None),
            Err(errno) => Err(self.pipe.failed(Action::Receive, errno)),
        };
        match batch.fill(room, read, |room| self.room_for_next(amount, room))? {
            // A record is never empty: it is a pipe in the mode EOF, or something that has no mode.
            Some(0) => self.pipe.mode().map(|_| 0),
            Some(len) => Ok(len),
            None => Err(self.no_record()),
        }
    }

    /// The room for the next record, which did not fit into `room`. It stays where it is meanwhile, unless
    /// another program receives it.
    fn room_for_next(&self, amount: Amount, room: usize) -> Result<usize> {
        let stats = self.pipe.stats()?;
        match amount {
            Amount::One => Ok(stats.head.map_or(ONE, |head| record_len(head.len)).max(ONE)),
            Amount::Many if room >= ANY => Err(self.pipe.failed(Action::Receive, Errno::EMSGSIZE)),
            Amount::Many => {
                // The pipe may have taken longer messages a moment ago than it does now.
                let longest = record_len(stats.msg_size);
                Ok(if room < longest { longest } else { ANY })
            }
        }
    }

    /// The next message of a batch that has some.
    fn next<'b>(&self, batch: &'b mut ReceiveBatch) -> Result<Record<'b>> {
        batch.records().next().ok_or_else(|| self.no_record())
    }

    /// Makes the error that something else was read than records.
    fn no_record(&self) -> Error {
        self.no_pipe("what it returned is no record")
    }

    /// Makes the error that it does what no pipe does.
    fn no_pipe(&self, why: &'static str) -> Error {
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
                .ok_or_else(|| self.no_pipe("it took a part of a message")),
            Err(Errno::EMSGSIZE) => Err(self.pipe.too_long(batch.longest().into())),
            Err(errno) => Err(self.pipe.failed(Action::Send, errno)),
        }
    }
}

/// The mode for records, and otherwise as `default` has it.
fn modes(default: Modes) -> Modes {
    Modes::RECORDS | (default & Modes::EOF)
}

impl From<OwnedFd> for RecordPipe {
    /// Takes an open file for a pipe; what is none fails when it is used.
    ///
    /// It stays in its mode, as others may share it: the methods need [`Modes::RECORDS`].
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
    fn records_come_whatever_the_default_mode() {
        let (records, eof) = (Modes::RECORDS, Modes::EOF);
        for (default, expected) in [
            (Modes::empty(), records),
            (Modes::WHOLE | Modes::LINES, records),
            (Modes::WHOLE | eof, records | eof),
            (records | eof, records | eof),
        ] {
            assert_eq!(modes(default), expected, "{default}");
        }
    }

    #[test]
    fn what_is_no_pipe_is_none() {
        let error = RecordPipe::open("4294967295", Access::Read).unwrap_err();
        assert_eq!(error.class(), Class::NotFound);
        let error = RecordPipe::open("/dev/null", Access::Read).unwrap_err();
        assert_eq!(error.class(), Class::Mismatch);
        assert_eq!(error.errno(), Some(Errno::ENOTTY));

        let file = File::options().read(true).write(true).open("/dev/null");
        let pipe = RecordPipe::from(OwnedFd::from(file.unwrap()));
        assert_eq!(pipe.pipe().path(), Path::new("/dev/null"));
        // An end of the file is no message.
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
            "/dev/zero is no pipe of kmsgpipe: what it returned is no record; `kmsgpipectl list` shows \
             the pipes"
        );
        assert!(batch.is_empty());
    }
}
