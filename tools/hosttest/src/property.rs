// SPDX-License-Identifier: GPL-2.0

//! Random operations on the queue, compared with a simple model of it.
//!
//! Each test has 256 cases, or as many as the variable `PROPTEST_CASES` says.
//!
//! A failure prints the smallest failing input that proptest finds, and stores the seed in
//! `proptest-regressions/`. Commit that file.

use crate::{
    kernel_ext::mm::segment::{Segment, SEGMENT_SIZE},
    log::{
        counters::Tally,
        cursor::CursorMemory,
        iter::Run,
        limits::Limits,
        message::{Record, Sender, Stamp},
        queue::Queue,
        store::{Place, Placement},
        stream::Segments,
    },
};
use proptest::{collection::vec, prelude::*, sample::select};
use std::collections::{HashMap, VecDeque};

/// Operation on a queue.
#[derive(Clone, Debug)]
enum Op {
    /// Sends a message of this many bytes.
    Push(u32),
    /// Sends a message of this many bytes, but the copy fails at the piece with this index.
    Fail(u32, usize),
    /// Sends a message of this many bytes that replaces the oldest one, if there is any. The copy
    /// fails at the piece with this index, if there is one.
    Replace(u32, Option<usize>),
    /// Sends a message of this many bytes that is discarded.
    Discard(u32),
    /// Receives a message.
    Pop,
    /// Receives this many messages at once, or all if there are fewer.
    PopMany(usize),
    /// Receives this many messages at once, but only those that are contiguous.
    PopSeen(usize),
    /// Sends messages of these lengths at once, as long as the current segments have room.
    PushMany(Vec<u32>),
    /// Drops the messages that are older than the given number of newest ones, up to a limit.
    Expire(u64, u32),
    /// Drops all messages.
    Clear,
    /// Frees memory: all that holds no message, or only part of it.
    Trim(bool),
    /// Advances the cursor by this many bytes. Begins one if there is none.
    Cursor(usize),
    /// Ends the cursor.
    EndCursor,
    /// Changes the maximum number of messages of an empty queue.
    Limit(u32),
}

/// Generates lengths of messages, many of them near the end of a segment.
pub(super) fn lengths() -> impl Strategy<Value = u32> {
    let segment = SEGMENT_SIZE as u32;
    prop_oneof![
        3 => 1..300u32,
        1 => select(vec![1, 7, 8, 9]),
        2 => (segment - 40)..(segment + 40),
        1 => (2 * segment - 9)..(2 * segment + 9),
        1 => 1..LONGEST,
    ]
}

/// Maximum length of a message.
pub(super) const LONGEST: u32 = 3 * SEGMENT_SIZE as u32 + 5;

fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => lengths().prop_map(Op::Push),
        1 => (lengths(), 0..3usize).prop_map(|(len, piece)| Op::Fail(len, piece)),
        3 => lengths().prop_map(|len| Op::Replace(len, None)),
        1 => (lengths(), 0..3usize).prop_map(|(len, piece)| Op::Replace(len, Some(piece))),
        1 => (1..300u32).prop_map(Op::Discard),
        7 => Just(Op::Pop),
        2 => (1..12usize).prop_map(Op::PopMany),
        2 => (1..12usize).prop_map(Op::PopSeen),
        3 => vec(1..300u32, 1..8).prop_map(Op::PushMany),
        1 => (0..6u64, 0..6u32).prop_map(|(age, limit)| Op::Expire(age, limit)),
        1 => Just(Op::Clear),
        2 => any::<bool>().prop_map(Op::Trim),
        4 => (0..2 * SEGMENT_SIZE).prop_map(Op::Cursor),
        1 => Just(Op::EndCursor),
        1 => (1..200u32).prop_map(Op::Limit),
    ]
}

/// Returns byte `at` of the payload of message `seq`.
pub(super) fn pattern(seq: u64, at: usize) -> u8 {
    (seq as usize).wrapping_mul(151).wrapping_add(at * 7) as u8
}

/// Model of a queue: sequence number and length of each message, and the counters.
#[derive(Default)]
struct Model {
    queue: VecDeque<(u64, u32)>,
    /// For each message that was sent together with others, the first one of them.
    firsts: HashMap<u64, u64>,
    last_seq: u64,
    max_msgs: u32,
    peak: Tally,
    enqueued: Tally,
    dequeued: Tally,
    expired: Tally,
    dropped: Tally,
    /// The cursor, if there is one.
    cursor: Option<Cursor>,
}

/// Messages that a cursor has not returned completely, and the offset in the payload of the first
/// of them, or [`None`] if the cursor has not returned its record.
pub(super) type Cursor = (VecDeque<(u64, u32)>, Option<usize>);

impl Model {
    fn depth(&self) -> Tally {
        let bytes = self.queue.iter().map(|(_, len)| u64::from(*len)).sum();
        let msgs = self.queue.len() as u64;
        Tally { msgs, bytes }
    }

    fn is_full(&self) -> bool {
        self.queue.len() >= self.max_msgs as usize
    }

    /// Returns the message whose sender and time message `seq` has.
    fn first(&self, seq: u64) -> u64 {
        self.firsts.get(&seq).copied().unwrap_or(seq)
    }

    /// Adds a message of `len` bytes as the newest one.
    fn accept(&mut self, len: u32) {
        self.last_seq += 1;
        self.queue.push_back((self.last_seq, len));
        self.enqueued.add(len as usize);
        let depth = self.depth();
        self.peak.msgs = self.peak.msgs.max(depth.msgs);
        self.peak.bytes = self.peak.bytes.max(depth.bytes);
    }

    /// Removes the oldest message, which must have this record and these bytes.
    fn take(&mut self, seq: u64, record: &Record, bytes: &[u8]) {
        let first = self.first(seq);
        assert_eq!(
            self.queue.pop_front(),
            Some((seq, bytes.len() as u32)),
            "{record:?}"
        );
        assert_eq!(record.len as usize, bytes.len());
        assert_eq!((record.sender, record.stamp), (sender(first), stamp(first)));
        let same = |(at, byte): (usize, &u8)| *byte == pattern(seq, at);
        assert!(bytes.iter().enumerate().all(same), "payload of {seq}");
    }
}

/// Returns the time stamp of message `seq`.
pub(super) fn stamp(seq: u64) -> Stamp {
    Stamp {
        monotonic: seq,
        // Some are before 1970.
        realtime: if seq % 4 == 0 { !seq } else { seq } as i64,
    }
}

/// Returns the payload of message `seq`, which has `len` bytes, with padding.
pub(super) fn padded(seq: u64, len: u32) -> Vec<u8> {
    let mut payload: Vec<u8> = (0..len as usize).map(|at| pattern(seq, at)).collect();
    payload.resize(payload.len().next_multiple_of(8), 0);
    payload
}

/// Returns the sender of message `seq`.
pub(super) fn sender(seq: u64) -> Sender {
    Sender {
        uid: seq as u32,
        gid: 5,
        pid: !seq as u32 >> 1,
        privileged: seq % 3 == 0,
    }
}

/// Sends a message, of which the copy of one piece fails. Returns whether the message was accepted.
pub(super) fn push(queue: &mut Queue, seq: u64, len: u32, fails_at: Option<usize>) -> bool {
    let stamp = stamp(seq);
    // Every second message takes the fast path, if it is contiguous.
    if seq % 2 == 0 {
        let fill = |piece: &mut [u8]| {
            assert_eq!(piece.len(), len as usize);
            for (at, byte) in piece.iter_mut().enumerate() {
                *byte = pattern(seq, at);
            }
            fails_at.is_none()
        };
        let signed = |now| {
            assert_eq!(now, seq);
            (sender(seq), stamp)
        };
        for place in [Placement::Last, Placement::Spare] {
            if queue.try_push_contiguous(len as usize, place, seq, fill, signed) {
                return true;
            }
        }
    }
    push_slow(queue, seq, len, fails_at, false)
}

/// Sends a message by the slow path, of which the copy of one piece fails. With `over_oldest`, it
/// replaces the oldest one. Returns whether the message was accepted.
pub(super) fn push_slow(
    queue: &mut Queue,
    seq: u64,
    len: u32,
    fails_at: Option<usize>,
    over_oldest: bool,
) -> bool {
    let mut fresh = Segments::new();
    for _ in 0..queue.store_mut().provide(&mut fresh, len as usize) {
        fresh.push_back(Segment::new().expect("memory"));
    }
    let (mut at, mut pieces) = (0, 0);
    let copy = |piece: &mut [u8]| {
        for byte in piece {
            *byte = pattern(seq, at);
            at += 1;
        }
        pieces += 1;
        Some(pieces - 1) != fails_at
    };
    let accepted = queue.push(len, sender(seq), stamp(seq), over_oldest, &mut fresh, copy);
    if accepted {
        assert!(fresh.is_empty());
        assert_eq!(at, len as usize);
    } else {
        // The sender takes the memory back, as it does before a retry.
        queue.store_mut().provide(&mut fresh, 1);
    }
    accepted
}

/// Writes message `seq` with `payload` to its place in the queue, if a slot is free and the current
/// segments have room. Returns what can be accepted.
pub(super) fn reserve(queue: &mut Queue, seq: u64, len: u32, payload: &[u8]) -> Run {
    let full = queue.is_full();
    let found = queue.reserve(payload.len());
    let record = Record {
        stamp: stamp(seq),
        len,
        sender: sender(seq),
    };
    let Some((packed, bytes)) = found else {
        // Writing the message with `Queue::stage` finds no room either.
        let messages = [(len, payload)].into_iter();
        assert_eq!(
            queue.stage(record.sender, record.stamp, messages),
            Run::NONE
        );
        return Run::NONE;
    };
    assert!(!full);
    *packed = record.encode();
    bytes.copy_from_slice(payload);
    Run::one(len)
}

/// Applies `op` to the queue and the model, and compares the results.
fn step(queue: &mut Queue, model: &mut Model, op: &Op) {
    match op {
        Op::Push(len) => send(queue, model, *len),
        Op::Fail(len, piece) => fail_to_send(queue, model, *len, *piece),
        Op::Replace(len, piece) => replace(queue, model, *len, *piece),
        Op::Discard(len) => discard(queue, model, *len),
        Op::Pop => receive(queue, model),
        Op::PopMany(most) => receive_many(queue, model, *most),
        Op::PopSeen(most) => receive_contiguous(queue, model, *most),
        Op::PushMany(lens) => send_many(queue, model, lens),
        Op::Expire(age, limit) => expire(queue, model, *age, *limit),
        Op::Clear => clear(queue, model),
        Op::Trim(idle) => trim(queue, model, *idle),
        Op::Cursor(bytes) => cursor(
            queue,
            &mut model.cursor,
            &model.queue,
            &model.firsts,
            *bytes,
        ),
        Op::EndCursor => end_cursor(queue, model),
        Op::Limit(max_msgs) => limit(queue, model, *max_msgs),
    }
}

/// Sends a message of `len` bytes, which is accepted if there is a free slot.
fn send(queue: &mut Queue, model: &mut Model, len: u32) {
    let accepted = push(queue, model.last_seq + 1, len, None);
    assert_eq!(accepted, !model.is_full());
    if accepted {
        model.accept(len);
    }
}

/// Sends a message of `len` bytes, of which the copy of one piece fails: the one at index `piece`,
/// or the last one before it.
fn fail_to_send(queue: &mut Queue, model: &Model, len: u32, piece: usize) {
    // A message longer than a segment has at least two pieces.
    let fails_at = piece.min(usize::from(len as usize > SEGMENT_SIZE));
    assert!(!push(queue, model.last_seq + 1, len, Some(fails_at)));
}

/// Sends a message of `len` bytes that replaces the oldest one, unless the copy of `piece`, or of
/// the last piece before it, fails.
fn replace(queue: &mut Queue, model: &mut Model, len: u32, piece: Option<usize>) {
    let fails_at = piece.map(|piece| piece.min(usize::from(len as usize > SEGMENT_SIZE)));
    let accepted = push_slow(queue, model.last_seq + 1, len, fails_at, true);
    assert_eq!(accepted, fails_at.is_none());
    if accepted {
        if let Some((_, len)) = model.queue.pop_front() {
            model.dropped.add(len as usize);
        }
        model.accept(len);
    }
}

/// Sends a message of `len` bytes that is discarded.
fn discard(queue: &mut Queue, model: &mut Model, len: u32) {
    queue.discard(len);
    model.enqueued.add(len as usize);
    model.dropped.add(len as usize);
}

/// Receives the oldest message, if there is one.
fn receive(queue: &mut Queue, model: &mut Model) {
    let front = queue
        .store()
        .message_at(Place::Front)
        .map(|(record, pieces)| {
            let bytes: Vec<u8> = pieces.flatten().copied().collect();
            (queue.first_seq(), record, bytes)
        });
    assert_eq!(front.is_some(), !model.queue.is_empty());
    if let Some((seq, record, bytes)) = front {
        model.take(seq, &record, &bytes);
        let take = |payload: &[u8]| payload == bytes;
        // Two of four messages take the fast path, if they are contiguous.
        if seq % 4 >= 2 || model.cursor.is_some() || queue.pop_contiguous(take).is_none() {
            queue.deliver(record.len);
        }
        model.dequeued.add(record.len as usize);
    }
}

/// Receives up to `most` messages at once.
fn receive_many(queue: &mut Queue, model: &mut Model, most: usize) {
    let first = queue.first_seq();
    let mut run = Run::NONE;
    let mut walk = queue.store().walk_at(Place::Front);
    for seq in (first..).take(most) {
        let Some(record) = walk.record() else {
            break;
        };
        let bytes: Vec<u8> = walk.payload().flatten().copied().collect();
        model.take(seq, &record, &bytes);
        // The padding of the last message may be left out.
        run.span = run.span.next_multiple_of(8);
        run.add(bytes.len(), bytes.len());
    }
    if most % 2 == 0 {
        run.span = run.span.next_multiple_of(8);
    }
    if run != Run::NONE {
        queue.deliver_all(run);
    }
    model.dequeued.merge(run.tally);
}

/// Receives up to `most` messages at once, but only those that are contiguous.
fn receive_contiguous(queue: &mut Queue, model: &mut Model, most: usize) {
    let first = queue.first_seq();
    let mut run = Run::NONE;
    for (seq, (packed, payload)) in (first..)
        .zip(queue.store().contiguous_messages(Place::Front))
        .take(most)
    {
        let record = Record::decode(packed);
        assert_eq!(payload.len(), record.len.next_multiple_of(8) as usize);
        model.take(seq, &record, &payload[..record.len as usize]);
        run.add(record.len as usize, payload.len());
    }
    if run != Run::NONE && model.cursor.is_none() {
        queue.deliver_contiguous(run);
    } else if run != Run::NONE {
        queue.deliver_all(run);
    }
    model.dequeued.merge(run.tally);
}

/// Sends messages of the lengths `lens` at once, as long as slots are free and the current
/// segments have room.
fn send_many(queue: &mut Queue, model: &mut Model, lens: &[u32]) {
    // All messages have one sender, like those of one write.
    let first = model.last_seq + 1;
    let payloads: Vec<_> = (first..)
        .zip(lens)
        .map(|(seq, len)| padded(seq, *len))
        .collect();
    let messages = lens.iter().copied().zip(payloads.iter().map(Vec::as_slice));
    let run = match *lens {
        // A single message is written in place, if it can be.
        [len] => reserve(queue, first, len, &payloads[0]),
        _ => queue.stage(sender(first), stamp(first), messages),
    };
    let room = (model.max_msgs as usize).saturating_sub(model.queue.len());
    assert!(run.tally.msgs as usize <= room.min(lens.len()));
    // A message that is stored but not accepted is not in the queue.
    if run != Run::NONE && lens.len() % 4 > 0 {
        queue.commit(run, first);
        for len in lens.iter().take(run.tally.msgs as usize) {
            model.accept(*len);
            model.firsts.insert(model.last_seq, first);
        }
    }
}

/// Drops the messages that are older than the `age` newest ones, but at most `limit` of them.
fn expire(queue: &mut Queue, model: &mut Model, age: u64, limit: u32) {
    let cutoff = model.last_seq.saturating_sub(age);
    let mut expired = 0;
    while expired < limit
        && model
            .queue
            .front()
            .is_some_and(|(seq, _)| model.first(*seq) <= cutoff)
    {
        let (_, len) = model.queue.pop_front().expect("a message");
        model.expired.add(len as usize);
        expired += 1;
    }
    assert_eq!(queue.expire(cutoff, limit), expired);
}

/// Drops all messages.
fn clear(queue: &mut Queue, model: &mut Model) {
    model.dropped.merge(model.depth());
    model.queue.clear();
    drop(queue.clear());
}

/// Frees unused memory: all of it if `idle`, otherwise a part.
fn trim(queue: &mut Queue, model: &Model, idle: bool) {
    drop(queue.store_mut().trim(idle));
    if idle {
        assert_eq!(queue.store().spare_segments(), 0);
        if model.queue.is_empty() && model.cursor.is_none() {
            assert_eq!(queue.store().segments(), 0);
        }
    }
}

/// Ends the cursor of both.
fn end_cursor(queue: &mut Queue, model: &mut Model) {
    model.cursor = None;
    drop(queue.store_mut().cursor_end());
}

/// Changes the maximum number of messages, if the queue is empty.
fn limit(queue: &mut Queue, model: &mut Model, max_msgs: u32) {
    if model.queue.is_empty() {
        model.max_msgs = max_msgs;
        queue.set_limits(Limits::new(LONGEST, max_msgs, u64::MAX).expect("limits"));
    }
}

/// Advances the cursor of the queue, which holds the messages `stored`, and that of the model by
/// `bytes` bytes. Begins one if there is none. `firsts` has the first one of messages that were sent
/// together.
pub(super) fn cursor(
    queue: &mut Queue,
    cursor: &mut Option<Cursor>,
    stored: &VecDeque<(u64, u32)>,
    firsts: &HashMap<u64, u64>,
    mut bytes: usize,
) {
    if cursor.is_none() {
        queue.store_mut().cursor_begin(CursorMemory::new().unwrap());
        *cursor = Some((stored.clone(), None));
    }
    let (rest, at) = cursor.as_mut().expect("a cursor");
    loop {
        let begun = usize::from(at.is_some());
        assert_eq!(queue.store().cursor_left() as usize, rest.len() - begun);
        let Some((seq, len)) = rest.front().copied() else {
            assert_eq!(queue.store_mut().cursor_next(), None);
            return;
        };
        let from = match at {
            Some(from) => *from,
            None => {
                let record = queue.store_mut().cursor_next().expect("a record");
                let first = firsts.get(&seq).copied().unwrap_or(seq);
                assert_eq!((record.stamp.monotonic, record.len), (first, len));
                0
            }
        };
        let mut piece = vec![0; bytes.min(len as usize - from)];
        let copied = queue.store_mut().cursor_payload(&mut piece);
        assert_eq!(copied, Some(piece.len()));
        let left = queue.store().cursor_payload_left();
        let same = |(offset, byte): (usize, &u8)| *byte == pattern(seq, from + offset);
        assert!(
            piece.iter().enumerate().all(same),
            "cursor of {seq} at {from}"
        );
        assert_eq!(left, len as usize - from - piece.len());
        bytes -= piece.len();
        if left > 0 {
            *at = Some(from + piece.len());
            assert_eq!(queue.store_mut().cursor_next(), None);
            return;
        }
        (*at, _) = (None, rest.pop_front());
    }
}

/// Compares the state of the queue with that of the model.
fn compare(queue: &Queue, model: &Model) {
    let counters = queue.counters();
    assert_eq!(queue.depth(), model.depth());
    assert_eq!(counters.peak, model.peak);
    assert_eq!(counters.enqueued, model.enqueued);
    assert_eq!(counters.dequeued, model.dequeued);
    assert_eq!(counters.expired, model.expired);
    assert_eq!(counters.dropped, model.dropped);
    assert_eq!(queue.is_empty(), model.queue.is_empty());
    assert_eq!(queue.is_full(), model.is_full());
    assert_eq!(queue.last_seq(), model.last_seq);
    assert_eq!(
        queue.first_seq(),
        model.last_seq + 1 - model.queue.len() as u64
    );
    let front = model.queue.front().map(|(_, len)| *len);
    assert_eq!(queue.front().map(|record| record.len), front);
    // Besides the messages, the first and the last segment of each stream may be partly filled.
    let payloads: usize = model
        .queue
        .iter()
        .map(|(_, len)| (*len as usize).next_multiple_of(8))
        .sum();
    let bytes = payloads + model.queue.len() * Record::SIZE;
    assert!(queue.store().segments() <= bytes / SEGMENT_SIZE + 4);
    assert_eq!(queue.store().payload_span(), payloads);
}

proptest! {
    #[test]
    fn queue_matches_its_model(max_msgs in 1..60u32, ops in vec(ops(), 1..250)) {
        let limits = Limits::new(LONGEST, max_msgs, u64::MAX).expect("limits");
        let mut queue = Queue::new(limits);
        let mut model = Model { max_msgs, ..Model::default() };
        for op in &ops {
            step(&mut queue, &mut model, op);
            compare(&queue, &model);
        }
        // All messages that were not removed are still there.
        while !model.queue.is_empty() {
            step(&mut queue, &mut model, &Op::Pop);
        }
        step(&mut queue, &mut model, &Op::EndCursor);
        step(&mut queue, &mut model, &Op::Trim(true));
        compare(&queue, &model);
    }
}
