// SPDX-License-Identifier: GPL-2.0

//! The text that creates a pipe by way of sysfs: `NAME key=value ...`.

use crate::{
    kernel_ext::text::number,
    pipe::{
        kind::Kind,
        mode::Modes,
        name::Name,
        node::Node,
        overflow::Overflow, //
    },
    uapi::{
        KIND_QUEUE,
        MAX_MSGS_DEFAULT,
        MSG_SIZE_DEFAULT, //
    }, //
};

/// A request to create a pipe. The bounds of the limits, of the history and of
/// the priorities are not checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// Maximum length of a message, in bytes.
    pub(crate) msg_size: u32,
    /// Maximum number of messages.
    pub(crate) max_msgs: u32,
    /// Number of the kind in the UAPI header.
    pub(crate) kind: u32,
    /// Number of the newest messages that stay for subscriptions still to come.
    pub(crate) history: u32,
    /// Number of priorities. Zero stands for one.
    pub(crate) priorities: u32,
    /// Modes of newly opened files.
    pub(crate) default_modes: Modes,
    /// What a write to the full pipe does.
    pub(crate) overflow: Overflow,
    /// Device node, with the name of the pipe.
    pub(crate) node: Node,
}

/// Sets a key that has no value yet. Returns [`None`] if it has one, or if there is no `value`.
fn set<T>(place: &mut Option<T>, value: Option<T>) -> Option<()> {
    if place.is_some() {
        return None;
    }
    *place = Some(value?);
    Some(())
}

impl Request {
    /// Parses the name of a pipe, and any number of words `key=value` in any order, each after one
    /// space. A key that is left out has its default: the limits of the UAPI header, the mode 0600,
    /// the kind `queue`, the policy `block`, and zero.
    ///
    /// Returns [`None`] if the name or a value is invalid, or if a key is unknown or given twice.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (mut msg_size, mut max_msgs, mut default_modes) = (None, None, None);
        let (mut kind, mut history, mut overflow) = (None, None, None);
        let mut priorities = None;
        let (mut mode, mut uid, mut gid) = (None, None, None);
        let mut words = text.split(|byte| *byte == b' ');
        let name = Name::new(words.next()?)?;
        for word in words {
            let mut parts = word.splitn(2, |byte| *byte == b'=');
            let (key, value) = (parts.next()?, parts.next()?);
            match key {
                b"msg_size" => set(&mut msg_size, number(value, 10))?,
                b"max_msgs" => set(&mut max_msgs, number(value, 10))?,
                b"default_mode" => set(&mut default_modes, Modes::parse(value))?,
                b"kind" => set(&mut kind, Kind::parse(value))?,
                b"history" => set(&mut history, number(value, 10))?,
                b"priorities" => set(&mut priorities, number(value, 10).filter(|n| *n > 0))?,
                b"overflow" => set(&mut overflow, Overflow::parse(value))?,
                b"mode" => set(&mut mode, number(value, 8))?,
                b"uid" => set(&mut uid, number(value, 10))?,
                b"gid" => set(&mut gid, number(value, 10))?,
                _ => return None,
            }
        }
        Some(Self {
            msg_size: msg_size.unwrap_or(MSG_SIZE_DEFAULT),
            max_msgs: max_msgs.unwrap_or(MAX_MSGS_DEFAULT),
            kind: kind.unwrap_or(KIND_QUEUE),
            history: history.unwrap_or(0),
            priorities: priorities.unwrap_or(0),
            default_modes: default_modes.unwrap_or(Modes::NONE),
            overflow: overflow.unwrap_or(Overflow::Block),
            node: Node::new(
                mode.unwrap_or(0o600),
                uid.unwrap_or(0),
                gid.unwrap_or(0),
                Some(name),
            )?,
        })
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_request)]
mod tests {
    use super::*;

    /// Returns what `text` asks for: both limits, the modes, the policy, and mode, owner and group
    /// of the node.
    fn parsed(text: &[u8]) -> Option<(u32, u32, Modes, Overflow, u16, u32, u32)> {
        let Request {
            msg_size,
            max_msgs,
            default_modes,
            overflow,
            node,
            kind: _,
            history: _,
            priorities: _,
        } = Request::parse(text)?;
        assert_eq!(node.name, Name::new(b"log"));
        Some((
            msg_size,
            max_msgs,
            default_modes,
            overflow,
            node.mode,
            node.uid,
            node.gid,
        ))
    }

    #[test]
    fn a_key_that_is_left_out_has_its_default() {
        let (size, msgs) = (MSG_SIZE_DEFAULT, MAX_MSGS_DEFAULT);
        let (none, block) = (Modes::NONE, Overflow::Block);
        for (text, expected) in [
            (&b"log"[..], (size, msgs, none, block, 0o600, 0, 0)),
            (b"log msg_size=1", (1, msgs, none, block, 0o600, 0, 0)),
            (b"log max_msgs=2", (size, 2, none, block, 0o600, 0, 0)),
            (b"log mode=0666", (size, msgs, none, block, 0o666, 0, 0)),
            (b"log mode=7", (size, msgs, none, block, 0o7, 0, 0)),
            (b"log mode=0", (size, msgs, none, block, 0, 0, 0)),
            (b"log uid=3", (size, msgs, none, block, 0o600, 3, 0)),
            (
                b"log gid=4294967294",
                (size, msgs, none, block, 0o600, 0, u32::MAX - 1),
            ),
            (
                b"log default_mode=eof",
                (size, msgs, Modes::EOF, block, 0o600, 0, 0),
            ),
            (
                b"log overflow=drop-oldest",
                (size, msgs, none, Overflow::DropOldest, 0o600, 0, 0),
            ),
            (
                b"log overflow=block",
                (size, msgs, none, block, 0o600, 0, 0),
            ),
            (
                b"log default_mode=none",
                (size, msgs, none, block, 0o600, 0, 0),
            ),
        ] {
            assert_eq!(parsed(text), Some(expected));
        }
    }

    #[test]
    fn keys_come_in_any_order() {
        let modes = Modes::parse(b"eof,lines").unwrap_or(Modes::NONE);
        let expected = Some((4096, 64, modes, Overflow::DropNewest, 0o640, 5, 6));
        for text in [
            &b"log msg_size=4096 max_msgs=64 overflow=drop-newest mode=0640 uid=5 gid=6 \
                default_mode=lines,eof"[..],
            b"log overflow=drop-newest default_mode=eof,lines gid=6 uid=5 mode=640 max_msgs=64 \
                msg_size=4096",
        ] {
            assert_eq!(parsed(text), expected);
        }
    }

    #[test]
    fn a_kind_and_a_history_are_parsed() {
        let parsed = |text| {
            let request = Request::parse(text)?;
            Some((request.kind, request.history))
        };
        for (text, expected) in [
            (&b"log"[..], Some((KIND_QUEUE, 0))),
            (b"log kind=broadcast", Some((1, 0))),
            (b"log history=7 kind=broadcast", Some((1, 7))),
            (b"log kind=queue history=4294967295", Some((0, u32::MAX))),
            (b"log kind=queue history=4294967296", None),
            (b"log kind=broadcasts", None),
        ] {
            assert_eq!(parsed(text), expected);
        }
    }

    #[test]
    fn priorities_are_parsed() {
        let priorities = |text| Request::parse(text).map(|request| request.priorities);
        for (text, expected) in [
            (&b"log"[..], 0),
            (b"log priorities=1", 1),
            (b"log overflow=block priorities=32", 32),
            (b"log priorities=4294967295", u32::MAX),
        ] {
            assert_eq!(priorities(text), Some(expected));
        }
    }

    #[test]
    fn other_texts_are_rejected() {
        for text in [
            &b""[..],
            b" ",
            b" log",
            b"log ",
            b"log  uid=1",
            b"log\tuid=1",
            b"log uid=1 ",
            b"log uid=1\n",
            b"uid=1",
            b"uid=1 log",
            b"log uid",
            b"log uid=",
            b"log =1",
            b"log uid=1=2",
            b"log uid =1",
            b"log UID=1",
            b"log ui=1",
            b"log uids=1",
            b"log color=1",
            b"log name=a",
            b"log uid=1 uid=1",
            b"log mode=1 uid=1 mode=2",
            b"log msg_size=1 msg_size=1",
            b"log max_msgs=1 max_msgs=1",
            b"log gid=1 gid=1",
            b"log default_mode=eof default_mode=eof",
            b"log uid=-1",
            b"log uid=+1",
            b"log uid=0x1",
            b"log uid=4294967295",
            b"log gid=4294967295",
            b"log gid=4294967296",
            b"log msg_size=4k",
            b"log max_msgs=4294967296",
            b"log mode=1000",
            b"log mode=8",
            b"log mode=rw",
            b"log overflow=block overflow=block",
            b"log kind=queue kind=queue",
            b"log kind=",
            b"log kind=1",
            b"log history=1 history=1",
            b"log history=",
            b"log history=-1",
            b"log priorities=2 priorities=2",
            b"log priorities=",
            b"log priorities=0",
            b"log overflow=",
            b"log overflow=drop",
            b"log overflow=1",
            b"log default_mode=eof,",
            b"log default_mode=records,lines",
            b"a.peer uid=1",
        ] {
            assert!(Request::parse(text).is_none());
        }
    }
}
