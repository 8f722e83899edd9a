// SPDX-License-Identifier: GPL-2.0

//! Cost of a message depending on the number of stored messages, of pipes, of open files of the pipe, and of
//! subscriptions.

use super::priorities::own_with_depth;
use crate::{
    channel::{
        broken,
        ends::{FileReceiver, FileSender},
        kmsgpipe::{fan, make, Crowd, End, Kmsgpipe},
        pairs, Channel, Receiver, Sender, Shape,
    },
    measure::{measure as batches, measure_after, Figure, Plan},
    mechanism::Mechanism,
    record::{Of, Sink},
};
use ::kmsgpipe::{Access, Attach, Kind, Start};
use anyhow::{ensure, Result};
use std::sync::Arc;

/// Message size.
const SIZE: usize = 64;

/// Queue depths, including the message that is sent last.
const DEPTHS: [usize; 4] = [16, 256, 4096, 65536];
/// Numbers of pipes, including the one that is measured, excluding pipe 0.
const PIPES: [usize; 4] = [1, 64, 1024, 4096];
/// Numbers of open files of the pipe, including the one that is measured.
const DESCRIPTORS: [usize; 4] = [1, 16, 128, 1024];
/// Numbers of subscriptions.
const SUBSCRIPTIONS: [usize; 4] = [1, 8, 64, 1024];

/// Plan for writes to subscriptions. Batches are short, because each subscription reads each message.
const WRITES: Plan = Plan {
    batches: 6,
    iterations: 128,
};
/// Plan for browsing: as many messages as there are from the middle of the smallest depth.
const BROWSED: Plan = Plan {
    batches: 48,
    iterations: 8,
};
/// Number of messages of this size that share a page, so that each depth reads the same part of a page.
const OF_A_PAGE: usize = 4096 / SIZE;

/// Measures a pair with these ends.
fn pair(
    (sender, receiver): (&mut FileSender<End>, &mut FileReceiver<End>),
    shape: Shape,
) -> Result<Figure> {
    batches(Plan::of_size(SIZE), |count| {
        pairs::<Kmsgpipe>(sender, receiver, shape, count)
    })
}

/// Measures with `depth` queued messages.
fn with_messages(depth: usize) -> Result<Figure> {
    let shape = Shape { size: SIZE, depth };
    let (mut sender, mut receiver) = Kmsgpipe::open(shape)?;
    ensure!(
        (1..depth).all(|_| sender.send()),
        "the queue was not filled"
    );
    pair((&mut sender, &mut receiver), shape)
}

/// Returns an error unless all messages were transferred completely.
#[inline(always)]
fn check(whole: bool, what: &str, shape: Shape) -> Result<()> {
    if whole {
        Ok(())
    } else {
        Err(broken::<Kmsgpipe>(what, shape))
    }
}

/// Measures a message that two subscriptions get. One of them is `depth` messages behind.
fn with_lag(depth: usize) -> Result<Figure> {
    let shape = Shape { size: SIZE, depth };
    let (mut sender, mut receivers) = fan(shape, Kind::Broadcast, 2)?;
    for _ in 1..depth {
        check(sender.send(), "sending", shape)?;
        check(receivers[0].receive(), "receiving", shape)?;
    }
    batches(Plan::of_size(SIZE), |count| {
        for _ in 0..count {
            check(sender.send(), "sending", shape)?;
            let received = receivers.iter_mut().all(Receiver::receive);
            check(received, "receiving", shape)?;
        }
        Ok(())
    })
}

/// Measures browsing from the middle of a queue of `depth` messages, without the search for the middle.
fn browsing(depth: usize) -> Result<Figure> {
    let shape = Shape { size: SIZE, depth };
    let (mut sender, mut receivers) = fan(shape, Kind::Queue, 1)?;
    let receiver = &mut receivers[0];
    check((0..depth).all(|_| sender.send()), "sending", shape)?;
    let middle = depth / 2 / OF_A_PAGE * OF_A_PAGE + BROWSED.iterations as usize;
    measure_after(
        BROWSED,
        receiver,
        |receiver| {
            let middle = Start::Seq(middle as u64);
            receiver.file().attach(Attach::Browse(middle))
        },
        |receiver, count| {
            let received = (0..count).all(|_| receiver.receive());
            check(received, "receiving", shape)
        },
    )
}

/// Measures a write to a number of subscriptions, without their reads.
fn with_subscriptions(subscriptions: usize) -> Result<Figure> {
    let depth = WRITES.iterations as usize;
    let shape = Shape { size: SIZE, depth };
    let (mut sender, mut receivers) = fan(shape, Kind::Broadcast, subscriptions)?;
    check((0..depth).all(|_| sender.send()), "sending", shape)?;
    measure_after(
        WRITES,
        &mut sender,
        |_| {
            let mut reads = receivers
                .iter_mut()
                .flat_map(|receiver| (0..depth).map(move |_| receiver.receive()));
            check(reads.all(|whole| whole), "receiving", shape)
        },
        |sender, count| {
            let sent = (0..count).all(|_| sender.send());
            check(sent, "sending", shape)
        },
    )
}

/// Measures with a number of pipes.
fn with_pipes(pipes: usize, crowd: &mut Crowd, before: usize) -> Result<Figure> {
    crowd.grow(pipes - 1 - before)?;
    let shape = Shape {
        size: SIZE,
        depth: 128,
    };
    let (mut sender, mut receiver) = Kmsgpipe::open(shape)?;
    pair((&mut sender, &mut receiver), shape)
}

/// Measures with a number of open files, one of which is used for both directions.
fn with_descriptors(descriptors: usize) -> Result<Figure> {
    let shape = Shape {
        size: SIZE,
        depth: 128,
    };
    let made = make(shape)?;
    let open = || End::open(&made, Access::ReadWrite);
    // The file through which the pipe is destroyed is one more.
    let others = (1..descriptors).map(|_| open());
    let _others = others.collect::<Result<Vec<_>>>()?;
    let file = Arc::new(open()?);
    let mut sender = FileSender::of(Arc::clone(&file), SIZE);
    let mut receiver = FileReceiver::of(file, SIZE);
    pair((&mut sender, &mut receiver), shape)
}

/// Measures all cases.
pub fn measure(sink: &mut Sink<'_>) -> Result<()> {
    let mut put = |case, at, figure| {
        let of = Of {
            mechanism: Mechanism::Kmsgpipe,
            case,
            size: SIZE,
            at: Some(at),
        };
        sink.put_time(of, figure)
    };
    for depth in DEPTHS {
        put("scale depth", depth, with_messages(depth)?)?;
        put("scale depth of broadcast", depth, with_lag(depth)?)?;
        put("scale depth of browse", depth, browsing(depth)?)?;
        put("scale depth of priorities", depth, own_with_depth(depth)?)?;
    }
    for descriptors in DESCRIPTORS {
        put(
            "scale descriptors",
            descriptors,
            with_descriptors(descriptors)?,
        )?;
    }
    for subscriptions in SUBSCRIPTIONS {
        put(
            "scale subscriptions",
            subscriptions,
            with_subscriptions(subscriptions)?,
        )?;
    }
    let mut crowd = Crowd::new()?;
    let mut before = 0;
    for pipes in PIPES {
        put("scale pipes", pipes, with_pipes(pipes, &mut crowd, before)?)?;
        before = pipes - 1;
    }
    crowd.destroy_all()
}
