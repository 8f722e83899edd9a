// SPDX-License-Identifier: MIT OR Apache-2.0

//! An open pipe.

use crate::{action::Action, error::Error};
use nix::errno::Errno;
use std::{
    fs,
    os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd},
    path::{Path, PathBuf},
};

/// An open pipe.
///
/// Threads may call methods concurrently: each message is delivered to one of them.
///
/// Any event loop can poll it, for example through `tokio::io::unix::AsyncFd`; in that case use
/// [`Pipe::try_send`] and [`Pipe::try_receive`], which never block.
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
    /// Wraps a descriptor that was opened at `path`.
    pub(crate) fn new(fd: OwnedFd, path: PathBuf) -> Self {
        Self { fd, path }
    }

    /// Returns the path that the pipe was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the error of a failed system call.
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

impl From<OwnedFd> for Pipe {
    /// Wraps an open file. If it is not a pipe, the methods fail.
    ///
    /// The mode stays as it is, because other processes may share the file: [`Pipe::set_mode`] says which mode
    /// the methods require.
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
pub(crate) mod tests {
    use super::*;

    /// Wraps a descriptor of another device.
    pub(crate) fn null() -> Pipe {
        let file = fs::File::options().read(true).write(true).open("/dev/null");
        Pipe::from(OwnedFd::from(file.unwrap()))
    }

    #[test]
    fn a_descriptor_has_the_path_it_was_opened_by() {
        assert_eq!(null().path(), Path::new("/dev/null"));
    }
}
