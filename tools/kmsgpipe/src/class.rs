// SPDX-License-Identifier: MIT OR Apache-2.0

//! Kinds of failure, and the exit code of each.

use nix::errno::Errno;

/// The kind of a failure, which decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Class {
    /// Any failure without a class of its own.
    Failed,
    /// An invalid argument or option.
    Usage,
    /// The module is not loaded, or the pipe does not exist.
    NotFound,
    /// The caller lacks the permission.
    Permission,
    /// The operation would block, and blocking was not allowed.
    WouldBlock,
    /// The timeout expired.
    TimedOut,
    /// The program and the loaded module are of incompatible versions.
    Mismatch,
}

impl Class {
    /// Returns the exit code of a program that ends with such an error.
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

    /// Classifies an error number without knowing the operation that failed.
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
