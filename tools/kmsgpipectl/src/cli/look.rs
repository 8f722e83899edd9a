// SPDX-License-Identifier: GPL-2.0

//! The arguments of the commands that look and change nothing.

use crate::{duration, size};
use clap::{Args, ValueHint};
use kmsgpipe::PipeName;
use std::time::Duration;

/// The arguments of `show`.
#[derive(Args, Debug)]
pub struct Show {
    /// The pipes
    #[arg(value_name = "PIPE", required = true, value_hint = ValueHint::FilePath)]
    pub pipes: Vec<PipeName>,
}

/// The arguments of `stats`.
#[derive(Args, Debug)]
pub struct Stats {
    /// The pipes; all of them if none is given
    #[arg(value_name = "PIPE", value_hint = ValueHint::FilePath)]
    pub pipes: Vec<PipeName>,
}

/// The arguments of `watch`.
#[derive(Args, Debug)]
pub struct Watch {
    /// The pipes; all of them if none is given
    #[arg(value_name = "PIPE", value_hint = ValueHint::FilePath)]
    pub pipes: Vec<PipeName>,

    /// How long to wait each time, such as 250ms or 10s (seconds without a unit)
    #[arg(long, short, value_name = "DURATION", default_value = "1s", value_parser = duration::parse_some, allow_hyphen_values = true)]
    pub interval: Duration,

    /// Stop after N times; otherwise go on until interrupted
    #[arg(long, short = 'n', value_name = "N", value_parser = size::times, allow_hyphen_values = true)]
    pub count: Option<u64>,
}

/// The arguments of `dump`.
#[derive(Args, Debug)]
pub struct Dump {
    /// The pipe
    #[arg(value_hint = ValueHint::FilePath)]
    pub pipe: PipeName,

    /// Show every byte as two hexadecimal digits
    #[arg(long)]
    pub hex: bool,
}
