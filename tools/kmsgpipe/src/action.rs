// SPDX-License-Identifier: MIT OR Apache-2.0

//! What was being done to a pipe when a call failed.

use std::fmt;

/// What was being done to a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Opening it.
    Open,
    /// Looking for pipes in a directory.
    List,
    /// Asking for its statistics.
    Stats,
    /// Discarding its messages.
    Clear,
    /// Sending a message.
    Send,
    /// Receiving a message.
    Receive,
    /// Asking what it may hold.
    Params,
    /// Changing what it may hold.
    SetParams,
    /// Letting its messages expire, or stopping that.
    Flush,
    /// Making another pipe.
    Create,
    /// Destroying it.
    Destroy,
    /// Copying its messages.
    Dump,
    /// Switching between blocking and non-blocking mode.
    Switch,
    /// Asking for the length of the next message.
    NextLen,
    /// Asking for the mode of the open file.
    Mode,
    /// Changing the mode of the open file.
    SetMode,
}

impl Action {
    /// Whether it needs a privilege.
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
        })
    }
}
