// SPDX-License-Identifier: GPL-2.0

//! Cost of a message depending on the number of queued messages, of pipes, and of open files of the pipe.

use crate::{
    channel::{
        ends::{FileReceiver, FileSender},
        kmsgpipe::{make, Crowd, End, Kmsgpipe},
        pairs, Channel, Sender, Shape,
    },
    measure::{measure as batches, Figure, Plan},
    mechanism::Mechanism,
    record::{Of, Sink},
};
use ::kmsgpipe::Access;
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
    }
    for descriptors in DESCRIPTORS {
        put(
            "scale descriptors",
            descriptors,
            with_descriptors(descriptors)?,
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
