// SPDX-License-Identifier: GPL-2.0

//! Error numbers.

use crate::alloc::AllocError;

/// An error number, stored as a positive value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error(i32);

impl Error {
    /// Returns the negative number that the kernel returns to its callers.
    pub fn to_errno(self) -> i32 {
        -self.0
    }
}

impl From<AllocError> for Error {
    fn from(_: AllocError) -> Self {
        code::ENOMEM
    }
}

/// A result whose error is an error number by default.
pub type Result<T = (), E = Error> = core::result::Result<T, E>;

/// Values of [`Error`], as in `errno(3)`.
pub mod code {
    use super::Error;

    /// The object does not exist.
    pub const ENOENT: Error = Error(2);
    /// An input or output failed.
    pub const EIO: Error = Error(5);
    /// The call would block.
    pub const EAGAIN: Error = Error(11);
    /// No memory is available.
    pub const ENOMEM: Error = Error(12);
    /// Some user memory cannot be accessed.
    pub const EFAULT: Error = Error(14);
    /// The object is in use.
    pub const EBUSY: Error = Error(16);
    /// The device does not exist, or was removed.
    pub const ENODEV: Error = Error(19);
    /// An argument is invalid.
    pub const EINVAL: Error = Error(22);
    /// The message is too long.
    pub const EMSGSIZE: Error = Error(90);
    /// A signal is pending; the call can be restarted.
    pub const ERESTARTSYS: Error = Error(512);
}
