// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl watch`.

use super::{print, unwritable};
use crate::{
    cli,
    failure::Failure,
    report::{Object, Report},
    signals,
    style::Paint,
};
use kmsgpipe::{Deadline, Stats};
use nix::poll::{PollFd, PollFlags};
use serde::Serialize;
use std::{
    collections::HashMap,
    io::{self, IsTerminal},
    os::fd::AsFd,
    path::PathBuf,
    time::{Duration, Instant},
};

/// The columns after the name, and how wide they are at least.
const COLUMNS: [(&str, usize); 9] = [
    ("DEPTH", 5),
    ("BYTES", 7),
    ("RD", 3),
    ("WR", 3),
    ("SENT/S", 8),
    ("RECV/S", 8),
    ("EXP/S", 6),
    ("DROP/S", 6),
    ("REF/S", 6),
];

/// After so many lines a terminal is shown the head again.
const SCREEN: usize = 20;

/// Shows the statistics again and again.
pub fn watch(args: &cli::Watch, json: bool) -> Result<(), Failure> {
    let mut view = View {
        headed: None,
        width: "kmsgpipe0".len(),
        paint: Paint::stdout(),
        repeats: io::stdout().is_terminal(),
    };
    let mut before = Sample::default();
    let mut next = Instant::now();
    for tick in 0..args.count.unwrap_or(u64::MAX) {
        if tick > 0 {
            // Not after the last one, and without drifting away from the interval.
            next = next
                .checked_add(args.interval)
                .unwrap_or(next)
                .max(Instant::now());
            if !wait_until(next)? {
                return Ok(());
            }
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
            print(&view.text(&lines, elapsed.unwrap_or_default()))?;
        }
        before = sample;
    }
    Ok(())
}

/// Waits, and returns whether anybody still reads what is written.
fn wait_until(moment: Instant) -> Result<bool, Failure> {
    let timeout = moment.saturating_duration_since(Instant::now());
    let output = io::stdout();
    // Asks for nothing, as errors are told of anyway.
    let mut fds = [PollFd::new(output.as_fd(), PollFlags::empty())];
    let closed = Deadline::after(timeout)
        .poll(&mut fds)
        .map_err(|errno| Failure::io("wait", &errno.into()))?;
    if closed {
        signals::output_is_closed();
    }
    Ok(!closed)
}

/// What was counted at a moment.
#[derive(Default)]
struct Sample {
    at: Option<Instant>,
    counts: HashMap<PathBuf, Counts>,
}

impl Sample {
    /// What is counted now.
    fn of(reports: &[Report]) -> Self {
        let counts = reports.iter().filter_map(|report| {
            let stats = report.stats().ok()?;
            Some((report.node.path().to_owned(), Counts::of(stats)))
        });
        Self {
            at: Some(Instant::now()),
            counts: counts.collect(),
        }
    }
}

/// What only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Counts {
    enqueued_msgs: u64,
    enqueued_bytes: u64,
    dequeued_msgs: u64,
    dequeued_bytes: u64,
    expired_msgs: u64,
    expired_bytes: u64,
    dropped_msgs: u64,
    dropped_bytes: u64,
    refused_full: u64,
    refused_size: u64,
}

impl Counts {
    /// The counts in a snapshot.
    fn of(stats: &Stats) -> Self {
        Self {
            enqueued_msgs: stats.enqueued_msgs,
            enqueued_bytes: stats.enqueued_bytes,
            dequeued_msgs: stats.dequeued_msgs,
            dequeued_bytes: stats.dequeued_bytes,
            expired_msgs: stats.expired_msgs,
            expired_bytes: stats.expired_bytes,
            dropped_msgs: stats.dropped_msgs,
            dropped_bytes: stats.dropped_bytes,
            refused_full: stats.refused_full,
            refused_size: stats.refused_size,
        }
    }

    /// By how much they have grown since; none if they have not, as another pipe took the place.
    fn since(self, before: Self) -> Option<Self> {
        Some(Self {
            enqueued_msgs: self.enqueued_msgs.checked_sub(before.enqueued_msgs)?,
            enqueued_bytes: self.enqueued_bytes.checked_sub(before.enqueued_bytes)?,
            dequeued_msgs: self.dequeued_msgs.checked_sub(before.dequeued_msgs)?,
            dequeued_bytes: self.dequeued_bytes.checked_sub(before.dequeued_bytes)?,
            expired_msgs: self.expired_msgs.checked_sub(before.expired_msgs)?,
            expired_bytes: self.expired_bytes.checked_sub(before.expired_bytes)?,
            dropped_msgs: self.dropped_msgs.checked_sub(before.dropped_msgs)?,
            dropped_bytes: self.dropped_bytes.checked_sub(before.dropped_bytes)?,
            refused_full: self.refused_full.checked_sub(before.refused_full)?,
            refused_size: self.refused_size.checked_sub(before.refused_size)?,
        })
    }
}

/// A pipe at a tick.
struct Line<'a> {
    report: &'a Report,
    delta: Option<Counts>,
}

impl<'a> Line<'a> {
    /// A pipe, and what it has done since the tick before.
    fn of(report: &'a Report, before: &Sample) -> Self {
        let now = report.stats().ok().map(Counts::of);
        let then = before.counts.get(report.node.path());
        Self {
            report,
            delta: now.zip(then).and_then(|(now, then)| now.since(*then)),
        }
    }
}

/// A tick in JSON.
#[derive(Serialize)]
struct Tick {
    schema: u32,
    elapsed_ns: Option<u64>,
    pipes: Vec<PipeTick>,
}

/// A pipe at a tick in JSON.
#[derive(Serialize)]
struct PipeTick {
    #[serde(flatten)]
    report: Object,
    delta: Option<Counts>,
}

/// A tick in JSON.
fn json(lines: &[Line<'_>], elapsed: Option<Duration>) -> Result<String, Failure> {
    let pipe = |line: &Line<'_>| PipeTick {
        report: line.report.object(),
        delta: line.delta,
    };
    let tick = Tick {
        schema: 1,
        elapsed_ns: elapsed.map(|elapsed| u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)),
        pipes: lines.iter().map(pipe).collect(),
    };
    let line = serde_json::to_string(&tick).map_err(unwritable)?;
    Ok(line + "\n")
}

/// Ticks as lines of a table that never ends.
struct View {
    /// The lines since the head, if there was one.
    headed: Option<usize>,
    /// The width of the column of names.
    width: usize,
    paint: Paint,
    /// Whether the head is shown again and again.
    repeats: bool,
}

impl View {
    /// A tick as lines, perhaps with the head above.
    fn text(&mut self, lines: &[Line<'_>], elapsed: Duration) -> String {
        let mut text = String::new();
        let names = lines.iter().map(|line| line.report.node.to_string());
        let longest = names.map(|name| name.chars().count()).max();
        self.width = self.width.max(longest.unwrap_or(0));
        let width = self.width;
        let due = self
            .headed
            .is_none_or(|lines| self.repeats && lines >= SCREEN);
        if due {
            let mut head = format!("{:<width$}", "PIPE");
            for (title, column) in COLUMNS {
                head += &format!("  {title:>column$}");
            }
            text = format!("{}\n", self.paint.head(&head));
            self.headed = Some(0);
        }
        for line in lines {
            text += &row(line, elapsed, width);
        }
        self.headed = self.headed.map(|before| before + lines.len());
        text
    }
}

/// A pipe at a tick as a line.
fn row(line: &Line<'_>, elapsed: Duration, width: usize) -> String {
    let name = line.report.node.to_string();
    let Ok(stats) = line.report.stats() else {
        return format!("{name:<width$}  cannot be asked\n");
    };
    let rate = |count: fn(&Counts) -> u64| match &line.delta {
        Some(delta) => self::rate(count(delta), elapsed),
        None => "-".into(),
    };
    let cells = [
        stats.depth_msgs.to_string(),
        stats.depth_bytes.to_string(),
        stats.readers.to_string(),
        stats.writers.to_string(),
        rate(|delta| delta.enqueued_msgs),
        rate(|delta| delta.dequeued_msgs),
        rate(|delta| delta.expired_msgs),
        rate(|delta| delta.dropped_msgs),
        rate(|delta| delta.refused_full.saturating_add(delta.refused_size)),
    ];
    let mut text = format!("{name:<width$}");
    for (cell, (_, column)) in cells.iter().zip(COLUMNS) {
        text += &format!("  {cell:>column$}");
    }
    text + "\n"
}

/// So many a second: whole numbers unless that says too little.
fn rate(count: u64, elapsed: Duration) -> String {
    let rate = count as f64 / elapsed.as_secs_f64().max(1e-9);
    if count == 0 || rate >= 99.95 {
        format!("{rate:.0}")
    } else {
        format!("{rate:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_second() {
        for (count, millis, text) in [
            (0, 1000, "0"),
            (1, 1000, "1.0"),
            (1, 4000, "0.2"),
            (50, 500, "100"),
            (123_456, 1000, "123456"),
        ] {
            assert_eq!(rate(count, Duration::from_millis(millis)), text);
        }
        assert_eq!(rate(0, Duration::ZERO), "0");
    }

    #[test]
    fn counts_that_shrink_are_those_of_another_pipe() {
        let before = Counts {
            enqueued_msgs: 5,
            dropped_bytes: 7,
            ..Counts::default()
        };
        let now = Counts {
            enqueued_msgs: 9,
            ..before
        };
        let delta = now.since(before).unwrap();
        assert_eq!((delta.enqueued_msgs, delta.dropped_bytes), (4, 0));
        assert_eq!(before.since(now), None);
    }

    #[test]
    fn a_terminal_is_shown_the_head_again() {
        let mut view = View {
            headed: None,
            width: 9,
            paint: Paint::plain(),
            repeats: true,
        };
        assert_eq!(view.text(&[], Duration::ZERO).lines().count(), 1);
        assert_eq!(view.text(&[], Duration::ZERO), "");
        view.headed = Some(SCREEN);
        assert!(view.text(&[], Duration::ZERO).contains("PIPE"));
        view.headed = Some(SCREEN);
        view.repeats = false;
        assert_eq!(view.text(&[], Duration::ZERO), "");
    }

    #[test]
    fn a_line_fits_a_terminal() {
        let mut view = View {
            headed: None,
            width: 9,
            paint: Paint::plain(),
            repeats: false,
        };
        assert!(view.text(&[], Duration::ZERO).trim_end().len() <= 80);
    }
}
