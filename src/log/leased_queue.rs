// SPDX-License-Identifier: GPL-2.0

//! A queue with readers that have leases: delivering on trust, acknowledging, giving back.

use kernel::prelude::*;

use super::{
    iter::Run,
    leases::{
        Ended,
        Lease,
        Leases, //
    },
    position::Position,
    queue::Queue,
    store::Place, //
};

/// Maximum number of consumed messages that are removed in one critical section.
const REMOVED_AT_ONCE: u32 = 256;

/// The next message that a reader gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// Where it is in the store.
    pub(crate) place: Place,
    /// Its sequence number.
    pub(crate) seq: u64,
    /// How often it will have been delivered.
    pub(crate) deliveries: u32,
    /// How many messages from it on may be delivered together.
    pub(crate) most: usize,
}

/// What became of messages that readers had on trust.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// The number of messages that were acknowledged, given back, or dropped.
    pub(crate) msgs: u64,
    /// How many of them can be delivered again.
    pub(crate) returned: u64,
    /// How many slots are free now.
    pub(crate) freed: u64,
}

/// What a reader does with the messages that it has on trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It acknowledges them.
    Consume,
    /// It gives them back.
    GiveBack {
        /// The time from which on they are delivered again, in nanoseconds of `CLOCK_MONOTONIC`,
        /// unless that is at once.
        later: Option<u64>,
    },
}

impl Queue {
    /// Begins to deliver messages on trust, in a queue that is no broadcast pipe and whose store
    /// has an index, or goes on with memory for other limits, in an empty queue. Returns the old
    /// memory, to be freed after the lock is released.
    pub(crate) fn set_leases(&mut self, leases: KBox<Leases>) -> Option<KBox<Leases>> {
        let old = self.leases.replace(leases);
        let oldest = self.oldest();
        if let Some(leases) = &mut self.leases {
            leases.begin(oldest);
        }
        self.update_cached();
        old
    }

    /// Ends what [`Queue::set_leases`] began, if no stored message was ever delivered. Returns the
    /// memory, to be freed after the lock is released.
    pub(crate) fn take_unused_leases(&mut self) -> Option<KBox<Leases>> {
        let leases = self.leases.take_if(|leases| leases.is_unused());
        self.update_cached();
        leases
    }

    /// Returns the messages that were delivered on trust, in a queue that does so.
    #[inline]
    pub(crate) fn leases(&self) -> Option<&Leases> {
        self.leases.as_deref()
    }

    /// Forgets the leases of all messages, which were removed.
    pub(super) fn restart_leases(&mut self) {
        let next = self.oldest();
        if let Some(leases) = &mut self.leases {
            leases.clear(next);
        }
    }

    /// Returns the next message that a reader gets, in a queue that delivers on trust. Messages
    /// that were given back come first: all are older than those that were not delivered yet.
    pub(crate) fn next_delivery(&self) -> Option<Delivery> {
        let leases = self.leases()?;
        let delivery = |position: Position, deliveries, most| Delivery {
            place: self.place_of(position),
            seq: position.seq,
            deliveries,
            most,
        };
        if let Some((position, deliveries)) = leases.oldest_returned() {
            return Some(delivery(position, deliveries.saturating_add(1), 1));
        }
        let next = leases.undelivered();
        (next.seq < self.next_seq()).then(|| delivery(next, 1, usize::MAX))
    }

    /// Returns whether a new message may take the place of the next message that a reader would
    /// get. If older messages are on trust, that one stays in the store, whose span is bounded.
    pub(crate) fn can_replace_front(&self) -> bool {
        let Some(leases) = self.leases() else {
            return !self.is_empty();
        };
        let is_oldest = |delivery: Delivery| delivery.place == Place::Front;
        let stored = self.store().depth().msgs;
        let delivery = self.next_delivery();
        delivery.is_some_and(|delivery| is_oldest(delivery) || stored < leases.span_max())
    }

    /// Notes that the next messages, which must be those of `run`, were delivered. A reader has
    /// them on trust by its `lease`. Without one they are consumed. Returns the number of slots
    /// that are free now.
    pub(crate) fn deliver_by(&mut self, run: Run, lease: Option<Lease>) -> u64 {
        let mut freed = 0;
        for _ in 0..run.tally.msgs {
            let (Some(record), oldest) = (self.front(), self.oldest()) else {
                break;
            };
            let Some(leases) = &mut self.leases else {
                break;
            };
            leases.refresh(oldest);
            leases.deliver(record.len as usize, lease);
            freed += u64::from(lease.is_none());
        }
        self.remove_consumed();
        freed
    }

    /// Removes the oldest stored messages that are consumed, a bounded number of them. Returns
    /// whether there may be more.
    fn remove_consumed(&mut self) -> bool {
        let mut removed = 0;
        while let Some(leases) = self.leases.as_mut() {
            if removed == REMOVED_AT_ONCE || !leases.is_first_consumed() {
                break;
            }
            let Some(record) = self.store.front() else {
                break;
            };
            self.store.pop(record.len);
            leases.release(record.len as usize);
            removed += 1;
        }
        self.update_cached();
        removed == REMOVED_AT_ONCE
    }

    /// Returns the length of the payload of message `seq`, which must have been delivered and be
    /// stored.
    fn len_of(&self, seq: u64) -> Option<usize> {
        let position = self.leases()?.position_of(seq)?;
        let record = self.store().record_at(self.place_of(position))?;
        Some(record.len as usize)
    }

    /// Ends the lease or the delay of message `seq`, which must have one, by `verdict`.
    fn settle_one(&mut self, seq: u64, verdict: Verdict, settled: &mut Settled) {
        let Some(len) = self.len_of(seq) else {
            return;
        };
        let Some(leases) = &mut self.leases else {
            return;
        };
        settled.msgs += 1;
        let ended = match verdict {
            Verdict::Consume => {
                leases.consume(seq, len);
                settled.freed += 1;
                return;
            }
            Verdict::GiveBack { later } => leases.end(seq, len, later),
        };
        match ended {
            Ended::Returned => settled.returned += 1,
            Ended::Delayed => {}
            Ended::Exhausted => {
                self.counted.count_one_dropped(len);
                settled.freed += 1;
            }
        }
    }

    /// Ends the leases that `owner` has of messages in `first..=last`, by `verdict`, of at most
    /// `limit` messages. Returns what became of them, and the number with which to go on, if that
    /// was not all.
    pub(crate) fn settle_leases(
        &mut self,
        owner: usize,
        (first, last): (u64, u64),
        verdict: Verdict,
        limit: u32,
    ) -> (Settled, Option<u64>) {
        let mut settled = Settled::default();
        let Some(leases) = self.leases() else {
            return (settled, None);
        };
        let range = leases.delivered_in(first, last);
        let end = range.start.saturating_add(limit.into()).min(range.end);
        for seq in range.start..end {
            let has = |leases: &Leases| leases.has(owner, seq);
            if self.leases().is_some_and(has) {
                self.settle_one(seq, verdict, &mut settled);
            }
        }
        let more = self.remove_consumed();
        let is_all = end >= range.end && !more;
        (settled, (!is_all).then_some(end))
    }

    /// Ends the leases and delays that have ended by the time `now`, in nanoseconds of
    /// `CLOCK_MONOTONIC`, of at most `limit` messages. Returns what became of them, and whether
    /// there may be more.
    pub(crate) fn end_leases(&mut self, now: u64, limit: u32) -> (Settled, bool) {
        let mut settled = Settled::default();
        for _ in 0..limit {
            let Some(seq) = self.leases().and_then(|leases| leases.overdue(now)) else {
                break;
            };
            let verdict = Verdict::GiveBack { later: None };
            self.settle_one(seq, verdict, &mut settled);
        }
        let stored = self.store().depth().msgs;
        let more = self.remove_consumed();
        if self.store().depth().msgs < stored {
            // The span of the stored messages may have been too large for a new one.
            settled.freed = settled.freed.max(1);
        }
        (settled, more || settled.msgs >= limit.into())
    }

    /// Returns the number of messages among `count` from `first` on that `owner` has on trust, and
    /// the number with which to go on, if there may be more.
    pub(crate) fn count_leases(&self, owner: usize, first: u64, count: u32) -> (u64, Option<u64>) {
        let Some(leases) = self.leases() else {
            return (0, None);
        };
        let range = leases.delivered_in(first, u64::MAX);
        let end = range.start.saturating_add(count.into()).min(range.end);
        let held = (range.start..end).filter(|seq| leases.has(owner, *seq));
        (held.count() as u64, (end < range.end).then_some(end))
    }

    /// Returns the number of bytes that the messages take which a reader can get now: their
    /// payloads with padding, and a header of `header` bytes each.
    pub(crate) fn deliverable_span(&self, header: usize) -> usize {
        let Some(leases) = self.leases() else {
            return 0;
        };
        let (returned, span) = leases.returned();
        let next = leases.undelivered();
        let msgs = returned.wrapping_add(self.next_seq().saturating_sub(next.seq));
        let start = match self.place_of(next) {
            Place::Front => self.store().first_payload(),
            Place::Behind { payload, .. } => payload,
        };
        let undelivered = self.store().next_payload().saturating_sub(start);
        let payloads = span.wrapping_add(undelivered) as usize;
        (msgs as usize).wrapping_mul(header).wrapping_add(payloads)
    }
}
