// SPDX-License-Identifier: GPL-2.0

//! Command-line tool for kmsgpipe pipes. See kmsgpipectl(8).

#![deny(missing_docs, unsafe_op_in_unsafe_fn)]

mod cli;
mod clock;
mod commands;
mod count;
mod duration;
mod failure;
mod fdinfo;
mod framing;
mod open;
mod passwd;
mod payload;
mod peers;
#[cfg(test)]
mod property;
mod record;
mod report;
mod signals;
mod size;
mod stdio;
mod style;
mod table;
mod usage;
mod when;
mod width;

use cli::{Cli, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    signals::reset_sigpipe();

    let cli = match Cli::from_env() {
        Ok(cli) => cli,
        Err(error) => return usage::report(&error),
    };
    style::choose(cli.color);
    let json = cli.json;
    if cli.writes() {
        if let Err(failure) = stdio::check_output() {
            return failure.report(json);
        }
    }
    let result = match cli.command.unwrap_or(Command::List) {
        Command::List => commands::list(json),
        Command::Show(args) => commands::show(&args, json),
        Command::Stats(args) => commands::stats(&args, json),
        Command::Watch(args) => commands::watch(&args, json),
        Command::Peers(args) => commands::peers(&args, json),
        Command::Subscriptions(args) => commands::subscriptions(&args, json),
        Command::Dump(args) => commands::dump(&args, json),
        Command::Send(args) => commands::send(&args, json),
        Command::Recv(args) => commands::recv(&args, json),
        Command::Chat(args) => commands::chat(&args, json),
        Command::Clear(args) => commands::clear(&args, json),
        Command::SetParams(args) => commands::set_params(&args, json),
        Command::Flush(args) => commands::flush(&args, json),
        Command::Create(args) => commands::create(&args, json),
        Command::Destroy(args) => commands::destroy(&args, json),
        Command::Ioctl(args) => commands::ioctl(&args, json),
        Command::Doctor => commands::doctor(json),
        Command::Completions(args) => commands::completions(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}
