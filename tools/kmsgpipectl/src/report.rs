// SPDX-License-Identifier: GPL-2.0

//! Reports on pipes: the output of `list`, `stats`, `show` and `watch`.

use crate::{
    duration,
    failure::{Description, Failure},
    open::open_any,
    table::{self, Column},
};
use kmsgpipe::{Access, Class, Kind, Modes, Node, Overflow, PipeName, Result, Stats};
use serde::Serialize;
use std::time::Duration;

/// Columns of [`list`].
const COLUMNS: [Column; 12] = [
    Column::new("PIPE", 0),
    Column::new("ID", 4),
    Column::new("DEPTH", 0),
    Column::new("MAX", 10),
    Column::new("MSGSIZE", 9),
    Column::new("BYTES", 7),
    Column::new("EXPIRY", 8),
    Column::new("KIND", 1),
    Column::new("RD", 6),
    Column::new("WR", 5),
    Column::new("ENQUEUED", 3),
    Column::new("DEQUEUED", 2),
];

/// Where statistics come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The ioctl: a consistent snapshot.
    Ioctl,
    /// Attributes in sysfs, read one by one.
    Sysfs,
}

/// The statistics of a pipe, or the reason why they are unknown.
#[derive(Debug)]
pub struct Report {
    /// The pipe's node.
    pub node: Node,
    result: Result<(Stats, Source)>,
}

/// Settings of a pipe that sysfs shows; each is `None` if it does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Which readers get a message.
    pub kind: Option<Kind>,
    /// Number of the newest messages that stay for later subscriptions.
    pub history: Option<u32>,
    /// Number of priorities of its messages.
    pub priorities: Option<u32>,
    /// Mode in which files are opened.
    pub default_mode: Option<Modes>,
    /// What a write to the full pipe does.
    pub overflow: Option<Overflow>,
}

impl Settings {
    /// Reads the settings of a pipe.
    pub fn of(node: &Node) -> Self {
        Self {
            kind: node.kind().ok(),
            history: node.history().ok(),
            priorities: node.priorities().ok(),
            default_mode: node.default_mode().ok(),
            overflow: node.overflow().ok(),
        }
    }
}

/// The JSON form of all reports.
#[derive(Serialize)]
struct Pipes<T> {
    schema: u32,
    pipes: Vec<T>,
}

/// The JSON form of a report.
#[derive(Serialize)]
pub struct Object {
    pipe: String,
    path: String,
    name: Option<String>,
    #[serde(flatten)]
    result: Outcome,
}

/// The part of a report that depends on whether the statistics are known.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    /// The statistics are known.
    Known {
        /// Statistics, flattened into the report.
        #[serde(flatten)]
        stats: Stats,
        /// Settings, flattened into the report.
        #[serde(flatten)]
        settings: Settings,
        /// Where the statistics come from.
        source: Source,
    },
    /// The statistics are not known.
    Unknown {
        /// Number of the pipe according to its node.
        id: Option<u32>,
        /// Why the statistics are not known.
        error: Description,
    },
}

impl Report {
    /// Reads the statistics of a pipe through the ioctl.
    pub fn of(node: Node) -> Self {
        let result = ask(&node).map(|stats| (stats, Source::Ioctl));
        Self { node, result }
    }

    /// Reads the statistics of a pipe through the ioctl, or from sysfs if it cannot be opened.
    pub fn public(node: Node) -> Self {
        if node.stray().is_some() {
            // The file at the node's path may be another pipe.
            if let Ok(stats) = node.public_stats() {
                let result = Ok((stats, Source::Sysfs));
                return Self { node, result };
            }
        }
        let mut report = Self::of(node);
        if report.result.is_err() {
            if let Ok(stats) = report.node.public_stats() {
                report.result = Ok((stats, Source::Sysfs));
            }
        }
        report
    }

    /// Reports on the named pipes, or on all pipes if `names` is empty, through `ask`. A pipe that is destroyed
    /// meanwhile is omitted unless it was named.
    pub fn of_all(names: &[PipeName], ask: impl Fn(Node) -> Self) -> Result<Vec<Self>> {
        if !names.is_empty() {
            return Ok(names.iter().map(|name| ask(name.locate())).collect());
        }
        let mut reports: Vec<Self> = kmsgpipe::pipes()?.into_iter().map(ask).collect();
        reports.retain(|report| !report.is_destroyed());
        Ok(reports)
    }

    /// Returns whether the pipe was destroyed.
    fn is_destroyed(&self) -> bool {
        match &self.result {
            Err(error) => error.class() == Class::NotFound && !self.node.is_known(),
            Ok(_) => false,
        }
    }

    /// Returns the statistics.
    pub fn stats(&self) -> Result<&Stats, Failure> {
        match &self.result {
            Ok((stats, _)) => Ok(stats),
            Err(error) => Err(error.clone().into()),
        }
    }

    /// Returns the JSON form.
    pub fn object(&self) -> Object {
        Object {
            pipe: self.node.to_string(),
            path: self.node.path().to_string_lossy().into_owned(),
            name: self.node.name().map(str::to_string),
            result: match &self.result {
                Ok((stats, source)) => Outcome::Known {
                    stats: stats.clone(),
                    settings: Settings::of(&self.node),
                    source: *source,
                },
                Err(error) => Outcome::Unknown {
                    id: self.node.id(),
                    error: Failure::from(error.clone()).description(),
                },
            },
        }
    }

    /// Returns the pipe's name for tables: the short form, if it parses back to the pipe.
    pub fn short(&self) -> String {
        let number = || Some(self.node.id()?.to_string());
        let short = self.node.name().map(str::to_string).or_else(number);
        let is_understood = |short: &String| {
            let name: Result<PipeName> = short.parse();
            name.is_ok_and(|name| name.locate().path() == self.node.path())
        };
        short
            .filter(is_understood)
            .unwrap_or_else(|| self.node.to_string())
    }

    /// Returns the row for the list.
    fn row(&self) -> Vec<String> {
        let mut row = vec![self.short()];
        match &self.result {
            Ok((stats, _)) => row.extend([
                stats.id.to_string(),
                stats.depth_msgs.to_string(),
                stats.max_msgs.to_string(),
                stats.msg_size.to_string(),
                stats.depth_bytes.to_string(),
                expiry(stats),
                self.node.kind().map_or("-".into(), |kind| kind.to_string()),
                stats.readers.to_string(),
                stats.writers.to_string(),
                stats.enqueued_msgs.to_string(),
                stats.dequeued_msgs.to_string(),
            ]),
            // Only the symbol; `stats` prints the whole message.
            Err(error) => row.push(match error.errno() {
                Some(errno) => format!("{errno:?}: {}", errno.desc()),
                None => error.to_string(),
            }),
        }
        row
    }

    /// Formats the report as a block of keys and values.
    fn block(&self, width: Option<usize>) -> String {
        let mut rows = vec![
            ("pipe".to_string(), self.node.to_string()),
            ("path".to_string(), self.node.path().display().to_string()),
        ];
        match &self.result {
            Ok((stats, _)) => rows.extend(fields(stats)),
            Err(error) => rows.push(("error".to_string(), error.to_string())),
        }
        table::pairs_fitting(&rows, width)
    }
}

/// Formats the expiry age, as short as possible.
fn expiry(stats: &Stats) -> String {
    if !stats.messages_expire() {
        return "-".into();
    }
    let age = Duration::from_millis(stats.flush_expiry_ms.into());
    duration::describe(age).replace(' ', "")
}

/// Formats reports as a table for lines of `width` characters.
pub fn list(reports: &[Report], width: Option<usize>) -> String {
    table::fitting(&COLUMNS, reports.iter().map(Report::row).collect(), width)
}

/// Formats reports as blocks of keys and values for lines of `width` characters.
pub fn blocks(reports: &[Report], width: Option<usize>) -> String {
    let blocks: Vec<String> = reports.iter().map(|report| report.block(width)).collect();
    blocks.join("\n")
}

/// Formats reports as JSON.
pub fn json(reports: &[Report]) -> serde_json::Result<String> {
    json_line(reports.iter().map(Report::object).collect())
}

/// Formats pipes as a line of JSON.
pub fn json_line<T: Serialize>(pipes: Vec<T>) -> serde_json::Result<String> {
    serde_json::to_string(&Pipes { schema: 1, pipes }).map(|line| line + "\n")
}

/// Reads the statistics, without counting the file that is opened to read them.
fn ask(node: &Node) -> Result<Stats> {
    let (pipe, access) = open_any(node)?;
    let mut stats = pipe.stats()?;
    let own = match access {
        Access::Write => &mut stats.writers,
        _ => &mut stats.readers,
    };
    *own = own.saturating_sub(1);
    Ok(stats)
}

/// Returns the statistics by their names in the header.
pub fn fields(stats: &Stats) -> Vec<(String, String)> {
    // Taken from the JSON form, so that there is one source for names and order.
    let Ok(serde_json::Value::Object(object)) = serde_json::to_value(stats) else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for (key, value) in object {
        match value {
            serde_json::Value::Object(head) => {
                let head = head.into_iter();
                rows.extend(head.map(|(name, value)| (format!("{key}_{name}"), value.to_string())));
            }
            serde_json::Value::Null => rows.push((key, "none".to_string())),
            value => rows.push((key, value.to_string())),
        }
    }
    rows
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use kmsgpipe::{Error, Head};
    use serde_json::{json, Value};
    use std::path::Path;

    /// Returns statistics with fixed values.
    pub fn stats(head: Option<Head>) -> Stats {
        Stats {
            id: 3,
            flags: head.is_some().into(),
            msg_size: 256,
            max_msgs: 128,
            readers: 1,
            writers: 2,
            waiting_readers: 0,
            waiting_writers: 0,
            depth_msgs: 4,
            depth_bytes: 20,
            peak_msgs: 5,
            peak_bytes: 25,
            enqueued_msgs: 1000,
            enqueued_bytes: 5000,
            dequeued_msgs: 996,
            dequeued_bytes: 4980,
            expired_msgs: 0,
            expired_bytes: 0,
            dropped_msgs: 0,
            dropped_bytes: 0,
            refused_full: 7,
            refused_size: 8,
            flush_interval_ms: 0,
            flush_expiry_ms: 0,
            head,
        }
    }

    /// Returns a report on a pipe with a number, and one on a named pipe with an error.
    pub fn reports() -> Vec<Report> {
        let head = Head {
            seq: 997,
            age_ns: 1_500,
            len: 5,
            uid: 1000,
            gid: 100,
            pid: 4711,
            privileged: false,
        };
        vec![
            Report {
                node: Node::of(3),
                result: Ok((stats(Some(head)), Source::Ioctl)),
            },
            Report {
                node: Node::at(Path::new("/dev/kmsgpipe/log")),
                result: Err(Error::WouldBlock {
                    action: kmsgpipe::Action::Send,
                    object: "x".into(),
                }),
            },
        ]
    }

    #[test]
    fn list_has_a_row_for_each_pipe() {
        assert_eq!(
            list(&reports(), None),
            "PIPE  ID  DEPTH  MAX  MSGSIZE  BYTES  EXPIRY  KIND  RD  WR  ENQUEUED  DEQUEUED\n\
             3      3      4  128      256     20       -     -   1   2      1000       996\n\
             log   EAGAIN: Try again\n"
        );
    }

    #[test]
    fn list_fits_the_width() {
        let mut reports = reports();
        for (report, id) in reports.iter_mut().zip([3, 4]) {
            let mut large = stats(None);
            large.id = id;
            large.flags |= 2;
            large.flush_expiry_ms = 125_000;
            large.max_msgs = 65_536;
            large.depth_msgs = 65_536;
            large.depth_bytes = 67_108_864;
            large.msg_size = 1_048_576;
            large.enqueued_msgs = 10_000_000_000;
            large.dequeued_msgs = 9_999_934_464;
            report.result = Ok((large, Source::Ioctl));
        }
        assert_eq!(
            list(&reports, Some(80)),
            "PIPE  ID  DEPTH    MAX  MSGSIZE     BYTES  EXPIRY  RD  WR     ENQUEUED\n\
             3      3  65536  65536  1048576  67108864    2m5s   1   2  10000000000\n\
             log    4  65536  65536  1048576  67108864    2m5s   1   2  10000000000\n"
        );
        assert_eq!(
            list(&reports, Some(40)),
            "PIPE  DEPTH    MAX  MSGSIZE  EXPIRY\n\
             3     65536  65536  1048576    2m5s\n\
             log   65536  65536  1048576    2m5s\n"
        );
        let longest = "n".repeat(31);
        reports[0].node = Node::named(&longest, 3);
        for width in [40, 80] {
            let table = list(&reports, Some(width));
            assert!(table.lines().all(|line| line.len() <= width), "{table}");
            assert!(table.contains(&longest), "{table}");
        }
    }

    #[test]
    fn blocks_fit_the_width() {
        for width in [40, 80] {
            let text = blocks(&reports(), Some(width));
            assert!(text.lines().all(|line| line.len() <= width), "{text}");
        }
    }

    #[test]
    fn block_has_a_line_for_each_field() {
        let text = blocks(&reports(), None);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "pipe               kmsgpipe3");
        assert_eq!(lines[1], "path               /dev/kmsgpipe3");
        assert_eq!(lines[2], "id                 3");
        assert!(lines.contains(&"enqueued_msgs      1000"), "{text}");
        assert!(lines.contains(&"head_age_ns        1500"), "{text}");
        assert!(lines.contains(&"head_pid           4711"), "{text}");
        assert!(!text.contains("reserved"), "{text}");
        // Two names, 24 numbers, seven of the head; an empty line; two names and an error.
        assert_eq!(lines.len(), 2 + 24 + 7 + 1 + 3);
        assert_eq!(lines[33], "");

        let empty = Report {
            node: Node::of(0),
            result: Ok((stats(None), Source::Ioctl)),
        };
        assert!(empty.block(None).ends_with("head               none\n"));
    }

    #[test]
    fn destroyed_pipe_is_omitted() {
        let report = Report::of(Node::of(u32::MAX));
        assert!(report.is_destroyed());
        assert!(!Report::of(Node::at(Path::new("/dev/null"))).is_destroyed());
        let names = ["4294967295".parse().unwrap()];
        assert_eq!(Report::of_all(&names, Report::public).unwrap().len(), 1);
    }

    #[test]
    fn json_matches_the_schema() {
        let value: Value = serde_json::from_str(&json(&reports()).unwrap()).unwrap();
        assert_eq!(
            value,
            json!({
                "schema": 1,
                "pipes": [
                    {
                        "pipe": "kmsgpipe3", "path": "/dev/kmsgpipe3", "name": null,
                        "id": 3, "flags": 1, "msg_size": 256, "max_msgs": 128,
                        "readers": 1, "writers": 2,
                        "waiting_readers": 0, "waiting_writers": 0,
                        "depth_msgs": 4, "depth_bytes": 20, "peak_msgs": 5, "peak_bytes": 25,
                        "enqueued_msgs": 1000, "enqueued_bytes": 5000,
                        "dequeued_msgs": 996, "dequeued_bytes": 4980,
                        "expired_msgs": 0, "expired_bytes": 0,
                        "dropped_msgs": 0, "dropped_bytes": 0,
                        "refused_full": 7, "refused_size": 8,
                        "flush_interval_ms": 0, "flush_expiry_ms": 0,
                        "head": {
                            "seq": 997, "age_ns": 1500, "len": 5,
                            "uid": 1000, "gid": 100, "pid": 4711, "privileged": false,
                        },
                        "kind": null,
                        "history": null,
                        "priorities": null,
                        "default_mode": null,
                        "overflow": null,
                        "source": "ioctl",
                    },
                    {
                        "pipe": "log", "path": "/dev/kmsgpipe/log", "name": "log", "id": null,
                        "error": {
                            "errno": "EAGAIN",
                            "message": "cannot send to x without waiting: it is full (EAGAIN)",
                            "exit": 5,
                        },
                    },
                ],
            })
        );
    }
}
