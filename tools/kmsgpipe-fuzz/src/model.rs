// SPDX-License-Identifier: GPL-2.0

//! What a pipe does, call by call, in its simplest form.
//!
//! Results are those of the kernel: what a call returns, or minus an errno.

use kmsgpipe_sys::raw;
use nix::libc;
use std::collections::VecDeque;

/// A snapshot, as the kernel tells it.
pub type Stats = raw::kmsgpipe_stats;

/// The result of a call that would sleep.
pub const BLOCKS: i64 = i64::MIN;

/// The bound on the payload of a full pipe, unless the module was told otherwise.
pub const MAX_BYTES: u64 = 64 << 20;

/// Minus an errno, as the kernel returns it.
pub const fn err(errno: i32) -> i64 {
    -(errno as i64)
}

/// Who makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// Real and effective user id.
    pub uid: u32,
    /// Real and effective group id.
    pub gid: u32,
    /// It has `CAP_SYS_ADMIN`.
    pub admin: bool,
}

/// Payload, by a number that it can be told from; the bytes follow from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Body {
    /// The number.
    pub key: u32,
    /// Its length in bytes.
    pub len: u32,
}

/// A queued message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// Its sequence number.
    pub seq: u64,
    /// What it says.
    pub body: Body,
    /// Who sent it.
    pub uid: u32,
    /// Likewise.
    pub gid: u32,
    /// Another one had opened the file.
    pub privileged: bool,
    /// Between which times, in nanoseconds of `CLOCK_MONOTONIC`; zeroes if that is not looked at.
    pub sent: (u64, u64),
}

/// A number of messages and of their bytes.
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

/// Whether and when messages expire. Nothing ever does here: the times are too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flush {
    /// They do.
    pub enabled: bool,
    /// Its interval, in milliseconds.
    pub interval_ms: u32,
    /// Its age, in milliseconds.
    pub expiry_ms: u32,
}

/// One pipe.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pipe {
    /// Its number.
    pub id: u32,
    /// The longest message.
    pub msg_size: u32,
    /// The number of messages that fit.
    pub max_msgs: u32,
    /// It is destroyed.
    pub dead: bool,
    /// What is queued, oldest first.
    pub queue: VecDeque<Message>,
    /// Sequence number of the last message.
    pub last_seq: u64,
    /// Its bytes.
    pub depth_bytes: u64,
    /// The largest depth so far.
    pub peak: Tally,
    /// Accepted.
    pub enqueued: Tally,
    /// Delivered.
    pub dequeued: Tally,
    /// Expired; as it was when the model began.
    pub expired: Tally,
    /// Discarded.
    pub dropped: Tally,
    /// Refused as there was no room.
    pub refused_full: u64,
    /// Refused for their length.
    pub refused_size: u64,
    /// Open files that may read.
    pub readers: u32,
    /// Open files that may write.
    pub writers: u32,
    /// Expiry.
    pub flush: Flush,
}

impl Pipe {
    /// A new one.
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
        }
    }

    /// An empty one that has been in use, as `stats` says.
    pub fn resume(stats: &Stats) -> Self {
        let tally = |msgs, bytes| Tally { msgs, bytes };
        Self {
            last_seq: stats.enqueued_msgs,
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

    /// Whether no message is accepted.
    pub fn is_full(&self) -> bool {
        self.queue.len() >= self.max_msgs as usize
    }

    /// Sends through a file of `opener`; `readable` says whether the memory of the message is.
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
        if self.is_full() {
            if nonblocking {
                self.refused_full += 1;
                return err(libc::EAGAIN);
            }
            return if readable { BLOCKS } else { err(libc::EFAULT) };
        }
        if !readable {
            return err(libc::EFAULT);
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
        self.enqueued.add(body.len);
        self.depth_bytes += u64::from(body.len);
        self.peak.msgs = self.peak.msgs.max(self.queue.len() as u64);
        self.peak.bytes = self.peak.bytes.max(self.depth_bytes);
        i64::from(body.len)
    }

    /// Receives into `room` bytes, of which `writable` many are there; what was received is the
    /// second.
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
        (i64::from(body.len), Some(body))
    }

    /// What `poll` says to a file that may read and write.
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
        if write && !self.is_full() {
            answer |= OUT;
        }
        answer
    }

    /// What a file for reading, or not, is told; the age of the oldest message is left out.
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

    /// The length of the oldest message.
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

    /// Changes what an empty pipe may hold.
    pub fn set_params(&mut self, msg_size: u32, max_msgs: u32) -> i64 {
        if !limits_are_right(msg_size, max_msgs) {
            return err(libc::EINVAL);
        }
        if !self.queue.is_empty() {
            return err(libc::EBUSY);
        }
        (self.msg_size, self.max_msgs) = (msg_size, max_msgs);
        0
    }

    /// Destroys it.
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

    /// How many bytes and messages fit whole into a dump of `size` bytes.
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

/// The bytes that a message of `len` bytes takes in a dump.
pub fn dumped_len(len: u32) -> u64 {
    size_of::<raw::kmsgpipe_record>() as u64 + u64::from(len).next_multiple_of(8)
}

/// Whether a pipe may have these limits.
pub fn limits_are_right(msg_size: u32, max_msgs: u32) -> bool {
    (kmsgpipe_sys::MSG_SIZE_MIN..=kmsgpipe_sys::MSG_SIZE_MAX).contains(&msg_size)
        && (kmsgpipe_sys::MAX_MSGS_MIN..=kmsgpipe_sys::MAX_MSGS_MAX).contains(&max_msgs)
        && u64::from(msg_size) * u64::from(max_msgs) <= MAX_BYTES
}
