// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl completions`.

use super::print;
use crate::{
    cli::{self, Cli},
    failure::Failure,
};
use clap::CommandFactory;

/// Writes a completion script.
pub fn completions(args: &cli::Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "kmsgpipectl", &mut script);
    print(&String::from_utf8_lossy(&script))
}
