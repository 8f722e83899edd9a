// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl dump`.

use super::{print, unwritable};
use crate::{
    cli,
    count::messages,
    duration,
    failure::{warn, Failure},
    open::open_any,
    payload, record,
    style::Paint,
    table,
};
use kmsgpipe::{Dump, Node};
use serde::Serialize;
use std::time::Duration;

/// Headings of the columns before the payload.
const COLUMNS: [&str; 6] = ["SEQ", "AGE", "UID", "GID", "PID", "LEN"];

/// The JSON form of a dump, with schema and pipe.
#[derive(Serialize)]
struct Object<'a> {
    schema: u32,
    pipe: String,
    path: String,
    #[serde(flatten)]
    contents: Contents<'a>,
}

/// The JSON form of the messages.
#[derive(Serialize)]
struct Contents<'a> {
    missing: u32,
    records: Vec<record::Object<'a>>,
}

/// Prints the queued messages without consuming them.
pub fn dump(args: &cli::Dump, json: bool) -> Result<(), Failure> {
    let node = args.pipe.locate();
    let (pipe, _) = open_any(&node)?;
    let dump = pipe.dump()?;
    if json {
        return print(&self::json(&node, &dump, args.hex)?);
    }
    print(&text(&dump, args.hex, Paint::stdout()))?;
    warn_of_missing(&dump);
    Ok(())
}

/// Formats a dump as JSON.
fn json(node: &Node, dump: &Dump, hex: bool) -> Result<String, Failure> {
    let object = Object {
        schema: 1,
        pipe: node.to_string(),
        path: node.path().to_string_lossy().into_owned(),
        contents: contents(dump, hex),
    };
    let line = serde_json::to_string(&object).map_err(unwritable)?;
    Ok(line + "\n")
}

/// Returns the messages of a dump as JSON.
pub fn value(dump: &Dump) -> Result<serde_json::Value, Failure> {
    serde_json::to_value(contents(dump, false)).map_err(unwritable)
}

/// Returns the JSON form of the messages.
fn contents(dump: &Dump, hex: bool) -> Contents<'_> {
    Contents {
        missing: dump.missing(),
        records: dump
            .records()
            .map(|record| record::Object::of(&record, hex))
            .collect(),
    }
}

/// Formats a dump as a table, with payloads at the end of the line or in the lines below it.
pub fn text(dump: &Dump, hex: bool, paint: Paint) -> String {
    let mut rows = vec![COLUMNS.map(str::to_string).to_vec()];
    let has_priorities = dump.records().any(|record| record.priority > 0);
    rows.extend(dump.records().map(|record| {
        vec![
            record.seq.to_string(),
            duration::describe(Duration::from_nanos(record.age_ns)),
            record::user(&record),
            record.gid.to_string(),
            record.pid.to_string(),
            record.payload.len().to_string(),
        ]
    }));

    if has_priorities {
        let priorities = dump.records().map(|record| record.priority.to_string());
        let column = std::iter::once("PRIO".to_string()).chain(priorities);
        for (row, priority) in rows.iter_mut().zip(column) {
            row.insert(1, priority);
        }
    }

    let table = table::columns(&rows);
    let mut lines = table.lines();
    let title = if hex { "" } else { "  DATA" };
    let head = format!("{}{title}", lines.next().unwrap_or_default());
    let mut text = format!("{}\n", paint.head(&head));
    for (line, record) in lines.zip(dump.records()) {
        if hex {
            text += &format!("{line}\n{}", payload::hexdump(record.payload));
        } else {
            text += &format!("{line}  {}\n", payload::escaped(record.payload));
        }
    }
    text
}

/// Warns if messages are missing from a dump.
pub fn warn_of_missing(dump: &Dump) {
    if dump.missing() > 0 {
        warn(&format!(
            "{} did not fit, behind those shown",
            messages(dump.missing().into())
        ));
    }
}
