// SPDX-License-Identifier: GPL-2.0

//! Random operations on a queue from which files read by positions of their own.

use crate::{kernel_ext::mm::segment::SEGMENT_SIZE, log::subscription::Kind, property::lengths};
use proptest::{collection::vec, prelude::*};

/// Maximum number of files that read from a position of their own.
pub(crate) const FILES: usize = 6;

/// Where a file begins to read, relative to the messages that there are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum From {
    Open,
    Now,
    Oldest,
    /// At a sequence number, this far from the next one.
    Seq(i64),
    /// At the time of a message, this far from the next one.
    Time(i64),
}

/// Operation on a queue. Files are chosen by an index into those that there are.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// Sends a message of this many bytes.
    Push(u32),
    /// Sends a message of this many bytes, but the copy fails.
    Fail(u32),
    /// Sends a message of this many bytes over the oldest one.
    Replace(u32),
    /// Sends messages of these lengths at once, as long as the current segments have room.
    PushMany(Vec<u32>),
    /// Sends a message of this many bytes that is discarded.
    Discard(u32),
    /// Receives up to this many messages of a queue.
    Pop(usize),
    /// Begins to search for a position, over this many messages.
    Search(Kind, From, u32),
    /// Continues the search over this many messages. When it ends, a file begins to read there.
    Subscribe(u32),
    /// Moves a file over what it has missed.
    Look(usize),
    /// Receives up to this many messages at once through a file.
    Read(usize, usize),
    /// Ends a file, and lets up to this many messages leave.
    Unsubscribe(usize, u32),
    /// Lets up to this many messages leave.
    Settle(u32),
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
    /// Extends the index by up to this many segments.
    IndexMore(usize),
    /// Takes the index away from a queue that no file browses.
    Unindex,
}

pub(crate) fn froms() -> impl Strategy<Value = From> {
    prop_oneof![
        2 => Just(From::Open),
        1 => Just(From::Now),
        2 => Just(From::Oldest),
        2 => (-12..3i64).prop_map(From::Seq),
        2 => (-12..3i64).prop_map(From::Time),
    ]
}

pub(crate) fn ops() -> impl Strategy<Value = Op> {
    let kinds = prop_oneof![2 => Just(Kind::Own), 1 => Just(Kind::Browse)];
    prop_oneof![
        8 => lengths().prop_map(Op::Push),
        1 => lengths().prop_map(Op::Fail),
        3 => lengths().prop_map(Op::Replace),
        3 => vec(1..300u32, 1..8).prop_map(Op::PushMany),
        1 => (1..300u32).prop_map(Op::Discard),
        4 => (1..6usize).prop_map(Op::Pop),
        3 => (kinds, froms(), 0..6u32).prop_map(|(kind, from, limit)| Op::Search(kind, from, limit)),
        3 => (0..20u32).prop_map(Op::Subscribe),
        2 => (0..FILES).prop_map(Op::Look),
        10 => (0..FILES, 1..3usize).prop_map(|(file, most)| Op::Read(file, most)),
        3 => (0..FILES, 1..12usize).prop_map(|(file, most)| Op::Read(file, most)),
        1 => (0..FILES, 0..5u32).prop_map(|(file, limit)| Op::Unsubscribe(file, limit)),
        2 => (0..5u32).prop_map(Op::Settle),
        1 => (0..8u64, 0..6u32).prop_map(|(age, limit)| Op::Expire(age, limit)),
        1 => Just(Op::Clear),
        2 => any::<bool>().prop_map(Op::Trim),
        3 => (0..2 * SEGMENT_SIZE).prop_map(Op::Cursor),
        1 => Just(Op::EndCursor),
        1 => (1..40u32).prop_map(Op::Limit),
        1 => (0..4usize).prop_map(Op::IndexMore),
        1 => Just(Op::Unindex),
    ]
}
