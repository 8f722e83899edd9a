// SPDX-License-Identifier: MIT OR Apache-2.0

//! The statistics of a pipe.

use crate::sys::RawStats;
use kmsgpipe_sys::raw::{
    KMSGPIPE_STATS_FLUSH, KMSGPIPE_STATS_HEAD, KMSGPIPE_STATS_HEAD_PRIVILEGED,
};

/// A consistent snapshot of a pipe: all of it was true at one moment.
///
/// The fields have the names of `struct kmsgpipe_stats`, and so has what serde makes of them; only
/// the oldest message is an object of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Stats {
    /// The pipe's number, N of `/dev/kmsgpipeN`.
    pub id: u32,
    /// Flags of the snapshot, as the header defines them.
    pub flags: u32,
    /// The longest message that is accepted, in bytes.
    pub msg_size: u32,
    /// The number of messages that fit.
    pub max_msgs: u32,
    /// Open file descriptions that may read.
    pub readers: u32,
    /// Open file descriptions that may write.
    pub writers: u32,
    /// Tasks asleep because the pipe is empty.
    pub waiting_readers: u32,
    /// Tasks asleep because the pipe is full.
    pub waiting_writers: u32,
    /// Messages queued now.
    pub depth_msgs: u64,
    /// Their payload, in bytes.
    pub depth_bytes: u64,
    /// The largest `depth_msgs` so far.
    pub peak_msgs: u64,
    /// The largest `depth_bytes` so far.
    pub peak_bytes: u64,
    /// Messages accepted.
    pub enqueued_msgs: u64,
    /// Their payload, in bytes.
    pub enqueued_bytes: u64,
    /// Messages delivered to a reader.
    pub dequeued_msgs: u64,
    /// Their payload, in bytes.
    pub dequeued_bytes: u64,
    /// Messages removed because they grew too old.
    pub expired_msgs: u64,
    /// Their payload, in bytes.
    pub expired_bytes: u64,
    /// Messages accepted and then discarded unread.
    pub dropped_msgs: u64,
    /// Their payload, in bytes.
    pub dropped_bytes: u64,
    /// Writes refused because the pipe was full.
    pub refused_full: u64,
    /// Writes refused because the message was too long.
    pub refused_size: u64,
    /// How often expired messages are removed, in milliseconds; 0 if messages do not expire.
    pub flush_interval_ms: u32,
    /// How old a message may grow, in milliseconds; 0 if messages do not expire.
    pub flush_expiry_ms: u32,
    /// The oldest message; none when the pipe is empty or not open for reading.
    pub head: Option<Head>,
}

/// What is known of the oldest message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Head {
    /// Sequence number; the first message ever sent has 1.
    pub seq: u64,
    /// How long it has been queued, in nanoseconds, without the time for which the machine was
    /// suspended.
    pub age_ns: u64,
    /// Its length in bytes.
    pub len: u32,
    /// Real user id of its sender, in the caller's user namespace.
    pub uid: u32,
    /// Real group id of its sender, likewise.
    pub gid: u32,
    /// Process id of its sender, 0 when that has none here.
    pub pid: u32,
    /// Whether its sender had other effective ids than these, or its file was opened with others,
    /// as in a set-user-id program.
    pub privileged: bool,
}

impl Stats {
    /// Whether messages expire.
    pub fn messages_expire(&self) -> bool {
        self.flags & KMSGPIPE_STATS_FLUSH != 0
    }
}

impl From<RawStats> for Stats {
    fn from(raw: RawStats) -> Self {
        // Names every field, so that one added to the header cannot be forgotten here.
        let RawStats {
            id,
            flags,
            msg_size,
            max_msgs,
            readers,
            writers,
            waiting_readers,
            waiting_writers,
            depth_msgs,
            depth_bytes,
            peak_msgs,
            peak_bytes,
            enqueued_msgs,
            enqueued_bytes,
            dequeued_msgs,
            dequeued_bytes,
            expired_msgs,
            expired_bytes,
            dropped_msgs,
            dropped_bytes,
            refused_full,
            refused_size,
            head_seq,
            head_age_ns,
            head_len,
            head_uid,
            head_gid,
            head_pid,
            flush_interval_ms,
            flush_expiry_ms,
            reserved: _,
        } = raw;

        Self {
            id,
            flags,
            msg_size,
            max_msgs,
            readers,
            writers,
            waiting_readers,
            waiting_writers,
            depth_msgs,
            depth_bytes,
            peak_msgs,
            peak_bytes,
            enqueued_msgs,
            enqueued_bytes,
            dequeued_msgs,
            dequeued_bytes,
            expired_msgs,
            expired_bytes,
            dropped_msgs,
            dropped_bytes,
            refused_full,
            refused_size,
            flush_interval_ms,
            flush_expiry_ms,
            head: (flags & KMSGPIPE_STATS_HEAD != 0).then_some(Head {
                seq: head_seq,
                age_ns: head_age_ns,
                len: head_len,
                uid: head_uid,
                gid: head_gid,
                pid: head_pid,
                privileged: flags & KMSGPIPE_STATS_HEAD_PRIVILEGED != 0,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "serde")]
    use serde_json::json;

    /// A snapshot in which every field has another value.
    fn made_up(flags: u32) -> RawStats {
        RawStats {
            id: 1,
            flags,
            msg_size: 2,
            max_msgs: 3,
            readers: 4,
            writers: 5,
            waiting_readers: 6,
            waiting_writers: 7,
            depth_msgs: 8,
            depth_bytes: 9,
            peak_msgs: 10,
            peak_bytes: 11,
            enqueued_msgs: 12,
            enqueued_bytes: 13,
            dequeued_msgs: 14,
            dequeued_bytes: 15,
            expired_msgs: 16,
            expired_bytes: 17,
            dropped_msgs: 18,
            dropped_bytes: 19,
            refused_full: 20,
            refused_size: u64::MAX,
            head_seq: 22,
            head_age_ns: 23,
            head_len: 24,
            head_uid: 25,
            head_gid: 26,
            head_pid: 27,
            flush_interval_ms: 28,
            flush_expiry_ms: 29,
            reserved: Default::default(),
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn json_has_the_names_of_the_header() {
        let stats = Stats::from(made_up(KMSGPIPE_STATS_HEAD));
        let expected = json!({
            "id": 1, "flags": 1, "msg_size": 2, "max_msgs": 3,
            "readers": 4, "writers": 5, "waiting_readers": 6, "waiting_writers": 7,
            "depth_msgs": 8, "depth_bytes": 9, "peak_msgs": 10, "peak_bytes": 11,
            "enqueued_msgs": 12, "enqueued_bytes": 13,
            "dequeued_msgs": 14, "dequeued_bytes": 15,
            "expired_msgs": 16, "expired_bytes": 17,
            "dropped_msgs": 18, "dropped_bytes": 19,
            "refused_full": 20, "refused_size": 18446744073709551615u64,
            "flush_interval_ms": 28, "flush_expiry_ms": 29,
            "head": {
                "seq": 22, "age_ns": 23, "len": 24, "uid": 25, "gid": 26, "pid": 27,
                "privileged": false,
            },
        });
        assert_eq!(serde_json::to_value(&stats).unwrap(), expected);
    }

    #[test]
    fn the_flag_says_whether_messages_expire() {
        assert!(!Stats::from(made_up(KMSGPIPE_STATS_HEAD)).messages_expire());
        assert!(Stats::from(made_up(KMSGPIPE_STATS_FLUSH)).messages_expire());
    }

    #[test]
    fn the_flag_says_whether_the_sender_is_privileged() {
        for (flag, privileged) in [(0, false), (KMSGPIPE_STATS_HEAD_PRIVILEGED, true)] {
            let head = Stats::from(made_up(KMSGPIPE_STATS_HEAD | flag)).head;
            assert_eq!(head.map(|head| head.privileged), Some(privileged));
        }
    }

    #[test]
    fn no_head_is_null() {
        let stats = Stats::from(made_up(0));
        assert_eq!(stats.head, None);
        #[cfg(feature = "serde")]
        {
            let json = serde_json::to_value(&stats).unwrap();
            assert_eq!(json["head"], serde_json::Value::Null);
            assert!(json.as_object().unwrap().contains_key("head"));
        }
    }
}
