// SPDX-License-Identifier: GPL-2.0

//! Benchmark: the cost of a message through a pipe of this module and through other queues of the kernel.

mod bars;
mod case;
mod channel;
mod commit;
mod group;
mod judge;
mod measure;
mod mechanism;
mod picture;
mod record;
mod report;
mod system;
mod trace;

use crate::{
    case::Case,
    judge::Judgement,
    record::{load, same_kernel, same_module, Place, Sink},
};
use anyhow::{ensure, Context, Result};
use clap::{Parser, Subcommand};
use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Measure the cost of messages, and compare mechanisms
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// The command.
    #[command(subcommand)]
    command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Measure in the lab's virtual machine, and print one figure per line
    Measure {
        /// Cases to measure; by default those that suit the machine
        #[arg(long, value_delimiter = ',', value_name = "CASE,...")]
        cases: Vec<Case>,

        /// File to write the figures to, instead of standard output
        #[arg(long)]
        output: Option<PathBuf>,
    },
    /// Print the figures of one kernel and one module as tables
    Report {
        /// Output of `measure`
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Compare figures with the bars
    Check {
        /// Output of `measure`
        #[arg(required = true)]
        files: Vec<PathBuf>,

        /// Cases whose bars fail if figures are missing
        #[arg(long, value_delimiter = ',', value_name = "CASE,...")]
        cases: Vec<Case>,
    },
    /// Draw figures of one kernel, and of one commit in this checkout's history, as SVG
    Picture {
        /// Output directory
        directory: PathBuf,
        /// Output of `measure`
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print two runs on the same kernel side by side
    Compare {
        /// Output of the first `measure`
        before: PathBuf,
        /// Output of the second `measure`
        after: PathBuf,
    },
}

/// Time limit of a case, in seconds inside the machine.
const TIMEOUT: u32 = 240;

/// Measures cases.
fn measure(cases: Vec<Case>, output: Option<&Path>) -> Result<()> {
    let place = Place::here()?;
    let mut cases = if cases.is_empty() {
        Case::default_for(&place)
    } else {
        cases
    };
    // Declaration order, which avoids that a case affects a later one.
    cases.sort();
    cases.dedup();
    system::raise_limits().context("this needs root and exclusive use of the machine")?;
    let mut file;
    let mut stdout;
    let to: &mut dyn Write = match output {
        Some(path) => {
            file = File::create(path).with_context(|| path.display().to_string())?;
            &mut file
        }
        None => {
            stdout = io::stdout().lock();
            &mut stdout
        }
    };
    let mut sink = Sink { place, to };
    for case in cases {
        system::set_timeout(TIMEOUT)?;
        case.measure(&mut sink).with_context(|| case.name())?;
    }
    Ok(())
}

/// Judges figures, and returns whether all bars are met.
fn check(files: &[PathBuf], cases: &[Case]) -> Result<bool> {
    let records = load(files)?;
    same_module(&records)?;
    let asked: Vec<_> = cases.iter().map(|case| case.name()).collect();
    let verdicts = judge::check(&records, &asked)?;
    ensure!(!verdicts.is_empty(), "no bar applies to these figures");
    for verdict in &verdicts {
        println!("{} {}", verdict.judgement.label(), verdict.text);
    }
    let count = |judgement| {
        let these = verdicts.iter().filter(|v| v.judgement == judgement);
        these.count()
    };
    let failed = count(Judgement::Missed);
    println!("{} passed, {failed} failed", count(Judgement::Met));
    Ok(failed == 0)
}

/// Runs a command, and returns whether it succeeded.
fn run(command: Command) -> Result<bool> {
    match command {
        Command::Measure { cases, output } => measure(cases, output.as_deref())?,
        Command::Report { files } => {
            let records = load(&files)?;
            same_module(&records)?;
            print!("{}", report::tables(&records));
        }
        Command::Check { files, cases } => return check(&files, &cases),
        Command::Picture { directory, files } => {
            let records = load(&files)?;
            same_module(&records)?;
            commit::in_history(&records[0].place.module, Path::new("."))?;
            picture::draw(&records, &directory)?;
        }
        Command::Compare { before, after } => {
            let (before, after) = (load(&[before])?, load(&[after])?);
            same_kernel(before.iter().chain(&after))?;
            print!("{}", report::compare(&before, &after));
        }
    }
    Ok(true)
}

fn main() -> ExitCode {
    match run(Options::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("kmsgpipe-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
