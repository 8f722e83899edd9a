// SPDX-License-Identifier: GPL-2.0

//! The table of updates.

use super::counters::{Counts, Line};
use crate::{
    style::Paint,
    table::{visible, Column},
};
use std::time::Duration;

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

/// Formats updates as lines of an endless table.
pub(super) struct View {
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
    /// Creates a view without output so far.
    pub(super) fn new(paint: Paint, repeats: bool) -> Self {
        Self {
            headed: None,
            widths: WIDTHS,
            stays: Vec::new(),
            paint,
            repeats,
        }
    }

    /// Formats an update, if necessary with a heading. The lines of several pipes form a block, which is
    /// preceded by an empty line.
    pub(super) fn text(
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
    use crate::{commands::watch::counters::Sample, report};

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
    fn heading_is_repeated_on_a_terminal() {
        let head = |view: &mut View, width| view.text(&[], "08:15:00", Duration::ZERO, width);
        let mut view = View::new(Paint::plain(), true);
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
            let mut view = View::new(Paint::plain(), false);
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
        let mut view = View::new(Paint::plain(), false);
        let rows = "08:15:00  3         4        -\n08:15:00  log   cannot be asked\n";
        let first = view.text(&lines, "08:15:00", Duration::ZERO, Some(32));
        assert_eq!(first, format!("TIME      PIPE  DEPTH   SENT/S\n{rows}"));
        let second = view.text(&lines, "08:15:00", Duration::ZERO, Some(32));
        assert_eq!(second, format!("\n{rows}"));
    }
}
