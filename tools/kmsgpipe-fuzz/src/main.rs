// SPDX-License-Identifier: GPL-2.0

//! Runs the fuzzer. Requires root and exclusive use of all pipes.

use clap::{Parser, ValueEnum};
use kmsgpipe_fuzz::{
    concurrent, sequential, storm, sys, tidy,
    trace::{Checked, Fault, Trace},
};
use std::{process::ExitCode, time::Instant};

/// Kinds of fuzzing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// One call at a time, each result compared with a model
    Sequential,
    /// Overlapping calls, whose results must match some sequential order
    Linearizable,
    /// Unrestricted concurrent calls, checked for invariants
    Storm,
}

/// All modes, and their share of the calls in percent.
const MODES: [(Mode, u64); 3] = [
    (Mode::Sequential, 60),
    (Mode::Linearizable, 20),
    (Mode::Storm, 20),
];

/// Make random calls on pipes and compare the results with a model
///
/// Requires root, and that no other program uses the pipes: pipe 0 is emptied, and all others are
/// destroyed.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Seed of the random numbers; the same seed repeats the same sequential calls
    #[arg(long)]
    seed: Option<u64>,

    /// Total number of calls, which overrides the environment variable SCALE
    #[arg(long)]
    calls: Option<u64>,

    /// Run only this mode
    #[arg(long)]
    mode: Option<Mode>,
}

/// Default number of calls, which is multiplied by SCALE.
const CALLS: f64 = 100_000.0;

/// Returns the number of calls scaled by SCALE.
fn scaled() -> Result<u64, String> {
    let Ok(text) = std::env::var("SCALE") else {
        return Ok(CALLS as u64);
    };
    match text.parse::<f64>() {
        Ok(scale) if scale > 0.0 => Ok((CALLS * scale).max(1.0) as u64),
        _ => Err(format!("SCALE={text} is not a number above zero")),
    }
}

/// Returns the number of open descriptors of this process.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Runs one mode, and returns the number of calls.
fn run(mode: Mode, seed: u64, calls: u64) -> (u64, Checked) {
    let mut made = 0;
    let result = match mode {
        Mode::Sequential => {
            let trace = Trace::default();
            let result = sequential::run(seed, calls, &trace);
            made = trace.calls();
            result.map_err(|Fault(text)| {
                let last = trace.tell();
                Fault(format!("call {made}: {text}\n# The last calls:\n{last}"))
            })
        }
        Mode::Linearizable => concurrent::run(seed, calls, &mut made),
        Mode::Storm => storm::run(seed, calls, &mut made),
    };
    (made, result)
}

fn main() -> ExitCode {
    let options = Options::parse();
    let calls = match options.calls.map_or_else(scaled, Ok) {
        Ok(calls) => calls,
        Err(text) => {
            eprintln!("kmsgpipe-fuzz: {text}");
            return ExitCode::FAILURE;
        }
    };
    let seed = options.seed.unwrap_or_else(sys::now);
    println!("TAP version 13\n1..{}", MODES.len() + 1);
    println!("# fuzz: seed {seed}; --seed {seed} --calls {calls} repeats the sequential calls");
    sys::expect_signals();
    // If the module is built in, earlier programs may have changed pipe 0.
    if let Err(Fault(text)) = tidy() {
        println!("Bail out! {text}");
        return ExitCode::FAILURE;
    }
    let before = descriptors();
    let mut total = 0;
    let mut right = true;
    for (number, (mode, share)) in (1..).zip(MODES) {
        let name = format!("{mode:?}").to_lowercase();
        if options.mode.is_some_and(|only| only != mode) {
            println!("ok {number} {name} # SKIP not selected");
            continue;
        }
        let share = if options.mode.is_some() { 100 } else { share };
        let start = Instant::now();
        let (made, result) = run(mode, seed, (calls * share).div_ceil(100));
        total += made;
        println!(
            "# {name}: {made} calls in {:.1} s",
            start.elapsed().as_secs_f64()
        );
        match result {
            Ok(()) => println!("ok {number} {name}"),
            Err(Fault(text)) => {
                println!("# seed {seed}, {name}: {text}");
                println!("not ok {number} {name}");
                right = false;
                break;
            }
        }
    }
    if right {
        let after = descriptors();
        right = before == after;
        println!(
            "{} 4 no descriptor is leaked",
            if right { "ok" } else { "not ok" }
        );
    }
    println!("# fuzz: {total} calls, seed {seed}");
    if right {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
