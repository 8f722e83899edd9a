// SPDX-License-Identifier: GPL-2.0

//! Errors of the kernel: error numbers.

use crate::alloc::AllocError;

/// An error number of the kernel, kept positive.
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

/// A result whose error is, unless said otherwise, an error number.
pub type Result<T = (), E = Error> = core::result::Result<T, E>;

/// The error numbers, as in `errno(3)`.
pub mod code {
    use super::Error;

    /// There is no such thing.
    pub const ENOENT: Error = Error(2);
    /// It would have to wait.
    pub const EAGAIN: Error = Error(11);
    /// There is no memory.
    pub const ENOMEM: Error = Error(12);
    /// Some memory cannot be accessed.
    pub const EFAULT: Error = Error(14);
    /// It is in use.
    pub const EBUSY: Error = Error(16);
    /// There is no such device, or not any more.
    pub const ENODEV: Error = Error(19);
    /// A value makes no sense.
    pub const EINVAL: Error = Error(22);
    /// A message is too long.
    pub const EMSGSIZE: Error = Error(90);
    /// A signal came; the call is to be made again.
    pub const ERESTARTSYS: Error = Error(512);
}
