// SPDX-License-Identifier: MIT OR Apache-2.0

//! Opening a pipe.

use crate::{
    action::Action,
    error::{Error, Result},
    modes::Modes,
    name::PipeName,
    pipe::Pipe,
};
use nix::{
    fcntl::{open, OFlag},
    sys::stat::{stat, Mode, SFlag},
};
use std::ffi::OsStr;

/// The access with which a pipe is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Receive only.
    Read,
    /// Send only.
    Write,
    /// Receive and send.
    ReadWrite,
}

impl Access {
    /// Returns the flags for `open(2)`.
    fn flags(self) -> OFlag {
        let mode = match self {
            Self::Read => OFlag::O_RDONLY,
            Self::Write => OFlag::O_WRONLY,
            Self::ReadWrite => OFlag::O_RDWR,
        };
        mode | OFlag::O_CLOEXEC | OFlag::O_NOCTTY
    }

    /// Returns `default` with the changes that sending and receiving whole messages require.
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

impl Pipe {
    /// Opens a pipe by its name, number or path, as described at [`PipeName`].
    ///
    /// The file is in blocking mode and has close-on-exec set. Its mode is the default mode of the pipe with
    /// these changes: for read access, [`Modes::WHOLE`] is added, so that a receive never returns a part of a
    /// message; for write access, [`Modes::LINES`] is removed, so that a send queues one message;
    /// [`Modes::RECORDS`] is always removed.
    ///
    /// # Errors
    ///
    /// [`Error::BadName`], [`Error::NotAPipe`] if the file is not a character device, and [`Error::System`]:
    /// `ENOENT` if there is no such pipe, `EACCES` without permission, `ENOTTY` if the file is another device
    /// or the module is another version.
    pub fn open(name: impl AsRef<OsStr>, access: Access) -> Result<Self> {
        let pipe = Self::open_as_is(name, access)?;
        let default = pipe.mode()?;
        let modes = access.modes(default);
        if modes != default {
            pipe.set_mode(modes)?;
        }
        Ok(pipe)
    }

    /// Opens a pipe as [`Pipe::open`] does, but leaves the file in the pipe's default mode. This is for
    /// programs that neither send nor receive, or that read and write the descriptor directly.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::open`].
    pub fn open_as_is(name: impl AsRef<OsStr>, access: Access) -> Result<Self> {
        let path = PipeName::parse(name.as_ref())?.locate().path().to_owned();
        let failed = |errno| Error::system(Action::Open, &path, errno);

        // Checked before opening, because the open of another file may block or have side effects.
        let kind = SFlag::from_bits_truncate(stat(&path).map_err(failed)?.st_mode) & SFlag::S_IFMT;
        if kind != SFlag::S_IFCHR {
            return Err(Error::NotAPipe {
                object: path,
                why: "it is not a character device",
            });
        }
        let fd = open(&path, access.flags(), Mode::empty()).map_err(failed)?;
        let pipe = Self::new(fd, path);
        // Verifies that this is a pipe, so that a wrong name does not write messages to a disk.
        pipe.stats()?;
        Ok(pipe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{class::Class, pipe::tests::null};
    use nix::errno::Errno;
    use std::path::Path;

    #[test]
    fn missing_pipe_is_not_found() {
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
    fn open_mode_keeps_messages_whole() {
        let (whole, eof, lines) = (Modes::WHOLE, Modes::EOF, Modes::LINES);
        for (access, default, modes) in [
            (Access::Read, Modes::empty(), whole),
            (Access::Read, Modes::RECORDS, whole),
            (Access::Write, eof | Modes::RECORDS, eof),
            (Access::Read, eof | lines, whole | eof | lines),
            (Access::Write, Modes::empty(), Modes::empty()),
            (Access::Write, Modes::all(), whole | eof | Modes::HUP),
            (Access::ReadWrite, eof | lines, whole | eof),
        ] {
            assert_eq!(access.modes(default), modes, "{access:?} {default}");
        }
    }

    #[test]
    fn regular_file_is_not_a_pipe() {
        let error = Pipe::open("/proc/self/exe", Access::Write).unwrap_err();
        assert!(matches!(error, Error::NotAPipe { .. }), "{error}");
        assert_eq!(error.class(), Class::NotFound);
    }

    #[test]
    fn another_device_is_a_mismatch() {
        let error = Pipe::open("/dev/null", Access::ReadWrite).unwrap_err();
        assert_eq!(error.class(), Class::Mismatch);
        assert_eq!(error.errno(), Some(Errno::ENOTTY));
        let pipe = null();
        assert_eq!(pipe.path(), Path::new("/dev/null"));
        assert_eq!(pipe.stats().unwrap_err(), error);
        assert_eq!(pipe.receive(&mut Vec::new()).unwrap_err(), error);
    }
}
