// SPDX-License-Identifier: GPL-2.0

//! Output formats of a message with its metadata.

use crate::{
    clock::{self, Seconds},
    duration,
    payload::{self, Data},
    table,
};
use clap::ValueEnum;
use kmsgpipe::Record;
use serde::Serialize;
use std::time::Duration;

/// Output format of a message with its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A JSON object per line.
    #[value(skip)]
    Json,
    /// A line with local time, sender and message
    Short,
    /// Like short, but with date and time in ISO 8601 format
    Iso,
    /// A line for each field
    Verbose,
}

/// The JSON form of a message.
#[derive(Serialize)]
pub struct Object<'a> {
    seq: u64,
    #[serde(skip_serializing_if = "is_zero")]
    priority: u32,
    lost: u64,
    age_ns: u64,
    monotonic_ns: u64,
    realtime_ns: u64,
    uid: u32,
    gid: u32,
    pid: u32,
    privileged: bool,
    /// Number of deliveries, for a message that was delivered before.
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<u32>,
    len: usize,
    #[serde(flatten)]
    data: Data<'a>,
}

/// The JSON form of a message with the schema number, as a line of output.
#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    #[serde(flatten)]
    object: Object<'a>,
}

impl<'a> Object<'a> {
    /// Creates the JSON form; the payload is hexadecimal if `hex` is set or if it is not text.
    pub fn of(record: &Record<'a>, hex: bool) -> Self {
        Self {
            seq: record.seq,
            priority: record.priority,
            lost: record.lost,
            age_ns: record.age_ns,
            monotonic_ns: record.monotonic_ns,
            realtime_ns: record.realtime_ns,
            uid: record.uid,
            gid: record.gid,
            pid: record.pid,
            privileged: record.privileged,
            deliveries: record.is_redelivered().then_some(record.deliveries),
            len: record.payload.len(),
            data: if hex {
                Data::hex(record.payload)
            } else {
                Data::of(record.payload)
            },
        }
    }
}

/// Returns whether a number is zero: the priority of most messages, which is then left out.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Formats the sender's user ID, with a star if the sender was privileged.
pub fn user(record: &Record<'_>) -> String {
    format!("{}{}", record.uid, if record.privileged { "*" } else { "" })
}

impl Format {
    /// Formats a message, with a newline at the end.
    ///
    /// # Errors
    ///
    /// Serialization to JSON fails.
    pub fn text(self, record: &Record<'_>) -> Result<String, serde_json::Error> {
        let at = Duration::from_nanos(record.realtime_ns);
        Ok(match self {
            Self::Json => {
                let line = Line {
                    schema: 1,
                    object: Object::of(record, false),
                };
                serde_json::to_string(&line)? + "\n"
            }
            Self::Short => line(&clock::short(at), record),
            Self::Iso => line(&clock::iso(at), record),
            Self::Verbose => verbose(&clock::iso(at), record),
        })
    }
}

/// Formats a message as a line that starts with its time.
fn line(time: &str, record: &Record<'_>) -> String {
    let priority = match record.priority {
        0 => String::new(),
        priority => format!(" priority {priority}"),
    };
    let delivery = match record.is_redelivered() {
        true => format!(" delivery {}", record.deliveries),
        false => String::new(),
    };
    format!(
        "{time} uid {} pid {}{priority}{delivery}: {}\n",
        user(record),
        record.pid,
        payload::escaped(record.payload)
    )
}

/// Formats a message as one line per field, followed by an empty line.
fn verbose(time: &str, record: &Record<'_>) -> String {
    // Lists every field, so that the compiler reports one that is added.
    let Record {
        seq,
        monotonic_ns,
        realtime_ns: _,
        age_ns,
        lost,
        uid,
        gid,
        pid,
        privileged,
        priority,
        deliveries,
        payload,
    } = *record;
    let rows = [
        ("seq", seq.to_string()),
        ("realtime", time.into()),
        (
            "monotonic",
            Seconds(Duration::from_nanos(monotonic_ns)).to_string(),
        ),
        ("age", duration::describe(Duration::from_nanos(age_ns))),
        ("uid", uid.to_string()),
        ("gid", gid.to_string()),
        ("pid", pid.to_string()),
        ("privileged", if privileged { "yes" } else { "no" }.into()),
        ("priority", priority.to_string()),
        ("deliveries", deliveries.to_string()),
        ("lost", lost.to_string()),
        ("len", payload.len().to_string()),
        ("data", payload::escaped(payload)),
    ];
    table::pairs(&rows.map(|(key, value)| (key.to_string(), value))) + "\n"
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Returns a message with all metadata set.
    pub fn record(payload: &[u8]) -> Record<'_> {
        Record {
            seq: 7,
            monotonic_ns: 12_345_678_901,
            realtime_ns: 1_700_000_000_123_456_789,
            age_ns: 1_500_000_000,
            lost: 3,
            uid: 1000,
            gid: 100,
            pid: 42,
            privileged: false,
            priority: 0,
            deliveries: 1,
            payload,
        }
    }

    #[test]
    fn json_payload_is_text_or_hexadecimal() {
        let json = |payload: &[u8]| Format::Json.text(&record(payload)).unwrap();
        let known = "{\"schema\":1,\"seq\":7,\"lost\":3,\"age_ns\":1500000000,\"monotonic_ns\":12345678901,\
            \"realtime_ns\":1700000000123456789,\"uid\":1000,\"gid\":100,\"pid\":42,\"privileged\":false";
        assert_eq!(
            json("gr\u{fc}n \"\n\0".as_bytes()),
            format!("{known},\"len\":9,\"data\":\"gr\u{fc}n \\\"\\n\\u0000\"}}\n")
        );
        assert_eq!(
            json(b"\x00\xff\x7f"),
            format!("{known},\"len\":3,\"data_hex\":\"00ff7f\"}}\n")
        );
        assert_eq!(
            json(b"\xc3"),
            format!("{known},\"len\":1,\"data_hex\":\"c3\"}}\n")
        );
        let urgent = Record {
            priority: 5,
            ..record(b"a")
        };
        let text = Format::Json.text(&urgent).unwrap();
        assert!(
            text.contains("\"seq\":7,\"priority\":5,\"lost\":3,"),
            "{text}"
        );
        let mut again = record(b"a");
        again.deliveries = 2;
        assert_eq!(
            Format::Json.text(&again).unwrap(),
            format!("{known},\"deliveries\":2,\"len\":1,\"data\":\"a\"}}\n")
        );
        let hex = serde_json::to_string(&Object::of(&record(b"a"), true)).unwrap();
        assert!(hex.ends_with(",\"len\":1,\"data_hex\":\"61\"}"), "{hex}");
    }

    #[test]
    fn line_escapes_control_characters() {
        let mut record = record(b"a\n\x1b[31m");
        assert_eq!(
            line("Nov 29 16:12:11.123456", &record),
            "Nov 29 16:12:11.123456 uid 1000 pid 42: a\\n\\u{1b}[31m\n"
        );
        record.privileged = true;
        record.priority = 31;
        record.payload = b"\xff";
        assert_eq!(
            line("then", &record),
            "then uid 1000* pid 42 priority 31: \\xff\n"
        );
        record.deliveries = 3;
        assert_eq!(
            line("then", &record),
            "then uid 1000* pid 42 priority 31 delivery 3: \\xff\n"
        );
    }

    #[test]
    fn each_format_has_its_time() {
        let record = record(b"hello");
        let at = Duration::from_nanos(record.realtime_ns);
        for (format, time) in [
            (Format::Short, clock::short(at)),
            (Format::Iso, clock::iso(at)),
        ] {
            let text = format.text(&record).unwrap();
            assert_eq!(text, format!("{time} uid 1000 pid 42: hello\n"));
        }
        let text = Format::Verbose.text(&record).unwrap();
        assert_eq!(text, verbose(&clock::iso(at), &record));
    }

    #[test]
    fn verbose_prints_every_field() {
        let mut record = record(b"two\nlines");
        record.privileged = true;
        let text = "seq         7\n\
            realtime    2026-11-29T16:12:11.123456+01:00\n\
            monotonic   12.345678\n\
            age         1.5s\n\
            uid         1000\n\
            gid         100\n\
            pid         42\n\
            privileged  yes\n\
            priority    0\n\
            deliveries  1\n\
            lost        3\n\
            len         9\n\
            data        two\\nlines\n\
            \n";
        assert_eq!(verbose("2026-11-29T16:12:11.123456+01:00", &record), text);
    }
}
