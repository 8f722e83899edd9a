// SPDX-License-Identifier: MIT OR Apache-2.0

//! An open pipe.

use crate::{
    error::{Action, Error, Result},
    modes::Modes,
    name::PipeName,
    sys,
};
use kmsgpipe_sys::MSG_SIZE_MAX;
use nix::{
    errno::Errno,
    fcntl::{open, OFlag},
    sys::stat::{stat, Mode, SFlag},
    unistd,
};
use std::{
    ffi::OsStr,
    fs,
    os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd},
    path::{Path, PathBuf},
    time::Duration,
};

/// What a pipe is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To receive.
    Read,
    /// To send.
    Write,
    /// To receive and to send.
    ReadWrite,
}

impl Access {
    /// The flags for `open(2)`.
    fn flags(self) -> OFlag {
        let mode = match self {
            Self::Read => OFlag::O_RDONLY,
            Self::Write => OFlag::O_WRONLY,
            Self::ReadWrite => OFlag::O_RDWR,
        };
        mode | OFlag::O_CLOEXEC | OFlag::O_NOCTTY
    }

    /// The mode for sending and receiving whole messages, and otherwise as `default` has it.
    fn modes(self, default: Modes) -> Modes {
        let mut modes = default - Modes::RECORDS;
        if self != Self::Write {
            modes |= Modes::WHOLE;
        }
        if self != Self::Read {
            modes -= Modes::LINES;
        }
        modes
    }
}

/// An open pipe.
///
/// Each method may be called by several threads at a time: every message goes to one of them.
///
/// It can be registered with any event loop, as `tokio::io::unix::AsyncFd` does; then use
/// [`Pipe::try_send`] and [`Pipe::try_receive`], which never wait.
///
/// ```no_run
/// use kmsgpipe::{Access, Pipe};
///
/// let pipe = Pipe::open("0", Access::Read)?;
/// let mut buffer = Vec::new();
/// loop {
///     let message = pipe.receive(&mut buffer)?;
///     println!("{} bytes", message.len());
/// }
/// # #[allow(unreachable_code)]
/// # Ok::<(), kmsgpipe::Error>(())
/// ```
#[derive(Debug)]
pub struct Pipe {
    fd: OwnedFd,
    path: PathBuf,
}

impl Pipe {
    /// Opens a pipe by its name, its number or its path, as [`PipeName`] has them.
    ///
    /// Its file is in blocking mode and is closed by `execve(2)`. It is in the default mode of the pipe, with
    /// these changes: to receive, [`Modes::WHOLE`] is added, so that no message is received in parts; to send,
    /// [`Modes::LINES`] is taken away, so that each call sends one message; and [`Modes::RECORDS`] is taken away
    /// for both.
    ///
    /// # Errors
    ///
    /// [`Error::BadName`], [`Error::NotAPipe`] for what is no character device, and
    /// [`Error::System`]: `ENOENT` when there is no such pipe, `EACCES` without permission, `ENOTTY`
    /// for another device, or when the module is another version.
    pub fn open(name: impl AsRef<OsStr>, access: Access) -> Result<Self> {
        let pipe = Self::open_as_is(name, access)?;
        let default = pipe.mode()?;
        let modes = access.modes(default);
        if modes != default {
            pipe.set_mode(modes)?;
        }
        Ok(pipe)
    }

    /// Opens a pipe as [`Pipe::open`] does, and leaves the file in the default mode of the pipe: for what
    /// neither sends nor receives, or reads and writes the descriptor by itself.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::open`].
    pub fn open_as_is(name: impl AsRef<OsStr>, access: Access) -> Result<Self> {
        let path = PipeName::parse(name.as_ref())?.locate().path().to_owned();
        let failed = |errno| Error::system(Action::Open, &path, errno);

        // Looked at first, as opening another sort of file may already wait or change something.
        let kind = SFlag::from_bits_truncate(stat(&path).map_err(failed)?.st_mode) & SFlag::S_IFMT;
        if kind != SFlag::S_IFCHR {
            return Err(Error::NotAPipe {
                object: path,
                why: "it is no character device",
            });
        }
        let fd = open(&path, access.flags(), Mode::empty()).map_err(failed)?;
        let pipe = Self { fd, path };
        // A message must not end up on somebody's disk because of a wrong name.
        pipe.stats()?;
        Ok(pipe)
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sends a message, and waits for room as long as need be.
    ///
    /// # Errors
    ///
    /// Nothing was sent then. [`Error::EmptyMessage`], [`Error::TooLong`], and [`Error::System`]:
    /// `EINTR` when a signal was caught.
    pub fn send(&self, message: &[u8]) -> Result<()> {
        self.check_not_empty(message)?;
        self.insist(Action::Send, || {
            self.sent(message, unistd::write(&self.fd, message))
        })
    }

    /// Sends a message if there is room at once.
    ///
    /// # Errors
    ///
    /// Nothing was sent then. As [`Pipe::send`], and [`Error::WouldBlock`].
    pub fn try_send(&self, message: &[u8]) -> Result<()> {
        self.check_not_empty(message)?;
        self.sent(message, sys::write_nowait(self.fd.as_fd(), message))
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
            match call(self.fd.as_fd(), buffer) {
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
            object: self.path.clone(),
        }
    }

    /// Makes a result of what a write of `message` returned.
    fn sent(&self, message: &[u8], result: nix::Result<usize>) -> Result<()> {
        match result {
            Ok(len) if len == message.len() => Ok(()),
            Ok(_) => Err(Error::NotAPipe {
                object: self.path.clone(),
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
                object: self.path.clone(),
                len,
                msg_size: stats.msg_size,
            },
            Err(error) => error,
        }
    }

    /// Makes an error of a failed system call.
    pub(crate) fn failed(&self, action: Action, errno: Errno) -> Error {
        match errno {
            Errno::EAGAIN => Error::WouldBlock {
                action,
                object: self.path.clone(),
            },
            errno => Error::system(action, &self.path, errno),
        }
    }
}

/// The message of `len` bytes at the beginning of a buffer.
fn message_in(buffer: &[u8], len: usize) -> &[u8] {
    buffer.get(..len).unwrap_or(buffer)
}

impl From<OwnedFd> for Pipe {
    /// Takes an open file for a pipe; what is none fails when it is used.
    ///
    /// It stays in its mode, as others may share it: [`Pipe::set_mode`] says which mode the methods need.
    fn from(fd: OwnedFd) -> Self {
        let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let path = fs::read_link(&link).unwrap_or_else(|_| link.into());
        Self { fd, path }
    }
}

impl From<Pipe> for OwnedFd {
    fn from(pipe: Pipe) -> Self {
        pipe.fd
    }
}

impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Pipe {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl IntoRawFd for Pipe {
    fn into_raw_fd(self) -> RawFd {
        self.fd.into_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Class;

    /// A descriptor that somebody else has opened, of another device.
    fn null() -> Pipe {
        let file = fs::File::options().read(true).write(true).open("/dev/null");
        Pipe::from(OwnedFd::from(file.unwrap()))
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let error = Pipe::open("4294967295", Access::Read).unwrap_err();
        assert_eq!(error.class(), Class::NotFound);
        let text = error.to_string();
        assert!(
            text.starts_with("cannot open /dev/kmsgpipe4294967295: "),
            "{text}"
        );
        assert!(text.contains("(ENOENT); the module is "), "{text}");
    }

    #[test]
    fn messages_are_whole_whatever_the_default_mode() {
        let (whole, eof, lines) = (Modes::WHOLE, Modes::EOF, Modes::LINES);
        for (access, default, modes) in [
            (Access::Read, Modes::empty(), whole),
            (Access::Read, Modes::RECORDS, whole),
            (Access::Write, eof | Modes::RECORDS, eof),
            (Access::Read, eof | lines, whole | eof | lines),
            (Access::Write, Modes::empty(), Modes::empty()),
            (Access::Write, Modes::all(), whole | eof),
            (Access::ReadWrite, eof | lines, whole | eof),
        ] {
            assert_eq!(access.modes(default), modes, "{access:?} {default}");
        }
    }

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
    fn a_plain_file_is_no_pipe_and_stays_as_it_is() {
        let error = Pipe::open("/proc/self/exe", Access::Write).unwrap_err();
        assert!(matches!(error, Error::NotAPipe { .. }), "{error}");
        assert_eq!(error.class(), Class::NotFound);
    }

    #[test]
    fn another_device_disagrees() {
        let error = Pipe::open("/dev/null", Access::ReadWrite).unwrap_err();
        assert_eq!(error.class(), Class::Mismatch);
        assert_eq!(error.errno(), Some(Errno::ENOTTY));
        let pipe = null();
        assert_eq!(pipe.path(), Path::new("/dev/null"));
        assert_eq!(pipe.stats().unwrap_err(), error);
        assert_eq!(pipe.receive(&mut Vec::new()).unwrap_err(), error);
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
