// SPDX-License-Identifier: MIT OR Apache-2.0

//! What can be asked of a pipe beyond sending and receiving.

use crate::{
    action::Action,
    error::{Error, Result},
    hint,
    modes::Modes,
    params::{Create, Flush, Params},
    pipe::Pipe,
    stats::Stats,
    sys,
};
use nix::{
    errno::Errno,
    fcntl::{fcntl, FcntlArg, OFlag},
};
use std::os::fd::AsFd;

impl Pipe {
    /// Takes a consistent snapshot of its statistics.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ENOTTY` when it is no pipe, or the module is another version.
    pub fn stats(&self) -> Result<Stats> {
        match sys::get_stats(self.as_fd()) {
            Ok(raw) => Ok(raw.into()),
            Err(errno) => Err(self.failed(Action::Stats, errno)),
        }
    }

    /// Discards every queued message.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EPERM` without `CAP_SYS_ADMIN`.
    pub fn clear(&self) -> Result<()> {
        sys::clear_queue(self.as_fd()).map_err(|errno| self.failed(Action::Clear, errno))
    }

    /// Asks what it may hold.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ENOTTY` when the module is another version.
    pub fn params(&self) -> Result<Params> {
        match sys::get_params(self.as_fd()) {
            Ok(raw) => Ok(raw.into()),
            Err(errno) => Err(self.failed(Action::Params, errno)),
        }
    }

    /// Changes what it may hold, while it is empty.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EPERM` without `CAP_SYS_ADMIN`, `EBUSY` unless it is empty, `EINVAL` for
    /// what no pipe may hold.
    pub fn set_params(&self, params: Params) -> Result<()> {
        sys::set_params(self.as_fd(), &params.into()).map_err(|errno| match errno {
            Errno::EINVAL => self.refused(Action::SetParams, hint::broken_limit(params)),
            errno => self.failed(Action::SetParams, errno),
        })
    }

    /// Makes the error that the kernel refuses what it was asked for, and why.
    fn refused(&self, action: Action, hint: String) -> Error {
        Error::System {
            action,
            object: self.path().to_owned(),
            errno: Errno::EINVAL,
            hint,
        }
    }

    /// Lets messages expire, or stops doing so.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EPERM` without `CAP_SYS_ADMIN`.
    pub fn flush_periodic(&self, flush: Option<Flush>) -> Result<()> {
        sys::flush_periodic(self.as_fd(), &Flush::request(flush))
            .map_err(|errno| self.failed(Action::Flush, errno))
    }

    /// Makes another pipe, and returns its number. This pipe only serves to reach the module.
    ///
    /// # Errors
    ///
    /// [`Error::BadName`] for a name that is too long, and [`Error::System`]: `EPERM` without
    /// `CAP_SYS_ADMIN`, `EEXIST` when the name is in use, `ENOSPC` when there are too many pipes,
    /// `EINVAL` for what no pipe can be.
    pub fn create(&self, create: &Create) -> Result<u32> {
        let request = create.request()?;
        sys::create_new(self.as_fd(), &request).map_err(|errno| match errno {
            Errno::EINVAL => self.refused(Action::Create, hint::broken_limit_of_create(create)),
            errno => self.failed(Action::Create, errno),
        })
    }

    /// Destroys it: whoever waits for it, and every later call on it, gets `ENODEV`.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EPERM` without `CAP_SYS_ADMIN`, `EBUSY` for pipe 0, `ENODEV` when it was
    /// destroyed before.
    pub fn destroy(&self) -> Result<()> {
        sys::destroy(self.as_fd()).map_err(|errno| self.failed(Action::Destroy, errno))
    }

    /// Switches the open file between blocking and non-blocking mode. Who shares it, as a child
    /// process does, has it switched too; the methods of `Pipe` behave the same in both.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ENOTTY` when the module is another version.
    pub fn toggle_block(&self) -> Result<()> {
        sys::toggle_block(self.as_fd()).map_err(|errno| self.failed(Action::Switch, errno))
    }

    /// Puts the open file into non-blocking mode, or out of it, as `fcntl(2)` does.
    ///
    /// # Errors
    ///
    /// [`Error::System`].
    pub fn set_nonblocking(&self, on: bool) -> Result<()> {
        sys::set_nonblocking(self.as_fd(), on).map_err(|errno| self.failed(Action::Switch, errno))
    }

    /// Whether the open file is in non-blocking mode.
    ///
    /// # Errors
    ///
    /// [`Error::System`].
    pub fn is_nonblocking(&self) -> Result<bool> {
        let flags =
            fcntl(self, FcntlArg::F_GETFL).map_err(|errno| self.failed(Action::Switch, errno))?;
        Ok(OFlag::from_bits_truncate(flags).contains(OFlag::O_NONBLOCK))
    }

    /// Asks for the mode of the open file.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ENOTTY` when the module is another version.
    pub fn mode(&self) -> Result<Modes> {
        match sys::get_mode(self.as_fd()) {
            Ok(bits) => Ok(Modes::from_bits_retain(bits)),
            Err(errno) => Err(self.failed(Action::Mode, errno)),
        }
    }

    /// Changes the mode of the open file. A process that shares it, as a child does, has it changed too.
    ///
    /// The methods of `Pipe` need the mode that [`Pipe::open`] has set. Without [`Modes::WHOLE`], a buffer
    /// that is too short gets a part of a message, and with [`Modes::LINES`], a message that is sent is
    /// split: those are for a program that reads and writes the descriptor by itself. With [`Modes::RECORDS`],
    /// what is received is no message, and nothing can be sent: that is the mode of a
    /// [`RecordPipe`](crate::RecordPipe). With [`Modes::EOF`], a method that receives never waits.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EBUSY` while the file keeps the rest of a message or the beginning of a line,
    /// `EINVAL` for a mode that the module does not know or modes that do not go together, `ENOTTY` when it
    /// is another version.
    pub fn set_mode(&self, modes: Modes) -> Result<()> {
        sys::set_mode(self.as_fd(), modes.bits()).map_err(|errno| match errno {
            Errno::EINVAL => self.refused(Action::SetMode, hint::refused_modes(modes)),
            errno => self.failed(Action::SetMode, errno),
        })
    }

    /// How many bytes the next read can get at most: the length of the next message, or of the rest of one
    /// that the open file has begun to read; 0 if there is neither. In [`Modes::RECORDS`], it is that of the
    /// records of all messages.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EBADF` when it is not open for reading.
    pub fn next_len(&self) -> Result<u32> {
        sys::next_len(self.as_fd()).map_err(|errno| self.failed(Action::NextLen, errno))
    }

    /// The requests of this library that the module does not know, by their names in the header:
    /// none unless the two are of different versions. Nothing is changed.
    pub fn unknown_requests(&self) -> Vec<&'static str> {
        let unknown = |&&(_, request): &&(&str, u32)| !sys::is_known(self.as_fd(), request);
        let requests = sys::PROBED.iter().filter(unknown);
        requests.map(|(name, _)| *name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, os::fd::OwnedFd};

    /// Something that knows none of the requests.
    fn null() -> Pipe {
        Pipe::from(OwnedFd::from(File::open("/dev/null").unwrap()))
    }

    #[test]
    fn another_device_knows_no_request() {
        let pipe = null();
        let errors = [
            pipe.stats().unwrap_err(),
            pipe.clear().unwrap_err(),
            pipe.params().unwrap_err(),
            pipe.set_params(Params::default()).unwrap_err(),
            pipe.flush_periodic(None).unwrap_err(),
            pipe.create(&Create::default()).unwrap_err(),
            pipe.destroy().unwrap_err(),
            pipe.toggle_block().unwrap_err(),
            pipe.dump().unwrap_err(),
            pipe.mode().unwrap_err(),
            pipe.set_mode(Modes::WHOLE).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.errno(), Some(Errno::ENOTTY), "{error}");
            assert!(error.to_string().contains("different versions"), "{error}");
        }
        let names: Vec<&str> = sys::PROBED.iter().map(|(name, _)| *name).collect();
        assert_eq!(pipe.unknown_requests(), names);
    }

    #[test]
    fn the_mode_of_an_open_file_is_told() {
        let (reader, _writer) = nix::unistd::pipe().unwrap();
        let pipe = Pipe::from(reader);
        for on in [true, false] {
            pipe.set_nonblocking(on).unwrap();
            assert_eq!(pipe.is_nonblocking(), Ok(on));
        }
    }

    #[test]
    fn other_files_tell_how_much_there_is() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let pipe = Pipe::from(reader);
        assert_eq!(pipe.next_len(), Ok(0));
        nix::unistd::write(&writer, b"12345").unwrap();
        assert_eq!(pipe.next_len(), Ok(5));
    }

    #[test]
    fn a_name_that_is_too_long_asks_nothing() {
        let create = Create {
            name: Some("n".repeat(32)),
            ..Create::default()
        };
        assert!(matches!(null().create(&create), Err(Error::BadName { .. })));
    }
}
