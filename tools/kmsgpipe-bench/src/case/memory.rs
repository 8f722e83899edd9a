// SPDX-License-Identifier: GPL-2.0

//! What a queued message takes of the kernel's memory beside its payload, and what a channel takes that
//! nobody uses.

use super::SIZES;
use crate::{
    channel::{kmsgpipe::Crowd, with, Channel, Job, Sender, Shape},
    group::{kernel_memory, Group},
    measure::Figure,
    mechanism::Mechanism,
    record::{Of, Sink, Unit},
    system,
};
use anyhow::{ensure, Context, Result};
use nix::{
    sys::wait::{waitpid, WaitStatus},
    unistd::{fork, ForkResult},
};

/// How the memory of messages is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meter {
    /// As what is charged to the sender's control group.
    Charged,
    /// As what the kernel has allocated, where a sender is not charged in full: without
    /// `SLAB_BUCKETS` the messages of both queues are not.
    Allocated,
}

use Meter::{Allocated, Charged};

/// Whose memory is measured, and how.
const OWNERS: [(Mechanism, Meter); 6] = [
    (Mechanism::Kmsgpipe, Charged),
    (Mechanism::PipeDirect, Charged),
    (Mechanism::Mq, Allocated),
    (Mechanism::Sysv, Allocated),
    (Mechanism::SeqPacket, Charged),
    (Mechanism::Dgram, Charged),
];

impl Meter {
    /// What there is now, in bytes.
    fn read(self, group: &Group) -> Result<u64> {
        // This waits until what a child used is given back, in either case.
        let charged = group.charged()?;
        match self {
            Charged => Ok(charged),
            Allocated => kernel_memory(),
        }
    }
}

/// A queue full of messages from a task in a control group.
struct Queued<'a> {
    group: &'a Group,
    meter: Meter,
    shape: Shape,
}

impl Job for Queued<'_> {
    type Output = f64;

    fn run<C: Channel>(self) -> Result<f64> {
        let Self {
            group,
            meter,
            shape,
        } = self;
        let (mut sender, _receiver) = C::open(shape)?;
        let before = meter.read(group)?;
        // SAFETY: This process has one thread, so that the child may do anything.
        match unsafe { fork() }.context("fork")? {
            ForkResult::Parent { child } => {
                let end = waitpid(child, None).context("waitpid")?;
                ensure!(
                    end == WaitStatus::Exited(child, 0),
                    "{}: {} messages of {} bytes were not sent: {end:?}",
                    C::MECHANISM.name(),
                    shape.depth,
                    shape.size
                );
            }
            ForkResult::Child => {
                let done = system::end_with_parent().is_ok()
                    && group.enter().is_ok()
                    && (0..shape.depth).all(|_| sender.send());
                // SAFETY: It ends the process, without an end to what is the parent's.
                unsafe { nix::libc::_exit(if done { 0 } else { 1 }) }
            }
        }
        let all = meter.read(group)? as f64 - before as f64;
        Ok(all / shape.depth as f64 - shape.size as f64)
    }
}

/// Many channels that nobody uses.
struct Idle;

/// How many.
const IDLE: usize = 1000;

impl Job for Idle {
    type Output = f64;

    fn run<C: Channel>(self) -> Result<f64> {
        let shape = Shape {
            size: kmsgpipe::MSG_SIZE_DEFAULT as usize,
            depth: kmsgpipe::MAX_MSGS_DEFAULT as usize,
        };
        let mut open = Vec::with_capacity(2 * IDLE);
        each(|| {
            for _ in 0..IDLE {
                open.push(C::open(shape)?);
            }
            Ok(())
        })
    }
}

/// What one of a thousand things takes that a call makes. A first call is for what is allocated once.
fn each(mut make: impl FnMut() -> Result<()>) -> Result<f64> {
    make()?;
    let before = kernel_memory()?;
    make()?;
    Ok((kernel_memory()? as f64 - before as f64) / IDLE as f64)
}

/// Measures. Nothing else may have used much memory before: what is left of that would be used again.
pub fn measure(sink: &mut Sink<'_>) -> Result<()> {
    let mut put = |mechanism, case, size, bytes| {
        let of = Of {
            mechanism,
            case,
            size,
            at: None,
        };
        sink.put(of, Unit::Bytes, Figure::exact(bytes))
    };
    let mut crowd = Crowd::new()?;
    let pipe = each(|| crowd.grow(IDLE))?;
    put(Mechanism::Kmsgpipe, "memory pipe", 0, pipe)?;
    crowd.disperse()?;
    for (mechanism, _) in OWNERS.into_iter().skip(1) {
        put(mechanism, "memory pipe", 0, with(mechanism, Idle)?)?;
    }
    let group = Group::new()?;
    // What other processors have charged in advance is given back later only.
    let processors = system::processors();
    system::run_on(0)?;
    for (mechanism, meter) in OWNERS {
        for size in SIZES.into_iter().filter(|size| mechanism.takes(*size)) {
            let depth = ((16 << 20) / size).min(16384);
            let shape = Shape { size, depth };
            let group = &group;
            let job = Queued {
                group,
                meter,
                shape,
            };
            let bytes = with(mechanism, job)?;
            put(mechanism, "memory message", size, bytes)?;
        }
    }
    system::run_anywhere(processors)
}
