// SPDX-License-Identifier: GPL-2.0

//! Cost of a round trip between two tasks that wait for each other's messages.

use crate::{
    channel::{broken, with, Channel, Job, Receiver, Sender, Shape},
    measure::{measure as batches, Figure, Plan},
    mechanism::Mechanism,
    record::{Of, Sink},
    system,
};
use anyhow::{ensure, Context, Result};
use nix::{
    sys::wait::{waitpid, WaitStatus},
    unistd::{fork, ForkResult},
};

/// Message sizes.
const SIZES: [usize; 3] = [64, 1024, 4096];

/// Round trips between a parent and its child.
struct PingPong {
    shape: Shape,
    /// Processor of the child; the parent runs on processor 0.
    processor: usize,
    plan: Plan,
}

/// Replies to each message. Returns false if a call fails.
fn answer<C: Channel>(
    (receiver, sender): (&mut C::Receiver, &mut C::Sender),
    count: usize,
) -> bool {
    (0..count).all(|_| receiver.receive() && sender.send())
}

impl Job for PingPong {
    type Output = Figure;

    fn run<C: Channel>(self) -> Result<Figure> {
        let Self {
            shape,
            processor,
            plan,
        } = self;
        let (mut to_child, mut from_parent) = C::open(shape)?;
        let (mut to_parent, mut from_child) = C::open(shape)?;
        let total = (1 + plan.batches) * plan.iterations as usize;

        // SAFETY: This process has one thread, so the child may call any function.
        let child = match unsafe { fork() }.context("fork")? {
            ForkResult::Parent { child } => child,
            ForkResult::Child => {
                let done = system::end_with_parent().is_ok()
                    && system::run_on(processor).is_ok()
                    && answer::<C>((&mut from_parent, &mut to_parent), total);
                // Destructors are skipped, because queues without descriptors belong to the parent.
                // SAFETY: `_exit` only ends the process.
                unsafe { nix::libc::_exit(if done { 0 } else { 1 }) }
            }
        };
        system::run_on(0)?;
        to_child.message().fill(7);
        let figure = batches(plan, |count| {
            for _ in 0..count {
                if !to_child.send() {
                    return Err(broken::<C>("sending", shape));
                }
                if !from_child.receive() {
                    return Err(broken::<C>("receiving", shape));
                }
            }
            Ok(())
        });
        if figure.is_err() {
            let _ = nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL);
        }
        let end = waitpid(child, None).context("waitpid")?;
        let figure = figure?;
        ensure!(
            end == WaitStatus::Exited(child, 0),
            "{}: the task that replies failed: {end:?}",
            C::MECHANISM.name()
        );
        Ok(figure)
    }
}

/// Measures all mechanisms that block.
pub fn measure(sink: &mut Sink<'_>) -> Result<()> {
    let processors = system::processors();
    // Instruction counts need one processor; with several, the distance between them is measured.
    let (case, processor, batches, iterations) = if processors > 1 {
        // Short batches, so that the host does not preempt all of them.
        ("pingpong 2 cpus", 1, 96, 8)
    } else {
        ("pingpong 1 cpu", 0, 12, 128)
    };
    for mechanism in Mechanism::ALL {
        for size in [8].into_iter().chain(SIZES) {
            if !takes_part(mechanism, size) {
                continue;
            }
            let job = PingPong {
                shape: Shape { size, depth: 128 },
                processor,
                plan: Plan {
                    batches,
                    iterations,
                },
            };
            let figure = with(mechanism, job)?;
            let of = Of {
                mechanism,
                case,
                size,
                at: None,
            };
            sink.put_time(of, figure)?;
        }
    }
    system::run_anywhere(processors)
}

/// Returns whether a mechanism takes part: it can be waited for, and transfers one message per call without
/// records.
fn takes_part(mechanism: Mechanism, size: usize) -> bool {
    match mechanism {
        Mechanism::Floor | Mechanism::SeqPacketBatch | Mechanism::DgramBatch => false,
        Mechanism::Eventfd => size == 8,
        _ if mechanism.is_own() => mechanism == Mechanism::Kmsgpipe,
        _ => size != 8 && mechanism.takes(size),
    }
}
