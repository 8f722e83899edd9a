// SPDX-License-Identifier: GPL-2.0

//! Random operations on queues with priorities, and with messages that have a time to live, compared
//! with a simple model: a list of messages for each priority.
//!
//! Each test has 256 cases, or as many as the variable `PROPTEST_CASES` says. A failure is stored as
//! in `property`.

use crate::{
    kernel_ext::mm::segment::{Segment, SEGMENT_SIZE},
    log::{
        counters::Tally,
        dump::DumpMemory,
        iter::Run,
        lane::Lane,
        lanes::{Lanes, SweepPosition},
        limits::Limits,
        message::{Class, Label},
        queue::Queue,
        store::Place,
        stream::Segments,
    },
    property::{lengths, padded, pattern, sender, stamp, LONGEST},
};
use proptest::{collection::vec, prelude::*, sample::select};
use std::collections::{HashMap, VecDeque};

/// Operation on a queue with priorities.
#[derive(Clone, Debug)]
enum Op {
    /// Sends a message of this priority, time to live, and length. The copy of the piece with this
    /// index fails, if there is one.
    Push(u32, u64, u32, Option<usize>),
    /// Sends a message of this priority and length that takes the slot of the oldest one of the
    /// lowest priority, unless all are higher.
    Replace(u32, u32),
    /// Receives a message.
    Pop,
    /// Removes the messages that are older than the given number of newest ones, up to a limit.
    Expire(u64, u32),
    /// Drops all messages.
    Clear,
    /// Removes all messages that have expired, looking at so many at once.
    Sweep(u64),
    /// Frees memory: all that holds no message, or only part of it.
    Trim(bool),
    /// Advances the dump by this many bytes. Begins one if there is none.
    Dump(usize),
    /// Ends the dump.
    EndDump,
    /// Reserves this many slots, or changes the maximum number of messages of an empty queue.
    Limit(u32),
}

fn priorities() -> impl Strategy<Value = u32> {
    prop_oneof![
        3 => 0..3u32,
        2 => 0..PRIORITIES,
        1 => Just(PRIORITIES - 1),
    ]
}

fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (priorities(), lengths()).prop_map(|(priority, len)| Op::Push(priority, 0, len, None)),
        4 => (priorities(), 1..20u64, lengths())
            .prop_map(|(priority, ttl, len)| Op::Push(priority, ttl, len, None)),
        1 => (priorities(), 0..9u64, lengths(), 0..3usize)
            .prop_map(|(priority, ttl, len, piece)| Op::Push(priority, ttl, len, Some(piece))),
        3 => (priorities(), lengths()).prop_map(|(priority, len)| Op::Replace(priority, len)),
        9 => Just(Op::Pop),
        1 => (0..6u64, 0..6u32).prop_map(|(age, limit)| Op::Expire(age, limit)),
        1 => Just(Op::Clear),
        3 => (1..9u64).prop_map(Op::Sweep),
        2 => any::<bool>().prop_map(Op::Trim),
        4 => (0..2 * SEGMENT_SIZE).prop_map(Op::Dump),
        1 => Just(Op::EndDump),
        1 => (1..40u32).prop_map(Op::Limit),
    ]
}

/// Number of priorities.
const PRIORITIES: u32 = 32;

/// Sequence number, priority and length of a message.
pub(crate) type Message = (u64, u32, u32);

/// Returns the class of messages of this priority and time to live.
fn class(priority: u32, ttl_ns: u64) -> Class {
    Class { priority, ttl_ns }
}

/// Model of a queue with priorities.
struct Model {
    lanes: Vec<VecDeque<Message>>,
    /// The deadlines of messages that have one, by sequence number.
    deadlines: HashMap<u64, u64>,
    /// The messages before this one are in the store of the queue, in front of its lane.
    begin: u64,
    last_seq: u64,
    max_msgs: u32,
    peak: Tally,
    enqueued: Tally,
    dequeued: Tally,
    expired: Tally,
    dropped: Tally,
    /// What a dump has yet to return, and the bytes of the first message that it has returned, or
    /// [`None`] before its record.
    dump: Option<(VecDeque<Message>, Option<usize>)>,
}

impl Model {
    /// Returns all messages in the order of reads.
    fn all(&self) -> VecDeque<Message> {
        self.lanes.iter().rev().flatten().copied().collect()
    }

    fn depth(&self) -> Tally {
        let mut depth = Tally::NONE;
        for (_, _, len) in self.all() {
            depth.add(len as usize);
        }
        depth
    }

    fn is_full(&self) -> bool {
        self.depth().msgs >= self.max_msgs.into()
    }

    fn accept(&mut self, priority: u32, len: u32) {
        self.last_seq += 1;
        self.lanes[priority as usize].push_back((self.last_seq, priority, len));
        self.enqueued.add(len as usize);
        let depth = self.depth();
        self.peak.msgs = self.peak.msgs.max(depth.msgs);
        self.peak.bytes = self.peak.bytes.max(depth.bytes);
    }

    /// Returns whether a message has expired. The time is the last sequence number.
    fn has_expired(&self, (seq, _, _): Message) -> bool {
        let deadline = self.deadlines.get(&seq);
        deadline.is_some_and(|deadline| *deadline <= self.last_seq)
    }

    /// Removes messages that have expired: all, or the oldest ones of each priority.
    fn expire(&mut self, all: bool) {
        for lane in 0..self.lanes.len() {
            let mut kept: VecDeque<Message> = VecDeque::new();
            let mut messages = std::mem::take(&mut self.lanes[lane]);
            while let Some(message) = messages.pop_front() {
                let is_front = kept.iter().all(|(seq, _, _)| *seq < self.begin);
                if self.has_expired(message) && (all || is_front) {
                    self.expired.add(message.2 as usize);
                } else {
                    kept.push_back(message);
                }
            }
            self.lanes[lane] = kept;
        }
    }

    /// Removes the message that is read next.
    fn take(&mut self) -> Option<Message> {
        self.lanes.iter_mut().rev().find_map(VecDeque::pop_front)
    }

    /// Returns the lane whose oldest message makes room for one of this priority.
    fn lane_that_makes_room(&mut self, priority: u32) -> Option<&mut VecDeque<Message>> {
        let mut lanes = self.lanes.iter_mut().take(priority as usize + 1);
        lanes.find(|lane| !lane.is_empty())
    }
}

/// Sends a message on the slow path. Returns whether it was accepted.
pub(crate) fn push_slow(
    queue: &mut Queue,
    (seq, priority, len): Message,
    ttl: u64,
    fails_at: Option<usize>,
    over_oldest: bool,
) -> bool {
    if queue.lacks_lanes(class(priority, ttl)) {
        queue.set_lanes(Lanes::new(1).unwrap());
    }
    if queue.lacks_lane(priority) {
        assert!(queue.add_lane(priority, Lane::new().unwrap()).is_none());
        // The lane is not needed twice.
        assert!(queue.add_lane(priority, Lane::new().unwrap()).is_some());
    }
    let mut fresh = Segments::new();
    for _ in 0..queue.preallocate(&mut fresh, len as usize) {
        fresh.push_back(Segment::new().expect("memory"));
    }
    // What is preallocated suffices wherever the payload starts.
    assert_eq!(queue.provide(&mut fresh, priority, len as usize), 0);
    let (mut at, mut pieces) = (0, 0);
    let copy = |piece: &mut [u8]| {
        for byte in piece {
            *byte = pattern(seq, at);
            at += 1;
        }
        pieces += 1;
        Some(pieces - 1) != fails_at
    };
    let (class, signed) = (class(priority, ttl), (sender(seq), stamp(seq)));
    let accepted = queue.push_prioritized(class, len, signed, over_oldest, &mut fresh, copy);
    if accepted {
        assert!(fresh.is_empty());
        assert_eq!(at, len as usize);
    } else {
        // The sender takes the memory back, as it does before a retry.
        queue.provide(&mut fresh, priority, 1);
    }
    accepted
}

/// Sends a message, of which the copy of one piece fails.
fn send(queue: &mut Queue, model: &mut Model, op: (u32, u64, u32), piece: Option<usize>) {
    let (priority, ttl, len) = op;
    let seq = model.last_seq + 1;
    if queue.lacks_lanes(class(priority, ttl)) {
        model.begin = seq;
    }
    // A message longer than a segment has at least two pieces.
    let fails_at = piece.map(|piece| piece.min(usize::from(len as usize > SEGMENT_SIZE)));
    let mut accepted = false;
    // Every second message takes the fast path, if it is contiguous.
    if seq % 2 == 0 && fails_at.is_none() && ttl == 0 && queue.is_in_lanes() {
        let signed = (sender(seq), stamp(seq));
        accepted = queue.try_push_in_lane(priority, len, &padded(seq, len), signed);
    }
    if !accepted {
        accepted = push_slow(queue, (seq, priority, len), ttl, fails_at, false);
    }
    assert_eq!(accepted, !model.is_full() && fails_at.is_none());
    if accepted {
        model.accept(priority, len);
        if ttl > 0 {
            model.deadlines.insert(seq, seq + ttl);
        }
    }
}

/// Sends a message that takes the slot of the oldest one of the lowest priority, or is discarded.
fn replace(queue: &mut Queue, model: &mut Model, priority: u32, len: u32) {
    let seq = model.last_seq + 1;
    let lane = model.lane_that_makes_room(priority);
    assert_eq!(queue.has_oldest_for(priority), lane.is_some());
    let Some((_, _, dropped)) = lane.and_then(VecDeque::pop_front) else {
        queue.discard(len);
        model.enqueued.add(len as usize);
        model.dropped.add(len as usize);
        return;
    };
    assert!(push_slow(queue, (seq, priority, len), 0, None, true));
    model.dropped.add(dropped as usize);
    model.accept(priority, len);
}

/// Receives a message.
fn receive(queue: &mut Queue, model: &mut Model) {
    let front = queue.next_store().message_at(Place::Front);
    let front = front.map(|(record, pieces)| {
        let bytes: Vec<u8> = pieces.flatten().copied().collect();
        (queue.next_label(), record, bytes)
    });
    let expected = model.take();
    assert_eq!(front.is_some(), expected.is_some());
    let (Some((label, record, bytes)), Some((seq, priority, len))) = (front, expected) else {
        assert_eq!(queue.next_label(), Label::plain(model.last_seq + 1));
        return;
    };
    assert_eq!((label, record.len), (Label { seq, priority }, len));
    assert_eq!((record.sender, record.stamp), (sender(seq), stamp(seq)));
    assert_eq!(bytes, padded(seq, len)[..len as usize]);
    let take = |payload: &[u8]| payload == bytes;
    // Two of four messages take the fast path, if they are contiguous.
    let is_slow = seq % 4 >= 2 || model.dump.is_some() || queue.has_deadlines();
    if is_slow || !queue.is_in_lanes() || queue.try_pop_in_lane(take).is_none() {
        queue.deliver_all(Run::one(len));
    }
    model.dequeued.add(len as usize);
}

/// Removes the messages that are older than the `age` newest ones, at most `limit` at once.
fn expire(queue: &mut Queue, model: &mut Model, age: u64, limit: u32) {
    let cutoff = model.last_seq.saturating_sub(age);
    let mut expired = 0;
    for lane in &mut model.lanes {
        while lane.front().is_some_and(|(seq, _, _)| *seq <= cutoff) {
            let (_, _, len) = lane.pop_front().expect("a message");
            model.expired.add(len as usize);
            expired += 1;
        }
    }
    let mut removed = 0;
    loop {
        let (count, more) = queue.expire_oldest(0, Some(cutoff), limit + 1);
        assert!(count <= limit + 1);
        removed += count;
        if !more {
            break;
        }
    }
    assert_eq!(removed, expired);
}

/// A queue, its model, and the memory of a dump.
struct Bench {
    queue: Queue,
    model: Model,
    dump: Option<DumpMemory>,
}

fn limits(max_msgs: u32) -> Limits {
    Limits::new(LONGEST, max_msgs, u64::MAX).expect("limits")
}

impl Bench {
    fn new(max_msgs: u32, priorities: u32) -> Self {
        let mut queue = Queue::new(limits(max_msgs));
        if priorities > 1 {
            queue.set_lanes(Lanes::new(priorities).expect("memory"));
        }
        Self {
            queue,
            model: Model {
                lanes: vec![VecDeque::new(); priorities as usize],
                deadlines: HashMap::new(),
                begin: 0,
                last_seq: 0,
                max_msgs,
                peak: Tally::NONE,
                enqueued: Tally::NONE,
                dequeued: Tally::NONE,
                expired: Tally::NONE,
                dropped: Tally::NONE,
                dump: None,
            },
            dump: None,
        }
    }

    /// Advances the dump by `bytes` bytes of payload. Begins one if there is none.
    fn dump(&mut self, mut bytes: usize) {
        if self.dump.is_none() {
            self.sweep(7);
        }
        let Self { queue, model, dump } = self;
        if dump.is_none() {
            let mut memory = DumpMemory::new(queue.stores_to_dump()).expect("memory");
            assert!(memory.is_enough_for(queue.stores_to_dump()));
            queue.dump_begin(&mut memory);
            model.dump = Some((model.all(), None));
            *dump = Some(memory);
        }
        let (rest, at) = model.dump.as_mut().expect("a dump");
        loop {
            let begun = usize::from(at.is_some());
            assert_eq!(queue.dump_left() as usize, rest.len() - begun);
            let Some((seq, priority, len)) = rest.front().copied() else {
                return;
            };
            let from = match at {
                Some(from) => *from,
                None => {
                    let next = loop {
                        if let Some(next) = queue.dump_next().expect("a message") {
                            break next;
                        }
                    };
                    assert_eq!(next.seq.unwrap_or(seq), seq);
                    assert_eq!(next.priority, priority);
                    assert_eq!((next.record.stamp, next.record.len), (stamp(seq), len));
                    0
                }
            };
            let mut piece = vec![0; bytes.min(len as usize - from)];
            assert_eq!(queue.dump_payload(&mut piece), Some(piece.len()));
            assert_eq!(piece, padded(seq, len)[from..from + piece.len()]);
            let left = len as usize - from - piece.len();
            assert_eq!(queue.dump_payload_left(), left);
            bytes -= piece.len();
            if left > 0 {
                *at = Some(from + piece.len());
                return;
            }
            *at = None;
            rest.pop_front();
        }
    }

    /// Ends the dump.
    fn end_dump(&mut self) {
        if let Some(mut memory) = self.dump.take() {
            drop(self.queue.dump_end(&mut memory));
            self.model.dump = None;
        }
    }

    /// Removes all messages that have expired, looking at `limit` at once.
    fn sweep(&mut self, limit: u64) {
        let now = self.model.last_seq;
        let mut at = SweepPosition::renewing();
        while !self.queue.sweep(&mut at, now, limit).1 {}
        self.model.expire(true);
        let deadlines = self.model.all().into_iter();
        let deadlines = deadlines.filter_map(|(seq, _, _)| self.model.deadlines.get(&seq));
        let earliest = deadlines.min().copied();
        // Holes count as deadlines, until they are removed.
        let found = self.queue.earliest_deadline();
        assert_eq!(found.filter(|found| *found < u64::MAX), earliest);
    }

    /// Removes the oldest messages that have expired, as each operation of a pipe does first.
    fn expire_oldest(&mut self) {
        let now = self.model.last_seq;
        while self.queue.has_expired(now, None) {
            self.queue.expire_oldest(now, None, 3);
        }
        self.model.expire(false);
    }

    /// Frees unused memory: all of it if `idle`, otherwise a part. A queue without deadlines gives
    /// its lanes back.
    fn trim(&mut self, idle: bool) {
        if self.dump.is_none() && self.queue.take_unused_lanes().is_some() {
            assert_eq!((self.model.lanes.len(), self.model.depth().msgs), (1, 0));
            assert!(!self.queue.has_lanes());
        }
        drop(self.queue.trim(idle));
        if idle {
            assert_eq!(self.queue.store().spare_segments(), 0);
            if self.model.depth().msgs == 0 && self.dump.is_none() {
                assert_eq!(self.queue.segments(), 0);
            }
        }
    }

    /// Applies `op` to the queue and the model, and compares the results.
    fn step(&mut self, op: &Op) {
        let (queue, model) = (&mut self.queue, &mut self.model);
        match op {
            Op::Push(priority, ttl, len, piece) => {
                let priority = priority % model.lanes.len() as u32;
                send(queue, model, (priority, *ttl, *len), *piece);
            }
            Op::Replace(priority, len) => {
                replace(queue, model, priority % model.lanes.len() as u32, *len);
            }
            Op::Sweep(limit) if self.dump.is_none() => self.sweep(*limit),
            Op::Sweep(_) => {}
            Op::Pop => receive(queue, model),
            Op::Expire(age, limit) => expire(queue, model, *age, *limit),
            Op::Clear => {
                model.dropped.merge(model.depth());
                model.lanes.iter_mut().for_each(VecDeque::clear);
                drop(queue.clear());
            }
            Op::Trim(idle) => self.trim(*idle),
            Op::Dump(bytes) => self.dump(*bytes),
            Op::EndDump => self.end_dump(),
            Op::Limit(max_msgs) if model.depth().msgs == 0 => {
                model.max_msgs = *max_msgs;
                queue.set_reserved_slots(0);
                queue.set_limits(limits(*max_msgs));
            }
            Op::Limit(slots) => {
                let reserved = slots % queue.limits().max_msgs();
                queue.set_reserved_slots(reserved);
                model.max_msgs = queue.limits().max_msgs() - reserved;
            }
        }
    }

    /// Compares what can be seen of the queue with the model.
    fn compare(&self) {
        let (queue, model) = (&self.queue, &self.model);
        assert_eq!(queue.depth(), model.depth());
        assert_eq!(queue.is_empty(), model.depth().msgs == 0);
        assert_eq!(queue.is_full(), model.is_full());
        assert_eq!(queue.last_seq(), model.last_seq);
        let counters = queue.counters();
        assert_eq!(counters.peak, model.peak);
        assert_eq!(counters.enqueued, model.enqueued);
        assert_eq!(counters.dequeued, model.dequeued);
        assert_eq!(counters.expired, model.expired);
        assert_eq!(counters.dropped, model.dropped);
        let oldest = model.all().iter().map(|(seq, _, _)| *seq).min();
        assert_eq!(queue.oldest_time(), oldest);
        let first = model.all().front().map(|(seq, _, _)| stamp(*seq));
        assert_eq!(queue.next_record().map(|record| record.stamp), first);
        // No path of queues without priorities finds a message or room.
        assert!(model.lanes.len() == 1 || queue.store().front().is_none());
        let span: usize = model
            .all()
            .iter()
            .map(|(_, _, len)| len.next_multiple_of(8) as usize)
            .sum();
        assert!(queue.payload_span() == span || queue.has_deadlines());
    }
}

proptest! {
    // A queue with priorities behaves as its model, which has a list for each priority.
    #[test]
    fn a_queue_with_priorities_behaves_as_a_list_for_each(
        max_msgs in 1..40u32,
        priorities in select(vec![1, PRIORITIES]),
        ops in vec(ops(), 1..200),
    ) {
        let mut bench = Bench::new(max_msgs, priorities);
        for op in &ops {
            bench.step(op);
            bench.expire_oldest();
            bench.compare();
        }
        bench.end_dump();
    }
}
