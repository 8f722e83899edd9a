// SPDX-License-Identifier: MIT OR Apache-2.0

//! Kinds of failure, and the exit code of each.

use nix::errno::Errno;

/// What sort of failure it is, as scripts tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// Anything else.
    Failed,
    /// The call makes no sense.
    Usage,
    /// The module is not loaded, or there is no such pipe.
    NotFound,
    /// The caller may not do this.
    Permission,
    /// It would have to wait, and was told not to.
    WouldBlock,
    /// It has waited for as long as it was told to.
    TimedOut,
    /// This program and the module do not understand each other.
    Mismatch,
}

impl Class {
    /// The exit code of a program that ends with such an error.
    ///
    /// ```
    /// assert_eq!(kmsgpipe::Class::NotFound.exit_code(), 3);
    /// ```
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Permission => 4,
            Self::WouldBlock => 5,
            Self::TimedOut => 6,
            Self::Mismatch => 7,
        }
    }

    /// The class of a plain error number.
    pub const fn of(errno: Errno) -> Self {
        match errno {
            Errno::EACCES | Errno::EPERM => Self::Permission,
            Errno::ENOENT | Errno::ENXIO | Errno::ENODEV | Errno::ENOTDIR => Self::NotFound,
            Errno::EAGAIN => Self::WouldBlock,
            Errno::ETIMEDOUT => Self::TimedOut,
            Errno::ENOTTY => Self::Mismatch,
            _ => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_differ() {
        let codes = [
            Class::Failed,
            Class::Usage,
            Class::NotFound,
            Class::Permission,
            Class::WouldBlock,
            Class::TimedOut,
            Class::Mismatch,
        ]
        .map(Class::exit_code);
        assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7]);
    }
}
