// SPDX-License-Identifier: MIT OR Apache-2.0

//! Waiting until a moment, and no longer.

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use std::{
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

/// The longest single wait. A longer one is made of several.
const SLICE: Duration = Duration::from_secs(3600);

/// A moment of the monotonic clock, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// Waits for ever.
    pub const NEVER: Self = Self(None);

    /// Waits for `timeout` from now on; for one that the clock cannot express, for ever.
    pub fn after(timeout: Duration) -> Self {
        Self(Instant::now().checked_add(timeout))
    }

    /// Whether it has come.
    pub fn has_passed(self) -> bool {
        self.0.is_some_and(|moment| moment <= Instant::now())
    }

    /// How long to wait in one go, in milliseconds, rounded up so as not to wake early.
    fn slice(self) -> PollTimeout {
        let Some(moment) = self.0 else {
            return PollTimeout::NONE;
        };
        let left = moment.saturating_duration_since(Instant::now()).min(SLICE);
        let millis = left.as_nanos().div_ceil(1_000_000);
        PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
    }

    /// Waits until one of `fds` has an event, which it then carries, and returns whether one does.
    ///
    /// # Errors
    ///
    /// Those of `poll(2)`: `EINTR` when a signal was caught.
    pub fn poll(self, fds: &mut [PollFd<'_>]) -> nix::Result<bool> {
        loop {
            // What has come is asked for before the clock, so that a wait of no time is a look.
            if poll(fds, self.slice())? > 0 {
                return Ok(true);
            }
            if self.has_passed() {
                return Ok(false);
            }
        }
    }

    /// Waits until `fd` has one of `events`, and returns whether it does.
    pub(crate) fn poll_one(self, fd: BorrowedFd<'_>, events: PollFlags) -> nix::Result<bool> {
        self.poll(&mut [PollFd::new(fd, events)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::{fd::AsFd, unix::net::UnixDatagram};

    #[test]
    fn waits_as_long_as_told() {
        let (one, _other) = UnixDatagram::pair().unwrap();
        let start = Instant::now();
        let deadline = Deadline::after(Duration::from_millis(30));
        assert_eq!(deadline.poll_one(one.as_fd(), PollFlags::POLLIN), Ok(false));
        assert!(start.elapsed() >= Duration::from_millis(30));
        assert!(deadline.has_passed());
    }

    #[test]
    fn no_time_is_a_look() {
        let (one, other) = UnixDatagram::pair().unwrap();
        let now = Deadline::after(Duration::ZERO);
        assert_eq!(now.poll_one(one.as_fd(), PollFlags::POLLIN), Ok(false));
        other.send(b"x").unwrap();
        assert_eq!(now.poll_one(one.as_fd(), PollFlags::POLLIN), Ok(true));
    }

    #[test]
    fn more_than_the_clock_has_is_for_ever() {
        assert_eq!(Deadline::after(Duration::MAX), Deadline::NEVER);
        assert!(!Deadline::NEVER.has_passed());
        assert!(!Deadline::after(Duration::from_secs(1 << 40)).has_passed());
    }

    #[test]
    fn readiness_ends_an_endless_wait() {
        let (one, other) = UnixDatagram::pair().unwrap();
        other.send(b"x").unwrap();
        assert_eq!(
            Deadline::NEVER.poll_one(one.as_fd(), PollFlags::POLLIN),
            Ok(true)
        );
    }
}
