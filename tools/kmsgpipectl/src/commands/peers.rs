// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl peers`.

use super::{print, unwritable};
use crate::{
    cli,
    count::processes,
    failure::{warn, Failure},
    open::open_any,
    payload,
    peers::{can_compare, OpenFile, Peers},
    style::Paint,
    table::{self, Column},
    width,
};
use kmsgpipe::Node;
use serde::Serialize;
use std::ops::Range;

/// Columns of the table.
const COLUMNS: [Column; 15] = [
    Column::new("COMMAND", 0),
    Column::new("PID", 0),
    Column::new("USER", 6),
    Column::new("FD", 3),
    Column::new("ACCESS", 0),
    Column::new("MODE", 7),
    Column::new("SENT", 5),
    Column::new("RECEIVED", 4),
    Column::new("READS", 11),
    Column::new("LAG", 9),
    Column::new("LOST", 10),
    Column::new("LEASED", 12),
    Column::new("REST", 2),
    Column::new("LINE", 1),
    Column::new("ALSO", 8),
];

/// Columns of [`COLUMNS`] that a table has only if a file of the pipe has a position of its own.
const POSITION: Range<usize> = 8..11;

/// Columns of [`COLUMNS`] that a table has only if a file of the pipe receives with a lease.
const LEASE: Range<usize> = 11..12;

/// The JSON form of the peers of a pipe.
#[derive(Serialize)]
struct Object<'a> {
    schema: u32,
    pipe: String,
    path: String,
    id: u32,
    compared: bool,
    unread_processes: u64,
    files: &'a [OpenFile],
}

/// Shows the processes that have a pipe open.
pub fn peers(args: &cli::Peers, json: bool) -> Result<(), Failure> {
    let node = args.pipe.locate();
    let id = id_of(&node)?;
    let peers = Peers::of(id).map_err(|error| {
        Failure::io("list the processes in /proc", &error).also("is procfs mounted there?")
    })?;
    if json {
        return print(&self::json(&node, id, &peers)?);
    }
    print(&Paint::stdout().headed(&text(&peers.files, width::of_output())))?;
    if peers.unread_processes > 0 {
        warn(&unread(peers.unread_processes));
    }
    Ok(())
}

/// Returns the number of a pipe. It is opened only if sysfs does not show it: an open for reading with `O_EXCL`
/// would fail meanwhile.
pub(super) fn id_of(node: &Node) -> Result<u32, Failure> {
    match node.id().filter(|_| node.is_known()) {
        Some(id) => Ok(id),
        None => Ok(open_any(node)?.0.stats()?.id),
    }
}

/// Says how many processes could not be read, and how to read them.
fn unread(count: u64) -> String {
    let processes = processes(count);
    format!("{processes} of other users could not be read: run as root to see all")
}

/// Formats the peers as JSON.
fn json(node: &Node, id: u32, peers: &Peers) -> Result<String, Failure> {
    let object = Object {
        schema: 1,
        pipe: node.to_string(),
        path: node.path().to_string_lossy().into_owned(),
        id,
        compared: can_compare(),
        unread_processes: peers.unread_processes,
        files: &peers.files,
    };
    let line = serde_json::to_string(&object).map_err(unwritable)?;
    Ok(line + "\n")
}

/// Formats the open files as a table for lines of `width` characters.
fn text(files: &[OpenFile], width: Option<usize>) -> String {
    let mut columns = COLUMNS.to_vec();
    let mut rows: Vec<Vec<String>> = files.iter().filter_map(row).collect();
    let mut omit = |range: Range<usize>| {
        columns.drain(range.clone());
        for row in &mut rows {
            row.drain(range.clone());
        }
    };
    // The last columns first: the others keep their places.
    if files.iter().all(|file| file.info.lease_ms.is_none()) {
        omit(LEASE);
    }
    if files.iter().all(|file| file.info.next_seq.is_none()) {
        omit(POSITION);
    }
    table::fitting(&columns, rows, width)
}

/// Returns the row of an open file, which has at least one process.
fn row(file: &OpenFile) -> Option<Vec<String>> {
    let (first, others) = file.processes.split_first()?;
    let info = &file.info;
    let others: Vec<u32> = others.iter().map(|process| process.pid).collect();
    Some(vec![
        payload::escaped(first.command.as_bytes()),
        first.pid.to_string(),
        first.user.clone().unwrap_or_else(|| first.uid.to_string()),
        numbers(&first.fds),
        info.access.clone(),
        info.mode.clone(),
        info.sent_msgs.to_string(),
        info.received_msgs.to_string(),
        match info.reads.as_deref() {
            None | Some("nothing") => "-".into(),
            Some(reads) => payload::escaped(reads.as_bytes()),
        },
        count(info.lag_msgs),
        count(info.lost_msgs),
        count(info.leased_msgs),
        info.rest_bytes.to_string(),
        info.line_bytes.to_string(),
        numbers(&others),
    ])
}

/// Formats a number, or a dash if it is not known.
fn count(number: Option<u64>) -> String {
    number.map_or("-".into(), |number| number.to_string())
}

/// Formats numbers with commas between them, or a dash if there are none.
fn numbers(numbers: &[u32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    match numbers.is_empty() {
        true => "-".into(),
        false => numbers.join(","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fdinfo::{
            tests::{text as fdinfo, text_with_position},
            Fdinfo,
        },
        peers::Process,
    };
    use serde_json::{json, Value};
    use std::path::Path;

    fn process(pid: u32, command: &str, uid: u32, user: Option<&str>, fds: &[u32]) -> Process {
        Process {
            pid,
            command: command.into(),
            uid,
            user: user.map(str::to_string),
            fds: fds.into(),
        }
    }

    fn files() -> Vec<OpenFile> {
        let info = |access| Fdinfo::parse(&fdinfo(3, access)).unwrap();
        vec![
            OpenFile {
                info: info("rw"),
                processes: vec![
                    process(87, "a\x1b[31m", 0, Some("root"), &[3, 10]),
                    process(90, "child", 0, Some("root"), &[3]),
                    process(1234, "child", 0, Some("root"), &[3]),
                ],
            },
            OpenFile {
                info: info("w"),
                processes: vec![process(4_194_304, "two words", 4_000_000_000, None, &[0])],
            },
        ]
    }

    #[test]
    fn table_has_a_row_for_each_open_file() {
        assert_eq!(
            text(&files(), None),
            "COMMAND          PID        USER    FD  ACCESS       MODE  SENT              RECEIVED  REST  LINE     ALSO\n\
             a\\u{1b}[31m       87        root  3,10      rw  eof,lines     3  18446744073709551615     5     6  90,1234\n\
             two words    4194304  4000000000     0       w  eof,lines     3  18446744073709551615     5     6        -\n"
        );
        let head = "COMMAND  PID  USER  FD  ACCESS  MODE  SENT  RECEIVED  REST  LINE  ALSO\n";
        assert_eq!(text(&[], None), head);
    }

    #[test]
    fn table_has_positions_if_a_file_has_one() {
        let mut files = files();
        for (file, reads) in files.iter_mut().zip(["own", "nothing"]) {
            file.info = Fdinfo::parse(&text_with_position(3, reads)).unwrap();
            file.info.received_msgs = 4;
        }
        files[1].info.next_seq = None;
        files[1].info.lag_msgs = None;
        files[1].info.lost_msgs = None;
        files[1].processes[0].user = Some("two".into());
        assert_eq!(
            text(&files, None),
            "COMMAND          PID  USER    FD  ACCESS       MODE  SENT  RECEIVED  READS  LAG  LOST  REST  LINE     ALSO\n\
             a\\u{1b}[31m       87  root  3,10       r  eof,lines     3         4    own    7     8     5     6  90,1234\n\
             two words    4194304   two     0       r  eof,lines     3         4      -    -     -     5     6        -\n"
        );
        let narrow = text(&files, Some(50));
        let words: Vec<&str> = narrow.lines().next().unwrap().split_whitespace().collect();
        assert_eq!(words, ["COMMAND", "PID", "ACCESS", "READS", "LAG", "LOST"]);
    }

    #[test]
    fn table_has_leases_if_a_file_has_one() {
        let mut files = files();
        files[0].info.lease_ms = Some(30_000);
        files[0].info.leased_msgs = Some(2);
        let table = text(&files, None);
        let columns: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().rev().take(4).collect())
            .collect();
        assert_eq!(columns[0], ["ALSO", "LINE", "REST", "LEASED"]);
        assert_eq!(columns[1], ["90,1234", "6", "5", "2"]);
        assert_eq!(columns[2], ["-", "6", "5", "-"]);
        assert!(!table.contains("LAG"), "{table}");
    }

    #[test]
    fn narrow_table_keeps_process_and_access() {
        let narrow = text(&files(), Some(1));
        assert!(
            narrow.starts_with("COMMAND          PID  ACCESS\n"),
            "{narrow}"
        );
        let narrow = text(&files(), Some(70));
        let head = narrow.lines().next().unwrap();
        let words: Vec<&str> = head.split_whitespace().collect();
        assert_eq!(
            words,
            ["COMMAND", "PID", "USER", "ACCESS", "MODE", "SENT", "ALSO"]
        );
    }

    #[test]
    fn json_has_every_process() {
        let peers = Peers {
            files: files(),
            unread_processes: 2,
        };
        let node = Node::at(Path::new("/dev/kmsgpipe/log"));
        let line = json(&node, 3, &peers).unwrap();
        let value: Value = serde_json::from_str(&line).unwrap();
        let counters = json!({
            "mode": "eof,lines", "nonblock": false, "reads": null, "next_seq": null, "lag_msgs": null,
            "lost_msgs": null, "expired_msgs": null, "lease_ms": null, "leased_msgs": null, "sent_msgs": 3, "sent_bytes": 17,
            "received_msgs": u64::MAX, "received_bytes": 4, "rest_bytes": 5, "line_bytes": 6,
        });
        let file = |access: &str, processes: Value| {
            let mut file = counters.clone();
            file["access"] = access.into();
            file["processes"] = processes;
            file
        };
        let root = |pid: u32, command: &str, fds: Value| json!({ "pid": pid, "command": command, "uid": 0, "user": "root", "fds": fds });
        assert_eq!(
            value,
            json!({
                "schema": 1, "pipe": "log", "path": "/dev/kmsgpipe/log", "id": 3,
                "compared": can_compare(), "unread_processes": 2,
                "files": [
                    file("rw", json!([
                        root(87, "a\x1b[31m", json!([3, 10])),
                        root(90, "child", json!([3])),
                        root(1234, "child", json!([3])),
                    ])),
                    file("w", json!([{
                        "pid": 4_194_304, "command": "two words", "uid": 4_000_000_000_u32,
                        "user": null, "fds": [0],
                    }])),
                ],
            })
        );
        assert!(line.ends_with("}\n"), "{line}");
    }

    #[test]
    fn unread_processes_are_counted() {
        assert_eq!(
            unread(1),
            "1 process of other users could not be read: run as root to see all"
        );
        assert!(unread(20).starts_with("20 processes of other users "));
    }
}
