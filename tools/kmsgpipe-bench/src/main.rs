// SPDX-License-Identifier: GPL-2.0

//! What a message costs through a pipe of this module, and through the queues that the kernel has besides.

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

/// Measure what a message costs, and say how that compares
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
enum Command {
    /// Measure, in the lab's machine, and print one figure a line
    Measure {
        /// What to measure; by default what the machine can say something about
        #[arg(long, value_delimiter = ',', value_name = "CASE,...")]
        cases: Vec<Case>,

        /// Where to write the figures instead of to standard output
        #[arg(long)]
        output: Option<PathBuf>,
    },
    /// Show figures of one kernel and one module as tables
    Report {
        /// What `measure` has written
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Say of each bar whether the figures keep to it
    Check {
        /// What `measure` has written
        #[arg(required = true)]
        files: Vec<PathBuf>,

        /// Cases whose bars fail when there are no figures
        #[arg(long, value_delimiter = ',', value_name = "CASE,...")]
        cases: Vec<Case>,
    },
    /// Draw figures of one kernel and of one commit in this checkout's history, as SVG
    Picture {
        /// Where the pictures are to be
        directory: PathBuf,
        /// What `measure` has written
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Show two runs side by side, of one kernel
    Compare {
        /// What `measure` has written first
        before: PathBuf,
        /// And later
        after: PathBuf,
    },
}

/// The longest that a case may take, in seconds of the machine.
const PATIENCE: u32 = 240;

/// Measures.
fn measure(cases: Vec<Case>, output: Option<&Path>) -> Result<()> {
    let place = Place::here()?;
    let mut cases = if cases.is_empty() {
        Case::default_for(&place)
    } else {
        cases
    };
    // In an order that each case can bear.
    cases.sort();
    cases.dedup();
    system::raise_limits().context("this needs root, in a machine of its own")?;
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
        system::patience(PATIENCE)?;
        case.measure(&mut sink).with_context(|| case.name())?;
    }
    Ok(())
}

/// Checks; whether all bars hold.
fn check(files: &[PathBuf], cases: &[Case]) -> Result<bool> {
    let records = load(files)?;
    same_module(&records)?;
    let asked: Vec<_> = cases.iter().map(|case| case.name()).collect();
    let verdicts = judge::check(&records, &asked)?;
    ensure!(!verdicts.is_empty(), "there is no bar for these figures");
    let mut failed = 0;
    for verdict in &verdicts {
        failed += usize::from(!verdict.ok);
        println!(
            "{} {}",
            if verdict.ok { "ok" } else { "not ok" },
            verdict.text
        );
    }
    println!("{} passed, {failed} failed", verdicts.len() - failed);
    Ok(failed == 0)
}

/// Does what is asked; whether it came out well.
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
