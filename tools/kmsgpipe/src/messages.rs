// SPDX-License-Identifier: MIT OR Apache-2.0

//! Sending and receiving messages, one at a time.

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
    /// Sends a message, and waits for room as long as need be.
    ///
    /// # Errors
    ///
    /// Nothing was sent then. [`Error::EmptyMessage`], [`Error::TooLong`], and [`Error::System`]:
    /// `EINTR` when a signal was caught.
    pub fn send(&self, message: &[u8]) -> Result<()> {
        self.check_not_empty(message)?;
        self.insist(Action::Send, || {
            self.sent(message, unistd::write(self, message))
        })
    }

    /// Sends a message if there is room at once.
    ///
    /// # Errors
    ///
    /// Nothing was sent then. As [`Pipe::send`], and [`Error::WouldBlock`].
    pub fn try_send(&self, message: &[u8]) -> Result<()> {
        self.check_not_empty(message)?;
        self.sent(message, sys::write_nowait(self.as_fd(), message))
    }

    /// Sends a message, and waits for room for `timeout` at most, whoever else sends meanwhile.
    ///
    /// # Errors
    ///
    /// Nothing was sent then. As [`Pipe::send`], and [`Error::TimedOut`].
    pub fn send_timeout(&self, message: &[u8], timeout: Duration) -> Result<()> {
        self.check_not_empty(message)?;
        self.within(Action::Send, timeout, || self.try_send(message))
    }

    /// Receives a message into `buffer`, and waits for one as long as need be.
    ///
    /// The buffer is made large enough for any message of the pipe, and never smaller, so that it is
    /// best used again. The message is at its beginning.
    ///
    /// An open file in [`Modes::EOF`] never waits: while the pipe is empty, the error is
    /// [`Error::WouldBlock`].
    ///
    /// # Errors
    ///
    /// No message was taken then. [`Error::WouldBlock`] in [`Modes::EOF`], and [`Error::System`]: `EINTR`
    /// when a signal was caught, `ENOTTY` for another file that has come to its end.
    pub fn receive<'b>(&self, buffer: &'b mut Vec<u8>) -> Result<&'b [u8]> {
        let len = self.receive_len(buffer)?;
        Ok(message_in(buffer, len))
    }

    /// Receives a message as [`Pipe::receive`] does, and returns its length.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::receive`]; no message was taken then.
    pub fn receive_len(&self, buffer: &mut Vec<u8>) -> Result<usize> {
        let len = self.insist(Action::Receive, || {
            self.read(buffer, |fd, buffer| unistd::read(fd, buffer))
        })?;
        self.received(len)
    }

    /// Receives a message into `buffer` if there is one at once; otherwise like [`Pipe::receive`].
    ///
    /// # Errors
    ///
    /// No message was taken then. As [`Pipe::receive`], and [`Error::WouldBlock`].
    pub fn try_receive<'b>(&self, buffer: &'b mut Vec<u8>) -> Result<&'b [u8]> {
        let len = self.try_receive_len(buffer)?;
        Ok(message_in(buffer, len))
    }

    /// Receives a message as [`Pipe::try_receive`] does, and returns its length.
    ///
    /// The length does not borrow the buffer, as the message does: a function that tries again until
    /// there is one, and then returns it, is only accepted by the compiler with this.
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
    /// Those of [`Pipe::try_receive`]; no message was taken then.
    pub fn try_receive_len(&self, buffer: &mut Vec<u8>) -> Result<usize> {
        self.received(self.read(buffer, sys::read_nowait)?)
    }

    /// Receives a message into `buffer`, and waits for one for `timeout` at most, whoever else
    /// receives meanwhile; otherwise like [`Pipe::receive`].
    ///
    /// # Errors
    ///
    /// No message was taken then. As [`Pipe::receive`], and [`Error::TimedOut`].
    pub fn receive_timeout<'b>(
        &self,
        buffer: &'b mut Vec<u8>,
        timeout: Duration,
    ) -> Result<&'b [u8]> {
        let len = self.receive_timeout_len(buffer, timeout)?;
        Ok(message_in(buffer, len))
    }

    /// Receives a message as [`Pipe::receive_timeout`] does, and returns its length.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::receive_timeout`]; no message was taken then.
    pub fn receive_timeout_len(&self, buffer: &mut Vec<u8>, timeout: Duration) -> Result<usize> {
        let len = self.within(Action::Receive, timeout, || {
            self.read(buffer, sys::read_nowait)
        })?;
        self.received(len)
    }

    /// Reads one message with `call`, into a buffer that is made large enough for it; returns 0 if there is
    /// none and the open file is in a mode that says so.
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
                // A message is never empty: it is a pipe in the mode EOF, or something that has no mode.
                Ok(0) => return self.mode().map(|_| 0),
                Ok(len) => return Ok(len),
                // The message stays where it is. The pipe may take longer ones by now, too.
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

    /// Makes a result of the length of a message, which is 0 if there was none and the mode is not to wait.
    ///
    /// Nobody may wait then: poll(2) says of such a file that it can be read.
    pub(crate) fn received(&self, len: usize) -> Result<usize> {
        match len {
            0 => Err(self.failed(Action::Receive, Errno::EAGAIN)),
            len => Ok(len),
        }
    }

    /// Refuses what the kernel would make no message of.
    fn check_not_empty(&self, message: &[u8]) -> Result<()> {
        match message {
            [] => Err(self.empty_message()),
            _ => Ok(()),
        }
    }

    /// Makes the error that a message has no bytes.
    pub(crate) fn empty_message(&self) -> Error {
        Error::EmptyMessage {
            object: self.path().to_owned(),
        }
    }

    /// Makes a result of what a write of `message` returned.
    fn sent(&self, message: &[u8], result: nix::Result<usize>) -> Result<()> {
        match result {
            Ok(len) if len == message.len() => Ok(()),
            Ok(_) => Err(Error::NotAPipe {
                object: self.path().to_owned(),
                why: "it took a part of a message",
            }),
            Err(Errno::EMSGSIZE) => Err(self.too_long(message.len() as u64)),
            Err(errno) => Err(self.failed(Action::Send, errno)),
        }
    }

    /// Makes the error that a message of `len` bytes is too long.
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

/// The message of `len` bytes at the beginning of a buffer.
fn message_in(buffer: &[u8], len: usize) -> &[u8] {
    buffer.get(..len).unwrap_or(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{class::Class, pipe::tests::null};

    #[test]
    fn nothing_where_the_mode_is_not_to_wait_is_an_empty_pipe() {
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
    fn no_bytes_are_no_message() {
        let pipe = null();
        let expected = Error::EmptyMessage {
            object: "/dev/null".into(),
        };
        assert_eq!(pipe.send(b""), Err(expected.clone()));
        assert_eq!(pipe.try_send(b""), Err(expected.clone()));
        assert_eq!(pipe.send_timeout(b"", Duration::ZERO), Err(expected));
    }

    #[test]
    fn an_end_of_file_is_no_message() {
        let error = null().receive(&mut vec![0; 8]).unwrap_err();
        assert_eq!(error.class(), Class::Mismatch);
        let start =
            "cannot read the mode of the open file /dev/null: it does not know this request";
        assert!(error.to_string().starts_with(start), "{error}");
    }
}
