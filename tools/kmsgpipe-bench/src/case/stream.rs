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
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc, Barrier,
    },
    thread::{self, JoinHandle},
    time::Duration,
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
/// How long a run takes.
const RUN: Duration = Duration::from_millis(40);
/// The runs.
const RUNS: usize = 41;
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

/// What writers have sent, or readers have received.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    messages: u64,
    /// Of the numbers of all messages.
    sum: u64,
}

impl Count {
    /// One more message.
    fn add(&mut self, number: u64) {
        self.messages += 1;
        self.sum += number;
    }
}

/// What all of these threads have counted together.
fn total(threads: Vec<JoinHandle<Count>>) -> Count {
    let mut total = Count::default();
    for thread in threads {
        let part = thread.join().expect("a thread does not panic");
        total.messages += part.messages;
        total.sum += part.sum;
    }
    total
}

/// Sends until it is told to stop.
fn write<C: Channel>(
    sender: &mut C::Sender,
    shape: Shape,
    writer: u64,
    stop: &AtomicBool,
) -> Result<Count> {
    let mut sent = Count::default();
    while !stop.load(Ordering::Relaxed) {
        let number = sent.messages;
        stamp(sender.message(), writer, number);
        if !sender.send() {
            return Err(broken::<C>("sending", shape));
        }
        sent.add(number);
    }
    Ok(sent)
}

/// Receives until it is told to stop. Each writer's messages have to come in their order.
fn read<C: Channel>(receiver: &mut C::Receiver, shape: Shape) -> Result<Count> {
    let mut received = Count::default();
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
        received.add(number);
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
        let barrier = Arc::new(Barrier::new(writers + readers + 1));
        let stop = Arc::new(AtomicBool::new(false));
        let sending = (0..writers as u64)
            .map(|writer| {
                let (mut sender, barrier) = (sender.twin(), Arc::clone(&barrier));
                let stop = Arc::clone(&stop);
                thread::spawn(move || {
                    barrier.wait();
                    or_end(write::<C>(&mut sender, shape, writer, &stop))
                })
            })
            .collect();
        let receiving = (0..readers)
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
        thread::sleep(RUN);
        stop.store(true, Ordering::Relaxed);
        let sent = total(sending);
        stamp(sender.message(), 0, STOP);
        ensure!(
            (0..readers).all(|_| sender.send()),
            broken::<C>("sending", shape)
        );
        let received = total(receiving);
        let took = (now() - start) as f64;
        ensure!(
            received == sent,
            "{}: {sent:?} was sent, and {received:?} was received",
            C::MECHANISM.name()
        );
        Ok(sent.messages as f64 / took * 1e6)
    }
}

/// Whether this is measured: what keeps messages, or a stream of equal ones, one a call.
fn takes_part(mechanism: Mechanism, size: usize) -> bool {
    mechanism == Mechanism::Kmsgpipe || mechanism == Mechanism::Pipe || mechanism.keeps_whole(size)
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
                    runs.entry(mechanism)
                        .or_default()
                        .push(with(mechanism, job)?);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::pipe::PipeDirect;

    const SHAPE: Shape = Shape {
        size: 64,
        depth: 16,
    };

    #[test]
    fn all_messages_of_a_channel_that_works_are_counted() {
        let job = Stream {
            shape: SHAPE,
            writers: 3,
            readers: 2,
        };
        assert!(with(Mechanism::PipeDirect, job).unwrap() > 0.0);
    }

    /// What is read of these numbers of one writer.
    fn received(numbers: &[u64]) -> Result<Count> {
        let (mut sender, mut receiver) = PipeDirect::open(SHAPE)?;
        for number in numbers {
            stamp(sender.message(), 5, *number);
            assert!(sender.send());
        }
        read::<PipeDirect>(&mut receiver, SHAPE)
    }

    #[test]
    fn messages_are_counted_up_to_the_stop() {
        let count = received(&[2, 3, 7, STOP]).unwrap();
        let expected = Count {
            messages: 3,
            sum: 12,
        };
        assert_eq!(count, expected);
    }

    #[test]
    fn order_is_that_of_the_writer() {
        let failure = received(&[2, 4, 3, STOP]).unwrap_err().to_string();
        assert!(
            failure.contains("message 3 of writer 5 came after"),
            "{failure}"
        );
        assert!(received(&[2, 2, STOP]).is_err());
    }
}
