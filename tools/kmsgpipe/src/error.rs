// SPDX-License-Identifier: MIT OR Apache-2.0

//! Errors of the library: each message names the object, the cause and the next step.

use crate::{action::Action, class::Class, kind::Kind, modes::Modes, overflow::Overflow};
use nix::errno::Errno;
use std::{io, path::PathBuf, str::FromStr, time::Duration};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not a valid pipe name.
    #[error(
        "{name:?} is not a valid pipe name; give a number such as 0, a name (at most 31 letters, \
         digits, '.', '_' and '-', but not '.', '..' or *.peer), or a path such as /dev/kmsgpipe0"
    )]
    BadName {
        /// The rejected text.
        name: String,
    },

    /// The text is not a valid set of [`Modes`].
    #[error("{text:?} is not a mode of an open file; give {}", Modes::choice())]
    BadModes {
        /// The rejected text.
        text: String,
    },
    /// The text is not a [`Kind`] of pipe.
    #[error("{text:?} is not a kind of pipe; give {}", Kind::ALL.map(Kind::word).join(" or "))]
    BadKind {
        /// The text.
        text: String,
    },
    /// The text is not an [`Overflow`] policy.
    #[error("{text:?} is not an overflow policy; give {}", Overflow::ALL.map(Overflow::word).join(", "))]
    BadOverflow {
        /// The text.
        text: String,
    },

    /// No pipes exist.
    #[error("there is no pipe in {}; {hint}", directory.display())]
    NoPipes {
        /// The directory that was searched.
        directory: PathBuf,
        /// The likely cause and the next step.
        hint: &'static str,
    },

    /// The opened file is not a pipe of kmsgpipe.
    #[error(
        "{} is not a kmsgpipe pipe: {why}; `kmsgpipectl list` lists the pipes",
        object.display()
    )]
    NotAPipe {
        /// The opened file.
        object: PathBuf,
        /// How it differs from a pipe.
        why: &'static str,
    },

    /// The message has no payload.
    #[error(
        "cannot send an empty message to {}: a message has at least 1 byte",
        object.display()
    )]
    EmptyMessage {
        /// The pipe.
        object: PathBuf,
    },

    /// The message exceeds the pipe's maximum message size. It was not sent.
    #[error(
        "a message of {len} bytes is too long for {}, which takes at most {msg_size} (EMSGSIZE); \
         split it, or raise the limit with `kmsgpipectl set-params` while the pipe is empty",
        object.display()
    )]
    TooLong {
        /// The pipe.
        object: PathBuf,
        /// Length of the message in bytes.
        len: u64,
        /// Maximum message size of the pipe in bytes.
        msg_size: u32,
    },

    /// The operation would block: the pipe is full or empty, and the call does not wait or the open file is at
    /// its end by [`Modes::END`].
    #[error(
        "cannot {action} {} without waiting: it is {} (EAGAIN)",
        object.display(), state(*action)
    )]
    WouldBlock {
        /// The operation.
        action: Action,
        /// The pipe.
        object: PathBuf,
    },

    /// The timeout expired while the pipe was full or empty.
    #[error(
        "cannot {action} {}: it stayed {} for {after:?} (ETIMEDOUT)",
        object.display(), state(*action)
    )]
    TimedOut {
        /// The operation.
        action: Action,
        /// The pipe.
        object: PathBuf,
        /// The timeout.
        after: Duration,
    },

    /// A system call failed for another reason.
    #[error("cannot {action} {}: {}{}{hint}", object.display(), describe(*errno), separator(hint))]
    System {
        /// The operation.
        action: Action,
        /// The pipe.
        object: PathBuf,
        /// The error number.
        errno: Errno,
        /// The next step; may be empty.
        hint: String,
    },
}

impl Error {
    /// Returns the kind of failure.
    ///
    /// ```
    /// use kmsgpipe::{Access, Class, Pipe};
    ///
    /// let error = Pipe::open("pipe zero", Access::Read).unwrap_err();
    /// assert_eq!(error.class(), Class::Usage);
    /// ```
    pub fn class(&self) -> Class {
        match self {
            Self::BadName { .. }
            | Self::BadModes { .. }
            | Self::BadKind { .. }
            | Self::BadOverflow { .. } => Class::Usage,
            Self::NoPipes { .. } | Self::NotAPipe { .. } => Class::NotFound,
            Self::EmptyMessage { .. } | Self::TooLong { .. } => Class::Failed,
            Self::WouldBlock { .. } => Class::WouldBlock,
            Self::TimedOut { .. } => Class::TimedOut,
            Self::System {
                action:
                    Action::SetParams
                    | Action::Create
                    | Action::Flush
                    | Action::SetMode
                    | Action::Attach
                    | Action::Ack
                    | Action::Nack,
                errno: Errno::EINVAL,
                ..
            } => Class::Usage,
            Self::System { errno, .. } => Class::of(*errno),
        }
    }

    /// Returns the error number, if there is one for this error.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::BadName { .. }
            | Self::BadModes { .. }
            | Self::BadKind { .. }
            | Self::BadOverflow { .. }
            | Self::EmptyMessage { .. } => Some(Errno::EINVAL),
            Self::NoPipes { .. } => Some(Errno::ENOENT),
            Self::NotAPipe { .. } => None,
            Self::TooLong { .. } => Some(Errno::EMSGSIZE),
            Self::WouldBlock { .. } => Some(Errno::EAGAIN),
            Self::TimedOut { .. } => Some(Errno::ETIMEDOUT),
            Self::System { errno, .. } => Some(*errno),
        }
    }
}

impl From<Error> for io::Error {
    /// Preserves the kind, which event loops check for [`io::ErrorKind::WouldBlock`], and the error itself,
    /// which [`io::Error::downcast`] returns.
    fn from(error: Error) -> Self {
        let kind = match error.errno() {
            Some(errno) => Self::from(errno).kind(),
            None => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

impl FromStr for Modes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse_words(text).ok_or_else(|| Error::BadModes { text: text.into() })
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse_word(text).ok_or_else(|| Error::BadKind { text: text.into() })
    }
}

impl FromStr for Overflow {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse_word(text).ok_or_else(|| Error::BadOverflow { text: text.into() })
    }
}

/// Names the state of the pipe that makes `action` block.
fn state(action: Action) -> &'static str {
    match action {
        Action::Send => "full",
        _ => "empty",
    }
}

/// Describes an error number in words, followed by its symbol.
fn describe(errno: Errno) -> String {
    let words = match errno {
        // strerror says "Inappropriate ioctl for device", which does not help users.
        Errno::ENOTTY => "it does not support this request",
        _ => errno.desc(),
    };
    format!("{words} ({errno:?})")
}

/// Separates the cause from a hint that is not empty.
fn separator(hint: &str) -> &'static str {
    if hint.is_empty() {
        ""
    } else {
        "; "
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn each_error_number_has_its_class() {
        for (errno, class) in [
            (Errno::ENOENT, Class::NotFound),
            (Errno::ENODEV, Class::NotFound),
            (Errno::ENXIO, Class::NotFound),
            (Errno::EACCES, Class::Permission),
            (Errno::EPERM, Class::Permission),
            (Errno::EAGAIN, Class::WouldBlock),
            (Errno::ETIMEDOUT, Class::TimedOut),
            (Errno::ENOTTY, Class::Mismatch),
            (Errno::EIO, Class::Failed),
            (Errno::ENOMEM, Class::Failed),
        ] {
            let error = Error::system(Action::Receive, Path::new("/dev/kmsgpipe0"), errno);
            assert_eq!(error.class(), class, "{errno:?}");
            assert_eq!(error.errno(), Some(errno));
        }
    }

    #[test]
    fn io_error_preserves_kind_and_cause() {
        let object = PathBuf::from("/dev/kmsgpipe0");
        let system = |errno| Error::system(Action::Receive, &object, errno);
        for (error, kind) in [
            (
                Error::WouldBlock {
                    action: Action::Receive,
                    object: object.clone(),
                },
                io::ErrorKind::WouldBlock,
            ),
            (
                Error::TimedOut {
                    action: Action::Receive,
                    object: object.clone(),
                    after: Duration::ZERO,
                },
                io::ErrorKind::TimedOut,
            ),
            (system(Errno::EINTR), io::ErrorKind::Interrupted),
            (system(Errno::EPERM), io::ErrorKind::PermissionDenied),
            (system(Errno::ENOENT), io::ErrorKind::NotFound),
            (
                Error::BadName { name: "a b".into() },
                io::ErrorKind::InvalidInput,
            ),
            (
                Error::BadModes { text: "a b".into() },
                io::ErrorKind::InvalidInput,
            ),
            (
                Error::NotAPipe {
                    object: object.clone(),
                    why: "it is not a character device",
                },
                io::ErrorKind::Other,
            ),
        ] {
            let plain = io::Error::from(error.clone());
            assert_eq!(plain.kind(), kind, "{error}");
            assert_eq!(plain.to_string(), error.to_string());
            assert_eq!(plain.downcast::<Error>().unwrap(), error);
        }
    }

    #[test]
    fn einval_of_a_setting_is_bad_usage() {
        let path = Path::new("/dev/kmsgpipe0");
        for action in [
            Action::SetParams,
            Action::Create,
            Action::Flush,
            Action::SetMode,
            Action::Attach,
            Action::Ack,
            Action::Nack,
        ] {
            let error = Error::system(action, path, Errno::EINVAL);
            assert_eq!(error.class(), Class::Usage);
        }
        let error = Error::system(Action::Receive, path, Errno::EINVAL);
        assert_eq!(error.class(), Class::Failed);
    }

    #[test]
    fn messages_name_object_cause_and_next_step() {
        let object = PathBuf::from("/dev/kmsgpipe0");
        let error = Error::system(Action::Clear, &object, Errno::EPERM);
        let text = error.to_string();
        let start = "cannot clear /dev/kmsgpipe0: Operation not permitted (EPERM); this needs \
            CAP_SYS_ADMIN";
        assert!(text.starts_with(start), "{text}");
        let error = Error::TooLong {
            object: object.clone(),
            len: 300,
            msg_size: 256,
        };
        assert_eq!(
            error.to_string(),
            "a message of 300 bytes is too long for /dev/kmsgpipe0, which takes at most 256 \
             (EMSGSIZE); split it, or raise the limit with `kmsgpipectl set-params` while the pipe \
             is empty"
        );
        let error = Error::TimedOut {
            action: Action::Send,
            object: object.clone(),
            after: Duration::from_millis(250),
        };
        assert_eq!(
            error.to_string(),
            "cannot send to /dev/kmsgpipe0: it stayed full for 250ms (ETIMEDOUT)"
        );
        let error = Error::system(Action::SetMode, &object, Errno::EBUSY);
        assert_eq!(
            error.to_string(),
            "cannot change the mode of the open file /dev/kmsgpipe0: Device or resource busy (EBUSY); \
             the file holds the rest of a message or an incomplete line: read the rest, complete the line, \
             or open the pipe again"
        );
        let error = Error::system(Action::Receive, &object, Errno::EIO);
        assert_eq!(
            error.to_string(),
            "cannot receive from /dev/kmsgpipe0: I/O error (EIO)"
        );
    }
}
