// SPDX-License-Identifier: MIT OR Apache-2.0

//! Calls that wait until a pipe is ready.

use crate::{
    action::Action,
    deadline::Deadline,
    error::{Error, Result},
    pipe::Pipe,
};
use nix::poll::PollFlags;
use std::{os::fd::AsFd, time::Duration};

impl Pipe {
    /// Makes a `call` for `action` that waits by itself, unless somebody has put the file into non-blocking
    /// mode: then waits, and makes it again.
    pub(crate) fn insist<T>(
        &self,
        action: Action,
        mut call: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        loop {
            match call() {
                Err(Error::WouldBlock { .. }) => self.wait(action, Deadline::NEVER)?,
                result => return result,
            };
        }
    }

    /// Makes a `call` for `action` that never waits, as soon as it may succeed, and again until it does, for
    /// `timeout` at most.
    pub(crate) fn within<T>(
        &self,
        action: Action,
        timeout: Duration,
        mut call: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let deadline = Deadline::after(timeout);
        // Waits first: the kernel counts each write that it has to refuse.
        while self.wait(action, deadline)? {
            match call() {
                // Another reader or writer was faster.
                Err(Error::WouldBlock { .. }) if !deadline.has_passed() => {}
                Err(Error::WouldBlock { .. }) => break,
                result => return result,
            }
        }
        Err(Error::TimedOut {
            action,
            object: self.path().to_owned(),
            after: timeout,
        })
    }

    /// Waits until `action` may be possible, and returns whether that was so before the deadline.
    fn wait(&self, action: Action, deadline: Deadline) -> Result<bool> {
        let events = match action {
            Action::Send => PollFlags::POLLOUT,
            _ => PollFlags::POLLIN,
        };
        deadline
            .poll_one(self.as_fd(), events)
            .map_err(|errno| self.failed(action, errno))
    }
}
