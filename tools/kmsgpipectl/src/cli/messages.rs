// SPDX-License-Identifier: GPL-2.0

//! The arguments of the commands that send and receive.

use crate::{duration, framing, record, size};
use clap::{Args, ValueEnum, ValueHint};
use kmsgpipe::PipeName;
use std::{ffi::OsString, time::Duration};

/// How long a command may wait for a pipe.
#[derive(Args, Clone, Copy, Debug)]
pub struct Patience {
    /// Wait for each message no longer than this, such as 250ms, 1.5s or 2m (seconds without a
    /// unit); then exit with 6
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, allow_hyphen_values = true)]
    pub timeout: Option<Duration>,

    /// Do not wait at all; exit with 5 instead
    #[arg(long, conflicts_with = "timeout")]
    pub nonblock: bool,
}

impl Patience {
    /// Does not wait at all.
    pub const NONE: Self = Self {
        timeout: None,
        nonblock: true,
    };
}

/// The arguments of `send`.
#[derive(Args, Debug)]
#[command(after_help = "\
Each MESSAGE is sent as it is, without a newline. Without one, messages come from standard input;
an empty one is skipped with a warning, as the kernel makes no message of 0 bytes.")]
pub struct Send {
    /// The pipe
    #[arg(value_hint = ValueHint::FilePath)]
    pub pipe: PipeName,

    /// The messages; read from standard input if not given
    #[arg(value_name = "MESSAGE")]
    pub messages: Vec<OsString>,

    /// How standard input is cut into messages.
    #[command(flatten)]
    pub framing: InputFraming,

    /// With MESSAGE, send all of them N times; otherwise stop after N messages
    #[arg(long, short = 'n', value_name = "N", value_parser = size::times, allow_hyphen_values = true)]
    pub count: Option<u64>,

    /// What becomes of a message that is longer than the pipe takes
    #[arg(long, value_name = "WHAT", default_value = "stop")]
    pub too_long: TooLong,

    /// How long to wait for room.
    #[command(flatten)]
    pub patience: Patience,
}

/// What becomes of a message that is longer than the pipe takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TooLong {
    /// It ends the command, which then fails
    Stop,
    /// It is not sent
    Skip,
    /// As much of it is sent as the pipe takes
    Cut,
}

/// How standard input is cut into messages.
#[derive(Args, Clone, Copy, Debug)]
#[group(multiple = false, conflicts_with = "messages")]
pub struct InputFraming {
    /// One message a line, without its newline (default)
    #[arg(long)]
    pub line: bool,

    /// Each message ends with a NUL byte, which is not sent
    #[arg(long, short = '0')]
    pub null: bool,

    /// Before each message its length, 4 bytes, the least significant first
    #[arg(long)]
    pub length_prefixed: bool,

    /// All of standard input is one message
    #[arg(long)]
    pub whole: bool,
}

impl InputFraming {
    /// The framing that was chosen.
    pub fn chosen(self) -> framing::Input {
        match self {
            Self { null: true, .. } => framing::Input::Null,
            Self {
                length_prefixed: true,
                ..
            } => framing::Input::LengthPrefixed,
            Self { whole: true, .. } => framing::Input::Whole,
            _ => framing::Input::Line,
        }
    }
}

/// The arguments of `recv`.
#[derive(Args, Debug)]
#[command(after_help = "\
Without --line, --null, --length-prefixed, --raw, --format or --json, a message is written as it is,
and followed by a newline unless it ends with one.")]
pub struct Recv {
    /// The pipe
    #[arg(value_hint = ValueHint::FilePath)]
    pub pipe: PipeName,

    /// How messages are written.
    #[command(flatten)]
    pub output: Output,

    /// Receive N messages; 0 is for ever
    #[arg(long, short = 'n', value_name = "N", default_value_t = 1, value_parser = size::count, allow_hyphen_values = true)]
    pub count: u64,

    /// Receive for ever, like --count 0
    #[arg(long, short, conflicts_with = "count")]
    pub follow: bool,

    /// Receive all that are there, without waiting; exit with 0, even if there is none
    #[arg(long, short, conflicts_with_all = ["count", "follow", "timeout", "nonblock"])]
    pub all: bool,

    /// How long to wait for a message.
    #[command(flatten)]
    pub patience: Patience,
}

/// How messages are written to standard output.
#[derive(Args, Clone, Copy, Debug)]
#[group(multiple = false)]
pub struct Output {
    /// A newline after each message, even if it ends with one
    #[arg(long)]
    pub line: bool,

    /// A NUL byte after each message
    #[arg(long, short = '0')]
    pub null: bool,

    /// Before each message its length, 4 bytes, the least significant first
    #[arg(long)]
    pub length_prefixed: bool,

    /// Nothing but the messages
    #[arg(long, visible_alias = "whole")]
    pub raw: bool,

    /// For people: when each message was sent, and by whom
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<record::Format>,
}

/// What is to be written of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// They alone.
    Messages(framing::Output),
    /// They, with what is known of them.
    Records(record::Format),
}

impl Output {
    /// Whether anything was asked for.
    pub(super) fn is_given(self) -> bool {
        self.line || self.null || self.length_prefixed || self.raw || self.format.is_some()
    }

    /// What was chosen, which is something else with `--json`.
    pub fn chosen(self, json: bool) -> Wanted {
        let framing = match self {
            _ if json => return Wanted::Records(record::Format::Json),
            Self {
                format: Some(format),
                ..
            } => return Wanted::Records(format),
            Self { line: true, .. } => framing::Output::Line,
            Self { null: true, .. } => framing::Output::Null,
            Self {
                length_prefixed: true,
                ..
            } => framing::Output::LengthPrefixed,
            Self { raw: true, .. } => framing::Output::Raw,
            _ => framing::Output::Text,
        };
        Wanted::Messages(framing)
    }
}
