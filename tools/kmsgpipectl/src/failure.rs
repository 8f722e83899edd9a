// SPDX-License-Identifier: GPL-2.0

//! Failures, and how the program reports them.

use crate::style::Paint;
use kmsgpipe::{Class, Errno, Error};
use serde::Serialize;
use serde_json::json;
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// A failure: exit class, error number and message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    class: Class,
    errno: Option<Errno>,
    message: String,
}

/// The JSON form of a failure.
#[derive(Debug, Serialize)]
pub struct Description {
    /// Symbol of the error number, if there is one.
    errno: Option<String>,
    /// The message, as in text output.
    message: String,
    /// The exit code.
    exit: u8,
}

impl Failure {
    /// Creates a failure without an error number.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            errno: None,
            message: message.into(),
        }
    }

    /// Creates a failure from an I/O error on a file other than a pipe.
    pub fn io(doing: &str, error: &io::Error) -> Self {
        let errno = error.raw_os_error().map(Errno::from_raw);
        let cause = match errno {
            Some(errno) => format!("{} ({errno:?})", errno.desc()),
            None => error.to_string(),
        };
        Self {
            class: Class::Failed,
            errno,
            message: format!("cannot {doing}: {cause}"),
        }
    }

    /// Appends to the message.
    pub fn also(mut self, more: &str) -> Self {
        self.message = format!("{}; {more}", self.message);
        self
    }

    /// Prefixes the message with its subject.
    pub fn about(mut self, object: &str) -> Self {
        self.message = format!("{object}: {}", self.message);
        self
    }

    /// Creates a failure for invalid usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Class::Usage, message)
    }

    /// Returns the message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the error number, if there is one.
    pub fn errno(&self) -> Option<Errno> {
        self.errno
    }

    /// Returns the kind of failure.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Writes the failure to standard error, and returns the exit code.
    pub fn report(&self, json: bool) -> ExitCode {
        if json {
            print_line(&self.json().to_string());
        } else {
            print_error(&self.message);
        }
        ExitCode::from(self.class.exit_code())
    }

    /// Returns what `--json` writes to standard error.
    fn json(&self) -> serde_json::Value {
        json!({ "schema": 1, "error": self.description() })
    }

    /// Returns the JSON form.
    pub fn description(&self) -> Description {
        Description {
            errno: self.errno.map(|errno| format!("{errno:?}")),
            message: self.message.clone(),
            exit: self.class.exit_code(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            class: error.class(),
            errno: error.errno(),
            message: error.to_string(),
        }
    }
}

/// Writes an error to standard error.
fn print_error(message: &str) {
    print_line(&format!(
        "{} {message}",
        Paint::stderr().bad("kmsgpipectl:")
    ));
}

/// Writes a warning to standard error.
pub fn warn(message: &str) {
    let name = Paint::stderr().warning("kmsgpipectl: warning:");
    print_line(&format!("{name} {message}"));
}

/// Writes a line to standard error in a single write, so that it does not interleave with other output. A
/// failure is ignored, because it cannot be reported anywhere.
fn print_line(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_contains_the_errno_symbol() {
        let error = kmsgpipe::Error::WouldBlock {
            action: kmsgpipe::Action::Receive,
            object: "/dev/kmsgpipe0".into(),
        };
        assert_eq!(
            Failure::from(error).also("2 messages were received").json(),
            json!({
                "schema": 1,
                "error": {
                    "errno": "EAGAIN",
                    "message": "cannot receive from /dev/kmsgpipe0 without waiting: it is empty \
                        (EAGAIN); 2 messages were received",
                    "exit": 5,
                },
            })
        );
        let json = Failure::new(Class::Usage, "no").about("message 1").json();
        assert_eq!(json["error"]["errno"], serde_json::Value::Null);
        assert_eq!(json["error"]["message"], "message 1: no");
        assert_eq!(json["error"]["exit"], 2);
    }

    #[test]
    fn io_error_keeps_its_errno() {
        let error = io::Error::from_raw_os_error(Errno::ENOSPC as i32);
        let failure = Failure::io("write to standard output", &error);
        assert_eq!(
            failure.message,
            "cannot write to standard output: No space left on device (ENOSPC)"
        );
        assert_eq!(failure.errno, Some(Errno::ENOSPC));
    }
}
