// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl subscriptions`.

use super::{peers::id_of, print, unwritable};
use crate::{
    cli,
    failure::Failure,
    payload,
    style::Paint,
    table::{self, Column},
    width,
};
use kmsgpipe::Class;
use serde::Serialize;
use std::{fs, io::ErrorKind, str::FromStr};

/// The file with a line for each subscription.
const PROC: &str = "/proc/kmsgpipe_subscriptions";

/// Columns of the table.
const COLUMNS: [Column; 11] = [
    Column::new("PIPE", 0),
    Column::new("ID", 4),
    Column::new("SUBSCRIPTION", 2),
    Column::new("KIND", 0),
    Column::new("GROUP", 5),
    Column::new("FILES", 1),
    Column::new("NEXT", 3),
    Column::new("RECEIVED", 0),
    Column::new("LOST", 0),
    Column::new("EXPIRED", 6),
    Column::new("LAG", 0),
];

/// A line of the file.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Subscription {
    /// The name of the pipe in the output of the program.
    pipe: String,
    /// Number of the pipe.
    id: u32,
    /// Name of the pipe, if it has one.
    name: Option<String>,
    /// Number of the subscription in its pipe.
    subscription: u64,
    /// `own`, `browse` or `group`. It stays text, so that what a newer module shows is shown as well.
    kind: String,
    /// Name of the group, if it has one.
    group: Option<String>,
    /// Number of open files that read from it.
    files: u64,
    /// Sequence number of the message that is read next.
    next_seq: u64,
    /// Messages that it could get, from where it began.
    published_msgs: u64,
    /// Messages that were read.
    received_msgs: u64,
    /// Messages that were lost.
    lost_msgs: u64,
    /// Messages that expired before they were read.
    expired_msgs: u64,
    /// Messages that it has yet to read.
    lag_msgs: u64,
}

/// The JSON form of the list.
#[derive(Serialize)]
struct Object {
    schema: u32,
    subscriptions: Vec<Subscription>,
}

/// Shows the subscriptions of a pipe, or of all pipes.
pub fn subscriptions(args: &cli::Subscriptions, json: bool) -> Result<(), Failure> {
    let only = match &args.pipe {
        Some(pipe) => Some(id_of(&pipe.locate())?),
        // It fails if the module is not loaded.
        None => kmsgpipe::pipes().map(|_| None)?,
    };
    let text = fs::read_to_string(PROC).map_err(|error| {
        let failure = Failure::io(&format!("read {PROC}"), &error);
        match error.kind() {
            ErrorKind::NotFound => {
                failure.also("is procfs mounted, and is the module as new as this program?")
            }
            _ => failure,
        }
    })?;
    let mut all = parse(&text)?;
    all.retain(|line| only.is_none_or(|id| line.id == id));
    if json {
        let object = Object {
            schema: 1,
            subscriptions: all,
        };
        let line = serde_json::to_string(&object).map_err(unwritable)?;
        return print(&(line + "\n"));
    }
    print(&Paint::stdout().headed(&table(&all, width::of_output())))
}

/// Parses the contents of the file.
fn parse(text: &str) -> Result<Vec<Subscription>, Failure> {
    let parse = |line| {
        Subscription::parse(line).ok_or_else(|| {
            let line = payload::escaped(str::as_bytes(line));
            let said = format!("{PROC} has the line \"{line}\", which this program does not know");
            Failure::new(Class::Mismatch, said)
                .also("install the module and this program from the same release")
        })
    };
    text.lines().map(parse).collect()
}

impl Subscription {
    /// Parses a line: the pipe, a colon, and keys with their values. Further keys are accepted.
    fn parse(line: &str) -> Option<Self> {
        let (pipe, values) = line.split_once(": ")?;
        let id: u32 = pipe.strip_prefix("pipe")?.parse().ok()?;
        let value = |wanted: &str| {
            let mut pairs = values.split(", ").filter_map(|pair| pair.split_once('='));
            pairs.find_map(|(key, value)| (key == wanted).then_some(value))
        };
        let text = |key| value(key).filter(|text| !text.is_empty());
        let name = text("name").map(str::to_string);
        Some(Self {
            pipe: match &name {
                Some(name) => kmsgpipe::Node::named(name, id).to_string(),
                None => id.to_string(),
            },
            id,
            name,
            subscription: number(value("subscription"))?,
            kind: value("kind")?.into(),
            group: text("group").map(str::to_string),
            files: number(value("files"))?,
            next_seq: number(value("next_seq"))?,
            published_msgs: number(value("published"))?,
            received_msgs: number(value("received"))?,
            lost_msgs: number(value("lost"))?,
            expired_msgs: number(value("expired"))?,
            lag_msgs: number(value("lag"))?,
        })
    }

    /// Returns the row of the table.
    fn row(&self) -> Vec<String> {
        let group = self.group.as_deref().unwrap_or("-");
        vec![
            payload::escaped(self.pipe.as_bytes()),
            self.id.to_string(),
            self.subscription.to_string(),
            payload::escaped(self.kind.as_bytes()),
            payload::escaped(group.as_bytes()),
            self.files.to_string(),
            self.next_seq.to_string(),
            self.received_msgs.to_string(),
            self.lost_msgs.to_string(),
            self.expired_msgs.to_string(),
            self.lag_msgs.to_string(),
        ]
    }
}

/// Parses a number.
fn number<T: FromStr>(text: Option<&str>) -> Option<T> {
    text?.parse().ok()
}

/// Formats subscriptions as a table for lines of `width` characters.
fn table(all: &[Subscription], width: Option<usize>) -> String {
    table::fitting(&COLUMNS, all.iter().map(Subscription::row).collect(), width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEXT: &str = "\
        pipe0: name=, subscription=3, kind=browse, group=, files=1, next_seq=8, published=4, received=4, lost=0, expired=0, lag=0\n\
        pipe17: name=news, subscription=18446744073709551615, kind=group, group=b, files=2, next_seq=9, published=12, received=5, \
        lost=4, expired=2, lag=1, leased=0\n";

    #[test]
    fn lines_are_shown_as_a_table() {
        let all = parse(TEXT).unwrap();
        assert_eq!(
            table(&all, None),
            "PIPE  ID          SUBSCRIPTION    KIND  GROUP  FILES  NEXT  RECEIVED  LOST  EXPIRED  LAG\n\
             0      0                     3  browse      -      1     8         4     0        0    0\n\
             news  17  18446744073709551615   group      b      2     9         5     4        2    1\n"
        );
        let narrow = table(&all, Some(40));
        assert!(narrow.lines().all(|line| line.len() <= 40), "{narrow}");
        assert!(narrow.starts_with("PIPE    KIND"), "{narrow}");
    }

    #[test]
    fn json_has_every_value() {
        let all = parse(TEXT).unwrap();
        assert_eq!(
            serde_json::to_value(&all[1]).unwrap(),
            json!({
                "pipe": "news", "id": 17, "name": "news", "subscription": u64::MAX, "kind": "group", "group": "b",
                "files": 2, "next_seq": 9, "published_msgs": 12, "received_msgs": 5, "lost_msgs": 4,
                "expired_msgs": 2, "lag_msgs": 1,
            })
        );
        assert_eq!((&all[0].name, &all[0].group), (&None, &None));
    }

    #[test]
    fn unknown_lines_are_a_mismatch() {
        for text in ["pipe0\n", "pipe0: name=\n", "tape0: name=, lag=1\n", "\n"] {
            let failure = parse(text).unwrap_err();
            assert_eq!(failure.class(), Class::Mismatch, "{text}");
        }
        assert_eq!(parse("").unwrap(), []);
    }
}
