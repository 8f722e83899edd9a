// SPDX-License-Identifier: GPL-2.0

//! The commands.

mod clear;
mod completions;
mod list;
mod recv;
mod send;
mod stats;

pub use clear::clear;
pub use completions::completions;
pub use list::list;
pub use recv::recv;
pub use send::send;
pub use stats::stats;

use crate::failure::Failure;
use std::io::{self, Write};

/// Writes all of `text` to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::io("write to standard output", &error))
}

/// Makes a failure of JSON that cannot be written.
fn unwritable(error: serde_json::Error) -> Failure {
    Failure::io("write JSON", &error.into())
}

/// So many messages, in words.
fn messages(count: u64) -> String {
    match count {
        1 => "1 message".to_string(),
        _ => format!("{count} messages"),
    }
}
