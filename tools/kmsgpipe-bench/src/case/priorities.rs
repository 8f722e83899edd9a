// SPDX-License-Identifier: GPL-2.0

//! Messages of random priorities: sending one, and receiving the one of the highest priority.

use crate::{
    channel::{
        broken_by,
        ends::FileReceiver,
        kmsgpipe::{make_prioritized, End},
        mq::{Mq, MqReceiver, MqSender},
        records::{RecordsEnd, RecordsSender},
        Channel, Receiver, Shape,
    },
    measure::{measure as batches, Figure, Plan},
    mechanism::Mechanism,
    record::{Of, Sink},
};
use ::kmsgpipe::{Access, Modes};
use anyhow::Result;
use std::sync::Arc;

/// Message size.
const SIZE: usize = 64;
/// Number of priorities.
const PRIORITIES: u32 = 32;
/// Number of queued messages, including the one that is sent last. A POSIX queue has more only for root.
const DEPTH: usize = 8;

/// The ends of a queue with priorities.
trait Ends {
    /// The mechanism.
    const MECHANISM: Mechanism;

    /// Sends a message with a priority. Returns whether it was sent.
    fn send(&mut self, priority: u32) -> bool;

    /// Receives a message. Returns whether it has the expected size.
    fn receive(&mut self) -> bool;
}

/// The ends of a POSIX message queue.
impl Ends for (MqSender, MqReceiver) {
    const MECHANISM: Mechanism = Mechanism::Mq;

    #[inline(always)]
    fn send(&mut self, priority: u32) -> bool {
        self.0.send_prioritized(priority)
    }

    #[inline(always)]
    fn receive(&mut self) -> bool {
        self.1.receive()
    }
}

/// The ends of a pipe of this module: a sender with headers, and a plain receiver.
impl Ends for (RecordsSender<1>, FileReceiver<End>) {
    const MECHANISM: Mechanism = Mechanism::Kmsgpipe;

    #[inline(always)]
    fn send(&mut self, priority: u32) -> bool {
        self.0.send_prioritized(priority)
    }

    #[inline(always)]
    fn receive(&mut self) -> bool {
        self.1.receive()
    }
}

/// Returns the ends of a pipe of this module for `depth` messages.
fn own_ends(depth: usize) -> Result<(RecordsSender<1>, FileReceiver<End>)> {
    let shape = Shape { size: SIZE, depth };
    let made = make_prioritized(shape, PRIORITIES)?;
    let writer = End::open(&made, Access::Write)?;
    writer.set_mode(Modes::RECORDS)?;
    let reader = End::open(&made, Access::Read)?;
    Ok((
        RecordsEnd::new(Arc::new(writer), SIZE),
        FileReceiver::new(reader, SIZE),
    ))
}

/// A generator of priorities: cheap, as its cost is part of the measurement.
struct Random(u32);

impl Random {
    /// Returns one of the highest priorities, of which there are `count`, a power of two.
    #[inline(always)]
    fn next(&mut self, count: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        ((self.0 >> 16) & (count - 1)) | (PRIORITIES - count)
    }
}

/// Measures pairs with `depth` queued messages. Those that were queued before have one of the `lower` lowest
/// priorities, those of the pairs one of the `higher` highest.
fn with_depth<E: Ends>(mut ends: E, depth: usize, lower: u32, higher: u32) -> Result<Figure> {
    let broken = |what| broken_by(E::MECHANISM, what, SIZE);
    let mut random = Random(1);
    for _ in 1..depth {
        if !ends.send(random.next(PRIORITIES) % lower) {
            return Err(broken("sending"));
        }
    }
    batches(Plan::of_size(SIZE), |count| {
        for _ in 0..count {
            if !ends.send(random.next(higher)) {
                return Err(broken("sending"));
            }
            if !ends.receive() {
                return Err(broken("receiving"));
            }
        }
        Ok(())
    })
}

/// Measures a pipe of this module with `depth` queued messages, of which the one that is sent last has the
/// highest priority: at any depth, it is alone in its lane.
pub fn own_with_depth(depth: usize) -> Result<Figure> {
    with_depth(own_ends(depth)?, depth, PRIORITIES / 2, PRIORITIES / 2)
}

/// Measures both mechanisms.
pub fn measure(sink: &mut Sink<'_>) -> Result<()> {
    let mut put = |mechanism, figure| {
        let of = Of {
            mechanism,
            case: "priorities",
            size: SIZE,
            at: None,
        };
        sink.put_time(of, figure)
    };
    let own = with_depth(own_ends(DEPTH)?, DEPTH, PRIORITIES, PRIORITIES)?;
    put(Mechanism::Kmsgpipe, own)?;
    let shape = Shape {
        size: SIZE,
        depth: DEPTH,
    };
    put(
        Mechanism::Mq,
        with_depth(Mq::open(shape)?, DEPTH, PRIORITIES, PRIORITIES)?,
    )
}
