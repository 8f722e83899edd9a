// SPDX-License-Identifier: GPL-2.0

//! The arguments of `ioctl`.

use clap::{Args, ValueEnum, ValueHint};
use std::ffi::OsString;

/// The arguments of `ioctl`.
#[derive(Args, Debug)]
#[command(after_help = "\
What the requests take:
  KMSGPIPE_SET_PARAMS      MSG_SIZE MAX_MSGS
  KMSGPIPE_FLUSH_PERIODIC  enable [INTERVAL [EXPIRY]] | disable
  KMSGPIPE_CREATE_NEW      [MSG_SIZE MAX_MSGS [MODE [NAME]]]
  KMSGPIPE_DUMP            [SIZE]
  KMSGPIPE_SET_MODE        MODES, as create --default-mode
  FIONBIO                  0 | 1
The others take nothing. KMSGPIPE_ may be left out, and case does not matter.")]
pub struct Ioctl {
    /// The pipe; `-` is standard input, whoever opened it
    #[arg(value_name = "NODE", value_hint = ValueHint::FilePath)]
    pub node: OsString,

    /// The request
    #[arg(value_name = "MACRO", ignore_case = true)]
    pub request: Request,

    /// What it takes
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    pub args: Vec<String>,
}

/// A request of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Request {
    /// A snapshot of the statistics
    #[value(name = "KMSGPIPE_GET_STATS", alias = "GET_STATS")]
    GetStats,
    /// Discard every queued message
    #[value(name = "KMSGPIPE_CLEAR_QUEUE", alias = "CLEAR_QUEUE")]
    ClearQueue,
    /// Change what an empty pipe may hold
    #[value(name = "KMSGPIPE_SET_PARAMS", alias = "SET_PARAMS")]
    SetParams,
    /// What the pipe may hold
    #[value(name = "KMSGPIPE_GET_PARAMS", alias = "GET_PARAMS")]
    GetParams,
    /// Switch the open file between blocking and non-blocking mode
    #[value(name = "KMSGPIPE_TOGGLE_BLOCK", alias = "TOGGLE_BLOCK")]
    ToggleBlock,
    /// Let messages expire, or stop doing so
    #[value(name = "KMSGPIPE_FLUSH_PERIODIC", alias = "FLUSH_PERIODIC")]
    FlushPeriodic,
    /// Make another pipe
    #[value(name = "KMSGPIPE_CREATE_NEW", alias = "CREATE_NEW")]
    CreateNew,
    /// Destroy the pipe
    #[value(name = "KMSGPIPE_DESTROY", alias = "DESTROY")]
    Destroy,
    /// Copy the queued messages
    #[value(name = "KMSGPIPE_DUMP", alias = "DUMP")]
    Dump,
    /// Change how the open file reads and writes
    #[value(name = "KMSGPIPE_SET_MODE", alias = "SET_MODE")]
    SetMode,
    /// How the open file reads and writes
    #[value(name = "KMSGPIPE_GET_MODE", alias = "GET_MODE")]
    GetMode,
    /// How many bytes the next read can get at most
    #[value(name = "FIONREAD")]
    NextLen,
    /// Put the open file into non-blocking mode, or out of it
    #[value(name = "FIONBIO")]
    SetNonblocking,
}

impl Request {
    /// Whether more is known after it than that it was done.
    pub(super) fn returns_something(self) -> bool {
        !matches!(
            self,
            Self::ClearQueue
                | Self::SetParams
                | Self::FlushPeriodic
                | Self::Destroy
                | Self::SetMode
        )
    }

    /// Its name in the header.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_string())
    }
}
