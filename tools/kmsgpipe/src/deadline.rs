// SPDX-License-Identifier: MIT OR Apache-2.0

//! Polling with a deadline.

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use std::{
    os::fd::BorrowedFd,
    time::{Duration, Instant},
};

/// Maximum of a single `poll(2)`, whose timeout is limited. Longer waits poll repeatedly.
const SLICE: Duration = Duration::from_secs(3600);

/// A point in time of the monotonic clock, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// The deadline that never passes.
    pub const NEVER: Self = Self(None);

    /// Returns the deadline `timeout` from now, or [`Deadline::NEVER`] if the clock cannot represent it.
    pub fn after(timeout: Duration) -> Self {
        Self(Instant::now().checked_add(timeout))
    }

    /// Returns whether the deadline has passed.
    pub fn has_passed(self) -> bool {
        self.0.is_some_and(|moment| moment <= Instant::now())
    }

    /// Returns the timeout of the next `poll(2)`, rounded up so that it does not return early.
    fn slice(self) -> PollTimeout {
        let Some(moment) = self.0 else {
            return PollTimeout::NONE;
        };
        let left = moment.saturating_duration_since(Instant::now()).min(SLICE);
        let millis = left.as_nanos().div_ceil(1_000_000);
        PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
    }

    /// Polls `fds` until one has an event or the deadline passes. Returns whether one has an event.
    ///
    /// # Errors
    ///
    /// Those of `poll(2)`, such as `EINTR`.
    pub fn poll(self, fds: &mut [PollFd<'_>]) -> nix::Result<bool> {
        loop {
            // Poll before checking the deadline, so that a timeout of zero polls once.
            if poll(fds, self.slice())? > 0 {
                return Ok(true);
            }
            if self.has_passed() {
                return Ok(false);
            }
        }
    }

    /// Polls `fd` until it has one of `events` or the deadline passes. Returns whether it has one.
    pub(crate) fn poll_one(self, fd: BorrowedFd<'_>, events: PollFlags) -> nix::Result<bool> {
        self.poll(&mut [PollFd::new(fd, events)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::{fd::AsFd, unix::net::UnixDatagram};

    #[test]
    fn poll_lasts_until_the_deadline() {
        let (one, _other) = UnixDatagram::pair().unwrap();
        let start = Instant::now();
        let deadline = Deadline::after(Duration::from_millis(30));
        assert_eq!(deadline.poll_one(one.as_fd(), PollFlags::POLLIN), Ok(false));
        assert!(start.elapsed() >= Duration::from_millis(30));
        assert!(deadline.has_passed());
    }

    #[test]
    fn zero_timeout_polls_once() {
        let (one, other) = UnixDatagram::pair().unwrap();
        let now = Deadline::after(Duration::ZERO);
        assert_eq!(now.poll_one(one.as_fd(), PollFlags::POLLIN), Ok(false));
        other.send(b"x").unwrap();
        assert_eq!(now.poll_one(one.as_fd(), PollFlags::POLLIN), Ok(true));
    }

    #[test]
    fn unrepresentable_timeout_is_never() {
        assert_eq!(Deadline::after(Duration::MAX), Deadline::NEVER);
        assert!(!Deadline::NEVER.has_passed());
        assert!(!Deadline::after(Duration::from_secs(1 << 40)).has_passed());
    }

    #[test]
    fn readiness_ends_an_infinite_wait() {
        let (one, other) = UnixDatagram::pair().unwrap();
        other.send(b"x").unwrap();
        assert_eq!(
            Deadline::NEVER.poll_one(one.as_fd(), PollFlags::POLLIN),
            Ok(true)
        );
    }
}
