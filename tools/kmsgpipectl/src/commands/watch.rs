// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl watch`.

mod counters;
mod view;

use self::{
    counters::{Counts, Line, Sample},
    view::View,
};
use super::{print, unwritable};
use crate::{
    cli, clock,
    failure::Failure,
    report::{Object, Report},
    signals,
    style::Paint,
    width,
};
use kmsgpipe::Deadline;
use nix::poll::{PollFd, PollFlags};
use serde::Serialize;
use std::{
    io::{self, IsTerminal},
    os::fd::AsFd,
    time::{Duration, Instant},
};

/// Prints statistics periodically.
pub fn watch(args: &cli::Watch, json: bool) -> Result<(), Failure> {
    let mut view = View::new(Paint::stdout(), io::stdout().is_terminal());
    let mut before = Sample::default();
    let mut next = Instant::now();
    for tick in 0..args.count.unwrap_or(u64::MAX) {
        if tick > 0 {
            // No wait after the last update; absolute times avoid drift.
            next = next
                .checked_add(args.interval)
                .unwrap_or(next)
                .max(Instant::now());
            wait_until(next)?;
        }
        let reports = Report::of_all(&args.pipes, Report::public)?;
        if !args.pipes.is_empty() {
            for report in &reports {
                report.stats()?;
            }
        }
        let sample = Sample::of(&reports);
        let elapsed = before.at.map(|at| sample.at.unwrap_or(at) - at);
        let lines: Vec<Line<'_>> = reports
            .iter()
            .map(|report| Line::of(report, &before))
            .collect();
        if json {
            print(&self::json(&lines, elapsed)?)?;
        } else {
            let time = clock::time_of_day(clock::now());
            let width = width::of_output();
            print(&view.text(&lines, &time, elapsed.unwrap_or_default(), width))?;
        }
        before = sample;
    }
    Ok(())
}

/// Waits, and ends the program when standard output has no reader any more.
fn wait_until(moment: Instant) -> Result<(), Failure> {
    let timeout = moment.saturating_duration_since(Instant::now());
    let output = io::stdout();
    // No events are requested: errors are always reported.
    let mut fds = [PollFd::new(output.as_fd(), PollFlags::empty())];
    let closed = Deadline::after(timeout)
        .poll(&mut fds)
        .map_err(|errno| Failure::io("wait", &errno.into()))?;
    match closed {
        true => Err(signals::closed_output()),
        false => Ok(()),
    }
}

/// The JSON form of an update.
#[derive(Serialize)]
struct Tick {
    schema: u32,
    realtime_ns: u64,
    elapsed_ns: Option<u64>,
    pipes: Vec<PipeTick>,
}

/// The JSON form of a pipe in an update.
#[derive(Serialize)]
struct PipeTick {
    #[serde(flatten)]
    report: Object,
    delta: Option<Counts>,
}

/// Formats an update as JSON.
fn json(lines: &[Line<'_>], elapsed: Option<Duration>) -> Result<String, Failure> {
    let pipe = |line: &Line<'_>| PipeTick {
        report: line.report.object(),
        delta: line.delta,
    };
    let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let tick = Tick {
        schema: 1,
        realtime_ns: nanos(clock::now()),
        elapsed_ns: elapsed.map(nanos),
        pipes: lines.iter().map(pipe).collect(),
    };
    let line = serde_json::to_string(&tick).map_err(unwritable)?;
    Ok(line + "\n")
}
