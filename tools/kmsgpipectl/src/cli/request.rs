// SPDX-License-Identifier: GPL-2.0

//! Arguments of `ioctl`.

use clap::{Args, ValueEnum, ValueHint};
use std::ffi::OsString;

/// Arguments of `ioctl`.
#[derive(Args, Debug)]
#[command(after_help = "\
Arguments of the requests:
  KMSGPIPE_SET_PARAMS      MSG_SIZE MAX_MSGS
  KMSGPIPE_FLUSH_PERIODIC  enable [INTERVAL [EXPIRY]] | disable
  KMSGPIPE_CREATE_NEW      [MSG_SIZE MAX_MSGS [MODE [NAME]]]
  KMSGPIPE_DUMP            [SIZE]
  KMSGPIPE_SET_MODE        MODES, as create --default-mode
  KMSGPIPE_ATTACH          own [WHEN] | group [LEASE [MAX_DELIVERIES]] | browse [WHEN],
                           where WHEN is as recv --since
  KMSGPIPE_ACK             FIRST[-LAST], sequence numbers
  KMSGPIPE_NACK            FIRST[-LAST] [DELAY]
  FIONBIO                  0 | 1
Other requests take no arguments. The prefix KMSGPIPE_ is optional, and case does not matter.")]
pub struct Ioctl {
    /// The device node; `-` is the file that is open as standard input
    #[arg(value_name = "NODE", value_hint = ValueHint::FilePath)]
    pub node: OsString,

    /// The request
    #[arg(value_name = "MACRO", ignore_case = true)]
    pub request: Request,

    /// Arguments of the request
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    pub args: Vec<String>,
}

/// An ioctl request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Request {
    /// Read the statistics
    #[value(name = "KMSGPIPE_GET_STATS", alias = "GET_STATS")]
    GetStats,
    /// Discard all queued messages
    #[value(name = "KMSGPIPE_CLEAR_QUEUE", alias = "CLEAR_QUEUE")]
    ClearQueue,
    /// Change the limits of an empty pipe
    #[value(name = "KMSGPIPE_SET_PARAMS", alias = "SET_PARAMS")]
    SetParams,
    /// Read the limits of the pipe
    #[value(name = "KMSGPIPE_GET_PARAMS", alias = "GET_PARAMS")]
    GetParams,
    /// Toggle the open file between blocking and non-blocking mode
    #[value(name = "KMSGPIPE_TOGGLE_BLOCK", alias = "TOGGLE_BLOCK")]
    ToggleBlock,
    /// Enable or disable message expiry
    #[value(name = "KMSGPIPE_FLUSH_PERIODIC", alias = "FLUSH_PERIODIC")]
    FlushPeriodic,
    /// Create another pipe
    #[value(name = "KMSGPIPE_CREATE_NEW", alias = "CREATE_NEW")]
    CreateNew,
    /// Destroy the pipe
    #[value(name = "KMSGPIPE_DESTROY", alias = "DESTROY")]
    Destroy,
    /// Copy the queued messages
    #[value(name = "KMSGPIPE_DUMP", alias = "DUMP")]
    Dump,
    /// Change the mode of the open file
    #[value(name = "KMSGPIPE_SET_MODE", alias = "SET_MODE")]
    SetMode,
    /// Read the mode of the open file
    #[value(name = "KMSGPIPE_GET_MODE", alias = "GET_MODE")]
    GetMode,
    /// Choose what the open file reads
    #[value(name = "KMSGPIPE_ATTACH", alias = "ATTACH")]
    Attach,
    /// Consume messages that the open file has on trust
    #[value(name = "KMSGPIPE_ACK", alias = "ACK")]
    Ack,
    /// Give back messages that the open file has on trust
    #[value(name = "KMSGPIPE_NACK", alias = "NACK")]
    Nack,
    /// Read the maximum number of bytes that the next read can return
    #[value(name = "FIONREAD")]
    NextLen,
    /// Set or clear non-blocking mode of the open file
    #[value(name = "FIONBIO")]
    SetNonblocking,
}

impl Request {
    /// Returns whether the request has a result other than success.
    pub(super) fn has_result(self) -> bool {
        !matches!(
            self,
            Self::ClearQueue
                | Self::SetParams
                | Self::FlushPeriodic
                | Self::Destroy
                | Self::SetMode
                | Self::Attach
                | Self::Ack
                | Self::Nack
        )
    }

    /// Returns the name in the header.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_string())
    }
}
