// SPDX-License-Identifier: GPL-2.0

//! Arguments of the commands that send and receive.

use crate::{duration, framing, record, size, when};
use clap::{Args, ValueEnum, ValueHint};
use kmsgpipe::{MessageOptions, PipeName, Start};
use std::{ffi::OsString, num::NonZeroU32, time::Duration};

/// How long a command waits for a pipe.
#[derive(Args, Clone, Copy, Debug)]
pub struct WaitOptions {
    /// Wait at most this long for each message, such as 250ms, 1.5s or 2m (seconds without a unit);
    /// then exit with status 6
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, allow_hyphen_values = true)]
    pub timeout: Option<Duration>,

    /// Do not wait; exit with status 5 if the operation would block
    #[arg(long, conflicts_with = "timeout")]
    pub nonblock: bool,
}

impl WaitOptions {
    /// Does not wait.
    pub const NONE: Self = Self {
        timeout: None,
        nonblock: true,
    };
}

/// Arguments of `send`.
#[derive(Args, Debug)]
#[command(after_help = "\
Each MESSAGE is sent unchanged, without a newline. If none is given, messages are read from
standard input; empty ones are skipped with a warning, because a message has at least 1 byte.")]
pub struct Send {
    /// The pipe
    #[arg(value_hint = ValueHint::FilePath)]
    pub pipe: PipeName,

    /// The messages; read from standard input if not given
    #[arg(value_name = "MESSAGE")]
    pub messages: Vec<OsString>,

    /// How standard input is split into messages.
    #[command(flatten)]
    pub framing: InputFraming,

    /// Send each MESSAGE N times; when reading standard input, stop after N messages
    #[arg(long, short = 'n', value_name = "N", value_parser = size::times, allow_hyphen_values = true)]
    pub count: Option<u64>,

    /// What to do with a message that exceeds the pipe's maximum size
    #[arg(long, value_name = "WHAT", default_value = "stop")]
    pub too_long: TooLong,

    /// Priority of the messages, from 0 to one less than the number of priorities of the pipe; higher ones are
    /// received first
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = size::priority, allow_hyphen_values = true)]
    pub priority: u32,

    /// Time after which each message expires, such as 250ms, 1.5s or 2m (seconds without a unit), if the pipe
    /// does not let it expire earlier
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, allow_hyphen_values = true)]
    pub ttl: Option<Duration>,

    /// How long to wait for space.
    #[command(flatten)]
    pub wait: WaitOptions,
}

impl Send {
    /// Returns how each message is sent.
    pub fn options(&self) -> MessageOptions {
        MessageOptions {
            priority: self.priority,
            ttl: self.ttl,
        }
    }
}

/// What to do with a message that exceeds the pipe's maximum size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TooLong {
    /// Fail and send nothing more
    Stop,
    /// Skip the message
    Skip,
    /// Truncate the message to the maximum size
    Cut,
}

/// How standard input is split into messages.
#[derive(Args, Clone, Copy, Debug)]
#[group(multiple = false, conflicts_with = "messages")]
pub struct InputFraming {
    /// Each line is a message, without its newline (default)
    #[arg(long)]
    pub line: bool,

    /// Each message ends with a NUL byte, which is not sent
    #[arg(long, short = '0')]
    pub null: bool,

    /// Each message is preceded by its length as 4 bytes, little-endian
    #[arg(long)]
    pub length_prefixed: bool,

    /// The whole input is one message
    #[arg(long)]
    pub whole: bool,
}

impl InputFraming {
    /// Returns the selected framing.
    pub fn selected(self) -> framing::Input {
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

/// Arguments of `recv`.
#[derive(Args, Debug)]
#[command(after_help = "\
Without --line, --null, --length-prefixed, --raw, --format or --json, messages are written
unchanged, and a newline is appended to those that do not end with one.

WHEN is oldest, now, seq:NUMBER, a time before now such as 10s, 5m or 2h, a time such as
2026-11-30T08:15:00+01:00, or @ and the seconds since 1970.")]
pub struct Recv {
    /// The pipe
    #[arg(value_hint = ValueHint::FilePath)]
    pub pipe: PipeName,

    /// How messages are written.
    #[command(flatten)]
    pub output: Output,

    /// Receive N messages; 0 means no limit [default: 1, and no limit with --browse]
    #[arg(long, short = 'n', value_name = "N", value_parser = size::count, allow_hyphen_values = true)]
    pub count: Option<u64>,

    /// Receive without a limit, like --count 0
    #[arg(long, short, conflicts_with = "count")]
    pub follow: bool,

    /// Receive all queued messages without waiting; exit with status 0 even if there are none
    #[arg(long, short, conflicts_with_all = ["count", "follow", "timeout", "nonblock"])]
    pub all: bool,

    /// Read copies of the stored messages, oldest first, then of those that are sent; consume nothing
    #[arg(long)]
    pub browse: bool,

    /// Begin with the first stored message from WHEN on; in a queue, only with --browse
    #[arg(long, value_name = "WHEN", value_parser = when::parse, allow_hyphen_values = true)]
    pub since: Option<Start>,

    /// Begin with the newest N stored messages; in a queue, only with --browse
    #[arg(long, value_name = "N", value_parser = size::count, conflicts_with = "since", allow_hyphen_values = true)]
    pub lines: Option<u64>,

    /// Have each message on trust, and acknowledge it once it was written; what was not written comes back
    #[arg(long, conflicts_with_all = ["browse", "since", "lines"])]
    pub ack: bool,

    /// How long to have a message on trust; then it is delivered again [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_some_millis, requires = "ack", allow_hyphen_values = true)]
    pub lease: Option<Duration>,

    /// Drop a message that comes back after N deliveries
    #[arg(long, value_name = "N", value_parser = size::deliveries, requires = "ack", allow_hyphen_values = true)]
    pub max_deliveries: Option<NonZeroU32>,

    /// How long to wait for a message.
    #[command(flatten)]
    pub wait: WaitOptions,
}

impl Recv {
    /// Returns the maximum number of messages.
    pub fn most(&self) -> u64 {
        match self.count {
            Some(0) => u64::MAX,
            Some(count) => count,
            None if self.follow || self.all || self.browse => u64::MAX,
            None => 1,
        }
    }
}

/// How messages are written to standard output.
#[derive(Args, Clone, Copy, Debug)]
#[group(multiple = false)]
pub struct Output {
    /// Append a newline to each message, even if it ends with one
    #[arg(long)]
    pub line: bool,

    /// Append a NUL byte to each message
    #[arg(long, short = '0')]
    pub null: bool,

    /// Precede each message by its length as 4 bytes, little-endian
    #[arg(long)]
    pub length_prefixed: bool,

    /// Write only the messages
    #[arg(long, visible_alias = "whole")]
    pub raw: bool,

    /// Write each message with its time and sender, for people to read
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<record::Format>,
}

/// What is written for each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// The payload.
    Messages(framing::Output),
    /// The message and its metadata.
    Records(record::Format),
}

impl Output {
    /// Returns whether an option was given.
    pub(super) fn is_given(self) -> bool {
        self.line || self.null || self.length_prefixed || self.raw || self.format.is_some()
    }

    /// Returns the selected output; `--json` has precedence.
    pub fn selected(self, json: bool) -> OutputFormat {
        let framing = match self {
            _ if json => return OutputFormat::Records(record::Format::Json),
            Self {
                format: Some(format),
                ..
            } => return OutputFormat::Records(format),
            Self { line: true, .. } => framing::Output::Line,
            Self { null: true, .. } => framing::Output::Null,
            Self {
                length_prefixed: true,
                ..
            } => framing::Output::LengthPrefixed,
            Self { raw: true, .. } => framing::Output::Raw,
            _ => framing::Output::Text,
        };
        OutputFormat::Messages(framing)
    }
}
