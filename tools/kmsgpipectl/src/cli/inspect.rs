// SPDX-License-Identifier: GPL-2.0

//! Arguments of the commands that only read.

use crate::{duration, size};
use clap::{Args, ValueHint};
use kmsgpipe::PipeName;
use std::time::Duration;

/// Arguments of `show`.
#[derive(Args, Debug)]
pub struct Show {
    /// The pipes
    #[arg(value_name = "PIPE", required = true, value_hint = ValueHint::FilePath)]
    pub pipes: Vec<PipeName>,
}

/// Arguments of `stats`.
#[derive(Args, Debug)]
pub struct Stats {
    /// The pipes; all pipes if none are given
    #[arg(value_name = "PIPE", value_hint = ValueHint::FilePath)]
    pub pipes: Vec<PipeName>,
}

/// Arguments of `watch`.
#[derive(Args, Debug)]
pub struct Watch {
    /// The pipes; all pipes if none are given
    #[arg(value_name = "PIPE", value_hint = ValueHint::FilePath)]
    pub pipes: Vec<PipeName>,

    /// Interval between updates, such as 250ms or 10s (seconds without a unit)
    #[arg(long, short, value_name = "DURATION", default_value = "1s", value_parser = duration::parse_some, allow_hyphen_values = true)]
    pub interval: Duration,

    /// Stop after N updates; otherwise run until interrupted
    #[arg(long, short = 'n', value_name = "N", value_parser = size::times, allow_hyphen_values = true)]
    pub count: Option<u64>,
}

/// Arguments of `peers`.
#[derive(Args, Debug)]
pub struct Peers {
    /// The pipe
    #[arg(value_hint = ValueHint::FilePath)]
    pub pipe: PipeName,
}

/// Arguments of `subscriptions`.
#[derive(Args, Debug)]
pub struct Subscriptions {
    /// The pipe; all pipes if none is given
    #[arg(value_hint = ValueHint::FilePath)]
    pub pipe: Option<PipeName>,
}

/// Arguments of `dump`.
#[derive(Args, Debug)]
pub struct Dump {
    /// The pipe
    #[arg(value_hint = ValueHint::FilePath)]
    pub pipe: PipeName,

    /// Print payloads in hexadecimal
    #[arg(long)]
    pub hex: bool,
}
