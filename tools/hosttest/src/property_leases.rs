// SPDX-License-Identifier: GPL-2.0

//! Random operations on a queue whose readers have messages on trust, compared with a simple model.
//!
//! Each test has 256 cases, or as many as the variable `PROPTEST_CASES` says. A failure is stored as
//! in `property`.

use crate::{
    log::{
        counters::Tally,
        iter::Run,
        leased_queue::{Settled, Verdict},
        leases::{Lease, Leases},
        limits::Limits,
        queue::Queue,
        store::StoreIndex,
    },
    property::{lengths, padded, pattern, push, push_slow, LONGEST},
};
use proptest::{collection::vec, prelude::*};
use std::collections::BTreeMap;

/// Number of open files that receive with a lease. Their numbers begin with one.
const OWNERS: usize = 3;

/// Operation on a queue. Ranges of sequence numbers are relative to the oldest stored message.
#[derive(Clone, Debug)]
enum Op {
    /// Sends a message of this many bytes.
    Push(u32),
    /// Sends a message of this many bytes, over the oldest one if there is no slot.
    Replace(u32),
    /// Receives up to this many messages, with a lease of this length and number of deliveries.
    Lease(usize, usize, u64, u32),
    /// Receives up to this many messages, and consumes them.
    Read(usize),
    /// Acknowledges messages, at most so many in one step.
    Ack(usize, (u64, u64), u32),
    /// Gives back messages, after a delay if that is not zero, at most so many in one step.
    Nack(usize, (u64, u64), u64, u32),
    /// Lets time pass.
    Tick(u64),
    /// Ends leases and delays, at most so many in one step.
    End(u32),
    /// Drops the messages that are older than the given number of newest ones, up to a limit.
    Expire(u64, u32),
    /// Drops all messages.
    Clear,
    /// Frees memory: all that holds no message, or only part of it.
    Trim(bool),
    /// Changes the maximum number of messages of an empty queue.
    Limit(u32),
}

fn ops() -> impl Strategy<Value = Op> {
    let owner = || 1..=OWNERS;
    let range = || (0..30u64, 0..30u64).prop_map(|(first, more)| (first, first + more));
    prop_oneof![
        12 => lengths().prop_map(Op::Push),
        2 => lengths().prop_map(Op::Replace),
        8 => (owner(), 1..5usize, 1..20u64, 0..4u32)
            .prop_map(|(owner, most, time, max)| Op::Lease(owner, most, time, max)),
        2 => (1..4usize).prop_map(Op::Read),
        5 => (owner(), range(), 1..9u32).prop_map(|(owner, range, limit)| Op::Ack(owner, range, limit)),
        4 => (owner(), range(), 0..9u64, 1..9u32)
            .prop_map(|(owner, range, delay, limit)| Op::Nack(owner, range, delay, limit)),
        4 => (0..8u64).prop_map(Op::Tick),
        4 => (1..6u32).prop_map(Op::End),
        1 => (0..8u64, 1..6u32).prop_map(|(age, limit)| Op::Expire(age, limit)),
        1 => Just(Op::Clear),
        1 => any::<bool>().prop_map(Op::Trim),
        1 => (1..40u32).prop_map(Op::Limit),
    ]
}

/// What a message of the model waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// Its first delivery.
    First,
    /// Its reader, until a time, and the number of deliveries after which it is dropped.
    Reader(usize, u64, u32),
    /// The end of a delay.
    Delay(u64),
    /// Another delivery.
    Again,
}

/// Message of the model.
#[derive(Clone, Copy, Debug)]
struct Message {
    len: u32,
    wait: Wait,
    deliveries: u32,
}

/// Model of the queue: what is stored and not consumed, by sequence number.
#[derive(Default)]
struct Model {
    messages: BTreeMap<u64, Message>,
    last_seq: u64,
    max_msgs: u32,
    enqueued: Tally,
    dequeued: Tally,
    expired: Tally,
    dropped: Tally,
    now: u64,
}

/// Returns the tally of one message.
fn one(len: u32) -> Tally {
    Tally::one(len as usize)
}

impl Model {
    fn depth(&self) -> Tally {
        let mut depth = Tally::NONE;
        for message in self.messages.values() {
            depth.add(message.len as usize);
        }
        depth
    }

    /// Returns the number of the oldest message, or of the next one to be sent.
    fn first(&self) -> u64 {
        let oldest = self.messages.keys().next();
        oldest.copied().unwrap_or(self.last_seq + 1)
    }

    fn span(&self) -> u64 {
        self.last_seq + 1 - self.first()
    }

    fn is_full(&self) -> bool {
        self.messages.len() >= self.max_msgs as usize || self.span() >= 2 * u64::from(self.max_msgs)
    }

    /// Returns the message that is delivered next.
    fn next(&self) -> Option<u64> {
        let with = |wait| {
            let mut messages = self.messages.iter();
            messages.find(|(_, message)| message.wait == wait)
        };
        let (seq, _) = with(Wait::Again).or_else(|| with(Wait::First))?;
        Some(*seq)
    }

    fn can_replace(&self) -> bool {
        let is_oldest = |seq| seq == self.first();
        self.next()
            .is_some_and(|seq| is_oldest(seq) || self.span() < 2 * u64::from(self.max_msgs))
    }

    fn accept(&mut self, len: u32) {
        self.last_seq += 1;
        self.enqueued.merge(one(len));
        let message = Message {
            len,
            wait: Wait::First,
            deliveries: 0,
        };
        self.messages.insert(self.last_seq, message);
    }

    fn remove(&mut self, seq: u64) -> Tally {
        one(self.messages.remove(&seq).expect("a message").len)
    }

    /// Ends the lease or the delay of a message, which comes back at once or at `later`.
    fn give_back(&mut self, seq: u64, later: Option<u64>, settled: &mut Settled) {
        settled.msgs += 1;
        let message = self.messages.get_mut(&seq).expect("a message");
        match message.wait {
            Wait::Reader(_, _, max) if max > 0 && message.deliveries >= max => {
                let gone = self.remove(seq);
                self.dropped.merge(gone);
                settled.freed += 1;
            }
            _ => match later {
                Some(later) => message.wait = Wait::Delay(later),
                None => {
                    message.wait = Wait::Again;
                    settled.returned += 1;
                }
            },
        }
    }

    /// Returns the message whose lease or delay ended first by now.
    fn overdue(&self) -> Option<u64> {
        let due = self.messages.iter().filter_map(|(seq, message)| {
            let until = match message.wait {
                Wait::Reader(_, until, _) | Wait::Delay(until) => until,
                Wait::First | Wait::Again => return None,
            };
            (until <= self.now).then_some((until, *seq))
        });
        due.min().map(|(_, seq)| seq)
    }

    /// Returns the messages in a range that `owner` has on trust.
    fn held(&self, owner: usize, first: u64, last: u64) -> Vec<u64> {
        let messages = self.messages.range(first..=last);
        let held = messages.filter(
            |(_, message)| matches!(message.wait, Wait::Reader(reader, ..) if reader == owner),
        );
        held.map(|(seq, _)| *seq).collect()
    }
}

/// A queue and its model.
struct Bench {
    queue: Queue,
    model: Model,
}

fn limits(max_msgs: u32) -> Limits {
    Limits::new(LONGEST, max_msgs, u64::MAX).expect("limits")
}

impl Bench {
    fn new(max_msgs: u32) -> Self {
        let mut this = Self {
            queue: Queue::new(limits(max_msgs)),
            model: Model {
                max_msgs,
                ..Model::default()
            },
        };
        // Messages that were there before are delivered like later ones.
        if max_msgs > 1 {
            assert!(push(&mut this.queue, 1, 40, None));
            this.model.accept(40);
        }
        this.index(max_msgs);
        this
    }

    /// Gives the queue memory for these limits.
    fn index(&mut self, max_msgs: u32) {
        let index = StoreIndex::new(Leases::span_max_of(max_msgs), LONGEST).expect("memory");
        drop(self.queue.replace_index(Some(index)));
        assert!(self.queue.store_mut().index_more(usize::MAX));
        drop(
            self.queue
                .set_leases(Leases::new(max_msgs).expect("memory")),
        );
    }

    /// Receives up to `most` messages, and checks each of them.
    fn receive(&mut self, most: usize, lease: Option<Lease>) {
        let mut left = most;
        while left > 0 {
            let Some(next) = self.queue.next_delivery() else {
                break;
            };
            let together = next.most.min(left);
            let mut run = Run::NONE;
            let mut walk = self.queue.store().walk_at(next.place);
            let mut seq = next.seq;
            while run.tally.msgs < together as u64 {
                let Some(record) = walk.record() else {
                    break;
                };
                assert_eq!(self.model.next(), Some(seq));
                let message = self.model.messages[&seq];
                assert_eq!(
                    (record.len, next.deliveries),
                    (message.len, message.deliveries + 1)
                );
                let bytes: Vec<u8> = walk.payload().flatten().copied().collect();
                let expected = (0..message.len as usize).map(|at| pattern(seq, at));
                assert!(expected.eq(bytes), "payload of {seq}");
                run.add(record.len as usize, padded(seq, record.len).len());
                match lease {
                    None => {
                        let gone = self.model.remove(seq);
                        self.model.dequeued.merge(gone);
                    }
                    Some(lease) => {
                        let message = self.model.messages.get_mut(&seq).expect("a message");
                        message.deliveries += 1;
                        message.wait = Wait::Reader(lease.owner, lease.until, lease.max_deliveries);
                    }
                }
                seq += 1;
            }
            let msgs = run.tally.msgs;
            let freed = self.queue.deliver_by(run, lease);
            assert_eq!(freed, if lease.is_none() { msgs } else { 0 });
            left -= msgs as usize;
        }
    }

    /// Ends leases of `owner`, in steps of at most `limit` messages.
    fn settle(&mut self, owner: usize, range: (u64, u64), verdict: Verdict, limit: u32) {
        let base = self.model.first();
        let (first, last) = (base + range.0, base + range.1);
        let mut expected = Settled::default();
        for seq in self.model.held(owner, first, last) {
            match verdict {
                Verdict::Consume => {
                    let gone = self.model.remove(seq);
                    self.model.dequeued.merge(gone);
                    expected.msgs += 1;
                    expected.freed += 1;
                }
                Verdict::GiveBack { later } => self.model.give_back(seq, later, &mut expected),
            }
        }
        let (mut found, mut from) = (Settled::default(), first);
        loop {
            let (settled, next) = self
                .queue
                .settle_leases(owner, (from, last), verdict, limit);
            assert!(settled.msgs <= limit.into());
            found.msgs += settled.msgs;
            found.returned += settled.returned;
            found.freed += settled.freed;
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
        assert_eq!(found, expected);
    }

    fn end(&mut self, limit: u32) {
        let mut expected = Settled::default();
        for _ in 0..limit {
            let Some(seq) = self.model.overdue() else {
                break;
            };
            self.model.give_back(seq, None, &mut expected);
        }
        let (settled, more) = self.queue.end_leases(self.model.now, limit);
        assert_eq!((settled, more), (expected, expected.msgs == limit.into()));
    }

    fn expire(&mut self, age: u64, limit: u32) {
        let cutoff = self.model.last_seq.saturating_sub(age);
        let mut gone = 0;
        while let Some(seq) = self
            .model
            .next()
            .filter(|seq| gone < limit && *seq <= cutoff)
        {
            let tally = self.model.remove(seq);
            self.model.expired.merge(tally);
            gone += 1;
        }
        assert_eq!(self.queue.expire(cutoff, limit), gone);
    }

    fn step(&mut self, op: &Op) {
        let seq = self.model.last_seq + 1;
        match *op {
            Op::Push(len) => {
                let accepted = push(&mut self.queue, seq, len, None);
                assert_eq!(accepted, !self.model.is_full());
                if accepted {
                    self.model.accept(len);
                }
            }
            Op::Replace(len) => {
                assert_eq!(self.queue.can_replace_front(), self.model.can_replace());
                if self.model.is_full() && self.model.can_replace() {
                    let oldest = self.model.next().expect("a message");
                    assert!(push_slow(&mut self.queue, seq, len, None, true));
                    let gone = self.model.remove(oldest);
                    self.model.dropped.merge(gone);
                    self.model.accept(len);
                }
            }
            Op::Lease(owner, most, time, max_deliveries) => {
                let until = self.model.now + time;
                let lease = Lease {
                    owner,
                    until,
                    max_deliveries,
                };
                self.receive(most, Some(lease));
            }
            Op::Read(most) => self.receive(most, None),
            Op::Ack(owner, range, limit) => self.settle(owner, range, Verdict::Consume, limit),
            Op::Nack(owner, range, delay, limit) => {
                let later = (delay > 0).then_some(self.model.now + delay);
                self.settle(owner, range, Verdict::GiveBack { later }, limit);
            }
            Op::Tick(time) => self.model.now += time,
            Op::End(limit) => self.end(limit),
            Op::Expire(age, limit) => self.expire(age, limit),
            Op::Clear => {
                drop(self.queue.clear());
                let depth = self.model.depth();
                self.model.dropped.merge(depth);
                self.model.messages.clear();
            }
            Op::Trim(idle) => drop(self.queue.store_mut().trim(idle)),
            Op::Limit(max_msgs) => {
                if self.model.messages.is_empty() {
                    self.index(max_msgs);
                    self.queue.set_limits(limits(max_msgs));
                    self.model.max_msgs = max_msgs;
                }
            }
        }
    }

    fn compare(&self) {
        let model = &self.model;
        let counters = self.queue.counters();
        assert_eq!(self.queue.depth(), model.depth());
        assert_eq!(
            [
                counters.enqueued,
                counters.dequeued,
                counters.expired,
                counters.dropped
            ],
            [model.enqueued, model.dequeued, model.expired, model.dropped]
        );
        assert_eq!(self.queue.first_seq(), model.first());
        assert_eq!(self.queue.is_full(), model.is_full());
        assert_eq!(self.queue.is_empty(), model.next().is_none());
        let next = self.queue.next_delivery();
        assert_eq!(next.map(|next| next.seq), model.next());
        let leases = self.queue.leases().expect("leases");
        let due = model
            .messages
            .values()
            .filter_map(|message| match message.wait {
                Wait::Reader(_, until, _) | Wait::Delay(until) => Some(until),
                Wait::First | Wait::Again => None,
            });
        assert_eq!(leases.next_due(), due.min());
        let ready = model
            .messages
            .values()
            .filter(|message| matches!(message.wait, Wait::First | Wait::Again));
        let span = ready.map(|message| 64 + message.len.next_multiple_of(8) as usize);
        assert_eq!(self.queue.deliverable_span(64), span.sum());
        for owner in 1..=OWNERS {
            let (mut held, mut from) = (0, Some(0));
            while let Some(first) = from {
                let (some, next) = self.queue.count_leases(owner, first, 3);
                held += some;
                from = next;
            }
            assert_eq!(held, model.held(owner, 0, u64::MAX).len() as u64);
        }
    }
}

proptest! {
    #[test]
    fn queue_with_leases_does_what_its_model_does(
        max_msgs in 1..40u32,
        ops in vec(ops(), 1..150),
    ) {
        let mut bench = Bench::new(max_msgs);
        bench.compare();
        for op in &ops {
            bench.step(op);
            bench.compare();
        }
        // All come back, and the memory can go once they are consumed.
        bench.model.now += 1000;
        bench.end(u32::MAX);
        bench.receive(usize::MAX, None);
        bench.compare();
        prop_assert!(bench.queue.depth() == Tally::NONE);
        prop_assert!(bench.queue.take_unused_leases().is_some());
        prop_assert!(push(&mut bench.queue, bench.model.last_seq + 1, 8, None));
    }
}
