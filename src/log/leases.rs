// SPDX-License-Identifier: GPL-2.0

//! Messages that were delivered on trust: a reader has a message until it acknowledges it, gives it
//! back, or its lease ends.
//!
//! A message stays at its place in the store meanwhile. What was acknowledged behind an older
//! message that is still there is consumed: it counts no more, and is removed with that message.

use kernel::prelude::*;

use super::{
    counters::Tally,
    position::Position, //
};

/// Where a message is between its first delivery and its removal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// It is consumed, and waits for its removal from the store.
    #[default]
    Consumed,
    /// A reader has it.
    Leased,
    /// It was given back, to be delivered later.
    Delayed,
    /// It was given back, to be delivered before all that were not delivered yet.
    Returned,
}

/// What is kept for a message that was delivered.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// Its position in the store.
    position: Position,
    /// When the lease or the delay ends, in nanoseconds of `CLOCK_MONOTONIC`. Zero once it was
    /// given back.
    until: u64,
    /// The open file that has or had it.
    owner: usize,
    /// How often it was delivered.
    deliveries: u32,
    /// The number of deliveries after which it is not given back. Zero means any number.
    max_deliveries: u32,
    /// Its place in the heap that it is in.
    at: u32,
    phase: Phase,
}

/// A lease that a reader gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// The open file that gets it. Open files have different numbers.
    pub(crate) owner: usize,
    /// When it ends, in nanoseconds of `CLOCK_MONOTONIC`.
    pub(crate) until: u64,
    /// The number of deliveries after which the message is not given back. Zero means any number.
    pub(crate) max_deliveries: u32,
}

/// What becomes of a message whose lease has ended without an acknowledgment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It can be delivered again.
    Returned,
    /// It can be delivered again later.
    Delayed,
    /// It was delivered too often.
    Exhausted,
}

/// Messages by the time at which they are due, and by sequence number among those of one time: a
/// binary heap of places in [`Leases::entries`].
///
/// # Invariants
///
/// No message is due before the one at half its place, rounded down.
struct Heap(KVVec<u32>);

impl Heap {
    /// Allocates an empty heap for at most `count` messages.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    fn new(count: usize) -> Result<Self> {
        // INVARIANT: It is empty.
        Ok(Self(KVVec::with_capacity(count, GFP_KERNEL_ACCOUNT)?))
    }

    /// Returns the place of the message that is due first.
    fn first(&self) -> Option<usize> {
        self.0.first().map(|slot| *slot as usize)
    }

    /// Returns whether the message at `slot` of `entries` is due before the one at `other`.
    fn is_before(entries: &[Entry], slot: u32, other: u32) -> bool {
        let key = |slot: u32| {
            let entry = entries.get(slot as usize);
            entry.map(|entry| (entry.until, entry.position.seq))
        };
        key(slot) < key(other)
    }

    /// Puts `slot` at `at` of the heap, which must exist.
    fn place(&mut self, entries: &mut [Entry], at: usize, slot: u32) {
        if let Some(place) = self.0.get_mut(at) {
            *place = slot;
        }
        if let Some(entry) = entries.get_mut(slot as usize) {
            // CAST: A heap has at most as many messages as a pipe, whose number is a `u32`.
            entry.at = at as u32;
        }
    }

    /// Adds the message at `slot` of `entries`.
    fn push(&mut self, entries: &mut [Entry], slot: usize) {
        // CAST: There are at most as many entries as fit in a `u32`.
        let slot = slot as u32;
        let at = self.0.len();
        // It has the capacity for all messages, so this cannot fail.
        if self.0.push_within_capacity(slot).is_ok() {
            self.raise(entries, at, slot);
        }
    }

    /// Moves `slot`, whose place `at` is free, towards the first place until the one above is not
    /// due later.
    fn raise(&mut self, entries: &mut [Entry], at: usize, slot: u32) {
        let mut at = at;
        while at > 0 {
            let above = (at - 1) / 2;
            let Some(other) = self.0.get(above).copied() else {
                break;
            };
            if !Self::is_before(entries, slot, other) {
                break;
            }
            self.place(entries, at, other);
            at = above;
        }
        // INVARIANT: All above are not due later, and those below were below one that is due later.
        self.place(entries, at, slot);
    }

    /// Moves `slot`, whose place `at` is free, away from the first place until those below are not
    /// due before it.
    fn sink(&mut self, entries: &mut [Entry], at: usize, slot: u32) {
        let mut at = at;
        loop {
            let left = at.saturating_mul(2).saturating_add(1);
            let below = |place: usize| Some((place, self.0.get(place).copied()?));
            let Some(mut least) = below(left) else {
                break;
            };
            if let Some(right) = below(left.saturating_add(1)) {
                if Self::is_before(entries, right.1, least.1) {
                    least = right;
                }
            }
            if !Self::is_before(entries, least.1, slot) {
                break;
            }
            self.place(entries, at, least.1);
            at = least.0;
        }
        // INVARIANT: Those below are not due before it, and it is not due before the one above.
        self.place(entries, at, slot);
    }

    /// Removes the message at `at` of the heap.
    fn remove(&mut self, entries: &mut [Entry], at: usize) {
        let Some(last) = self.0.pop() else {
            return;
        };
        if at == self.0.len() {
            return;
        }
        let above = at.checked_sub(1).and_then(|below| self.0.get(below / 2));
        if above.is_some_and(|above| Self::is_before(entries, last, *above)) {
            self.raise(entries, at, last);
        } else {
            self.sink(entries, at, last);
        }
    }
}

/// The messages of a queue that were delivered and are still stored.
///
/// # Invariants
///
/// - The entry of a message from `first` up to `next` is at its sequence number modulo the number
///   of entries, which is a power of two and at least [`Leases::span_max`].
/// - `due` has those that are leased or delayed, and `returned` those that were returned.
/// - `consumed` has the consumed ones.
pub(crate) struct Leases {
    entries: KVVec<Entry>,
    due: Heap,
    returned: Heap,
    /// The sequence number of the oldest stored message.
    first: u64,
    /// The oldest message that was never delivered, or the next one to be sent.
    next: Position,
    consumed: Tally,
    /// The bytes that the payloads of the returned messages take, with their padding.
    returned_span: u64,
    span_max: u64,
}

impl Leases {
    /// Allocates memory for the messages of a queue that may have `max_msgs`.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(crate) fn new(max_msgs: u32) -> Result<KBox<Self>> {
        let span_max = Self::span_max_of(max_msgs);
        let count = span_max.checked_next_power_of_two().ok_or(ENOMEM)?;
        // INVARIANT: There is no message.
        let leases = Self {
            entries: KVVec::from_elem(Entry::default(), count, GFP_KERNEL_ACCOUNT)?,
            due: Heap::new(span_max)?,
            returned: Heap::new(span_max)?,
            first: 0,
            next: Position::default(),
            consumed: Tally::NONE,
            returned_span: 0,
            span_max: span_max as u64,
        };
        Ok(KBox::new(leases, GFP_KERNEL_ACCOUNT)?)
    }

    /// Returns the number of messages that a queue for `max_msgs` may store while messages are
    /// leased, consumed ones included.
    pub(crate) fn span_max_of(max_msgs: u32) -> usize {
        (max_msgs as usize).saturating_mul(2)
    }

    /// Returns the number of messages that may be stored, consumed ones included. It bounds the
    /// memory that one lease holds.
    pub(super) fn span_max(&self) -> u64 {
        self.span_max
    }

    /// Begins with the stored messages from `oldest` on, none of which was delivered.
    pub(super) fn begin(&mut self, oldest: Position) {
        self.first = oldest.seq;
        self.next = oldest;
    }

    /// Notes that the oldest stored message is at `oldest` now, in case no older one than the next
    /// message is stored: the offset of its payload may have changed.
    pub(super) fn refresh(&mut self, oldest: Position) {
        if self.next.seq == oldest.seq {
            self.next = oldest;
        }
    }

    /// Forgets all messages. `next` is the next one to be sent.
    pub(super) fn clear(&mut self, next: Position) {
        // INVARIANT: No message is between `first` and `next` any more.
        self.due.0.clear();
        self.returned.0.clear();
        self.consumed = Tally::NONE;
        self.returned_span = 0;
        self.begin(next);
    }

    /// Returns whether no message is stored that was delivered.
    pub(super) fn is_unused(&self) -> bool {
        self.first == self.next.seq
    }

    /// Returns the messages that are stored and consumed.
    #[inline]
    pub(super) fn consumed(&self) -> Tally {
        self.consumed
    }

    /// Returns the number of returned messages, and the bytes that their payloads take.
    pub(super) fn returned(&self) -> (u64, u64) {
        (self.returned.0.len() as u64, self.returned_span)
    }

    /// Returns the oldest message that was never delivered, or the next one to be sent.
    pub(super) fn undelivered(&self) -> Position {
        self.next
    }

    /// Returns the time at which the next lease or delay ends, in nanoseconds of
    /// `CLOCK_MONOTONIC`.
    pub(crate) fn next_due(&self) -> Option<u64> {
        let slot = self.due.first()?;
        self.entries.get(slot).map(|entry| entry.until)
    }

    /// Returns the oldest returned message, and how often it was delivered.
    pub(super) fn oldest_returned(&self) -> Option<(Position, u32)> {
        let entry = self.entries.get(self.returned.first()?)?;
        Some((entry.position, entry.deliveries))
    }

    /// Returns the place of the entry of message `seq`.
    fn slot(&self, seq: u64) -> usize {
        seq as usize & self.entries.len().wrapping_sub(1)
    }

    /// Returns the entry of message `seq`, if it was delivered and is stored.
    fn entry(&self, seq: u64) -> Option<&Entry> {
        if seq < self.first || seq >= self.next.seq {
            return None;
        }
        self.entries.get(self.slot(seq))
    }

    /// Returns the messages in `first..=last` that may be leased: a range that may be empty.
    pub(super) fn delivered_in(&self, first: u64, last: u64) -> core::ops::Range<u64> {
        first.max(self.first)..last.saturating_add(1).min(self.next.seq)
    }

    /// Returns whether `owner` has message `seq`.
    pub(super) fn has(&self, owner: usize, seq: u64) -> bool {
        let entry = self.entry(seq);
        entry.is_some_and(|entry| entry.phase == Phase::Leased && entry.owner == owner)
    }

    /// Notes that the next message in order was delivered: the oldest returned one, or if there is
    /// none, the first that was never delivered. Its payload has `len` bytes. Without a `lease` it
    /// is consumed.
    pub(super) fn deliver(&mut self, len: usize, lease: Option<Lease>) {
        let slot;
        if let Some(first) = self.returned.first() {
            slot = first;
            self.returned.remove(&mut self.entries, 0);
            self.returned_span = self.returned_span.wrapping_sub(Position::span(len));
        } else {
            slot = self.slot(self.next.seq);
            if let Some(entry) = self.entries.get_mut(slot) {
                *entry = Entry {
                    position: self.next,
                    ..Entry::default()
                };
            }
            self.next = self.next.behind(1, len);
        }
        let Some(entry) = self.entries.get_mut(slot) else {
            return;
        };
        // INVARIANT: The message is counted as consumed, or is added to `due`.
        entry.deliveries = entry.deliveries.saturating_add(1);
        match lease {
            None => {
                entry.phase = Phase::Consumed;
                self.consumed.add(len);
            }
            Some(lease) => {
                entry.phase = Phase::Leased;
                entry.until = lease.until;
                entry.owner = lease.owner;
                entry.max_deliveries = lease.max_deliveries;
                self.due.push(&mut self.entries, slot);
            }
        }
    }

    /// Removes message `seq`, which must be leased or delayed, from those that are due.
    fn take_due(&mut self, seq: u64) -> Option<&mut Entry> {
        let slot = self.slot(seq);
        let at = self.entries.get(slot)?.at as usize;
        self.due.remove(&mut self.entries, at);
        self.entries.get_mut(slot)
    }

    /// Consumes message `seq`, which must be leased and has a payload of `len` bytes.
    pub(super) fn consume(&mut self, seq: u64, len: usize) {
        if let Some(entry) = self.take_due(seq) {
            entry.phase = Phase::Consumed;
            self.consumed.add(len);
        }
    }

    /// Ends the lease or the delay of message `seq`, which must have one and whose payload has
    /// `len` bytes. It can be delivered again, at once or, if that is given, from the time `later`
    /// on, unless it was leased and was delivered too often: then it is consumed.
    pub(super) fn end(&mut self, seq: u64, len: usize, later: Option<u64>) -> Ended {
        let slot = self.slot(seq);
        let Some(entry) = self.take_due(seq) else {
            return Ended::Exhausted;
        };
        let most = entry.max_deliveries;
        if entry.phase == Phase::Leased && most > 0 && entry.deliveries >= most {
            entry.phase = Phase::Consumed;
            self.consumed.add(len);
            return Ended::Exhausted;
        }
        // INVARIANT: The message is in one of the heaps again.
        entry.owner = 0;
        if let Some(later) = later {
            entry.phase = Phase::Delayed;
            entry.until = later;
            self.due.push(&mut self.entries, slot);
            return Ended::Delayed;
        }
        entry.phase = Phase::Returned;
        entry.until = 0;
        self.returned.push(&mut self.entries, slot);
        self.returned_span = self.returned_span.wrapping_add(Position::span(len));
        Ended::Returned
    }

    /// Returns a message whose lease or delay has ended by the time `now`.
    pub(super) fn overdue(&self, now: u64) -> Option<u64> {
        let entry = self.entries.get(self.due.first()?)?;
        (entry.until <= now).then_some(entry.position.seq)
    }

    /// Returns where message `seq` is, which must have been delivered.
    pub(super) fn position_of(&self, seq: u64) -> Option<Position> {
        self.entry(seq).map(|entry| entry.position)
    }

    /// Returns whether the oldest stored message is consumed.
    pub(crate) fn is_first_consumed(&self) -> bool {
        let entry = self.entry(self.first);
        entry.is_some_and(|entry| entry.phase == Phase::Consumed)
    }

    /// Notes that the oldest stored message, which is consumed and has `len` bytes, was removed.
    pub(super) fn release(&mut self, len: usize) {
        // INVARIANT: The message is not between `first` and `next` any more.
        self.first = self.first.wrapping_add(1);
        self.consumed = self.consumed.without(Tally::one(len));
    }
}
