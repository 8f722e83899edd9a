// SPDX-License-Identifier: MIT OR Apache-2.0

//! What can go wrong: each error names its object, the cause and what to do next.

use crate::{action::Action, class::Class, modes::Modes};
use nix::errno::Errno;
use std::{fmt, io, path::PathBuf, str::FromStr, time::Duration};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that no pipe can have.
    #[error(
        "{name:?} is no name of a pipe; give a number such as 0, the name of a pipe (letters, \
         digits, '.', '_' and '-', at most 31, but '.', '..' and what ends in '.peer'), or a path such \
         as /dev/kmsgpipe0"
    )]
    BadName {
        /// What was given.
        name: String,
    },

    /// A text that stands for no [`Modes`].
    #[error("{text:?} is no mode of an open file; give {}", Modes::choice())]
    BadModes {
        /// What was given.
        text: String,
    },

    /// There are no pipes at all.
    #[error("there is no pipe in {}; {hint}", directory.display())]
    NoPipes {
        /// Where pipes were looked for.
        directory: PathBuf,
        /// What to do about it.
        hint: &'static str,
    },

    /// Something else than a pipe.
    #[error(
        "{} is no pipe of kmsgpipe: {why}; `kmsgpipectl list` shows the pipes",
        object.display()
    )]
    NotAPipe {
        /// What was opened.
        object: PathBuf,
        /// What tells it from a pipe.
        why: &'static str,
    },

    /// A message of no bytes.
    #[error(
        "cannot send an empty message to {}: the kernel makes no message of 0 bytes",
        object.display()
    )]
    EmptyMessage {
        /// The pipe.
        object: PathBuf,
    },

    /// A message that is longer than the pipe takes. It was not sent.
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
        /// The longest message that the pipe takes, in bytes.
        msg_size: u32,
    },

    /// The pipe is full or empty, and the call was not to wait, or the open file is in [`Modes::EOF`].
    #[error(
        "cannot {action} {} without waiting: it is {} (EAGAIN)",
        object.display(), state(*action)
    )]
    WouldBlock {
        /// What was to be done.
        action: Action,
        /// The pipe.
        object: PathBuf,
    },

    /// The pipe stayed full or empty for as long as the call was to wait.
    #[error(
        "cannot {action} {}: it stayed {} for {after:?} (ETIMEDOUT)",
        object.display(), state(*action)
    )]
    TimedOut {
        /// What was to be done.
        action: Action,
        /// The pipe.
        object: PathBuf,
        /// For how long the call has waited.
        after: Duration,
    },

    /// A system call failed for another reason.
    #[error("cannot {action} {}: {}{}{hint}", object.display(), words(*errno), semicolon(hint))]
    System {
        /// What was to be done.
        action: Action,
        /// The pipe.
        object: PathBuf,
        /// Why it failed.
        errno: Errno,
        /// What to do about it; may be empty.
        hint: String,
    },
}

impl Error {
    /// What sort of failure it is.
    ///
    /// ```
    /// use kmsgpipe::{Access, Class, Pipe};
    ///
    /// let error = Pipe::open("pipe zero", Access::Read).unwrap_err();
    /// assert_eq!(error.class(), Class::Usage);
    /// ```
    pub fn class(&self) -> Class {
        match self {
            Self::BadName { .. } | Self::BadModes { .. } => Class::Usage,
            Self::NoPipes { .. } | Self::NotAPipe { .. } => Class::NotFound,
            Self::EmptyMessage { .. } | Self::TooLong { .. } => Class::Failed,
            Self::WouldBlock { .. } => Class::WouldBlock,
            Self::TimedOut { .. } => Class::TimedOut,
            Self::System {
                action: Action::SetParams | Action::Create | Action::Flush | Action::SetMode,
                errno: Errno::EINVAL,
                ..
            } => Class::Usage,
            Self::System { errno, .. } => Class::of(*errno),
        }
    }

    /// The error number, if one describes the error.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::BadName { .. } | Self::BadModes { .. } | Self::EmptyMessage { .. } => {
                Some(Errno::EINVAL)
            }
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
    /// Keeps the kind, [`io::ErrorKind::WouldBlock`] for one, which event loops go by, and the error
    /// itself, which [`io::Error::downcast`] gives back.
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
        Self::from_words(text).ok_or_else(|| Error::BadModes { text: text.into() })
    }
}

/// What keeps `action` from being done at once.
fn state(action: Action) -> &'static str {
    match action {
        Action::Send => "full",
        _ => "empty",
    }
}

/// An error number in words, and by its name.
fn words(errno: Errno) -> String {
    let words = match errno {
        // The traditional words for this one help nobody.
        Errno::ENOTTY => "it does not know this request",
        _ => errno.desc(),
    };
    format!("{words} ({errno:?})")
}

/// What stands between the cause and a hint.
fn semicolon(hint: &str) -> &'static str {
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
    fn error_numbers_have_their_class() {
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
    fn errors_of_the_standard_library_keep_kind_and_cause() {
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
                    why: "it is no character device",
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
    fn what_no_pipe_can_be_is_bad_usage() {
        let path = Path::new("/dev/kmsgpipe0");
        for action in [
            Action::SetParams,
            Action::Create,
            Action::Flush,
            Action::SetMode,
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
             it keeps the rest of a message or the beginning of a line: read that rest, write the end of \
             that line, or open the pipe again"
        );
        let error = Error::system(Action::Receive, &object, Errno::EIO);
        assert_eq!(
            error.to_string(),
            "cannot receive from /dev/kmsgpipe0: I/O error (EIO)"
        );
    }
}
