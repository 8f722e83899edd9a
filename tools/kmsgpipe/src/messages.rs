// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sending and receiving one message at a time.

use crate::{
    action::Action,
    error::{Error, Result},
    pipe::Pipe,
    sys,
};
use kmsgpipe_sys::MSG_SIZE_MAX;
use nix::{errno::Errno, unistd};
use std::{
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

impl Pipe {
    /// Sends a message, and blocks while the pipe is full.
    ///
    /// # Errors
    ///
    /// The message was not sent. [`Error::EmptyMessage`], [`Error::TooLong`], and [`Error::System`]: `EINTR` if
    /// a signal was caught.
    pub fn send(&self, message: &[u8]) -> Result<()> {
        self.check_not_empty(message)?;
        self.retry_blocking(Action::Send, || {
            self.sent(message, unistd::write(self, message))
        })
    }

    /// Sends a message without blocking.
    ///
    /// # Errors
    ///
    /// The message was not sent. Those of [`Pipe::send`], and [`Error::WouldBlock`] if the pipe is full.
    pub fn try_send(&self, message: &[u8]) -> Result<()> {
        self.check_not_empty(message)?;
        self.sent(message, sys::write_nowait(self.as_fd(), message))
    }

    /// Sends a message, and waits at most `timeout` for space, also when other senders take it first.
    ///
    /// # Errors
    ///
    /// The message was not sent. Those of [`Pipe::send`], and [`Error::TimedOut`].
    pub fn send_timeout(&self, message: &[u8], timeout: Duration) -> Result<()> {
        self.check_not_empty(message)?;
        self.retry_until(Action::Send, timeout, || self.try_send(message))
    }

    /// Receives a message into `buffer`, and blocks while the pipe is empty.
    ///
    /// The buffer grows to the pipe's maximum message size and never shrinks, so it is best reused. The message
    /// is at its start.
    ///
    /// An open file in [`Modes::EOF`](crate::Modes::EOF) never blocks: while the pipe is empty, the error is
    /// [`Error::WouldBlock`]. In [`Modes::HUP`](crate::Modes::HUP) this is so when all writers have gone.
    ///
    /// # Errors
    ///
    /// No message was consumed. [`Error::WouldBlock`] at the end of the file, by
    /// [`Modes::END`](crate::Modes::END). [`Error::System`]: `EINTR` if a signal was caught, `ENOTTY` at the end of a file that is not a pipe.
    pub fn receive<'b>(&self, buffer: &'b mut Vec<u8>) -> Result<&'b [u8]> {
        let len = self.receive_len(buffer)?;
        Ok(&buffer[..len])
    }

    /// Receives a message as [`Pipe::receive`] does, and returns its length.
    ///
    /// # Errors
    ///
    /// No message was consumed. Those of [`Pipe::receive`].
    pub fn receive_len(&self, buffer: &mut Vec<u8>) -> Result<usize> {
        let len = self.retry_blocking(Action::Receive, || {
            self.read(buffer, |fd, buffer| unistd::read(fd, buffer))
        })?;
        self.received(len)
    }

    /// Receives a message as [`Pipe::receive`] does, but without blocking.
    ///
    /// # Errors
    ///
    /// No message was consumed. Those of [`Pipe::receive`], and [`Error::WouldBlock`] if the pipe is empty.
    pub fn try_receive<'b>(&self, buffer: &'b mut Vec<u8>) -> Result<&'b [u8]> {
        let len = self.try_receive_len(buffer)?;
        Ok(&buffer[..len])
    }

    /// Receives a message as [`Pipe::try_receive`] does, and returns its length.
    ///
    /// Unlike the message, the length does not borrow the buffer. The borrow checker accepts a function that
    /// retries in a loop and then returns the message only in this form.
    ///
    /// ```no_run
    /// use kmsgpipe::{Error, Pipe};
    ///
    /// fn next<'b>(pipe: &Pipe, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Error> {
    ///     loop {
    ///         match pipe.try_receive_len(buffer) {
    ///             Ok(len) => return Ok(&buffer[..len]),
    ///             Err(Error::WouldBlock { .. }) => std::thread::yield_now(),
    ///             Err(error) => return Err(error),
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// No message was consumed. Those of [`Pipe::try_receive`].
    pub fn try_receive_len(&self, buffer: &mut Vec<u8>) -> Result<usize> {
        self.received(self.read(buffer, sys::read_nowait)?)
    }

    /// Receives a message as [`Pipe::receive`] does, but waits at most `timeout`, also when other receivers
    /// take messages first.
    ///
    /// # Errors
    ///
    /// No message was consumed. Those of [`Pipe::receive`], and [`Error::TimedOut`].
    pub fn receive_timeout<'b>(
        &self,
        buffer: &'b mut Vec<u8>,
        timeout: Duration,
    ) -> Result<&'b [u8]> {
        let len = self.receive_timeout_len(buffer, timeout)?;
        Ok(&buffer[..len])
    }

    /// Receives a message as [`Pipe::receive_timeout`] does, and returns its length.
    ///
    /// # Errors
    ///
    /// No message was consumed. Those of [`Pipe::receive_timeout`].
    pub fn receive_timeout_len(&self, buffer: &mut Vec<u8>, timeout: Duration) -> Result<usize> {
        let len = self.retry_until(Action::Receive, timeout, || {
            self.read(buffer, sys::read_nowait)
        })?;
        self.received(len)
    }

    /// Reads one message with `call`, and grows the buffer if necessary. Returns 0 if the pipe is empty and the
    /// open file is at its end by `Modes::END`.
    fn read(
        &self,
        buffer: &mut Vec<u8>,
        call: impl Fn(BorrowedFd<'_>, &mut [u8]) -> nix::Result<usize>,
    ) -> Result<usize> {
        if buffer.is_empty() {
            buffer.resize(self.stats()?.msg_size as usize, 0);
        }
        loop {
            match call(self.as_fd(), buffer) {
                // Messages are never empty: this is the end of a pipe, by `Modes::END`, or not a pipe, which has no mode.
                Ok(0) => return self.mode().map(|_| 0),
                Ok(len) => return Ok(len),
                // The message stays queued. The maximum message size may also have grown since.
                Err(Errno::EMSGSIZE) if buffer.len() < MSG_SIZE_MAX as usize => {
                    let needed = self.stats()?.msg_size as usize;
                    let grown = if buffer.len() < needed {
                        needed
                    } else {
                        MSG_SIZE_MAX as usize
                    };
                    buffer.resize(grown, 0);
                }
                Err(errno) => return Err(self.failed(Action::Receive, errno)),
            }
        }
    }

    /// Converts the length of a message, which is 0 if the pipe was empty and the open file is at its end by
    /// `Modes::END`.
    ///
    /// The caller must not wait in this case: `poll(2)` reports such a file as readable, so it would spin.
    pub(crate) fn received(&self, len: usize) -> Result<usize> {
        match len {
            0 => Err(self.failed(Action::Receive, Errno::EAGAIN)),
            len => Ok(len),
        }
    }

    /// Rejects an empty message, which the kernel would ignore.
    fn check_not_empty(&self, message: &[u8]) -> Result<()> {
        match message {
            [] => Err(self.empty_message()),
            _ => Ok(()),
        }
    }

    /// Creates the error for an empty message.
    pub(crate) fn empty_message(&self) -> Error {
        Error::EmptyMessage {
            object: self.path().to_owned(),
        }
    }

    /// Converts the result of writing `message`.
    fn sent(&self, message: &[u8], result: nix::Result<usize>) -> Result<()> {
        match result {
            Ok(len) if len == message.len() => Ok(()),
            Ok(_) => Err(Error::NotAPipe {
                object: self.path().to_owned(),
                why: "it accepted a part of a message",
            }),
            Err(Errno::EMSGSIZE) => Err(self.too_long(message.len() as u64)),
            Err(errno) => Err(self.failed(Action::Send, errno)),
        }
    }

    /// Creates the error for a message of `len` bytes that is too long.
    pub fn too_long(&self, len: u64) -> Error {
        match self.stats() {
            Ok(stats) => Error::TooLong {
                object: self.path().to_owned(),
                len,
                msg_size: stats.msg_size,
            },
            Err(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{class::Class, pipe::tests::null};

    #[test]
    fn zero_length_is_would_block() {
        let pipe = null();
        assert_eq!(pipe.received(3), Ok(3));
        let error = pipe.received(0).unwrap_err();
        assert_eq!(error.class(), Class::WouldBlock);
        assert_eq!(
            error.to_string(),
            "cannot receive from /dev/null without waiting: it is empty (EAGAIN)"
        );
    }

    #[test]
    fn empty_message_is_rejected() {
        let pipe = null();
        let expected = Error::EmptyMessage {
            object: "/dev/null".into(),
        };
        assert_eq!(pipe.send(b""), Err(expected.clone()));
        assert_eq!(pipe.try_send(b""), Err(expected.clone()));
        assert_eq!(pipe.send_timeout(b"", Duration::ZERO), Err(expected));
    }

    #[test]
    fn end_of_file_is_a_mismatch() {
        let error = null().receive(&mut vec![0; 8]).unwrap_err();
        assert_eq!(error.class(), Class::Mismatch);
        let start =
            "cannot read the mode of the open file /dev/null: it does not support this request";
        assert!(error.to_string().starts_with(start), "{error}");
    }
}
