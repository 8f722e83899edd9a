// SPDX-License-Identifier: GPL-2.0

//! Use and inspect bounded message queues that are files. See kmsgpipectl(8).

#![deny(missing_docs, unsafe_op_in_unsafe_fn)]

mod cli;
mod commands;
mod duration;
mod failure;
mod framing;
mod report;
mod signals;
mod table;

use cli::{Cli, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    signals::die_of_closed_pipes();

    let cli = match Cli::from_env() {
        Ok(cli) => cli,
        Err(error) => return failure::usage(&error),
    };
    let result = match cli.command.unwrap_or(Command::List) {
        Command::List => commands::list(cli.json),
        Command::Stats(args) => commands::stats(&args, cli.json),
        Command::Clear(args) => commands::clear(&args, cli.json),
        Command::Send(args) => commands::send(&args, cli.json),
        Command::Recv(args) => commands::recv(&args, cli.json),
        Command::Completions(args) => commands::completions(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(cli.json),
    }
}
