// SPDX-License-Identifier: MIT OR Apache-2.0

//! Requests on an open pipe other than sending and receiving.

use crate::{
    action::Action,
    attach::{milliseconds, Attach},
    error::{Error, Result},
    hint,
    modes::Modes,
    params::{Create, Flush, Params},
    pipe::Pipe,
    stats::Stats,
    sys::{self, RawAck},
};
use nix::{
    errno::Errno,
    fcntl::{fcntl, FcntlArg, OFlag},
};
use std::{ops::RangeInclusive, os::fd::AsFd, time::Duration};

impl Pipe {
    /// Takes a consistent snapshot of the statistics.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ENOTTY` if the file is not a pipe or the module is another version.
    pub fn stats(&self) -> Result<Stats> {
        match sys::get_stats(self.as_fd()) {
            Ok(raw) => Ok(raw.into()),
            Err(errno) => Err(self.failed(Action::Stats, errno)),
        }
    }

    /// Discards all queued messages.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EPERM` without `CAP_SYS_ADMIN`.
    pub fn clear(&self) -> Result<()> {
        sys::clear_queue(self.as_fd()).map_err(|errno| self.failed(Action::Clear, errno))
    }

    /// Reads the pipe's parameters.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ENOTTY` if the module is another version.
    pub fn params(&self) -> Result<Params> {
        match sys::get_params(self.as_fd()) {
            Ok(raw) => Ok(raw.into()),
            Err(errno) => Err(self.failed(Action::Params, errno)),
        }
    }

    /// Changes the parameters of an empty pipe.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EPERM` without `CAP_SYS_ADMIN`, `EBUSY` unless the pipe is empty, `EINVAL` for
    /// parameters out of range or below the history of the pipe.
    pub fn set_params(&self, params: Params) -> Result<()> {
        sys::set_params(self.as_fd(), &params.into()).map_err(|errno| match errno {
            Errno::EINVAL => {
                let hint = hint::violated_limit_of_change(self.path(), params);
                self.invalid(Action::SetParams, hint)
            }
            errno => self.failed(Action::SetParams, errno),
        })
    }

    /// Creates an `EINVAL` error whose hint says what the kernel rejected.
    pub(crate) fn invalid(&self, action: Action, hint: String) -> Error {
        Error::System {
            action,
            object: self.path().to_owned(),
            errno: Errno::EINVAL,
            hint,
        }
    }

    /// Enables message expiry, or disables it if `flush` is `None`.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EPERM` without `CAP_SYS_ADMIN`.
    pub fn flush_periodic(&self, flush: Option<Flush>) -> Result<()> {
        sys::flush_periodic(self.as_fd(), &Flush::request(flush))
            .map_err(|errno| self.failed(Action::Flush, errno))
    }

    /// Creates another pipe and returns its number. The open pipe serves only to reach the module.
    ///
    /// # Errors
    ///
    /// [`Error::BadName`] for a name that is too long, and [`Error::System`]: `EPERM` without
    /// `CAP_SYS_ADMIN`, `EEXIST` if the name is in use, `ENOSPC` if the maximum number of pipes exists,
    /// `EINVAL` for invalid attributes.
    pub fn create(&self, create: &Create) -> Result<u32> {
        let request = create.request()?;
        sys::create_new(self.as_fd(), &request).map_err(|errno| match errno {
            Errno::EINVAL => self.invalid(Action::Create, hint::violated_limit_of_create(create)),
            errno => self.failed(Action::Create, errno),
        })
    }

    /// Destroys the pipe: blocked calls and all later calls on it fail with `ENODEV`.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EPERM` without `CAP_SYS_ADMIN`, `EBUSY` for pipe 0, `ENODEV` if the pipe is already
    /// destroyed.
    pub fn destroy(&self) -> Result<()> {
        sys::destroy(self.as_fd()).map_err(|errno| self.failed(Action::Destroy, errno))
    }

    /// Toggles the open file between blocking and non-blocking mode. This affects every process that shares
    /// the open file, such as a child process. The methods of `Pipe` behave the same in both modes.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ENOTTY` if the module is another version.
    pub fn toggle_block(&self) -> Result<()> {
        sys::toggle_block(self.as_fd()).map_err(|errno| self.failed(Action::Switch, errno))
    }

    /// Sets or clears non-blocking mode of the open file, as `fcntl(2)` does with `O_NONBLOCK`.
    ///
    /// # Errors
    ///
    /// [`Error::System`].
    pub fn set_nonblocking(&self, on: bool) -> Result<()> {
        sys::set_nonblocking(self.as_fd(), on).map_err(|errno| self.failed(Action::Switch, errno))
    }

    /// Returns whether the open file is in non-blocking mode.
    ///
    /// # Errors
    ///
    /// [`Error::System`].
    pub fn is_nonblocking(&self) -> Result<bool> {
        let flags =
            fcntl(self, FcntlArg::F_GETFL).map_err(|errno| self.failed(Action::Switch, errno))?;
        Ok(OFlag::from_bits_truncate(flags).contains(OFlag::O_NONBLOCK))
    }

    /// Reads the mode of the open file.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ENOTTY` if the module is another version.
    pub fn mode(&self) -> Result<Modes> {
        match sys::get_mode(self.as_fd()) {
            Ok(bits) => Ok(Modes::from_bits_retain(bits)),
            Err(errno) => Err(self.failed(Action::Mode, errno)),
        }
    }

    /// Changes the mode of the open file, for every process that shares it.
    ///
    /// The methods of `Pipe` require the mode that [`Pipe::open`] sets. Without [`Modes::WHOLE`], a buffer that
    /// is too small receives a part of a message. With [`Modes::LINES`], a message is split into lines. Both
    /// are for programs that read and write the descriptor directly. [`Modes::RECORDS`] changes the format of
    /// reads and writes, which only [`RecordPipe`](crate::RecordPipe) supports. With [`Modes::EOF`], receiving
    /// never blocks; with [`Modes::HUP`], not after all writers have gone.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EBUSY` while the file holds the rest of a message or an incomplete line, `EINVAL`
    /// for flags that the module does not support or that conflict, `ENOTTY` if the module is another version.
    pub fn set_mode(&self, modes: Modes) -> Result<()> {
        sys::set_mode(self.as_fd(), modes.bits()).map_err(|errno| match errno {
            Errno::EINVAL => self.invalid(Action::SetMode, hint::rejected_modes(modes)),
            errno => self.failed(Action::SetMode, errno),
        })
    }

    /// Chooses what the open file reads, and from where, for every process that shares it. Doing it again moves
    /// the position.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EINVAL` for [`Attach::Own`] on a queue, for [`Attach::Group`] and
    /// [`Attach::Lease`] on a broadcast pipe, and for [`Attach::Browse`] and [`Attach::Lease`] on a pipe with
    /// priorities, `EBADF` unless the file is open for reading, `EBUSY` while it holds the rest of a message, `ENOTTY` if
    /// the module is another version.
    pub fn attach(&self, attach: Attach) -> Result<()> {
        sys::attach(self.as_fd(), &attach.request()).map_err(|errno| match errno {
            Errno::EINVAL => self.invalid(Action::Attach, hint::rejected_attach(attach).into()),
            errno => self.failed(Action::Attach, errno),
        })
    }

    /// Acknowledges the messages with these sequence numbers that the open file has on trust, as
    /// [`Attach::Lease`] describes: they are consumed. Other messages in the range stay as they are.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `ENOENT` if the file has none of them on trust, for example because its lease has
    /// ended, `EINVAL` for an empty range, `EBADF` unless the file is open for reading, `ENOTTY` if the module
    /// is another version.
    pub fn ack(&self, seqs: RangeInclusive<u64>) -> Result<()> {
        sys::ack(self.as_fd(), &range(seqs, 0)).map_err(|errno| self.failed(Action::Ack, errno))
    }

    /// Gives back the messages with these sequence numbers that the open file has on trust, as
    /// [`Attach::Lease`] describes: they are delivered again after the `delay`, which is rounded up to whole
    /// milliseconds, and is at most 49 days. Other messages in the range stay as they are.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::ack`].
    pub fn nack(&self, seqs: RangeInclusive<u64>, delay: Duration) -> Result<()> {
        let request = range(seqs, milliseconds(delay));
        sys::nack(self.as_fd(), &request).map_err(|errno| self.failed(Action::Nack, errno))
    }

    /// Returns the maximum that the next read can return, in bytes: the length of the next message, or of the
    /// rest of a message that the open file has partly read; 0 if there is neither. In [`Modes::RECORDS`], this
    /// is the length of the records of all messages.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EBADF` unless the file is open for reading.
    pub fn next_len(&self) -> Result<u32> {
        sys::next_len(self.as_fd()).map_err(|errno| self.failed(Action::NextLen, errno))
    }

    /// Returns the requests of this library that the module does not support, by their names in the header.
    /// The list is empty if both are of the same version. Probing has no side effects.
    pub fn unknown_requests(&self) -> Vec<&'static str> {
        let unknown = |&&(_, request): &&(&str, u32)| !sys::is_known(self.as_fd(), request);
        let requests = sys::PROBED.iter().filter(unknown);
        requests.map(|(name, _)| *name).collect()
    }
}

/// Returns the request for the messages with these sequence numbers.
fn range(seqs: RangeInclusive<u64>, delay_ms: u32) -> RawAck {
    let (first, last) = seqs.into_inner();
    RawAck {
        first,
        last,
        delay_ms,
        ..RawAck::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, os::fd::OwnedFd};

    /// A device that supports none of the requests.
    fn null() -> Pipe {
        Pipe::from(OwnedFd::from(File::open("/dev/null").unwrap()))
    }

    #[test]
    fn another_device_supports_no_request() {
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
            pipe.attach(Attach::Group).unwrap_err(),
            pipe.ack(1..=1).unwrap_err(),
            pipe.nack(1..=1, Duration::ZERO).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.errno(), Some(Errno::ENOTTY), "{error}");
            assert!(error.to_string().contains("different versions"), "{error}");
        }
        let names: Vec<&str> = sys::PROBED.iter().map(|(name, _)| *name).collect();
        assert_eq!(pipe.unknown_requests(), names);
    }

    #[test]
    fn range_has_both_ends() {
        let request = range(7..=u64::MAX, 9);
        assert_eq!((request.first, request.last), (7, u64::MAX));
        assert_eq!((request.delay_ms, request.reserved), (9, 0));
    }

    #[test]
    fn is_nonblocking_reports_the_flag() {
        let (reader, _writer) = nix::unistd::pipe().unwrap();
        let pipe = Pipe::from(reader);
        for on in [true, false] {
            pipe.set_nonblocking(on).unwrap();
            assert_eq!(pipe.is_nonblocking(), Ok(on));
        }
    }

    #[test]
    fn next_len_reports_available_bytes() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let pipe = Pipe::from(reader);
        assert_eq!(pipe.next_len(), Ok(0));
        nix::unistd::write(&writer, b"12345").unwrap();
        assert_eq!(pipe.next_len(), Ok(5));
    }

    #[test]
    fn create_rejects_a_long_name_before_the_request() {
        let create = Create {
            name: Some("n".repeat(32)),
            ..Create::default()
        };
        assert!(matches!(null().create(&create), Err(Error::BadName { .. })));
    }
}
