// SPDX-License-Identifier: GPL-2.0

//! Linearizability check: searches for a sequential order of overlapping calls in which the model returns the
//! same results, and in which a call that ended before another began comes first.
//!
//! The search is that of Wing and Gong, with memoization of failed states.

use crate::model::{err, Body, Pipe, Stats, User};
use nix::libc;
use std::collections::HashSet;

/// A non-blocking call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Sends a message.
    Write(Body),
    /// Receives into a buffer of this size.
    Read(u32),
    /// `poll`.
    Poll,
    /// `FIONREAD`.
    NextLen,
    /// `GET_STATS`.
    Stats,
    /// `GET_PARAMS`.
    Params,
    /// `SET_PARAMS` with a maximum message size and a maximum number of messages.
    SetParams(u32, u32),
    /// `CLEAR_QUEUE`.
    Clear,
    /// `DUMP`.
    Dump,
    /// `DESTROY`.
    Destroy,
}

/// A message in a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Sequence number.
    pub seq: u64,
    /// Payload.
    pub body: Body,
    /// User ID of the sender.
    pub uid: u32,
    /// Group ID of the sender.
    pub gid: u32,
    /// Whether the file was opened by another user than the sender.
    pub privileged: bool,
}

/// Result of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A return value, or a negative errno.
    Ret(i64),
    /// A received message.
    Message(Body),
    /// Statistics.
    Stats(Box<Stats>),
    /// Limits.
    Params(u32, u32),
    /// All queued messages.
    Dump(Vec<Line>),
}

/// The user that opened the file on which all calls are made.
pub const OPENER: User = crate::user::USERS[0];

/// A call that was made.
#[derive(Clone, Debug)]
pub struct Event {
    /// The calling user.
    pub user: User,
    /// The call.
    pub op: Op,
    /// The result.
    pub outcome: Outcome,
    /// Time of the start. Calls with a smaller `end` came before this one.
    pub begin: u64,
    /// Time of the end.
    pub end: u64,
}

/// Applies a call to the model, and returns the result.
pub fn apply(pipe: &mut Pipe, user: User, op: Op) -> Outcome {
    let admin = matches!(op, Op::SetParams(..) | Op::Clear | Op::Dump | Op::Destroy);
    if admin && !user.admin {
        return Outcome::Ret(err(libc::EPERM));
    }
    match op {
        Op::Write(body) => return Outcome::Ret(pipe.send(body, user, OPENER, true, true, 0)),
        Op::Read(room) => {
            return match pipe.receive(room as usize, true, usize::MAX) {
                (_, Some(body)) => Outcome::Message(body),
                (ret, None) => Outcome::Ret(ret),
            }
        }
        Op::Poll => return Outcome::Ret(pipe.poll(true, true).into()),
        _ if pipe.dead => return Outcome::Ret(err(libc::ENODEV)),
        _ => {}
    }
    match op {
        Op::NextLen => Outcome::Ret(pipe.next_len().into()),
        Op::Stats => Outcome::Stats(Box::new(pipe.stats(true))),
        Op::Params => Outcome::Params(pipe.msg_size, pipe.max_msgs),
        Op::SetParams(msg_size, max_msgs) => Outcome::Ret(pipe.set_params(msg_size, max_msgs)),
        Op::Clear => {
            pipe.clear();
            Outcome::Ret(0)
        }
        Op::Dump => Outcome::Dump(
            pipe.queue
                .iter()
                .map(|message| Line {
                    seq: message.seq,
                    body: message.body,
                    uid: message.uid,
                    gid: message.gid,
                    privileged: message.privileged,
                })
                .collect(),
        ),
        _ => Outcome::Ret(pipe.destroy()),
    }
}

/// State of the search.
struct Search<'a> {
    events: &'a [Event],
    /// States from which no order was found: the calls that are done, and the pipe after them.
    failed: HashSet<(u64, Pipe)>,
    /// Maximum number of calls that could be ordered.
    longest: u32,
}

impl Search<'_> {
    /// Searches for an order of the calls that are not in `done`.
    fn search(&mut self, done: u64, pipe: &Pipe) -> Option<Pipe> {
        self.longest = self.longest.max(done.count_ones());
        let left = |index: &usize| done & (1 << index) == 0;
        let Some(first_end) = (0..self.events.len())
            .filter(left)
            .map(|index| self.events[index].end)
            .min()
        else {
            return Some(pipe.clone());
        };
        for index in (0..self.events.len()).filter(left) {
            let event = &self.events[index];
            if event.begin > first_end {
                continue;
            }
            let mut next = pipe.clone();
            if apply(&mut next, event.user, event.op) != event.outcome {
                continue;
            }
            let done = done | (1 << index);
            if self.failed.contains(&(done, next.clone())) {
                continue;
            }
            if let Some(end) = self.search(done, &next) {
                return Some(end);
            }
            self.failed.insert((done, next));
        }
        None
    }
}

/// Returns the pipe after all of `events`, which are at most 64. The results must determine the state of the
/// pipe, because later events are checked against it.
///
/// # Errors
///
/// No order explains the events. The largest number of events that could be ordered.
pub fn explain(pipe: &Pipe, events: &[Event]) -> Result<Pipe, u32> {
    assert!(events.len() <= 64, "{}", events.len());
    let mut search = Search {
        events,
        failed: HashSet::new(),
        longest: 0,
    };
    search.search(0, pipe).ok_or(search.longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: User = crate::user::USERS[0];

    fn event(op: Op, outcome: Outcome, begin: u64, end: u64) -> Event {
        Event {
            user: ROOT,
            op,
            outcome,
            begin,
            end,
        }
    }

    fn body(key: u32) -> Body {
        Body { key, len: 4 }
    }

    fn write(key: u32, begin: u64, end: u64) -> Event {
        event(Op::Write(body(key)), Outcome::Ret(4), begin, end)
    }

    fn read(key: u32, begin: u64, end: u64) -> Event {
        event(Op::Read(16), Outcome::Message(body(key)), begin, end)
    }

    fn refused(op: Op, errno: i32, begin: u64, end: u64) -> Event {
        event(op, Outcome::Ret(err(errno)), begin, end)
    }

    #[test]
    fn overlapping_calls_may_have_any_order() {
        let pipe = Pipe::new(1, 16, 2);
        // The read overlaps both writes: either write may come first, but must precede the read of its message.
        let events = [write(1, 0, 9), write(2, 1, 8), read(2, 2, 7)];
        let end = explain(&pipe, &events).expect("an order");
        assert_eq!(end.queue.front().map(|m| m.body), Some(body(1)));
        assert_eq!(end.queue.front().map(|m| m.seq), Some(2));
        // A write may take its slot before it ends, so that an overlapping write is rejected.
        let events = [
            write(1, 0, 1),
            write(2, 2, 9),
            refused(Op::Write(body(3)), libc::EAGAIN, 3, 4),
        ];
        assert!(explain(&pipe, &events).is_ok());
    }

    #[test]
    fn calls_that_ended_earlier_are_ordered_first() {
        let pipe = Pipe::new(1, 16, 2);
        assert_eq!(
            explain(&pipe, &[write(1, 0, 1), write(2, 2, 3), read(2, 4, 5)]),
            Err(2)
        );
        assert_eq!(explain(&pipe, &[read(1, 0, 1), write(1, 2, 3)]), Err(0));
        // The read fails on an empty pipe, although a write had ended before.
        let empty = refused(Op::Read(16), libc::EAGAIN, 2, 3);
        assert_eq!(explain(&pipe, &[write(1, 0, 1), empty]), Err(1));
        // The write fails on a full pipe, although there was space.
        let full = refused(Op::Write(body(2)), libc::EAGAIN, 2, 3);
        assert_eq!(explain(&pipe, &[write(1, 0, 1), full]), Err(1));
    }

    #[test]
    fn second_delivery_is_not_explained() {
        let pipe = Pipe::new(1, 16, 2);
        let events = [write(1, 0, 1), read(1, 2, 9), read(1, 3, 8)];
        assert_eq!(explain(&pipe, &events), Err(2));
    }

    #[test]
    fn failed_read_does_not_consume_the_message() {
        // A failed read must not appear to have consumed the message.
        let pipe = Pipe::new(1, 16, 2);
        let short = refused(Op::Read(1), libc::EMSGSIZE, 2, 9);
        let empty = event(Op::NextLen, Outcome::Ret(0), 3, 4);
        assert_eq!(explain(&pipe, &[write(1, 0, 1), short, empty]), Err(2));
    }

    #[test]
    fn inconsistent_snapshot_is_not_explained() {
        let pipe = Pipe::new(1, 16, 2);
        let mut one = pipe.clone();
        let _ = apply(&mut one, ROOT, Op::Write(body(1)));
        let mut stats = one.stats(true);
        let snapshot = |stats| event(Op::Stats, Outcome::Stats(Box::new(stats)), 0, 9);
        assert!(explain(&pipe, &[write(1, 0, 9), snapshot(stats)]).is_ok());
        // Counted as accepted, but not queued.
        stats.depth_msgs = 0;
        assert_eq!(explain(&pipe, &[write(1, 0, 9), snapshot(stats)]), Err(1));
    }

    #[test]
    fn destroyed_pipe_delivers_nothing() {
        let pipe = Pipe::new(1, 16, 2);
        let destroy = event(Op::Destroy, Outcome::Ret(0), 0, 1);
        let late = |errno| refused(Op::Read(16), errno, 2, 3);
        assert!(explain(&pipe, &[destroy.clone(), late(libc::ENODEV)]).is_ok());
        assert_eq!(explain(&pipe, &[destroy, late(libc::EAGAIN)]), Err(1));
    }
}
