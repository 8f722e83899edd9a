// SPDX-License-Identifier: GPL-2.0

//! Counters, and their increase between updates.

use crate::report::Report;
use kmsgpipe::Stats;
use serde::Serialize;
use std::{collections::HashMap, path::PathBuf, time::Instant};

/// Counters of all pipes at one time.
#[derive(Default)]
pub(super) struct Sample {
    pub(super) at: Option<Instant>,
    counts: HashMap<PathBuf, Counts>,
}

impl Sample {
    /// Takes the counters from reports.
    pub(super) fn of(reports: &[Report]) -> Self {
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
pub(super) struct Counts {
    pub(super) enqueued_msgs: u64,
    pub(super) enqueued_bytes: u64,
    pub(super) dequeued_msgs: u64,
    pub(super) dequeued_bytes: u64,
    pub(super) expired_msgs: u64,
    pub(super) expired_bytes: u64,
    pub(super) dropped_msgs: u64,
    pub(super) dropped_bytes: u64,
    pub(super) refused_full: u64,
    pub(super) refused_size: u64,
}

impl Counts {
    /// Takes the counters from a snapshot.
    pub(super) fn of(stats: &Stats) -> Self {
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

    /// Returns the increase since `before`. Returns `None` if a counter decreased, because another pipe has
    /// the number now.
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
pub(super) struct Line<'a> {
    pub(super) report: &'a Report,
    pub(super) delta: Option<Counts>,
}

impl<'a> Line<'a> {
    /// Returns a pipe with its increase since the previous update.
    pub(super) fn of(report: &'a Report, before: &Sample) -> Self {
        let now = report.stats().ok().map(Counts::of);
        let then = before.counts.get(report.node.path());
        Self {
            report,
            delta: now.zip(then).and_then(|(now, then)| now.since(*then)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
