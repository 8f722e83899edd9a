// SPDX-License-Identifier: GPL-2.0

//! Whether calls that overlapped can be explained: is there an order of them in which a pipe, one call
//! after the other, answers as it did, and in which no call comes before one that had ended when it
//! began?
//!
//! The search is that of Wing and Gong, with a memory of what was tried in vain.

use crate::model::{err, Body, Pipe, Stats, User};
use nix::libc;
use std::collections::HashSet;

/// A call that does not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Sends.
    Write(Body),
    /// Receives into so many bytes.
    Read(u32),
    /// Asks what is ready.
    Poll,
    /// `FIONREAD`.
    NextLen,
    /// `GET_STATS`.
    Stats,
    /// `GET_PARAMS`.
    Params,
    /// `SET_PARAMS` with a size and a number of messages.
    SetParams(u32, u32),
    /// `CLEAR_QUEUE`.
    Clear,
    /// `DUMP`.
    Dump,
    /// `DESTROY`.
    Destroy,
}

/// A message, as `DUMP` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its sequence number.
    pub seq: u64,
    /// What it says.
    pub body: Body,
    /// Its sender.
    pub uid: u32,
    /// Likewise.
    pub gid: u32,
    /// Another one had opened the file.
    pub privileged: bool,
}

/// What a call answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A number, or minus an errno.
    Ret(i64),
    /// A message.
    Message(Body),
    /// A snapshot.
    Stats(Box<Stats>),
    /// Limits.
    Params(u32, u32),
    /// All messages.
    Dump(Vec<Line>),
}

/// Who has opened the file that all calls are made on.
pub const OPENER: User = crate::user::USERS[0];

/// A call that was made.
#[derive(Clone, Debug)]
pub struct Event {
    /// By whom.
    pub user: User,
    /// What.
    pub op: Op,
    /// With what answer.
    pub outcome: Outcome,
    /// It began after all calls that had ended by then.
    pub begin: u64,
    /// When it had ended.
    pub end: u64,
}

/// What a pipe answers.
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

/// The search.
struct Search<'a> {
    events: &'a [Event],
    /// What was tried in vain: calls that are done, and the pipe after them.
    tried: HashSet<(u64, Pipe)>,
    /// The most calls that could be put in order.
    longest: u32,
}

impl Search<'_> {
    /// Looks for an order of those calls that are not in `done`.
    fn go(&mut self, done: u64, pipe: &Pipe) -> Option<Pipe> {
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
            if self.tried.contains(&(done, next.clone())) {
                continue;
            }
            if let Some(end) = self.go(done, &next) {
                return Some(end);
            }
            self.tried.insert((done, next));
        }
        None
    }
}

/// The pipe after all of `events`, which are 64 at most, or how many of them could be put in order at
/// best. Its state must be determined by its answers, or the next events may be judged by another.
///
/// # Errors
///
/// There is no order that explains them.
pub fn explain(pipe: &Pipe, events: &[Event]) -> Result<Pipe, u32> {
    assert!(events.len() <= 64, "{}", events.len());
    let mut search = Search {
        events,
        tried: HashSet::new(),
        longest: 0,
    };
    search.go(0, pipe).ok_or(search.longest)
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
    fn overlapping_calls_have_some_order() {
        let pipe = Pipe::new(1, 16, 2);
        // The read overlaps both writes: either may have come first, but not after its reader.
        let events = [write(1, 0, 9), write(2, 1, 8), read(2, 2, 7)];
        let end = explain(&pipe, &events).expect("an order");
        assert_eq!(end.queue.front().map(|m| m.body), Some(body(1)));
        assert_eq!(end.queue.front().map(|m| m.seq), Some(2));
        // A write that is still going on when another is refused has its slot already.
        let events = [
            write(1, 0, 1),
            write(2, 2, 9),
            refused(Op::Write(body(3)), libc::EAGAIN, 3, 4),
        ];
        assert!(explain(&pipe, &events).is_ok());
    }

    #[test]
    fn what_is_over_comes_first() {
        let pipe = Pipe::new(1, 16, 2);
        assert_eq!(
            explain(&pipe, &[write(1, 0, 1), write(2, 2, 3), read(2, 4, 5)]),
            Err(2)
        );
        assert_eq!(explain(&pipe, &[read(1, 0, 1), write(1, 2, 3)]), Err(0));
        // Empty, though a message had arrived.
        let empty = refused(Op::Read(16), libc::EAGAIN, 2, 3);
        assert_eq!(explain(&pipe, &[write(1, 0, 1), empty]), Err(1));
        // Full, though there was room.
        let full = refused(Op::Write(body(2)), libc::EAGAIN, 2, 3);
        assert_eq!(explain(&pipe, &[write(1, 0, 1), full]), Err(1));
    }

    #[test]
    fn a_message_is_delivered_once() {
        let pipe = Pipe::new(1, 16, 2);
        let events = [write(1, 0, 1), read(1, 2, 9), read(1, 3, 8)];
        assert_eq!(explain(&pipe, &events), Err(2));
    }

    #[test]
    fn what_was_taken_off_the_queue_meanwhile_is_not_there() {
        // A reader that fails must not have been seen to take the message.
        let pipe = Pipe::new(1, 16, 2);
        let short = refused(Op::Read(1), libc::EMSGSIZE, 2, 9);
        let empty = event(Op::NextLen, Outcome::Ret(0), 3, 4);
        assert_eq!(explain(&pipe, &[write(1, 0, 1), short, empty]), Err(2));
    }

    #[test]
    fn a_snapshot_is_of_one_moment() {
        let pipe = Pipe::new(1, 16, 2);
        let mut one = pipe.clone();
        let _ = apply(&mut one, ROOT, Op::Write(body(1)));
        let mut stats = one.stats(true);
        let snapshot = |stats| event(Op::Stats, Outcome::Stats(Box::new(stats)), 0, 9);
        assert!(explain(&pipe, &[write(1, 0, 9), snapshot(stats)]).is_ok());
        // Counted as accepted, but not there yet.
        stats.depth_msgs = 0;
        assert_eq!(explain(&pipe, &[write(1, 0, 9), snapshot(stats)]), Err(1));
    }

    #[test]
    fn nothing_lives_in_a_destroyed_pipe() {
        let pipe = Pipe::new(1, 16, 2);
        let destroy = event(Op::Destroy, Outcome::Ret(0), 0, 1);
        let late = |errno| refused(Op::Read(16), errno, 2, 3);
        assert!(explain(&pipe, &[destroy.clone(), late(libc::ENODEV)]).is_ok());
        assert_eq!(explain(&pipe, &[destroy, late(libc::EAGAIN)]), Err(1));
    }
}
