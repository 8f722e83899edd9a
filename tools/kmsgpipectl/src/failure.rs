// SPDX-License-Identifier: GPL-2.0

//! How the program ends when it fails.

use crate::{standard, style::Paint};
use kmsgpipe::{Class, Errno, Error};
use serde::Serialize;
use serde_json::json;
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// What went wrong, for people and for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    class: Class,
    errno: Option<Errno>,
    message: String,
}

/// A failure in JSON.
#[derive(Debug, Serialize)]
pub struct Description {
    /// The name of the error number, if there is one.
    errno: Option<String>,
    /// What is written without JSON.
    message: String,
    /// The exit code that belongs to it.
    exit: u8,
}

impl Failure {
    /// Makes a failure that no system call is to blame for.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            errno: None,
            message: message.into(),
        }
    }

    /// Makes a failure of an error of reading or writing something else than a pipe.
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

    /// Says more about it.
    pub fn also(mut self, more: &str) -> Self {
        self.message = format!("{}; {more}", self.message);
        self
    }

    /// Says what it is about.
    pub fn about(mut self, object: &str) -> Self {
        self.message = format!("{object}: {}", self.message);
        self
    }

    /// Makes a failure of a command line that makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Class::Usage, message)
    }

    /// What it says.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What sort of failure it is.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Writes it to standard error, and makes it an exit code.
    pub fn report(&self, json: bool) -> ExitCode {
        if json {
            say(&self.json().to_string());
        } else {
            complain(&self.message);
        }
        ExitCode::from(self.class.exit_code())
    }

    /// What `--json` writes to standard error.
    fn json(&self) -> serde_json::Value {
        json!({ "schema": 1, "error": self.description() })
    }

    /// What JSON says about it.
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

/// Writes what went wrong to standard error.
fn complain(message: &str) {
    say(&format!(
        "{} {message}",
        Paint::stderr().bad("kmsgpipectl:")
    ));
}

/// Warns of something on standard error.
pub fn warn(message: &str) {
    let name = Paint::stderr().doubtful("kmsgpipectl: warning:");
    say(&format!("{name} {message}"));
}

/// Writes a line to standard error, in one piece, as others may write there too. Nothing can be done
/// about a failure.
fn say(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Reports what clap has to say, which may be the help that was asked for.
pub fn usage(error: &clap::Error) -> ExitCode {
    // Without its arguments understood, whether JSON is wanted has to be guessed.
    let json = std::env::args_os().any(|arg| arg == "--json");
    if json && error.use_stderr() {
        let text = error.render().to_string();
        let message = text.trim().trim_start_matches("error: ");
        return Failure::new(Class::Usage, message).report(true);
    }
    if !error.use_stderr() {
        if let Err(failure) = standard::check_output() {
            return failure.report(json);
        }
    }
    match error.print() {
        Ok(()) => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)),
        Err(error) => Failure::io("write the help", &error).report(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_names_the_error_number() {
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
    fn other_files_have_error_numbers_too() {
        let error = io::Error::from_raw_os_error(Errno::ENOSPC as i32);
        let failure = Failure::io("write to standard output", &error);
        assert_eq!(
            failure.message,
            "cannot write to standard output: No space left on device (ENOSPC)"
        );
        assert_eq!(failure.errno, Some(Errno::ENOSPC));
    }
}
