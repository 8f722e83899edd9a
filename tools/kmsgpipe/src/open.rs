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
        let pipe = Self::new(fd, path);
        // A message must not end up on somebody's disk because of a wrong name.
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
}
