// SPDX-License-Identifier: GPL-2.0

//! Which messages of a broadcast pipe some subscription has yet to read.
//!
//! A subscription waits at the message that it reads next. For each message only the number of
//! subscriptions that wait at it is kept, so a message is published, and a subscription moves, in
//! constant time, however many subscriptions there are.

use kernel::prelude::*;

use super::counters::Tally;

/// The bit of [`Entry::waiting`] that says that a subscription has read the message.
const WAS_READ: u32 = 1 << 31;

/// What is kept for a message of the backlog.
#[derive(Clone, Copy, Default)]
struct Entry {
    /// The number of subscriptions that wait at the message, and the bit [`WAS_READ`].
    waiting: u32,
    /// The number of messages that were discarded before this one was published. It wraps.
    discards: u32,
}

/// The backlog of a broadcast pipe: the messages that some subscription has yet to read.
///
/// # Invariants
///
/// - The number of entries is a power of two, and larger than the number of messages that the pipe
///   may store. The entry of a message is at its sequence number modulo the number of entries.
/// - The backlog has the messages from `first` to the newest one. Their entries and `at_end` count
///   each of the `subscriptions` once.
pub(crate) struct Fanout {
    entries: KVVec<Entry>,
    /// The sequence number of the first message of the backlog, or of the next message to be
    /// published if the backlog is empty.
    first: u64,
    /// The number of subscriptions that have read all messages.
    at_end: u32,
    /// The number of subscriptions.
    subscriptions: u32,
    /// The number of the newest messages with which new subscriptions begin.
    history: u32,
    /// Whether the history makes room for new messages.
    sheds_history: bool,
    /// Messages that have left the backlog and are stored for subscriptions still to come: at most
    /// `history`. They are the oldest ones.
    retained: Tally,
    /// Messages of the backlog that no subscription has read.
    unread: Tally,
    /// The sequence number behind the last message that was dropped, also from the history to make
    /// room.
    dropped_end: u64,
    /// The number of messages that were discarded. It wraps.
    discards: u32,
}

impl Fanout {
    /// Creates an empty backlog for a pipe that may have `max_msgs` messages, and keeps at most
    /// `history` of them for subscriptions still to come.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(crate) fn new(max_msgs: u32, history: u32) -> Result<KBox<Self>> {
        // A message may be published before the oldest one is dropped.
        let count = (max_msgs as usize)
            .saturating_add(history as usize)
            .saturating_add(2)
            .checked_next_power_of_two()
            .ok_or(ENOMEM)?;
        // INVARIANT: The number of entries is a power of two. The backlog is empty, and there is no
        // subscription.
        let fanout = Self {
            entries: KVVec::from_elem(Entry::default(), count, GFP_KERNEL_ACCOUNT)?,
            first: 1,
            at_end: 0,
            subscriptions: 0,
            history,
            sheds_history: false,
            retained: Tally::NONE,
            unread: Tally::NONE,
            dropped_end: 0,
            discards: 0,
        };
        Ok(KBox::new(fanout, GFP_KERNEL_ACCOUNT)?)
    }

    /// Returns the number of the newest messages that stay for subscriptions still to come.
    pub(crate) fn history(&self) -> u32 {
        self.history
    }

    /// Returns the messages that are stored only for subscriptions still to come.
    #[inline]
    pub(crate) fn retained(&self) -> Tally {
        self.retained
    }

    /// Returns the messages of the backlog that no subscription has read.
    pub(crate) fn unread(&self) -> Tally {
        self.unread
    }

    /// Returns the sequence number behind the last message that was dropped.
    pub(crate) fn dropped_end(&self) -> u64 {
        self.dropped_end
    }

    /// Returns the number of messages that were discarded. It wraps.
    #[inline(always)]
    pub(crate) fn discards(&self) -> u32 {
        self.discards
    }

    /// Counts a message that was discarded instead of being published.
    pub(crate) fn discard(&mut self) {
        self.discards = self.discards.wrapping_add(1);
    }

    /// Takes over the subscriptions of `old`, whose backlog and whose history are empty, when the
    /// limits of the pipe change.
    pub(crate) fn continue_from(&mut self, old: &Self) {
        // INVARIANT: All subscriptions have read all messages of the empty backlog.
        self.first = old.first;
        self.at_end = old.subscriptions;
        self.subscriptions = old.subscriptions;
        self.dropped_end = old.dropped_end;
        self.discards = old.discards;
        self.sheds_history = old.sheds_history;
    }

    /// Returns the entry of message `seq`.
    #[inline]
    fn entry(&self, seq: u64) -> Entry {
        let at = seq as usize & self.entries.len().wrapping_sub(1);
        self.entries.get(at).copied().unwrap_or_default()
    }

    /// Returns the entry of message `seq` for modification.
    #[inline]
    fn entry_mut(&mut self, seq: u64) -> Option<&mut Entry> {
        let at = seq as usize & self.entries.len().wrapping_sub(1);
        self.entries.get_mut(at)
    }

    /// Returns the number of messages that were discarded before the stored message `seq` was
    /// published, or until now if `seq` is `next`, the number of the message to be published next.
    #[inline]
    pub(crate) fn discards_before(&self, seq: u64, next: u64) -> u32 {
        if seq < next {
            self.entry(seq).discards
        } else {
            self.discards
        }
    }

    /// Returns the number of messages from `seq` on, which must be stored, between which none was
    /// discarded. It may be larger than the number of stored messages. At most `limit` messages are
    /// looked at.
    pub(crate) fn msgs_without_discard(&self, seq: u64, limit: usize) -> usize {
        let discards = self.entry(seq).discards;
        if discards == self.discards {
            return usize::MAX;
        }
        let following = (seq..).take(limit);
        following
            .take_while(|seq| self.entry(*seq).discards == discards)
            .count()
    }

    /// Adds the message `seq`, of `len` bytes, which is the newest one now.
    #[inline]
    pub(crate) fn publish(&mut self, seq: u64, len: usize) {
        let entry = Entry {
            // INVARIANT: The subscriptions that had read all messages wait at this one.
            waiting: core::mem::take(&mut self.at_end),
            discards: self.discards,
        };
        if let Some(place) = self.entry_mut(seq) {
            *place = entry;
        }
        self.unread.add(len);
    }

    /// Adds a subscription, which waits at message `seq`.
    pub(crate) fn join(&mut self, seq: u64, next: u64) {
        self.subscriptions = self.subscriptions.wrapping_add(1);
        self.count(seq, next, 1);
    }

    /// Removes a subscription, which waits at message `seq`.
    pub(crate) fn quit(&mut self, seq: u64, next: u64) {
        self.subscriptions = self.subscriptions.wrapping_sub(1);
        self.count(seq, next, -1);
    }

    /// Adds `by` to the number of subscriptions that wait at message `seq`. If the message has left
    /// the backlog, they wait at the first one of the backlog instead. `next` is the number of the
    /// message to be published next.
    #[inline]
    fn count(&mut self, seq: u64, next: u64, by: i32) {
        let seq = seq.max(self.first);
        if seq >= next {
            self.at_end = self.at_end.wrapping_add_signed(by);
        } else if let Some(entry) = self.entry_mut(seq) {
            entry.waiting = entry.waiting.wrapping_add_signed(by);
        }
    }

    /// Moves a subscription from message `seq`, of `len` bytes, which it has read, to the next one.
    /// `next` is the number of the message to be published next. Returns whether no subscription
    /// waits at the first message of the backlog any more.
    #[inline(always)]
    pub(crate) fn read_one(&mut self, seq: u64, next: u64, len: usize) -> bool {
        if seq < self.first {
            // It reads the history, and waits at the first message of the backlog all the time.
            return false;
        }
        let Some(entry) = self.entry_mut(seq) else {
            return false;
        };
        let before = entry.waiting;
        // INVARIANT: The subscription waits at the next message below.
        entry.waiting = before.wrapping_sub(1) | WAS_READ;
        let is_settled = entry.waiting == WAS_READ;
        if before & WAS_READ == 0 {
            self.unread = self.unread.without(Tally::one(len));
        }
        let behind = seq.wrapping_add(1);
        if behind == next {
            self.at_end = self.at_end.wrapping_add(1);
        } else if let Some(entry) = self.entry_mut(behind) {
            entry.waiting = entry.waiting.wrapping_add(1);
        }
        is_settled && seq == self.first
    }

    /// Returns whether no subscription waits at the first message of the backlog. `next` is the
    /// number of the message to be published next.
    #[inline]
    pub(crate) fn is_first_settled(&self, next: u64) -> bool {
        self.first < next && self.entry(self.first).waiting & !WAS_READ == 0
    }

    /// Removes the first message of the backlog, of `len` bytes, and retains it. Subscriptions that
    /// wait at it wait at the next one. Returns whether a subscription has read the message.
    pub(crate) fn leave(&mut self, next: u64, len: usize) -> bool {
        let Entry { waiting, .. } = self.entry(self.first);
        let was_read = waiting & WAS_READ != 0;
        if !was_read {
            self.unread = self.unread.without(Tally::one(len));
        }
        // INVARIANT: The backlog begins with the next message, at which those subscriptions wait
        // from now on.
        self.first = self.first.wrapping_add(1);
        // CAST: The bit `WAS_READ` is not set, so it fits.
        self.count(self.first, next, (waiting & !WAS_READ) as i32);
        self.retained.add(len);
        was_read
    }

    /// Returns whether messages stay, or may stay, after they have left the backlog.
    #[inline(always)]
    pub(crate) fn keeps_any(&self) -> bool {
        self.history > 0
    }

    /// Removes the first message of the backlog, which all subscriptions have read, of a pipe
    /// without a history.
    #[inline(always)]
    pub(crate) fn leave_read(&mut self) {
        // INVARIANT: No subscription waits at the message.
        self.first = self.first.wrapping_add(1);
    }

    /// Notes that messages before message `end` were dropped.
    pub(crate) fn note_dropped(&mut self, end: u64) {
        self.dropped_end = self.dropped_end.max(end);
    }

    /// Returns the sequence number of the first message of the backlog, or of the next message to
    /// be published if the backlog is empty.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// Sets whether the history makes room for new messages, as the oldest message does in a pipe
    /// that drops it.
    pub(crate) fn set_sheds_history(&mut self, sheds: bool) {
        self.sheds_history = sheds;
    }

    /// Returns whether more messages are retained than the history has, or if it makes room, than
    /// fit in `max_msgs` with the others. `stored` is the number of all messages.
    ///
    /// A subscription that still reads the history waits at the first message of the backlog. So
    /// none leaves the backlog, and none is too many, before it has read the history.
    #[inline]
    pub(crate) fn has_surplus(&self, stored: u64, max_msgs: u32) -> bool {
        let most = if self.sheds_history {
            let backlog = stored.wrapping_sub(self.retained.msgs);
            u64::from(max_msgs).saturating_sub(backlog)
        } else {
            u64::MAX
        };
        self.retained.msgs > most.min(self.history.into())
    }

    /// Notes that the oldest message, which was retained and has `len` bytes, was removed.
    #[inline]
    pub(crate) fn release(&mut self, len: usize) {
        self.retained = self.retained.without(Tally::one(len));
    }

    /// Removes all messages, which makes `next` the first message of the backlog.
    pub(crate) fn clear(&mut self, next: u64) {
        // INVARIANT: The backlog is empty, and all subscriptions wait for the next message.
        self.at_end = self.subscriptions;
        self.first = next;
        self.dropped_end = next;
        self.retained = Tally::NONE;
        self.unread = Tally::NONE;
    }
}
