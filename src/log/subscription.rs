// SPDX-License-Identifier: GPL-2.0

//! Positions in a queue, from which files read that do not share its oldest message: the
//! subscriptions of a broadcast pipe, and files that browse.
//!
//! The message at a position that no stored message precedes is the oldest one. So a position stays
//! right when the store is emptied.

use super::{
    iter::Run,
    message::{
        padded,
        Record,
        ALIGN, //
    },
    position::Position,
    queue::Queue,
    store::Place, //
};

/// Maximum number of messages that are looked at to find those that are read together: more than
/// fit in a page with their records.
const TOGETHER: usize = 64;

/// What reading does to the messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A subscription: a message stays until all subscriptions have read it.
    #[default]
    Own,
    /// Nothing: messages do not stay for a file that browses.
    Browse,
}

/// Where a file begins to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// At the next message to be sent, or before the newest ones if the pipe keeps a history.
    Open,
    /// At the next message to be sent.
    Now,
    /// At the oldest stored message.
    Oldest,
    /// At the first stored message with at least this sequence number.
    Seq(u64),
    /// At the first stored message that was sent at this time or later, in nanoseconds of
    /// `CLOCK_REALTIME`.
    Time(u64),
}

/// A search for the position at which a file begins to read.
pub(crate) struct Search {
    start: Start,
    position: Position,
}

/// What a subscription needs to read its next message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ticket {
    kind: Kind,
    position: Position,
    /// The number of messages that the pipe had discarded before the message at the position. It
    /// wraps.
    discards: u32,
}

/// A file that reads from a position of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Subscription {
    ticket: Ticket,
    /// Messages that were lost since the last one that was read.
    unreported: u64,
    /// All messages that were lost.
    lost: u64,
    /// Messages that expired before they were read.
    expired: u64,
    /// Those of the lost messages that were discarded, and so have no sequence number.
    discarded: u64,
    /// The sequence number of the first message.
    begin: u64,
}

impl Subscription {
    /// Returns what reading does to the messages.
    pub(crate) fn kind(&self) -> Kind {
        self.ticket.kind
    }

    /// Returns the sequence number of the next message to read.
    pub(crate) fn next_seq(&self) -> u64 {
        self.ticket.position.seq
    }

    /// Returns the number of messages that were lost since the last one that was read.
    #[inline]
    pub(crate) fn unreported(&self) -> u64 {
        self.unreported
    }

    /// Returns the number of all messages that were lost.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Returns the number of messages that expired before they were read.
    pub(crate) fn expired(&self) -> u64 {
        self.expired
    }

    /// Returns the number of messages that were read. It is not counted: each message from the
    /// first one on was read, lost, or has expired.
    pub(crate) fn received(&self) -> u64 {
        let passed = self.next_seq().wrapping_sub(self.begin);
        passed
            .wrapping_add(self.discarded)
            .wrapping_sub(self.lost)
            .wrapping_sub(self.expired)
    }

    /// Returns what is needed to read the next message.
    #[inline(always)]
    pub(crate) fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Moves on to `ticket`, with which a message was read.
    #[inline(always)]
    pub(crate) fn move_to(&mut self, ticket: &Ticket) {
        self.ticket.position = ticket.position;
        self.unreported = 0;
    }

    /// Forgets all losses, and begins at the position where it is now.
    pub(crate) fn forget_losses(&mut self) {
        self.unreported = 0;
        self.lost = 0;
        self.expired = 0;
        self.discarded = 0;
        self.begin = self.next_seq();
    }

    /// Counts `msgs` messages that were lost.
    #[inline]
    fn lose(&mut self, msgs: u64) {
        self.lost = self.lost.wrapping_add(msgs);
        self.unreported = self.unreported.wrapping_add(msgs);
    }
}

impl Search {
    /// Begins a search.
    pub(crate) fn new(start: Start) -> Self {
        // No message is older than the first one, so the search begins at the oldest stored one.
        let position = Position { seq: 0, payload: 0 };
        Self { start, position }
    }
}

impl Queue {
    /// Returns the sequence number of the next message to be sent.
    #[inline]
    pub(crate) fn next_seq(&self) -> u64 {
        self.last_seq().wrapping_add(1)
    }

    /// Returns the sequence number of the oldest stored message, or of the next one to be sent if
    /// none is stored. It is not kept: messages leave the store in order.
    #[inline]
    pub(crate) fn stored_seq(&self) -> u64 {
        self.next_seq().wrapping_sub(self.store().depth().msgs)
    }

    /// Returns the position of the oldest stored message.
    #[inline]
    pub(super) fn oldest(&self) -> Position {
        Position {
            seq: self.stored_seq(),
            payload: self.store().first_payload(),
        }
    }

    /// Returns where the message at `position` is in the store, which must not have passed it.
    #[inline]
    pub(super) fn place_of(&self, position: Position) -> Place {
        match position.seq.wrapping_sub(self.stored_seq()) {
            0 => Place::Front,
            ahead => Place::Behind {
                ahead,
                payload: position.payload,
            },
        }
    }

    /// Continues a search over at most `limit` messages. Returns whether it has ended.
    pub(crate) fn search(&self, search: &mut Search, limit: u32) -> bool {
        let next = self.next_seq();
        let history = self.fanout().map_or(0, |fanout| fanout.history());
        let first = match search.start {
            // The history may have more messages than were ever sent.
            Start::Open => next.saturating_sub(history.into()),
            Start::Now => next,
            Start::Oldest => 0,
            Start::Seq(seq) => seq,
            Start::Time(_) => 0,
        };
        let is_found = |position: Position, record: &Record| match search.start {
            Start::Time(time) => u64::try_from(record.stamp.realtime).is_ok_and(|at| at >= time),
            _ => position.seq >= first,
        };
        if first >= next {
            search.position = Position {
                seq: next,
                payload: self.store().next_payload(),
            };
            return true;
        }
        if search.position.seq <= self.stored_seq() {
            search.position = self.oldest();
        }
        for _ in 0..limit {
            match self.store().record_at(self.place_of(search.position)) {
                Some(record) if !is_found(search.position, &record) => {
                    search.position = search.position.behind(1, record.len as usize);
                }
                _ => return true,
            }
        }
        false
    }

    /// Makes a file read from the position that `search` has found. The queue must not have changed
    /// since the search ended.
    pub(crate) fn subscribe(&mut self, kind: Kind, search: &Search) -> Subscription {
        let next = self.next_seq();
        let position = search.position;
        let mut discards = 0;
        if let Some(fanout) = self.fanout_mut() {
            discards = fanout.discards_before(position.seq, next);
            if kind == Kind::Own {
                fanout.join(position.seq, next);
            }
        }
        Subscription {
            ticket: Ticket {
                kind,
                position,
                discards,
            },
            unreported: 0,
            lost: 0,
            expired: 0,
            discarded: 0,
            begin: position.seq,
        }
    }

    /// Ends what [`Queue::subscribe`] began. [`Queue::settle`] must follow until it returns zero.
    pub(crate) fn unsubscribe(&mut self, subscription: &Subscription) {
        let next = self.next_seq();
        if let Some(fanout) = self.fanout_mut() {
            if subscription.ticket.kind == Kind::Own {
                fanout.quit(subscription.ticket.position.seq, next);
            }
        }
    }

    /// Moves a subscription over the messages that have left the store before it read them, and
    /// counts them. Of those that a subscription has missed, the ones up to the last one that was
    /// dropped are lost, and the others have expired.
    #[inline]
    pub(crate) fn catch_up(&self, subscription: &mut Subscription) {
        let stored = self.stored_seq();
        let seq = subscription.ticket.position.seq;
        if seq < stored {
            let gone = stored.wrapping_sub(seq);
            let dropped_end = match self.fanout() {
                Some(fanout) if subscription.ticket.kind == Kind::Own => fanout.dropped_end(),
                _ => stored,
            };
            let lost = dropped_end.saturating_sub(seq).min(gone);
            subscription.lose(lost);
            subscription.expired = subscription.expired.wrapping_add(gone.wrapping_sub(lost));
            subscription.ticket.position = self.oldest();
        }
        if let Some(fanout) = self.fanout() {
            let before = fanout.discards_before(subscription.ticket.position.seq, self.next_seq());
            if before != subscription.ticket.discards {
                let discarded = before.wrapping_sub(subscription.ticket.discards).into();
                subscription.lose(discarded);
                subscription.discarded = subscription.discarded.wrapping_add(discarded);
                subscription.ticket.discards = before;
            }
        }
    }

    /// Returns where the next message of a subscription is, if it has one. [`Queue::catch_up`] must
    /// have been called since the queue changed.
    #[inline]
    pub(crate) fn next_place(&self, subscription: &Subscription) -> Option<Place> {
        let place = self.place_of(subscription.ticket.position);
        (self.lag(subscription) > 0).then_some(place)
    }

    /// Returns the number of messages that a subscription has yet to read. [`Queue::catch_up`] must
    /// have been called since the queue changed.
    #[inline]
    pub(crate) fn lag(&self, subscription: &Subscription) -> u64 {
        self.next_seq()
            .wrapping_sub(subscription.ticket.position.seq)
    }

    /// Returns the number of messages that a subscription has read, has lost, or has yet to read,
    /// and those that have expired. Of the messages that were discarded, it has those before its
    /// position. [`Queue::catch_up`] must have been called since the queue changed.
    pub(crate) fn published(&self, subscription: &Subscription) -> u64 {
        self.next_seq()
            .wrapping_sub(subscription.begin)
            .wrapping_add(subscription.discarded)
    }

    /// Returns the number of messages after which others were lost, which a subscription reads
    /// together at most. [`Queue::catch_up`] must have been called since the queue changed.
    pub(crate) fn most_together(&self, subscription: &Subscription) -> usize {
        let fanout = self.fanout();
        fanout.map_or(usize::MAX, |fanout| {
            fanout.msgs_without_discard(subscription.next_seq(), TOGETHER)
        })
    }

    /// Returns the number of bytes that the payloads of the next messages of a subscription take,
    /// including padding. [`Queue::catch_up`] must have been called since the queue changed.
    pub(crate) fn span_behind(&self, subscription: &Subscription) -> usize {
        let start = match self.place_of(subscription.ticket.position) {
            Place::Front => self.store().first_payload(),
            Place::Behind { payload, .. } => payload,
        };
        self.store().next_payload().saturating_sub(start) as usize
    }

    /// Moves a subscription over its next messages, which must be those of `run` and which it has
    /// read. Returns the number of messages that leave the backlog.
    #[inline]
    pub(crate) fn advance(&mut self, subscription: &mut Subscription, run: Run) -> u64 {
        let mut position = subscription.ticket.position;
        if position.seq <= self.stored_seq() {
            position = self.oldest();
        }
        let behind = position.behind(run.tally.msgs, run.span);
        subscription.ticket.position = behind;
        subscription.unreported = 0;
        if subscription.ticket.kind == Kind::Browse {
            return 0;
        }
        let next = self.next_seq();
        let stored = self.stored_seq();
        for seq in position.seq..behind.seq {
            let place = Place::nth(seq.wrapping_sub(stored));
            let Some(record) = self.store().record_at(place) else {
                break;
            };
            if let Some(fanout) = self.fanout_mut() {
                fanout.read_one(seq, next, record.len as usize);
            }
        }
        // CAST: A critical section delivers at most as many messages as fit in a page.
        self.settle(run.tally.msgs as u32)
    }

    /// Fast path: returns the payload of the next message of a subscription, if it has not left the
    /// store and is in one piece. No message may have been discarded before it. After the payload
    /// was copied, [`Queue::pass_contiguous`] moves the subscription on.
    #[inline(always)]
    pub(crate) fn next_contiguous(&self, ticket: &Ticket) -> Option<&[u8]> {
        let Position { seq, payload } = ticket.position;
        // If the message has left the store, this wraps and is no message.
        let ahead = seq.wrapping_sub(self.stored_seq());
        self.store().contiguous_behind(ahead, payload)
    }

    /// Fast path: moves a subscription over its next message, of `len` bytes, whose payload
    /// [`Queue::next_contiguous`] has returned. The queue must not have changed since. Returns the
    /// number of messages that leave the backlog.
    #[inline(always)]
    pub(crate) fn pass_contiguous(&mut self, ticket: &mut Ticket, len: usize) -> u64 {
        let seq = ticket.position.seq;
        if seq == self.stored_seq() {
            ticket.position.payload = self.store().first_payload();
        }
        ticket.position = ticket.position.behind(1, len);
        if ticket.kind == Kind::Browse {
            return 0;
        }
        let next = self.next_seq();
        let Some(fanout) = self.fanout_mut() else {
            return 0;
        };
        if !fanout.read_one(seq, next, len) {
            return 0;
        }
        self.leave_read(len);
        1
    }

    /// Returns whether no message was discarded before the next one of a subscription, or later.
    #[inline]
    pub(crate) fn has_no_discard(&self, ticket: &Ticket) -> bool {
        let fanout = self.fanout();
        fanout.is_none_or(|fanout| fanout.discards() == ticket.discards)
    }
}

// A position behind several messages is computed from the bytes that they take in the store.
kernel::static_assert!(padded(1) == ALIGN);
