// SPDX-License-Identifier: GPL-2.0

//! Throughput from several writers to several readers.

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

/// Numbers of writers and readers.
const CROWDS: [(&str, usize, usize); 4] = [
    ("stream 1:1", 1, 1),
    ("stream 4:1", 4, 1),
    ("stream 1:4", 1, 4),
    ("stream 4:4", 4, 4),
];
/// Message sizes.
const SIZES: [usize; 2] = [64, 1024];
/// Queue depth.
const DEPTH: usize = 128;
/// Duration of a run.
const RUN: Duration = Duration::from_millis(40);
/// Number of runs.
const RUNS: usize = 41;
/// Number of the message that ends a reader.
const STOP: u64 = u64::MAX;

/// Writes the writer and the sequence number into a message.
fn stamp(message: &mut [u8], writer: u64, number: u64) {
    message[..8].copy_from_slice(&number.to_ne_bytes());
    message[8..16].copy_from_slice(&writer.to_ne_bytes());
}

/// Reads the writer and the sequence number of a message.
fn stamp_of(message: &[u8]) -> (u64, u64) {
    let number = |at: usize| {
        let bytes = message[at..at + 8].try_into();
        u64::from_ne_bytes(bytes.expect("eight bytes"))
    };
    (number(8), number(0))
}

/// Messages that were sent or received.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    messages: u64,
    /// Sum of the sequence numbers.
    sum: u64,
}

impl Count {
    /// Counts a message.
    fn add(&mut self, number: u64) {
        self.messages += 1;
        self.sum += number;
    }
}

/// Joins threads, and adds their counts.
fn total(threads: Vec<JoinHandle<Count>>) -> Count {
    let mut total = Count::default();
    for thread in threads {
        let part = thread.join().expect("a thread does not panic");
        total.messages += part.messages;
        total.sum += part.sum;
    }
    total
}

/// Sends until told to stop.
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

/// Receives until told to stop, and checks the order of each writer's messages.
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

/// Returns the result of a thread. A failure exits the program, because other threads wait for this one.
fn or_end<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|error| {
        eprintln!("kmsgpipe-bench: stream: {error:#}");
        process::exit(1)
    })
}

/// A run.
struct Stream {
    shape: Shape,
    writers: usize,
    readers: usize,
}

impl Job for Stream {
    /// Thousands of messages per second.
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
            "{}: {sent:?} was sent, but {received:?} was received",
            C::MECHANISM.name()
        );
        Ok(sent.messages as f64 / took * 1e6)
    }
}

/// Returns whether a mechanism takes part: it delivers messages, or a byte stream of equal messages, one per
/// call.
fn takes_part(mechanism: Mechanism, size: usize) -> bool {
    mechanism == Mechanism::Kmsgpipe || mechanism == Mechanism::Pipe || mechanism.keeps_whole(size)
}

/// Measures all mechanisms alternately, so that load on the host affects all of them.
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
            system::set_timeout(crate::TIMEOUT)?;
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
    fn all_messages_are_counted() {
        let job = Stream {
            shape: SHAPE,
            writers: 3,
            readers: 2,
        };
        assert!(with(Mechanism::PipeDirect, job).unwrap() > 0.0);
    }

    /// Reads messages with these sequence numbers from one writer.
    fn received(numbers: &[u64]) -> Result<Count> {
        let (mut sender, mut receiver) = PipeDirect::open(SHAPE)?;
        for number in numbers {
            stamp(sender.message(), 5, *number);
            assert!(sender.send());
        }
        read::<PipeDirect>(&mut receiver, SHAPE)
    }

    #[test]
    fn reader_counts_messages_until_stop() {
        let count = received(&[2, 3, 7, STOP]).unwrap();
        let expected = Count {
            messages: 3,
            sum: 12,
        };
        assert_eq!(count, expected);
    }

    #[test]
    fn reordered_message_is_an_error() {
        let failure = received(&[2, 4, 3, STOP]).unwrap_err().to_string();
        assert!(
            failure.contains("message 3 of writer 5 came after"),
            "{failure}"
        );
        assert!(received(&[2, 2, STOP]).is_err());
    }
}
