// SPDX-License-Identifier: GPL-2.0

//! Model of a pipe: the result of each call, in its simplest form.
//!
//! Results are those of the system calls: a return value, or a negative errno.

use kmsgpipe_sys::raw;
use nix::libc;
use std::collections::VecDeque;

/// A snapshot, in the kernel's format.
pub type Stats = raw::kmsgpipe_stats;

/// Result of a call that would block.
pub const BLOCKS: i64 = i64::MIN;

/// Default of the module parameter `max_bytes`, the limit on the payload of a full pipe.
pub const MAX_BYTES: u64 = 64 << 20;

/// Returns the result of a call that fails with `errno`.
pub const fn err(errno: i32) -> i64 {
    -(errno as i64)
}

/// Credentials of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// Real and effective user ID.
    pub uid: u32,
    /// Real and effective group ID.
    pub gid: u32,
    /// Whether the user has `CAP_SYS_ADMIN`.
    pub admin: bool,
}

/// A payload, identified by a key from which its bytes are derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Body {
    /// The key.
    pub key: u32,
    /// Length in bytes.
    pub len: u32,
}

/// A queued message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// Sequence number.
    pub seq: u64,
    /// Payload.
    pub body: Body,
    /// User ID of the sender.
    pub uid: u32,
    /// Group ID of the sender.
    pub gid: u32,
    /// Whether the file was opened by another user than the sender.
    pub privileged: bool,
    /// Bounds of the time of sending, in nanoseconds of `CLOCK_MONOTONIC`; zeroes if it is not checked.
    pub sent: (u64, u64),
}

/// A number of messages and of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tally {
    /// Messages.
    pub msgs: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Tally {
    fn add(&mut self, len: u32) {
        self.msgs += 1;
        self.bytes += u64::from(len);
    }
}

/// Message expiry. Nothing expires during a run, because the times are too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flush {
    /// Whether messages expire.
    pub enabled: bool,
    /// Interval of the sweeps, in milliseconds.
    pub interval_ms: u32,
    /// Age at which messages expire, in milliseconds.
    pub expiry_ms: u32,
}

/// The overflow policies, in the order of their numbers, as sysfs shows them.
pub const POLICIES: [&str; 3] = ["block", "drop-oldest", "drop-newest"];

/// A pipe.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pipe {
    /// Number of the pipe.
    pub id: u32,
    /// Maximum message size.
    pub msg_size: u32,
    /// Maximum number of messages.
    pub max_msgs: u32,
    /// Whether the pipe is destroyed.
    pub dead: bool,
    /// Queued messages, oldest first.
    pub queue: VecDeque<Message>,
    /// Sequence number of the last message.
    pub last_seq: u64,
    /// Payload of the queued messages, in bytes.
    pub depth_bytes: u64,
    /// Maximum depth so far.
    pub peak: Tally,
    /// Accepted messages.
    pub enqueued: Tally,
    /// Delivered messages.
    pub dequeued: Tally,
    /// Expired messages, which do not change during a run.
    pub expired: Tally,
    /// Discarded messages.
    pub dropped: Tally,
    /// Writes rejected because the pipe was full.
    pub refused_full: u64,
    /// Writes rejected because the message was too long.
    pub refused_size: u64,
    /// Open files with read access.
    pub readers: u32,
    /// Open files with write access.
    pub writers: u32,
    /// Message expiry.
    pub flush: Flush,
    /// What a write to the full pipe does, `KMSGPIPE_OVERFLOW_*`.
    pub overflow: u32,
    /// Messages that were lost to overflow since a message was delivered.
    pub lost: u64,
}

impl Pipe {
    /// Creates a new pipe.
    pub fn new(id: u32, msg_size: u32, max_msgs: u32) -> Self {
        Self {
            id,
            msg_size,
            max_msgs,
            dead: false,
            queue: VecDeque::new(),
            last_seq: 0,
            depth_bytes: 0,
            peak: Tally::default(),
            enqueued: Tally::default(),
            dequeued: Tally::default(),
            expired: Tally::default(),
            dropped: Tally::default(),
            refused_full: 0,
            refused_size: 0,
            readers: 0,
            writers: 0,
            flush: Flush {
                enabled: false,
                interval_ms: kmsgpipe_sys::FLUSH_INTERVAL_DEFAULT,
                expiry_ms: kmsgpipe_sys::FLUSH_EXPIRY_DEFAULT,
            },
            overflow: kmsgpipe_sys::OVERFLOW_BLOCK,
            lost: 0,
        }
    }

    /// Creates an empty pipe with the counters in `stats`, whose last message had the number `last_seq`.
    pub fn resume(stats: &Stats, last_seq: u64) -> Self {
        let tally = |msgs, bytes| Tally { msgs, bytes };
        Self {
            last_seq,
            peak: tally(stats.peak_msgs, stats.peak_bytes),
            enqueued: tally(stats.enqueued_msgs, stats.enqueued_bytes),
            dequeued: tally(stats.dequeued_msgs, stats.dequeued_bytes),
            expired: tally(stats.expired_msgs, stats.expired_bytes),
            dropped: tally(stats.dropped_msgs, stats.dropped_bytes),
            refused_full: stats.refused_full,
            refused_size: stats.refused_size,
            ..Self::new(stats.id, stats.msg_size, stats.max_msgs)
        }
    }

    /// Returns whether a write has to wait for a slot.
    pub fn must_wait(&self) -> bool {
        self.is_full() && self.overflow == kmsgpipe_sys::OVERFLOW_BLOCK
    }

    /// Returns whether no slot is free.
    pub fn is_full(&self) -> bool {
        self.queue.len() >= self.max_msgs as usize
    }

    /// Sends through a file opened by `opener`; `readable` says whether the message can be read from memory.
    pub fn send(
        &mut self,
        body: Body,
        user: User,
        opener: User,
        nonblocking: bool,
        readable: bool,
        now: u64,
    ) -> i64 {
        if self.dead {
            return err(libc::ENODEV);
        }
        if body.len == 0 {
            return 0;
        }
        if body.len > self.msg_size {
            self.refused_size += 1;
            return err(libc::EMSGSIZE);
        }
        if self.must_wait() {
            if nonblocking {
                self.refused_full += 1;
                return err(libc::EAGAIN);
            }
            return if readable { BLOCKS } else { err(libc::EFAULT) };
        }
        if !readable {
            return err(libc::EFAULT);
        }
        self.enqueued.add(body.len);
        if self.is_full() {
            self.lost += 1;
            if self.overflow == kmsgpipe_sys::OVERFLOW_DROP_NEWEST {
                self.dropped.add(body.len);
                return i64::from(body.len);
            }
            if let Some(Message { body, .. }) = self.queue.pop_front() {
                self.dropped.add(body.len);
                self.depth_bytes -= u64::from(body.len);
            }
        }
        self.last_seq += 1;
        self.queue.push_back(Message {
            seq: self.last_seq,
            body,
            uid: user.uid,
            gid: user.gid,
            privileged: (user.uid, user.gid) != (opener.uid, opener.gid),
            sent: (now, now),
        });
        self.depth_bytes += u64::from(body.len);
        self.peak.msgs = self.peak.msgs.max(self.queue.len() as u64);
        self.peak.bytes = self.peak.bytes.max(self.depth_bytes);
        i64::from(body.len)
    }

    /// Receives into a buffer of `room` bytes, of which `writable` are accessible. Returns the result and the
    /// received message.
    pub fn receive(
        &mut self,
        room: usize,
        nonblocking: bool,
        writable: usize,
    ) -> (i64, Option<Body>) {
        if self.dead {
            return (err(libc::ENODEV), None);
        }
        if room == 0 {
            return (0, None);
        }
        let Some(Message { body, .. }) = self.queue.front().copied() else {
            let ret = if nonblocking {
                err(libc::EAGAIN)
            } else {
                BLOCKS
            };
            return (ret, None);
        };
        if body.len as usize > room {
            return (err(libc::EMSGSIZE), None);
        }
        if body.len as usize > writable {
            return (err(libc::EFAULT), None);
        }
        self.queue.pop_front();
        self.depth_bytes -= u64::from(body.len);
        self.dequeued.add(body.len);
        self.lost = 0;
        (i64::from(body.len), Some(body))
    }

    /// Returns the events that `poll` reports for a file with this access.
    pub fn poll(&self, read: bool, write: bool) -> i16 {
        const IN: i16 = libc::POLLIN | libc::POLLRDNORM;
        const OUT: i16 = libc::POLLOUT | libc::POLLWRNORM;
        if self.dead {
            return IN | OUT | libc::POLLHUP | libc::POLLERR;
        }
        let mut answer = 0;
        if read && !self.queue.is_empty() {
            answer |= IN;
        }
        if read && self.lost > 0 {
            answer |= libc::POLLPRI;
        }
        if write && !self.must_wait() {
            answer |= OUT;
        }
        answer
    }

    /// Returns the statistics for a file with or without read access, except the age of the oldest message.
    pub fn stats(&self, read: bool) -> Stats {
        let mut stats = Stats {
            id: self.id,
            msg_size: self.msg_size,
            max_msgs: self.max_msgs,
            readers: self.readers,
            writers: self.writers,
            depth_msgs: self.queue.len() as u64,
            depth_bytes: self.depth_bytes,
            peak_msgs: self.peak.msgs,
            peak_bytes: self.peak.bytes,
            enqueued_msgs: self.enqueued.msgs,
            enqueued_bytes: self.enqueued.bytes,
            dequeued_msgs: self.dequeued.msgs,
            dequeued_bytes: self.dequeued.bytes,
            expired_msgs: self.expired.msgs,
            expired_bytes: self.expired.bytes,
            dropped_msgs: self.dropped.msgs,
            dropped_bytes: self.dropped.bytes,
            refused_full: self.refused_full,
            refused_size: self.refused_size,
            ..Stats::default()
        };
        if self.flush.enabled {
            stats.flags |= raw::KMSGPIPE_STATS_FLUSH;
            stats.flush_interval_ms = self.flush.interval_ms;
            stats.flush_expiry_ms = self.flush.expiry_ms;
        }
        if let (true, Some(head)) = (read, self.queue.front()) {
            stats.flags |= raw::KMSGPIPE_STATS_HEAD;
            if head.privileged {
                stats.flags |= raw::KMSGPIPE_STATS_HEAD_PRIVILEGED;
            }
            stats.head_seq = head.seq;
            stats.head_len = head.body.len;
            stats.head_uid = head.uid;
            stats.head_gid = head.gid;
            stats.head_pid = std::process::id();
        }
        stats
    }

    /// Returns the length of the oldest message.
    pub fn next_len(&self) -> u32 {
        self.queue.front().map_or(0, |message| message.body.len)
    }

    /// Discards all messages.
    pub fn clear(&mut self) {
        self.dropped.msgs += self.queue.len() as u64;
        self.dropped.bytes += self.depth_bytes;
        self.depth_bytes = 0;
        self.queue.clear();
    }

    /// Changes the limits of an empty pipe.
    pub fn set_params(&mut self, msg_size: u32, max_msgs: u32) -> i64 {
        if !limits_are_valid(msg_size, max_msgs) {
            return err(libc::EINVAL);
        }
        if !self.queue.is_empty() {
            return err(libc::EBUSY);
        }
        (self.msg_size, self.max_msgs) = (msg_size, max_msgs);
        0
    }

    /// Destroys the pipe.
    pub fn destroy(&mut self) -> i64 {
        if self.dead {
            return err(libc::ENODEV);
        }
        if self.id == 0 {
            return err(libc::EBUSY);
        }
        self.clear();
        self.dead = true;
        0
    }

    /// Returns how many bytes and messages fit into a dump of `size` bytes.
    pub fn dump(&self, size: u64) -> (u64, u32) {
        let (mut used, mut records) = (0, 0);
        for message in &self.queue {
            let whole = dumped_len(message.body.len);
            if used + whole > size {
                break;
            }
            used += whole;
            records += 1;
        }
        (used, records)
    }
}

/// Returns the size of a message of `len` bytes in a dump.
pub fn dumped_len(len: u32) -> u64 {
    size_of::<raw::kmsgpipe_record>() as u64 + u64::from(len).next_multiple_of(8)
}

/// Returns whether the limits are valid.
pub fn limits_are_valid(msg_size: u32, max_msgs: u32) -> bool {
    (kmsgpipe_sys::MSG_SIZE_MIN..=kmsgpipe_sys::MSG_SIZE_MAX).contains(&msg_size)
        && (kmsgpipe_sys::MAX_MSGS_MIN..=kmsgpipe_sys::MAX_MSGS_MAX).contains(&max_msgs)
        && u64::from(msg_size) * u64::from(max_msgs) <= MAX_BYTES
}
