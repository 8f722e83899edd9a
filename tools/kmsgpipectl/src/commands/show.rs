// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl show`.

use super::print;
use crate::{
    cli,
    count::messages,
    duration,
    failure::Failure,
    passwd,
    report::{json_line, Object, Report, Settings},
    table, width,
};
use kmsgpipe::{Kind, Modes, Node, Overflow, Stats, Stray};
use nix::sys::stat::{major, minor};
use serde::Serialize;
use std::{fs, os::unix::fs::MetadataExt, time::Duration};

/// Shows the attributes, limits and counters of pipes.
pub fn show(args: &cli::Show, json: bool) -> Result<(), Failure> {
    let reports = Report::of_all(&args.pipes, Report::public)?;
    for report in &reports {
        report.stats()?;
    }
    print(&format(&reports, json)?)
}

/// The JSON form of a report with the attributes of the device node.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    report: Object,
    /// Null if the node does not exist.
    node: Option<DeviceNode>,
}

/// Attributes of a device node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct DeviceNode {
    /// Permissions in octal, as chmod(1) takes them.
    mode: String,
    uid: u32,
    gid: u32,
    major: u64,
    minor: u64,
}

impl DeviceNode {
    /// Reads the attributes from the file system.
    fn of(node: &Node) -> Option<Self> {
        if node.stray().is_some() {
            return None;
        }
        let metadata = fs::metadata(node.path()).ok()?;
        Some(Self {
            mode: format!("{:04o}", metadata.mode() & 0o7777),
            uid: metadata.uid(),
            gid: metadata.gid(),
            major: major(metadata.rdev()),
            minor: minor(metadata.rdev()),
        })
    }
}

/// Formats pipes as blocks or as JSON. Fails if the statistics of a pipe are unknown.
fn format(reports: &[Report], json: bool) -> Result<String, Failure> {
    if json {
        let shown = |report: &Report| Shown {
            report: report.object(),
            node: DeviceNode::of(&report.node),
        };
        return json_line(reports.iter().map(shown).collect())
            .map_err(|error| Failure::io("write JSON", &error.into()));
    }
    let width = width::of_output();
    let block = |report: &Report| {
        let node = DeviceNode::of(&report.node);
        let stray = report.node.stray();
        Ok(block(
            &report.node,
            node.as_ref(),
            stray.as_ref(),
            report.stats()?,
            &Settings::of(&report.node),
            width,
        ))
    };
    let blocks: Result<Vec<String>, Failure> = reports.iter().map(block).collect();
    Ok(blocks?.join("\n"))
}

/// Formats a pipe as a block of keys and values.
fn block(
    node: &Node,
    device: Option<&DeviceNode>,
    stray: Option<&Stray>,
    stats: &Stats,
    settings: &Settings,
    width: Option<usize>,
) -> String {
    let mut rows = vec![
        ("pipe", node.to_string()),
        ("node", node.path().display().to_string()),
        ("number", stats.id.to_string()),
        ("name", node.name().unwrap_or("none").to_string()),
    ];
    if let Some(stray) = stray {
        rows.push(("wrong", stray.to_string()));
    }
    if let Some(device) = device {
        rows.extend([
            ("device", format!("{}:{}", device.major, device.minor)),
            ("mode", device.mode.clone()),
            ("owner", passwd::describe_user(device.uid)),
            ("group", passwd::describe_group(device.gid)),
        ]);
    }
    rows.extend(settings.kind.map(|kind| ("kind", about(kind).into())));
    // A queue cannot have a history.
    let history = settings
        .history
        .filter(|_| settings.kind != Some(Kind::Queue));
    rows.extend(history.map(|count| ("history", kept(count))));
    let priorities = settings.priorities.filter(|count| *count > 1);
    rows.extend(priorities.map(|count| ("order", order(count))));
    rows.extend([("limits", limits(stats)), ("expiry", expiry(stats))]);
    rows.extend(
        settings
            .overflow
            .map(|policy| ("full", full(policy).into())),
    );
    rows.extend(settings.default_mode.map(|modes| ("files", files(modes))));
    rows.extend([
        (
            "queued",
            format!(
                "{}, at most {} so far",
                amount(stats.depth_msgs, stats.depth_bytes),
                amount(stats.peak_msgs, stats.peak_bytes),
            ),
        ),
        ("oldest", oldest(stats)),
        ("open", open_counts(stats.readers, stats.writers)),
        (
            "waiting",
            open_counts(stats.waiting_readers, stats.waiting_writers),
        ),
        ("sent", amount(stats.enqueued_msgs, stats.enqueued_bytes)),
        (
            "received",
            amount(stats.dequeued_msgs, stats.dequeued_bytes),
        ),
        ("expired", amount(stats.expired_msgs, stats.expired_bytes)),
        ("dropped", amount(stats.dropped_msgs, stats.dropped_bytes)),
        (
            "refused",
            format!(
                "{} because it was full, {} because the message was too long",
                times(stats.refused_full),
                times(stats.refused_size)
            ),
        ),
    ]);
    table::pairs_fitting(&rows.map_keys(), width)
}

/// Converts the keys of rows to `String`.
trait MapKeys {
    /// Returns the rows with owned keys.
    fn map_keys(self) -> Vec<(String, String)>;
}

impl MapKeys for Vec<(&str, String)> {
    fn map_keys(self) -> Vec<(String, String)> {
        let rows = self.into_iter();
        rows.map(|(key, value)| (key.to_string(), value)).collect()
    }
}

/// Formats a number of messages and their size.
fn amount(msgs: u64, length: u64) -> String {
    format!("{} of {}", messages(msgs), bytes(length))
}

/// Formats a number of bytes.
fn bytes(count: u64) -> String {
    match count {
        1 => "1 byte".into(),
        _ => format!("{count} bytes"),
    }
}

/// Formats a number of times.
fn times(count: u64) -> String {
    match count {
        1 => "1 time".into(),
        _ => format!("{count} times"),
    }
}

/// Formats the numbers of readers and writers.
fn open_counts(readers: u32, writers: u32) -> String {
    let plural = |count, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    format!(
        "{}, {}",
        plural(readers, "reader"),
        plural(writers, "writer")
    )
}

/// Formats the limits.
fn limits(stats: &Stats) -> String {
    let count = messages(stats.max_msgs.into());
    format!("{count} of at most {}", bytes(stats.msg_size.into()))
}

/// Formats when messages expire.
fn expiry(stats: &Stats) -> String {
    if !stats.messages_expire() {
        return "never".into();
    }
    let words = |millis: u32| duration::describe(Duration::from_millis(millis.into()));
    format!(
        "after {}, looked for every {}",
        words(stats.flush_expiry_ms),
        words(stats.flush_interval_ms)
    )
}

/// Formats which readers get a message.
fn about(kind: Kind) -> &'static str {
    match kind {
        Kind::Broadcast => "broadcast: each reader gets each message",
        _ => "queue: each message goes to one reader",
    }
}

/// Formats the order of messages with priorities.
fn order(priorities: u32) -> String {
    format!("by priority, from {} down to 0", priorities - 1)
}

/// Formats how many messages stay for later readers.
fn kept(history: u32) -> String {
    match history {
        0 => "none".into(),
        _ => format!(
            "{}, for readers that open the pipe later",
            messages(history.into())
        ),
    }
}

/// Formats what a write to the full pipe does.
fn full(overflow: Overflow) -> &'static str {
    match overflow {
        Overflow::DropOldest => "drops the oldest message",
        Overflow::DropNewest => "discards the new message",
        _ => "lets writers wait",
    }
}

/// Formats the mode in which files are opened.
fn files(modes: Modes) -> String {
    match modes.is_empty() {
        true => "opened in no mode".into(),
        false => format!("opened in the mode {modes}"),
    }
}

/// Formats the metadata of the oldest message.
fn oldest(stats: &Stats) -> String {
    let Some(head) = &stats.head else {
        return match stats.depth_msgs {
            0 => "none".into(),
            _ => "hidden (needs read access)".into(),
        };
    };
    format!(
        "number {}, {}, sent {} ago by uid {}, gid {}, pid {}{}",
        head.seq,
        bytes(head.len.into()),
        duration::describe(Duration::from_nanos(head.age_ns)),
        head.uid,
        head.gid,
        head.pid,
        if head.privileged { ", privileged" } else { "" }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::stats;
    use kmsgpipe::Head;
    use std::path::Path;

    fn device() -> DeviceNode {
        DeviceNode {
            mode: "0640".into(),
            uid: 0,
            gid: 4_000_000_000,
            major: 240,
            minor: 3,
        }
    }

    #[test]
    fn show_prints_every_field() {
        let mut stats = stats(Some(Head {
            seq: 997,
            age_ns: 1_500_000_000,
            len: 5,
            uid: 1000,
            gid: 100,
            pid: 4711,
            privileged: true,
        }));
        stats.flags |= 2;
        stats.flush_interval_ms = 250;
        stats.flush_expiry_ms = 10_000;
        let node = Node::at(Path::new("/dev/kmsgpipe/log"));
        let settings = Settings {
            kind: Some(Kind::Broadcast),
            history: Some(16),
            priorities: Some(1),
            default_mode: Some(Modes::WHOLE | Modes::EOF),
            overflow: Some(Overflow::DropOldest),
        };
        let text = block(&node, Some(&device()), None, &stats, &settings, None);
        let text = text.replace("root (0)", "0");
        assert_eq!(
            text,
            "pipe      log\n\
             node      /dev/kmsgpipe/log\n\
             number    3\n\
             name      log\n\
             device    240:3\n\
             mode      0640\n\
             owner     0\n\
             group     4000000000\n\
             kind      broadcast: each reader gets each message\n\
             history   16 messages, for readers that open the pipe later\n\
             limits    128 messages of at most 256 bytes\n\
             expiry    after 10s, looked for every 250ms\n\
             full      drops the oldest message\n\
             files     opened in the mode whole,eof\n\
             queued    4 messages of 20 bytes, at most 5 messages of 25 bytes so far\n\
             oldest    number 997, 5 bytes, sent 1.5s ago by uid 1000, gid 100, pid 4711, privileged\n\
             open      1 reader, 2 writers\n\
             waiting   0 readers, 0 writers\n\
             sent      1000 messages of 5000 bytes\n\
             received  996 messages of 4980 bytes\n\
             expired   0 messages of 0 bytes\n\
             dropped   0 messages of 0 bytes\n\
             refused   7 times because it was full, 8 times because the message was too long\n"
        );
    }

    #[test]
    fn singular_and_plural_are_distinguished() {
        let mut stats = stats(None);
        stats.refused_full = 1;
        stats.readers = 1;
        stats.dropped_msgs = 1;
        stats.dropped_bytes = 1;
        stats.max_msgs = 1;
        stats.msg_size = 1;
        let settings = Settings {
            kind: Some(Kind::Broadcast),
            history: Some(1),
            priorities: Some(32),
            default_mode: Some(Modes::empty()),
            overflow: Some(Overflow::Block),
        };
        let text = block(&Node::of(3), None, None, &stats, &settings, None);
        for row in [
            "full      lets writers wait\n",
            "history   1 message, for readers that open the pipe later\n",
            "order     by priority, from 31 down to 0\n",
            "limits    1 message of at most 1 byte\n",
            "files     opened in no mode\n",
            "open      1 reader, 2 writers\n",
            "dropped   1 message of 1 byte\n",
            "refused   1 time because it was full, 8 times because the message was too long\n",
        ] {
            assert!(text.contains(row), "{row}: {text}");
        }
    }

    #[test]
    fn only_a_broadcast_pipe_has_a_history() {
        let shown = |kind, history| {
            let settings = Settings {
                kind: Some(kind),
                history: Some(history),
                ..Settings::default()
            };
            block(&Node::of(3), None, None, &stats(None), &settings, None)
        };
        let text = shown(Kind::Queue, 0);
        let row = "\nkind      queue: each message goes to one reader\nlimits ";
        assert!(text.contains(row), "{text}");
        let text = shown(Kind::Broadcast, 0);
        assert!(text.contains("\nhistory   none\n"), "{text}");
    }

    #[test]
    fn unknown_fields_are_omitted() {
        let node = Node::of(3);
        let stray = Stray {
            path: node.path().into(),
            device: (240, 3),
            blocker: Some((node.path().into(), "a regular file")),
        };
        let unknown = Settings::default();
        let text = block(&node, None, Some(&stray), &stats(None), &unknown, None);
        assert!(
            text.contains("wrong     a regular file stands at /dev/kmsgpipe3\n"),
            "{text}"
        );
        assert!(!text.contains("owner"), "{text}");
        assert!(!text.contains("files"), "{text}");
        assert!(!text.contains("\nfull "), "{text}");
        assert!(!text.contains("\nkind "), "{text}");
        assert!(!text.contains("\nhistory "), "{text}");
        assert!(text.contains("expiry    never\n"), "{text}");
        assert!(
            text.contains("oldest    hidden (needs read access)\n"),
            "{text}"
        );
        let mut empty = stats(None);
        empty.depth_msgs = 0;
        let text = block(&node, None, None, &empty, &unknown, None);
        assert!(text.contains("oldest    none\n"), "{text}");
    }

    #[test]
    fn node_permissions_are_octal() {
        let node = DeviceNode::of(&Node::at(Path::new("/dev/null"))).unwrap();
        assert_eq!(node.mode, "0666");
        assert_eq!((node.uid, node.major, node.minor), (0, 1, 3));
        assert_eq!(DeviceNode::of(&Node::at(Path::new("/nonexistent/x"))), None);
    }
}
