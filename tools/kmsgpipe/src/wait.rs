// SPDX-License-Identifier: MIT OR Apache-2.0

//! Blocking operations built from polling and non-blocking calls.

use crate::{
    action::Action,
    deadline::Deadline,
    error::{Error, Result},
    pipe::Pipe,
};
use nix::poll::PollFlags;
use std::{os::fd::AsFd, time::Duration};

impl Pipe {
    /// Repeats a blocking `call` until it does not fail with [`Error::WouldBlock`]. That error occurs only if
    /// the shared open file was put into non-blocking mode; waits for readiness before each repetition.
    pub(crate) fn retry_blocking<T>(
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

    /// Waits for readiness and then makes a non-blocking `call`, until the call succeeds or `timeout` expires.
    pub(crate) fn retry_until<T>(
        &self,
        action: Action,
        timeout: Duration,
        mut call: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let deadline = Deadline::after(timeout);
        // Polls first, because the kernel counts each write that it rejects.
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

    /// Polls until `action` may succeed. Returns `false` if the deadline passes first.
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
