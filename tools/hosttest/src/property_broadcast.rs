// SPDX-License-Identifier: GPL-2.0

//! Random operations on queues from which files read by positions of their own, compared with a
//! simple model: broadcast pipes with their subscriptions, and queues that files browse.
//!
//! Each test has 256 cases, or as many as the variable `PROPTEST_CASES` says. A failure is stored as
//! in `property`.

use crate::{
    log::{
        counters::Tally,
        fanout::Fanout,
        iter::Run,
        limits::Limits,
        message::Record,
        queue::Queue,
        store::{Place, StoreIndex},
        subscription::{Kind, Search, Start, Subscription},
    },
    property::{cursor, padded, pattern, push, push_slow, reserve, sender, stamp, LONGEST},
    property_broadcast_model::{File, Leave, Model},
    property_broadcast_ops::{ops, From, Op, FILES},
};
use proptest::{collection::vec, prelude::*};
use std::collections::VecDeque;

/// A queue, its model, and the files that read from positions of their own.
struct Bench {
    queue: Queue,
    model: Model,
    subscriptions: Vec<Subscription>,
    /// The models of these subscriptions.
    files: Vec<File>,
    /// A search that has not ended.
    search: Option<(Kind, Start, Search)>,
}

/// Returns an index for `max_msgs` messages and this history.
fn index(max_msgs: u32, history: u32) -> StoreIndex {
    StoreIndex::new((max_msgs + history) as usize, LONGEST).expect("memory")
}

fn limits(max_msgs: u32) -> Limits {
    Limits::new(LONGEST, max_msgs, u64::MAX).expect("limits")
}

impl Bench {
    /// Makes an empty queue. With a `history`, it is that of a broadcast pipe.
    fn new(max_msgs: u32, history: Option<u32>) -> Self {
        let mut queue = Queue::new(limits(max_msgs));
        if let Some(history) = history {
            assert!(queue
                .replace_index(Some(index(max_msgs, history)))
                .is_none());
            let fanout = Fanout::new(max_msgs, history).expect("memory");
            assert!(queue.set_fanout(fanout).is_none());
        }
        Self {
            queue,
            model: Model::new(history.map(u64::from), max_msgs.into()),
            subscriptions: Vec::new(),
            files: Vec::new(),
            search: None,
        }
    }

    /// Returns the index of a file, if there are any.
    fn file(&self, file: usize) -> Option<usize> {
        file.checked_rem(self.files.len())
    }

    fn step(&mut self, op: &Op) {
        let seq = self.model.next();
        match op {
            Op::Push(len) => {
                let accepted = push(&mut self.queue, seq, *len, None);
                assert_eq!(accepted, !self.model.is_full());
                if accepted {
                    self.model.accept(&self.files, &[*len], false);
                }
            }
            Op::Fail(len) => assert!(!push(&mut self.queue, seq, *len, Some(0))),
            Op::Replace(len) => self.replace(seq, *len),
            Op::PushMany(lens) => self.send_many(seq, lens),
            Op::Discard(len) => {
                self.queue.discard(*len);
                self.model.discards += 1;
                self.model.enqueued.add(*len as usize);
                self.model.dropped.add(*len as usize);
            }
            Op::Pop(most) if self.model.history.is_none() => self.pop(*most),
            Op::Pop(_) => {}
            Op::Search(kind, from, limit) => self.begin_search(*kind, *from, *limit),
            Op::Subscribe(limit) => self.subscribe(*limit),
            Op::Look(file) => {
                if let Some(file) = self.file(*file) {
                    self.queue.catch_up(&mut self.subscriptions[file]);
                    self.model.catch_up(&mut self.files[file]);
                }
            }
            Op::Read(file, most) => {
                if let Some(file) = self.file(*file) {
                    self.read(file, *most);
                }
            }
            Op::Unsubscribe(file, limit) => {
                if let Some(file) = self.file(*file) {
                    self.queue
                        .unsubscribe(&self.subscriptions.swap_remove(file));
                    self.files.swap_remove(file);
                    self.settle(*limit);
                }
            }
            Op::Settle(limit) => self.settle(*limit),
            Op::Expire(age, limit) => self.expire(*age, *limit),
            Op::Clear => self.clear(),
            Op::Trim(idle) => drop(self.queue.store_mut().trim(*idle)),
            Op::Cursor(bytes) => {
                let model = &mut self.model;
                let stored = model.stored..model.next();
                let stored: VecDeque<_> = stored.map(|seq| (seq, model.message(seq).len)).collect();
                cursor(
                    &mut self.queue,
                    &mut model.cursor,
                    &stored,
                    &model.firsts,
                    *bytes,
                );
            }
            Op::EndCursor => {
                self.model.cursor = None;
                drop(self.queue.store_mut().cursor_end());
            }
            Op::Limit(max_msgs) => self.limit(*max_msgs),
            Op::IndexMore(limit) => {
                self.queue.store_mut().index_more(*limit);
            }
            Op::Unindex => {
                if self.model.history.is_none() && self.files.is_empty() && self.search.is_none() {
                    drop(self.queue.replace_index(None));
                }
            }
        }
    }

    /// Sends a message of `len` bytes over the oldest one. In a queue, that one leaves even if there
    /// is room.
    fn replace(&mut self, seq: u64, len: u32) {
        assert!(push_slow(&mut self.queue, seq, len, None, true));
        let model = &mut self.model;
        if model.history.is_none() && model.first < model.next() {
            model.leave(Leave::Dropped);
        }
        model.accept(&self.files, &[len], true);
    }

    /// Sends messages of the lengths `lens` at once, as long as slots are free and the current
    /// segments have room.
    fn send_many(&mut self, first: u64, lens: &[u32]) {
        let payloads: Vec<_> = (first..)
            .zip(lens)
            .map(|(seq, len)| padded(seq, *len))
            .collect();
        let messages = lens.iter().copied().zip(payloads.iter().map(Vec::as_slice));
        let run = match *lens {
            [len] => reserve(&mut self.queue, first, len, &payloads[0]),
            _ => self.queue.stage(sender(first), stamp(first), messages),
        };
        let room = self.model.max_msgs.saturating_sub(self.model.depth().msgs);
        assert!(run.tally.msgs <= room.min(lens.len() as u64));
        if run != Run::NONE && lens.len() % 4 > 0 {
            self.queue.commit(run, first);
            let accepted = &lens[..run.tally.msgs as usize];
            self.model.accept(&self.files, accepted, false);
        }
    }

    /// Receives up to `most` messages of a queue, in the way of all readers.
    fn pop(&mut self, most: usize) {
        let mut run = Run::NONE;
        let mut walk = self.queue.store().walk_at(Place::Front);
        for seq in (self.model.first..).take(most) {
            let Some(record) = walk.record() else {
                assert_eq!(seq, self.model.next());
                break;
            };
            let payload = walk.payload().flatten().copied();
            self.model.check_message(seq, &record, payload);
            run.add(record.len as usize, padded(seq, record.len).len());
        }
        match (run.tally.msgs, self.model.cursor.is_none()) {
            (0, _) => return,
            (1, true) if self.queue.pop_contiguous(|_| true).is_some() => {}
            _ => self.queue.deliver_all(run),
        }
        for _ in 0..run.tally.msgs {
            self.model.leave(Leave::Delivered);
        }
    }

    /// Begins a search for the position of a file. A queue gets an index first.
    fn begin_search(&mut self, kind: Kind, from: From, limit: u32) {
        if self.files.len() == FILES {
            return;
        }
        if !self.queue.store().is_indexed() {
            let index = index(self.model.max_msgs as u32, 0);
            assert!(self.queue.replace_index(Some(index)).is_none());
        }
        while !self.queue.store_mut().index_more(1) {}
        let near = |by: i64| self.model.next().saturating_add_signed(by);
        let start = match from {
            From::Open => Start::Open,
            From::Now => Start::Now,
            From::Oldest => Start::Oldest,
            From::Seq(by) => Start::Seq(near(by)),
            From::Time(by) => Start::Time(near(by)),
        };
        let kind = match self.model.history {
            Some(_) => kind,
            None => Kind::Browse,
        };
        self.search = Some((kind, start, Search::new(start)));
        self.subscribe(limit);
    }

    /// Continues the search over `limit` messages. At its end, a file begins to read there.
    fn subscribe(&mut self, limit: u32) {
        let Some((kind, start, mut search)) = self.search.take() else {
            return;
        };
        if !self.queue.search(&mut search, limit) {
            self.search = Some((kind, start, search));
            return;
        }
        let at = self.model.position(start);
        let subscription = self.queue.subscribe(kind, &search);
        assert_eq!((subscription.next_seq(), subscription.kind()), (at, kind));
        self.subscriptions.push(subscription);
        let mut file = File {
            kind,
            at,
            discards: 0,
            unreported: 0,
            lost: 0,
            expired: 0,
            received: 0,
            began: (at, 0),
        };
        self.model.catch_up(&mut file);
        file.began.1 = file.discards;
        (file.lost, file.unreported) = (0, 0);
        self.files.push(file);
    }

    /// Receives up to `most` messages at once through a file.
    fn read(&mut self, file: usize, most: usize) {
        // Every second message takes the fast path, if it can.
        if most == 1 && self.model.next() % 2 == 0 && self.read_contiguous(file) {
            return;
        }
        let (subscription, model) = (&mut self.subscriptions[file], &mut self.model);
        self.queue.catch_up(subscription);
        model.catch_up(&mut self.files[file]);
        assert_eq!(subscription.unreported(), self.files[file].unreported);
        let at = self.files[file].at;
        let Some(place) = self.queue.next_place(subscription) else {
            assert_eq!(at, model.next());
            return;
        };
        let mut run = Run::NONE;
        if most == 1 {
            let (record, payload) = self.queue.store().message_at(place).expect("a message");
            model.check_message(at, &record, payload.flatten().copied());
            run = Run::one(record.len);
        } else if most % 2 == 0 {
            let messages = self.queue.store().contiguous_messages(place);
            for (seq, (packed, payload)) in (at..model.next()).zip(messages).take(most) {
                let record = Record::decode(packed);
                let bytes = payload[..record.len as usize].iter().copied();
                model.check_message(seq, &record, bytes);
                run.add(record.len as usize, payload.len());
            }
        } else {
            let mut walk = self.queue.store().walk_at(place);
            for seq in (at..model.next()).take(most) {
                let record = walk.record().expect("a record");
                model.check_message(seq, &record, walk.payload().flatten().copied());
                run.add(record.len as usize, padded(seq, record.len).len());
            }
            let all = model.next() - at;
            assert_eq!(run.tally.msgs, all.min(most as u64));
        }
        if run == Run::NONE {
            return;
        }
        let freed = self.queue.advance(subscription, run);
        self.has_read(file, run.tally.msgs, run.tally.msgs as u32, freed);
    }

    /// Receives a message through a file by the fast path. Returns whether that was possible, which
    /// it is not if the file has missed anything.
    fn read_contiguous(&mut self, file: usize) -> bool {
        let subscription = &mut self.subscriptions[file];
        let mut ticket = subscription.ticket();
        if !self.queue.has_no_discard(&ticket) {
            return false;
        }
        let Some(payload) = self.queue.next_contiguous(&ticket) else {
            return false;
        };
        let bytes = payload.to_vec();
        let len = bytes.len() as u32;
        let freed = self.queue.pass_contiguous(&mut ticket, bytes.len());
        subscription.move_to(&ticket);
        let mut missed = self.files[file].clone();
        self.model.catch_up(&mut missed);
        let File { at, lost, .. } = self.files[file];
        assert_eq!((missed.at, missed.lost), (at, lost), "nothing is missed");
        assert_eq!(
            (bytes.len(), len),
            (len as usize, self.model.message(at).len)
        );
        let same = |(offset, byte): (usize, &u8)| *byte == pattern(at, offset);
        assert!(bytes.iter().enumerate().all(same), "payload of {at}");
        // Messages that an ended subscription has left are not looked at.
        let leaving = u32::from(at == self.model.first);
        self.has_read(file, 1, leaving, freed);
        true
    }

    /// Moves the model of a file over `msgs` messages that it has read, after which at most `leaving`
    /// ones leave. That has `freed` so many slots.
    fn has_read(&mut self, file: usize, msgs: u64, leaving: u32, freed: u64) {
        let (model, file) = (&mut self.model, &mut self.files[file]);
        let at = file.at;
        (file.at, file.unreported) = (at + msgs, 0);
        file.received += msgs;
        let mut expected = 0;
        if file.kind == Kind::Own {
            for seq in at.max(model.first)..at + msgs {
                model.all[seq as usize - 1].was_read = true;
            }
            expected = model.settle(&self.files, leaving);
        }
        assert_eq!(freed, expected, "slots that became free");
    }

    fn settle(&mut self, limit: u32) {
        let expected = self.model.settle(&self.files, limit);
        assert_eq!(self.queue.settle(limit), expected);
    }

    /// Drops the messages that are older than the `age` newest ones, but at most `limit` of them.
    fn expire(&mut self, age: u64, limit: u32) {
        let model = &mut self.model;
        let cutoff = (model.next() - 1).saturating_sub(age);
        let mut expired = 0;
        while expired < limit
            && model.stored < model.next()
            && model.sent_as(model.stored) <= cutoff
        {
            if model.stored == model.first {
                model.leave(Leave::Expired);
                model.stored = model.first;
            } else {
                model.stored += 1;
            }
            expired += 1;
        }
        assert_eq!(self.queue.expire(cutoff, limit), expired);
    }

    fn clear(&mut self) {
        let model = &mut self.model;
        while model.first < model.next() {
            model.leave(Leave::Dropped);
        }
        model.stored = model.next();
        model.dropped_end = model.next();
        drop(self.queue.clear());
    }

    /// Changes the maximum number of messages of an empty queue, which drops the history.
    fn limit(&mut self, max_msgs: u32) {
        if self.model.depth() != Tally::NONE {
            return;
        }
        let history = self.model.history.unwrap_or(0) as u32;
        let max_msgs = max_msgs.max(history);
        if self.model.history.is_some() {
            self.clear();
        }
        if self.queue.store().is_indexed() {
            let old = self.queue.replace_index(Some(index(max_msgs, history)));
            assert!(old.is_some());
            assert!(self.queue.store_mut().index_more(3));
        }
        if self.model.history.is_some() {
            let fanout = Fanout::new(max_msgs, history).expect("memory");
            assert!(self.queue.set_fanout(fanout).is_some());
        }
        self.queue.set_limits(limits(max_msgs));
        self.model.max_msgs = max_msgs.into();
    }

    /// Compares the queue and all files with their models.
    fn compare(&self) {
        let (queue, model) = (&self.queue, &self.model);
        let counters = queue.counters();
        assert_eq!(queue.depth(), model.depth());
        assert_eq!(counters.peak, model.peak);
        assert_eq!(counters.enqueued, model.enqueued);
        assert_eq!(counters.dequeued, model.dequeued);
        assert_eq!(counters.expired, model.expired);
        assert_eq!(counters.dropped, model.dropped);
        let mut sum = queue.depth();
        for tally in [counters.dequeued, counters.expired, counters.dropped] {
            sum.merge(tally);
        }
        assert_eq!(counters.enqueued, sum, "accounting identity");
        assert_eq!(queue.is_empty(), model.first == model.next());
        assert_eq!(queue.is_full(), model.is_full());
        assert_eq!(queue.next_seq(), model.next());
        assert_eq!(queue.first_seq(), model.first);
        assert_eq!(queue.stored_seq(), model.stored);
        assert_eq!(queue.store().depth(), model.tally(model.stored));
        let len = |seq| (seq < model.next()).then(|| model.message(seq).len);
        let lens = [queue.front(), queue.head()].map(|found| found.map(|record| record.len));
        assert_eq!(lens[0], len(model.stored));
        if queue.store().is_indexed() || model.first == model.stored {
            assert_eq!(lens[1], len(model.first));
        }
        if let Some(fanout) = queue.fanout() {
            let retained = model.tally(model.stored).without(model.depth());
            assert_eq!(fanout.retained(), retained);
            assert!(retained.msgs <= model.history.unwrap_or(0));
        }
        assert_eq!(queue.store().payload_span(), model.span(model.stored));

        for (subscription, file) in self.subscriptions.iter().zip(&self.files) {
            let (mut subscription, mut file) = (*subscription, file.clone());
            queue.catch_up(&mut subscription);
            model.catch_up(&mut file);
            let found = [
                subscription.next_seq(),
                subscription.unreported(),
                subscription.lost(),
                subscription.expired(),
            ];
            let expected = [file.at, file.unreported, file.lost, file.expired];
            assert_eq!(found, expected, "{file:?}");
            assert_eq!(queue.lag(&subscription), model.next() - file.at);
            assert_eq!(
                queue.next_place(&subscription).is_some(),
                file.at < model.next()
            );
            assert_eq!(queue.span_behind(&subscription), model.span(file.at));
            // Each message from the start of the file on is accounted for.
            let (at, discards) = file.began;
            assert_eq!(
                (file.at - at) + (file.discards - discards),
                file.received + file.lost + file.expired
            );
            assert_eq!(subscription.received(), file.received);
            let published = model.next() - at + (file.discards - discards);
            assert_eq!(queue.published(&subscription), published);
        }
    }

    /// Reads what is left, and ends all files. The queue is empty then, but for its history.
    fn end(mut self) {
        for file in 0..self.files.len() {
            while self.queue.lag(&self.subscriptions[file]) > 0 {
                self.read(file, 1);
            }
            self.compare();
        }
        while !self.files.is_empty() {
            self.step(&Op::Unsubscribe(0, 1));
        }
        self.settle(u32::MAX);
        self.step(&Op::Pop(usize::MAX));
        self.step(&Op::EndCursor);
        self.step(&Op::Trim(true));
        self.compare();
        assert_eq!(self.queue.depth(), Tally::NONE);
    }
}

/// Applies `ops` to a queue and its model, and compares them after each.
fn run(max_msgs: u32, history: Option<u32>, ops: &[Op]) {
    let mut bench = Bench::new(max_msgs, history);
    for op in ops {
        bench.step(op);
        bench.compare();
    }
    bench.end();
}

proptest! {
    #[test]
    fn broadcast_matches_its_model(
        max_msgs in 1..40u32,
        history in prop_oneof![2 => Just(0), 1 => 1..5u32, 1 => 1..40u32],
        ops in vec(ops(), 1..250),
    ) {
        run(max_msgs, Some(history.min(max_msgs)), &ops);
    }

    #[test]
    fn browsed_queue_matches_its_model(max_msgs in 1..40u32, ops in vec(ops(), 1..250)) {
        run(max_msgs, None, &ops);
    }
}

/// The fast path and the slow path give the same, so the random operations do not miss the former.
#[test]
fn the_fast_path_finds_a_message_in_one_piece() {
    let mut bench = Bench::new(2, Some(0));
    bench.step(&Op::Search(Kind::Own, From::Now, 1));
    bench.step(&Op::Push(8));
    let payload = bench
        .queue
        .next_contiguous(&bench.subscriptions[0].ticket());
    assert_eq!(payload.map(<[u8]>::len), Some(8));
}

/// The model of a file that is attached again begins anew.
#[test]
fn losses_can_be_forgotten() {
    let mut bench = Bench::new(2, Some(0));
    bench.step(&Op::Search(Kind::Browse, From::Now, 1));
    bench.step(&Op::Push(8));
    let mut subscription = bench.subscriptions[0];
    bench.queue.catch_up(&mut subscription);
    assert_eq!((subscription.lost(), subscription.unreported()), (1, 1));
    subscription.forget_losses();
    assert_eq!((subscription.lost(), subscription.unreported()), (0, 0));
}
