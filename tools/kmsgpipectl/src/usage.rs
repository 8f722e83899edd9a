// SPDX-License-Identifier: GPL-2.0

//! Invalid usage, and the help and version texts.

use crate::{failure::Failure, stdio};
use kmsgpipe::Class;
use std::process::ExitCode;

/// Reports a result of clap other than a command: an error, or the help or version text.
pub fn report(error: &clap::Error) -> ExitCode {
    // The arguments could not be parsed, so search for --json.
    let json = std::env::args_os().any(|arg| arg == "--json");
    if json && error.use_stderr() {
        let text = error.render().to_string();
        let message = text.trim().trim_start_matches("error: ");
        return Failure::new(Class::Usage, message).report(true);
    }
    if !error.use_stderr() {
        if let Err(failure) = stdio::check_output() {
            return failure.report(json);
        }
    }
    match error.print() {
        Ok(()) => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)),
        Err(error) => Failure::io("write the help", &error).report(json),
    }
}
