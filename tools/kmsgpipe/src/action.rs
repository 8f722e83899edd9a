// SPDX-License-Identifier: MIT OR Apache-2.0

//! The operation that failed.

use std::fmt;

/// An operation on a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Opening a pipe.
    Open,
    /// Listing the pipes in a directory.
    List,
    /// Reading the statistics.
    Stats,
    /// Discarding all queued messages.
    Clear,
    /// Sending a message.
    Send,
    /// Receiving a message.
    Receive,
    /// Reading the parameters.
    Params,
    /// Changing the parameters.
    SetParams,
    /// Enabling or disabling message expiry.
    Flush,
    /// Creating another pipe.
    Create,
    /// Destroying a pipe.
    Destroy,
    /// Copying the queued messages.
    Dump,
    /// Switching between blocking and non-blocking mode.
    Switch,
    /// Reading the length of the next message.
    NextLen,
    /// Reading the mode of the open file.
    Mode,
    /// Changing the mode of the open file.
    SetMode,
    /// Choosing what the open file reads.
    Attach,
    /// Acknowledging messages.
    Ack,
    /// Giving back messages.
    Nack,
}

impl Action {
    /// Returns whether the operation requires `CAP_SYS_ADMIN`.
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
            Self::Attach => "choose what to read from",
            Self::Ack => "acknowledge messages of",
            Self::Nack => "give back messages of",
        })
    }
}
