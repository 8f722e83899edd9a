// SPDX-License-Identifier: GPL-2.0

//! Messages one way, from several writers to several readers: how many a second.

use crate::{
    channel::{broken, with, Channel, Job, Receiver, Sender, Shape},
    measure::{now, Figure},
    mechanism::Mechanism,
    record::{Of, Sink, Unit},
    system,
};
use anyhow::{ensure, Result};
use std::{
    collections::BTreeMap,
    process,
    sync::{Arc, Barrier},
    thread,
};

/// Writers and readers.
const CROWDS: [(&str, usize, usize); 4] = [
    ("stream 1:1", 1, 1),
    ("stream 4:1", 4, 1),
    ("stream 1:4", 1, 4),
    ("stream 4:4", 4, 4),
];
/// The lengths of messages.
const SIZES: [usize; 2] = [64, 1024];
/// The messages that fit.
const DEPTH: usize = 128;
/// The messages of a run.
const MESSAGES: u64 = 20_000;
/// The runs.
const RUNS: usize = 5;
/// What tells a reader that there will be no more.
const STOP: u64 = u64::MAX;

/// Writes what a message is: which of whose.
fn stamp(message: &mut [u8], writer: u64, number: u64) {
    message[..8].copy_from_slice(&number.to_ne_bytes());
    message[8..16].copy_from_slice(&writer.to_ne_bytes());
}

/// Reads it again.
fn stamp_of(message: &[u8]) -> (u64, u64) {
    let number = |at: usize| {
        let bytes = message[at..at + 8].try_into();
        u64::from_ne_bytes(bytes.expect("eight bytes"))
    };
    (number(8), number(0))
}

/// What a reader has received.
#[derive(Debug, Default, PartialEq, Eq)]
struct Received {
    messages: u64,
    /// Of the numbers of all messages.
    sum: u64,
}

/// Sends `count` messages.
fn write<C: Channel>(sender: &mut C::Sender, shape: Shape, writer: u64, count: u64) -> Result<()> {
    for number in 0..count {
        stamp(sender.message(), writer, number);
        if !sender.send() {
            return Err(broken::<C>("sending", shape));
        }
    }
    Ok(())
}

/// Receives until it is told to stop. Each writer's messages have to come in their order.
fn read<C: Channel>(receiver: &mut C::Receiver, shape: Shape) -> Result<Received> {
    let mut received = Received::default();
    let mut last = BTreeMap::new();
    loop {
        if !receiver.receive() {
            return Err(broken::<C>("receiving", shape));
        }
        let (writer, number) = stamp_of(receiver.message());
        if number == STOP {
            return Ok(received);
        }
        let before = last.insert(writer, number);
        ensure!(
            before.is_none_or(|before| before < number),
            "{}: message {number} of writer {writer} came after {before:?}",
            C::MECHANISM.name()
        );
        received.messages += 1;
        received.sum += number;
    }
}

/// What comes of it in a thread; a failure ends the program, as others wait for this thread.
fn or_end<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|error| {
        eprintln!("kmsgpipe-bench: stream: {error:#}");
        process::exit(1)
    })
}

/// One run.
struct Stream {
    shape: Shape,
    writers: usize,
    readers: usize,
}

impl Job for Stream {
    /// Thousands of messages a second.
    type Output = f64;

    fn run<C: Channel>(self) -> Result<f64> {
        let Self {
            shape,
            writers,
            readers,
        } = self;
        let (mut sender, receiver) = C::open(shape)?;
        let each = MESSAGES / writers as u64;
        let barrier = Arc::new(Barrier::new(writers + readers + 1));
        let sending: Vec<_> = (0..writers as u64)
            .map(|writer| {
                let (mut sender, barrier) = (sender.twin(), Arc::clone(&barrier));
                thread::spawn(move || {
                    barrier.wait();
                    or_end(write::<C>(&mut sender, shape, writer, each));
                })
            })
            .collect();
        let receiving: Vec<_> = (0..readers)
            .map(|_| {
                let (mut receiver, barrier) = (receiver.twin(), Arc::clone(&barrier));
                thread::spawn(move || {
                    barrier.wait();
                    or_end(read::<C>(&mut receiver, shape))
                })
            })
            .collect();
        barrier.wait();
        let start = now();
        for thread in sending {
            thread.join().expect("a writer does not panic");
        }
        stamp(sender.message(), 0, STOP);
        ensure!((0..readers).all(|_| sender.send()), broken::<C>("sending", shape));
        let mut received = Received::default();
        for thread in receiving {
            let part = thread.join().expect("a reader does not panic");
            received.messages += part.messages;
            received.sum += part.sum;
        }
        let took = (now() - start) as f64;
        let sent = Received {
            messages: each * writers as u64,
            sum: writers as u64 * (each * (each - 1) / 2),
        };
        ensure!(
            received == sent,
            "{}: {sent:?} was sent, and {received:?}",
            C::MECHANISM.name()
        );
        Ok(sent.messages as f64 / took * 1e6)
    }
}

/// Whether this is measured: what keeps messages, or a stream of equal ones, one a call.
fn takes_part(mechanism: Mechanism, size: usize) -> bool {
    mechanism == Mechanism::Kmsgpipe
        || mechanism == Mechanism::Pipe
        || mechanism.keeps_whole(size)
}

/// Measures. All mechanisms take turns, so that what else the host does meets all of them.
pub fn measure(sink: &mut Sink<'_>) -> Result<()> {
    for (case, writers, readers) in CROWDS {
        for size in SIZES {
            let shape = Shape { size, depth: DEPTH };
            let taking = || Mechanism::ALL.into_iter().filter(|m| takes_part(*m, size));
            let mut runs: BTreeMap<Mechanism, Vec<f64>> = BTreeMap::new();
            for _ in 0..RUNS {
                for mechanism in taking() {
                    let job = Stream {
                        shape,
                        writers,
                        readers,
                    };
                    runs.entry(mechanism).or_default().push(with(mechanism, job)?);
                }
            }
            for mechanism in taking() {
                let of = Of {
                    mechanism,
                    case,
                    size,
                    at: None,
                };
                let values = runs.remove(&mechanism).unwrap_or_default();
                sink.put(of, Unit::Rate, Figure::of(values))?;
            }
            system::patience(crate::PATIENCE)?;
        }
    }
    Ok(())
}
