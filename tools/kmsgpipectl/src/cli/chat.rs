// SPDX-License-Identifier: GPL-2.0

//! Arguments of `chat`.

use crate::commands::Nick;
use clap::{Args, ValueHint};
use kmsgpipe::PipeName;

/// Arguments of `chat`.
#[derive(Args, Debug)]
#[command(after_help = "\
Ctrl-D leaves. Ctrl-C clears the line, and leaves if there is none. If standard input or output is
not a terminal, each line of standard input is a message.")]
pub struct Chat {
    /// The pipe, which must be of the kind broadcast
    #[arg(value_hint = ValueHint::FilePath)]
    pub pipe: PipeName,

    /// A nickname, which others see in parentheses behind your user name
    #[arg(long, value_name = "NAME", value_parser = Nick::parse)]
    pub nick: Option<Nick>,

    /// Do not tell the others that you join and leave
    #[arg(long)]
    pub quiet: bool,
}
