// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl watch`.

use super::{print, unwritable};
#[cfg(test)]
use crate::report;
use crate::{
    cli, clock,
    failure::Failure,
    report::{Object, Report},
    signals,
    style::Paint,
    table::{visible, Column},
    width,
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

/// Columns of the table.
const COLUMNS: [Column; 11] = [
    Column::new("TIME", 8),
    Column::new("PIPE", 0),
    Column::new("DEPTH", 0),
    Column::new("BYTES", 6),
    Column::new("RD", 5),
    Column::new("WR", 4),
    Column::new("SENT/S", 9),
    Column::new("RECV/S", 7),
    Column::new("EXP/S", 3),
    Column::new("DROP/S", 2),
    Column::new("REF/S", 1),
];

/// Minimum widths of the columns; the name column adapts to the longest name.
const WIDTHS: [usize; 11] = [8, 4, 5, 8, 2, 2, 7, 7, 5, 6, 5];

/// Index of the name column.
const NAME: usize = 1;

/// Number of lines after which the heading is repeated on a terminal.
const SCREEN: usize = 20;

/// Prints statistics periodically.
pub fn watch(args: &cli::Watch, json: bool) -> Result<(), Failure> {
    let mut view = View {
        headed: None,
        widths: WIDTHS,
        stays: Vec::new(),
        paint: Paint::stdout(),
        repeats: io::stdout().is_terminal(),
    };
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

/// Counters of all pipes at one time.
#[derive(Default)]
struct Sample {
    at: Option<Instant>,
    counts: HashMap<PathBuf, Counts>,
}

impl Sample {
    /// Takes the counters from reports.
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

/// Counters that only grow.
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
    /// Takes the counters from a snapshot.
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

    /// Returns the increase since `before`. Returns `None` if a counter decreased, because another pipe has the number now.
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

/// A pipe in an update.
struct Line<'a> {
    report: &'a Report,
    delta: Option<Counts>,
}

impl<'a> Line<'a> {
    /// Returns a pipe with its increase since the previous update.
    fn of(report: &'a Report, before: &Sample) -> Self {
        let now = report.stats().ok().map(Counts::of);
        let then = before.counts.get(report.node.path());
        Self {
            report,
            delta: now.zip(then).and_then(|(now, then)| now.since(*then)),
        }
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

/// Formats updates as lines of an endless table.
struct View {
    /// Number of lines since the heading, if there was one.
    headed: Option<usize>,
    /// Column widths.
    widths: [usize; COLUMNS.len()],
    /// Columns that the heading has.
    stays: Vec<bool>,
    paint: Paint,
    /// Whether the heading is repeated.
    repeats: bool,
}

impl View {
    /// Formats an update, if necessary with a heading. The lines of several pipes form a block, which is
    /// preceded by an empty line.
    fn text(
        &mut self,
        lines: &[Line<'_>],
        time: &str,
        elapsed: Duration,
        width: Option<usize>,
    ) -> String {
        let names: Vec<String> = lines.iter().map(|line| line.report.short()).collect();
        let longest = names.iter().map(|name| name.chars().count()).max();
        self.widths[NAME] = self.widths[NAME].max(longest.unwrap_or(0));
        let stays = visible(&COLUMNS, &self.widths, width);
        let due = match self.headed {
            None => true,
            // A resized terminal may need other columns.
            Some(lines) => self.repeats && (lines >= SCREEN || stays != self.stays),
        };
        let mut text = String::new();
        if self.headed.is_some() && lines.len() > 1 {
            text.push('\n');
        }
        if due {
            let titles = COLUMNS.map(|column| column.title.to_string());
            self.stays = stays;
            text += &format!("{}\n", self.paint.head(&self.row(&titles)));
            self.headed = Some(0);
        }
        for (line, name) in lines.iter().zip(names) {
            text += &match cells(line, elapsed) {
                Some(cells) => {
                    let first = [time.to_string(), name];
                    self.row(&[&first[..], &cells].concat())
                }
                None => self.row(&[time.into(), name, "cannot be asked".into()]),
            };
            text.push('\n');
        }
        self.headed = self.headed.map(|before| before + lines.len());
        text
    }

    /// Formats cells as a line without omitted columns: time and name are left-aligned, numbers right-aligned.
    fn row(&self, cells: &[String]) -> String {
        let mut line = String::new();
        for (at, cell) in cells.iter().enumerate() {
            let width = self.widths[at];
            if !self.stays[at] {
                continue;
            }
            if !line.is_empty() {
                line += "  ";
            }
            line += &match at {
                0 | NAME => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            };
        }
        line
    }
}

/// Returns the cells of a pipe after its name; `None` if its statistics are unknown.
fn cells(line: &Line<'_>, elapsed: Duration) -> Option<[String; COLUMNS.len() - 2]> {
    let stats = line.report.stats().ok()?;
    let rate = |count: fn(&Counts) -> u64| match &line.delta {
        Some(delta) => self::rate(count(delta), elapsed),
        None => "-".into(),
    };
    Some([
        stats.depth_msgs.to_string(),
        stats.depth_bytes.to_string(),
        stats.readers.to_string(),
        stats.writers.to_string(),
        rate(|delta| delta.enqueued_msgs),
        rate(|delta| delta.dequeued_msgs),
        rate(|delta| delta.expired_msgs),
        rate(|delta| delta.dropped_msgs),
        rate(|delta| delta.refused_full.saturating_add(delta.refused_size)),
    ])
}

/// Formats a rate per second: an integer, unless that is too coarse.
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
    fn rate_is_per_second() {
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
    fn decreased_counters_mean_another_pipe() {
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

    /// A view and its output.
    fn view(repeats: bool) -> View {
        View {
            headed: None,
            widths: WIDTHS,
            stays: Vec::new(),
            paint: Paint::plain(),
            repeats,
        }
    }

    #[test]
    fn heading_is_repeated_on_a_terminal() {
        let head = |view: &mut View, width| view.text(&[], "08:15:00", Duration::ZERO, width);
        let mut view = view(true);
        assert_eq!(head(&mut view, Some(80)).lines().count(), 1);
        assert_eq!(head(&mut view, Some(80)), "");
        // A resized terminal.
        assert_eq!(head(&mut view, Some(40)).lines().count(), 1);
        assert_eq!(head(&mut view, Some(40)), "");
        view.headed = Some(SCREEN);
        assert!(head(&mut view, Some(40)).contains("PIPE"));
        view.headed = Some(SCREEN);
        view.repeats = false;
        assert_eq!(head(&mut view, Some(80)), "");
    }

    #[test]
    fn update_starts_with_time_and_fits_the_width() {
        let reports = report::tests::reports();
        let before = Sample::of(&reports);
        let line = |at: usize| Line::of(&reports[at], &before);
        for (width, expected) in [
            (
                80,
                "TIME      PIPE  DEPTH     BYTES  RD  WR   SENT/S   RECV/S  EXP/S  DROP/S  REF/S\n\
                 08:15:00  3         4        20   1   2        0        0      0       0      0\n",
            ),
            (
                40,
                "TIME      PIPE  DEPTH   SENT/S   RECV/S\n\
                 08:15:00  3         4        0        0\n",
            ),
        ] {
            let mut view = view(false);
            let text = view.text(&[line(0)], "08:15:00", Duration::from_secs(1), Some(width));
            assert_eq!(text, expected);
            assert!(text.lines().all(|line| line.len() <= width), "{text}");
        }
    }

    #[test]
    fn longest_name_fits_40_columns() {
        let mut widths = WIDTHS;
        widths[NAME] = 31;
        let stays = visible(&COLUMNS, &widths, Some(40));
        let titles = COLUMNS.iter().zip(stays).filter(|(_, stays)| *stays);
        let titles: Vec<&str> = titles.map(|(column, _)| column.title).collect();
        assert_eq!(titles, ["PIPE", "DEPTH"]);
        assert!(widths[NAME] + 2 + widths[NAME + 1] <= 40);
    }

    #[test]
    fn several_pipes_form_a_block() {
        let reports = report::tests::reports();
        let before = Sample::default();
        let lines: Vec<Line<'_>> = reports.iter().map(|r| Line::of(r, &before)).collect();
        let mut view = view(false);
        let rows = "08:15:00  3         4        -\n08:15:00  log   cannot be asked\n";
        let first = view.text(&lines, "08:15:00", Duration::ZERO, Some(32));
        assert_eq!(first, format!("TIME      PIPE  DEPTH   SENT/S\n{rows}"));
        let second = view.text(&lines, "08:15:00", Duration::ZERO, Some(32));
        assert_eq!(second, format!("\n{rows}"));
    }
}
