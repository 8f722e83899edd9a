// SPDX-License-Identifier: MIT OR Apache-2.0

//! What can go wrong: each error names its object, the cause and what to do next.

use crate::{hint, modes::Modes};
use nix::errno::Errno;
use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// What was being done to a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Opening it.
    Open,
    /// Looking for pipes in a directory.
    List,
    /// Asking for its statistics.
    Stats,
    /// Discarding its messages.
    Clear,
    /// Sending a message.
    Send,
    /// Receiving a message.
    Receive,
    /// Asking what it may hold.
    Params,
    /// Changing what it may hold.
    SetParams,
    /// Letting its messages expire, or stopping that.
    Flush,
    /// Making another pipe.
    Create,
    /// Destroying it.
    Destroy,
    /// Copying its messages.
    Dump,
    /// Switching between blocking and non-blocking mode.
    Switch,
    /// Asking for the length of the next message.
    NextLen,
    /// Asking for the mode of the open file.
    Mode,
    /// Changing the mode of the open file.
    SetMode,
}

impl Action {
    /// Whether it needs a privilege.
    pub(crate) fn is_privileged(self) -> bool {
        matches!(
            self,
            Self::Clear | Self::SetParams | Self::Flush | Self::Create | Self::Destroy | Self::Dump
        )
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::List => "look for pipes in",
            Self::Stats => "read the statistics of",
            Self::Clear => "clear",
            Self::Send => "send to",
            Self::Receive => "receive from",
            Self::Params => "read the parameters of",
            Self::SetParams => "change the parameters of",
            Self::Flush => "change the expiry of",
            Self::Create => "make another pipe through",
            Self::Destroy => "destroy",
            Self::Dump => "dump",
            Self::Switch => "change the blocking mode of",
            Self::NextLen => "ask for the next length in",
            Self::Mode => "read the mode of the open file",
            Self::SetMode => "change the mode of the open file",
        })
    }
}

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
    /// Makes an error of a failed system call.
    pub(crate) fn system(action: Action, object: &Path, errno: Errno) -> Self {
        Self::System {
            action,
            object: object.to_owned(),
            errno,
            hint: hint::after(action, object, errno),
        }
    }

    /// Makes the error that there are no pipes at all.
    pub(crate) fn no_pipes(directory: &Path) -> Self {
        Self::NoPipes {
            directory: directory.to_owned(),
            hint: hint::no_pipes(),
        }
    }

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
