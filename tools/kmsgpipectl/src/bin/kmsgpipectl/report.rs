// SPDX-License-Identifier: GPL-2.0

//! What `list` and `stats` tell about pipes.

use crate::{
    failure::{Description, Failure},
    table,
};
use kmsgpipe::{Access, Class, Pipe, PipeName, Result, Stats};
use serde::Serialize;

/// The heads of the columns of [`list`].
const COLUMNS: [&str; 9] = [
    "PIPE", "DEPTH", "MAX", "MSGSIZE", "BYTES", "READERS", "WRITERS", "ENQUEUED", "DEQUEUED",
];

/// What is known of a pipe, or why nothing is.
#[derive(Debug)]
pub struct Report {
    name: PipeName,
    result: Result<Stats>,
}

/// All reports in JSON.
#[derive(Serialize)]
struct Pipes {
    schema: u32,
    pipes: Vec<Object>,
}

/// A report in JSON.
#[derive(Serialize)]
struct Object {
    pipe: String,
    path: String,
    #[serde(flatten)]
    result: Outcome,
}

/// What differs between the reports in JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    /// The statistics, next to the name.
    Known(Stats),
    /// The reason why there are none.
    Unknown {
        /// The number of the pipe as its name says.
        id: Option<u32>,
        /// The reason.
        error: Description,
    },
}

impl Report {
    /// Asks a pipe for its statistics.
    pub fn of(name: PipeName) -> Self {
        let result = ask(&name);
        Self { name, result }
    }

    /// Fails if nothing is known of the pipe.
    pub fn check(&self) -> Result<(), Failure> {
        match &self.result {
            Ok(_) => Ok(()),
            Err(error) => Err(error.clone().into()),
        }
    }

    /// The report in JSON.
    fn object(&self) -> Object {
        Object {
            pipe: self.name.to_string(),
            path: self.name.path().to_string_lossy().into_owned(),
            result: match &self.result {
                Ok(stats) => Outcome::Known(stats.clone()),
                Err(error) => Outcome::Unknown {
                    id: self.name.id(),
                    error: Failure::from(error.clone()).description(),
                },
            },
        }
    }

    /// The report as a row of the list.
    fn row(&self) -> Vec<String> {
        let mut row = vec![self.name.to_string()];
        match &self.result {
            Ok(stats) => row.extend([
                stats.depth_msgs.to_string(),
                stats.max_msgs.to_string(),
                stats.msg_size.to_string(),
                stats.depth_bytes.to_string(),
                stats.readers.to_string(),
                stats.writers.to_string(),
                stats.enqueued_msgs.to_string(),
                stats.dequeued_msgs.to_string(),
            ]),
            // In short: `stats` tells all of it.
            Err(error) => row.push(match error.errno() {
                Some(errno) => format!("{} ({errno:?})", errno.desc()),
                None => error.to_string(),
            }),
        }
        row
    }

    /// The report as a block of keys and values.
    fn block(&self) -> String {
        let mut rows = vec![
            ("pipe".to_string(), self.name.to_string()),
            ("path".to_string(), self.name.path().display().to_string()),
        ];
        match &self.result {
            Ok(stats) => rows.extend(fields(stats)),
            Err(error) => rows.push(("error".to_string(), error.to_string())),
        }
        table::pairs(&rows)
    }
}

/// Reports as a table.
pub fn list(reports: &[Report]) -> String {
    let head = COLUMNS.map(str::to_string).to_vec();
    let rows = reports.iter().map(Report::row);
    table::columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

/// Reports as blocks of keys and values.
pub fn blocks(reports: &[Report]) -> String {
    let blocks: Vec<String> = reports.iter().map(Report::block).collect();
    blocks.join("\n")
}

/// Reports in JSON.
pub fn json(reports: &[Report]) -> serde_json::Result<String> {
    let pipes = Pipes {
        schema: 1,
        pipes: reports.iter().map(Report::object).collect(),
    };
    serde_json::to_string(&pipes).map(|line| line + "\n")
}

/// Asks a pipe for its statistics, as they are without the file that is opened for that.
fn ask(name: &PipeName) -> Result<Stats> {
    let (pipe, access) = open_any(name)?;
    let mut stats = pipe.stats()?;
    let own = match access {
        Access::Write => &mut stats.writers,
        _ => &mut stats.readers,
    };
    *own = own.saturating_sub(1);
    Ok(stats)
}

/// Opens a pipe for requests: for reading, or for writing if only that is permitted.
pub fn open_any(name: &PipeName) -> Result<(Pipe, Access)> {
    match Pipe::open(name, Access::Read) {
        Ok(pipe) => Ok((pipe, Access::Read)),
        Err(refusal) if refusal.class() == Class::Permission => {
            match Pipe::open(name, Access::Write) {
                Ok(pipe) => Ok((pipe, Access::Write)),
                Err(_) => Err(refusal),
            }
        }
        Err(error) => Err(error),
    }
}

/// The statistics under the names of the header.
fn fields(stats: &Stats) -> Vec<(String, String)> {
    // One source for the names: the one that JSON has, in the order of its declaration.
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
mod tests {
    use super::*;
    use kmsgpipe::{Error, Head};
    use serde_json::{json, Value};

    fn stats(head: Option<Head>) -> Stats {
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
            head,
        }
    }

    fn reports() -> Vec<Report> {
        let head = Head {
            seq: 997,
            age_ns: 1_500,
            len: 5,
            uid: 1000,
            gid: 100,
            pid: 4711,
        };
        vec![
            Report {
                name: PipeName::of(3),
                result: Ok(stats(Some(head))),
            },
            Report {
                name: PipeName::of(12),
                result: Err(Error::WouldBlock {
                    action: kmsgpipe::Action::Send,
                    object: "x".into(),
                }),
            },
        ]
    }

    #[test]
    fn a_list_has_a_row_for_each_pipe() {
        assert_eq!(
            list(&reports()),
            "PIPE        DEPTH  MAX  MSGSIZE  BYTES  READERS  WRITERS  ENQUEUED  DEQUEUED\n\
             kmsgpipe3       4  128      256     20        1        2      1000       996\n\
             kmsgpipe12  Try again (EAGAIN)\n"
        );
    }

    #[test]
    fn a_block_has_a_line_for_each_field() {
        let text = blocks(&reports());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "pipe             kmsgpipe3");
        assert_eq!(lines[1], "path             /dev/kmsgpipe3");
        assert_eq!(lines[2], "id               3");
        assert!(lines.contains(&"enqueued_msgs    1000"), "{text}");
        assert!(lines.contains(&"head_age_ns      1500"), "{text}");
        assert!(lines.contains(&"head_pid         4711"), "{text}");
        assert!(!text.contains("reserved"), "{text}");
        // Two names, 22 numbers, six of the head; a free line; two names and an error.
        assert_eq!(lines.len(), 2 + 22 + 6 + 1 + 3);
        assert_eq!(lines[30], "");

        let empty = Report {
            name: PipeName::of(0),
            result: Ok(stats(None)),
        };
        assert!(empty.block().ends_with("head             none\n"));
    }

    #[test]
    fn json_keeps_to_its_schema() {
        let value: Value = serde_json::from_str(&json(&reports()).unwrap()).unwrap();
        assert_eq!(
            value,
            json!({
                "schema": 1,
                "pipes": [
                    {
                        "pipe": "kmsgpipe3", "path": "/dev/kmsgpipe3",
                        "id": 3, "flags": 1, "msg_size": 256, "max_msgs": 128,
                        "readers": 1, "writers": 2,
                        "waiting_readers": 0, "waiting_writers": 0,
                        "depth_msgs": 4, "depth_bytes": 20, "peak_msgs": 5, "peak_bytes": 25,
                        "enqueued_msgs": 1000, "enqueued_bytes": 5000,
                        "dequeued_msgs": 996, "dequeued_bytes": 4980,
                        "expired_msgs": 0, "expired_bytes": 0,
                        "dropped_msgs": 0, "dropped_bytes": 0,
                        "refused_full": 7, "refused_size": 8,
                        "head": {
                            "seq": 997, "age_ns": 1500, "len": 5,
                            "uid": 1000, "gid": 100, "pid": 4711,
                        },
                    },
                    {
                        "pipe": "kmsgpipe12", "path": "/dev/kmsgpipe12", "id": 12,
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
