// SPDX-License-Identifier: MIT OR Apache-2.0

//! The statistics of a pipe.

use crate::sys::RawStats;
use kmsgpipe_sys::raw::{
    KMSGPIPE_STATS_FLUSH, KMSGPIPE_STATS_HEAD, KMSGPIPE_STATS_HEAD_PRIVILEGED,
};

/// A consistent snapshot of a pipe's statistics.
///
/// Fields, also when serialized, have the names of `struct kmsgpipe_stats`, except that those of the oldest
/// message are a separate object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Stats {
    /// Number of the pipe, N in `/dev/kmsgpipeN`.
    pub id: u32,
    /// Flags of the snapshot, as defined in the header.
    pub flags: u32,
    /// Maximum message size in bytes.
    pub msg_size: u32,
    /// Maximum number of queued messages.
    pub max_msgs: u32,
    /// Open file descriptions with read access.
    pub readers: u32,
    /// Open file descriptions with write access.
    pub writers: u32,
    /// Tasks that sleep because the pipe is empty.
    pub waiting_readers: u32,
    /// Tasks that sleep because the pipe is full.
    pub waiting_writers: u32,
    /// Messages queued now.
    pub depth_msgs: u64,
    /// Payload of the queued messages, in bytes.
    pub depth_bytes: u64,
    /// Maximum of `depth_msgs` so far.
    pub peak_msgs: u64,
    /// Maximum of `depth_bytes` so far.
    pub peak_bytes: u64,
    /// Messages accepted.
    pub enqueued_msgs: u64,
    /// Payload of the accepted messages, in bytes.
    pub enqueued_bytes: u64,
    /// Messages delivered to a reader.
    pub dequeued_msgs: u64,
    /// Payload of the delivered messages, in bytes.
    pub dequeued_bytes: u64,
    /// Messages removed because they expired.
    pub expired_msgs: u64,
    /// Payload of the expired messages, in bytes.
    pub expired_bytes: u64,
    /// Messages accepted and then discarded unread.
    pub dropped_msgs: u64,
    /// Payload of the discarded messages, in bytes.
    pub dropped_bytes: u64,
    /// Writes rejected because the pipe was full.
    pub refused_full: u64,
    /// Writes rejected because the message was too long.
    pub refused_size: u64,
    /// Interval in which expired messages are removed, in milliseconds; 0 if messages do not expire.
    pub flush_interval_ms: u32,
    /// Age at which messages expire, in milliseconds; 0 if they do not.
    pub flush_expiry_ms: u32,
    /// The oldest message; `None` if the pipe is empty or not open for reading.
    pub head: Option<Head>,
}

/// Metadata of the oldest message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Head {
    /// Sequence number; the first message of the pipe has 1.
    pub seq: u64,
    /// Time since it was queued, in nanoseconds, excluding system suspend.
    pub age_ns: u64,
    /// Length in bytes.
    pub len: u32,
    /// Real user ID of the sender, in the caller's user namespace.
    pub uid: u32,
    /// Real group ID of the sender, in the caller's user namespace.
    pub gid: u32,
    /// Process ID of the sender, 0 if it has none in the caller's PID namespace.
    pub pid: u32,
    /// Whether the credentials of the sender or of its open file differ from the real IDs, as in a set-user-ID
    /// program.
    pub privileged: bool,
}

impl Stats {
    /// Returns whether messages expire.
    pub fn messages_expire(&self) -> bool {
        self.flags & KMSGPIPE_STATS_FLUSH != 0
    }
}

impl From<RawStats> for Stats {
    fn from(raw: RawStats) -> Self {
        // Lists every field, so that the compiler reports one that the header adds.
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

    /// Returns a snapshot in which every field has a different value.
    fn snapshot(flags: u32) -> RawStats {
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
        let stats = Stats::from(snapshot(KMSGPIPE_STATS_HEAD));
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
    fn flush_flag_means_messages_expire() {
        assert!(!Stats::from(snapshot(KMSGPIPE_STATS_HEAD)).messages_expire());
        assert!(Stats::from(snapshot(KMSGPIPE_STATS_FLUSH)).messages_expire());
    }

    #[test]
    fn privileged_flag_marks_the_head() {
        for (flag, privileged) in [(0, false), (KMSGPIPE_STATS_HEAD_PRIVILEGED, true)] {
            let head = Stats::from(snapshot(KMSGPIPE_STATS_HEAD | flag)).head;
            assert_eq!(head.map(|head| head.privileged), Some(privileged));
        }
    }

    #[test]
    fn missing_head_is_null_in_json() {
        let stats = Stats::from(snapshot(0));
        assert_eq!(stats.head, None);
        #[cfg(feature = "serde")]
        {
            let json = serde_json::to_value(&stats).unwrap();
            assert_eq!(json["head"], serde_json::Value::Null);
            assert!(json.as_object().unwrap().contains_key("head"));
        }
    }
}
