// SPDX-License-Identifier: GPL-2.0

//! The commands.

mod chat;
mod clear;
mod completions;
mod create;
mod destroy;
mod doctor;
mod dump;
mod flush;
mod ioctl;
mod list;
mod peers;
mod recv;
mod send;
mod set_params;
mod show;
mod stats;
mod subscriptions;
mod watch;

pub use chat::{chat, Nick};
pub use clear::clear;
pub use completions::completions;
pub use create::create;
pub use destroy::destroy;
pub use doctor::doctor;
pub use dump::dump;
pub use flush::flush;
pub use ioctl::ioctl;
pub use list::list;
pub use peers::peers;
pub use recv::recv;
pub use send::send;
pub use set_params::set_params;
pub use show::show;
pub use stats::stats;
pub use subscriptions::subscriptions;
pub use watch::watch;

use crate::failure::Failure;
use std::io::{self, Write};

/// Writes all of `text` to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::io("write to standard output", &error))
}

/// Writes a JSON value to standard output, followed by a newline.
fn print_json(value: &serde_json::Value) -> Result<(), Failure> {
    print(&format!("{value}\n"))
}

/// Converts an error of serialization.
fn unwritable(error: serde_json::Error) -> Failure {
    Failure::io("write JSON", &error.into())
}
