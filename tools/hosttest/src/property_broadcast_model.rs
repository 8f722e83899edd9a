// SPDX-License-Identifier: GPL-2.0

//! Model of a queue from which files read by positions of their own.

use crate::{
    log::{
        counters::Tally,
        message::Record,
        subscription::{Kind, Start},
    },
    property::{pattern, sender, stamp, Cursor},
};
use std::collections::HashMap;

/// What the model knows of a message.
#[derive(Clone, Copy)]
pub(crate) struct Message {
    pub(crate) len: u32,
    /// The number of messages that were discarded before it was sent.
    pub(crate) discards: u64,
    /// A subscription has read it.
    pub(crate) was_read: bool,
}

/// Model of a file that reads from a position of its own.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) kind: Kind,
    /// The sequence number of the next message to read.
    pub(crate) at: u64,
    /// Messages that were discarded before that one.
    pub(crate) discards: u64,
    pub(crate) unreported: u64,
    pub(crate) lost: u64,
    pub(crate) expired: u64,
    pub(crate) received: u64,
    /// The first values of `at` and `discards`.
    pub(crate) began: (u64, u64),
}

/// Model of a queue: all messages that were ever sent, and how many of them have left it.
pub(crate) struct Model {
    /// The history of a broadcast pipe.
    pub(crate) history: Option<u64>,
    pub(crate) max_msgs: u64,
    /// All messages. The first one has the sequence number 1.
    pub(crate) all: Vec<Message>,
    pub(crate) firsts: HashMap<u64, u64>,
    /// The sequence number of the oldest stored message.
    pub(crate) stored: u64,
    /// The sequence number of the first message of the backlog.
    pub(crate) first: u64,
    /// The sequence number behind the last message that was dropped.
    pub(crate) dropped_end: u64,
    pub(crate) discards: u64,
    pub(crate) peak: Tally,
    pub(crate) enqueued: Tally,
    pub(crate) dequeued: Tally,
    pub(crate) expired: Tally,
    pub(crate) dropped: Tally,
    pub(crate) cursor: Option<Cursor>,
}

/// Why a message leaves the backlog.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Leave {
    Delivered,
    Settled,
    Dropped,
    Expired,
}

impl Model {
    pub(crate) fn new(history: Option<u64>, max_msgs: u64) -> Self {
        Self {
            history,
            max_msgs,
            all: Vec::new(),
            firsts: HashMap::new(),
            stored: 1,
            first: 1,
            dropped_end: 0,
            discards: 0,
            peak: Tally::NONE,
            enqueued: Tally::NONE,
            dequeued: Tally::NONE,
            expired: Tally::NONE,
            dropped: Tally::NONE,
            cursor: None,
        }
    }

    pub(crate) fn next(&self) -> u64 {
        self.all.len() as u64 + 1
    }

    pub(crate) fn message(&self, seq: u64) -> Message {
        self.all[seq as usize - 1]
    }

    /// Returns the message whose sender and time message `seq` has.
    pub(crate) fn sent_as(&self, seq: u64) -> u64 {
        self.firsts.get(&seq).copied().unwrap_or(seq)
    }

    pub(crate) fn tally(&self, from: u64) -> Tally {
        let mut tally = Tally::NONE;
        for seq in from..self.next() {
            tally.add(self.message(seq).len as usize);
        }
        tally
    }

    pub(crate) fn depth(&self) -> Tally {
        self.tally(self.first)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.depth().msgs >= self.max_msgs
    }

    /// Returns the number of bytes of the payloads from `seq` on, with their padding.
    pub(crate) fn span(&self, seq: u64) -> usize {
        let lens = (seq..self.next()).map(|seq| self.message(seq).len as usize);
        lens.map(|len| len.next_multiple_of(8)).sum()
    }

    /// Accepts messages of these lengths, which were sent together. Those at which no file waits
    /// leave at once, but at most as many as were sent. With `over_oldest`, the oldest leaves if
    /// there is one too many.
    pub(crate) fn accept(&mut self, files: &[File], lens: &[u32], over_oldest: bool) {
        let first = self.next();
        for len in lens {
            self.firsts.insert(self.next(), first);
            self.all.push(Message {
                len: *len,
                discards: self.discards,
                was_read: false,
            });
            self.enqueued.add(*len as usize);
        }
        self.settle(files, lens.len() as u32);
        if over_oldest && self.depth().msgs > self.max_msgs {
            self.leave(Leave::Dropped);
        }
        let depth = self.depth();
        self.peak.msgs = self.peak.msgs.max(depth.msgs);
        self.peak.bytes = self.peak.bytes.max(depth.bytes);
    }

    /// Lets the first message of the backlog leave, and counts it.
    pub(crate) fn leave(&mut self, why: Leave) {
        let message = self.message(self.first);
        let counter = match why {
            Leave::Delivered => &mut self.dequeued,
            _ if message.was_read => &mut self.dequeued,
            Leave::Settled | Leave::Dropped => &mut self.dropped,
            Leave::Expired => &mut self.expired,
        };
        counter.add(message.len as usize);
        self.first += 1;
        if why == Leave::Dropped {
            self.dropped_end = self.first;
        }
        let history = self.history.unwrap_or(0);
        self.stored = self.stored.max(self.first.saturating_sub(history));
    }

    /// Lets up to `limit` messages leave at which no file waits. Returns their number.
    pub(crate) fn settle(&mut self, files: &[File], limit: u32) -> u64 {
        let mut left = 0;
        let waits = |file: &File, seq| file.kind == Kind::Own && file.at <= seq;
        while self.history.is_some()
            && left < limit
            && self.first < self.next()
            && !files.iter().any(|file| waits(file, self.first))
        {
            self.leave(Leave::Settled);
            left += 1;
        }
        left.into()
    }

    /// Moves `file` over what it has missed. Of those, the messages up to the last one that was
    /// dropped are lost.
    pub(crate) fn catch_up(&self, file: &mut File) {
        let mut lost = 0;
        while file.at < self.stored {
            let is_own = file.kind == Kind::Own && self.history.is_some();
            if is_own && file.at >= self.dropped_end {
                file.expired += 1;
            } else {
                lost += 1;
            }
            file.at += 1;
        }
        if self.history.is_some() {
            let before = if file.at < self.next() {
                self.message(file.at).discards
            } else {
                self.discards
            };
            lost += before - file.discards;
            file.discards = before;
        }
        file.lost += lost;
        file.unreported += lost;
    }

    /// Returns the position of a file that begins to read at `start`.
    pub(crate) fn position(&self, start: Start) -> u64 {
        let next = self.next();
        let mut stored = self.stored..next;
        match start {
            Start::Now => next,
            Start::Oldest => self.stored,
            Start::Open => self
                .stored
                .max(next.saturating_sub(self.history.unwrap_or(0))),
            Start::Seq(seq) => seq.clamp(self.stored, next),
            Start::Time(time) => {
                let sent = |seq: &u64| i128::from(stamp(self.sent_as(*seq)).realtime);
                let found = stored.find(|seq| sent(seq) >= 0 && sent(seq) >= time.into());
                found.unwrap_or(next)
            }
        }
    }

    /// Checks that these are the record and the payload of message `seq`.
    pub(crate) fn check_message(
        &self,
        seq: u64,
        record: &Record,
        payload: impl Iterator<Item = u8>,
    ) {
        let first = self.sent_as(seq);
        assert_eq!(record.len, self.message(seq).len, "length of {seq}");
        assert_eq!((record.sender, record.stamp), (sender(first), stamp(first)));
        let expected = (0..record.len as usize).map(|at| pattern(seq, at));
        assert!(payload.eq(expected), "payload of {seq}");
    }
}
