// SPDX-License-Identifier: GPL-2.0

//! Kernel memory: overhead per queued message, and per idle channel.

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

/// How memory is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meter {
    /// By the charge of the sender's control group.
    Charged,
    /// By the total of allocated kernel memory, for mechanisms that do not charge the sender in full: POSIX
    /// and System V queues without `SLAB_BUCKETS`.
    Allocated,
}

use Meter::{Allocated, Charged};

/// Mechanisms that are measured, and how.
const OWNERS: [(Mechanism, Meter); 6] = [
    (Mechanism::Kmsgpipe, Charged),
    (Mechanism::PipeDirect, Charged),
    (Mechanism::Mq, Allocated),
    (Mechanism::Sysv, Allocated),
    (Mechanism::SeqPacket, Charged),
    (Mechanism::Dgram, Charged),
];

impl Meter {
    /// Returns the current value in bytes.
    fn read(self, group: &Group) -> Result<u64> {
        // Also waits until the memory of a child that exited is uncharged.
        let charged = group.charged()?;
        match self {
            Charged => Ok(charged),
            Allocated => kernel_memory(),
        }
    }
}

/// Messages queued by a task in a control group.
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
        // SAFETY: This process has one thread, so the child may call any function.
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
                // SAFETY: `_exit` does not run destructors, which would release what the parent owns.
                unsafe { nix::libc::_exit(if done { 0 } else { 1 }) }
            }
        }
        let all = meter.read(group)? as f64 - before as f64;
        Ok(all / shape.depth as f64 - shape.size as f64)
    }
}

/// Idle channels.
struct Idle;

/// Number of idle channels.
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

/// Measures the memory of one of a thousand objects, after a warm-up call.
fn each(mut make: impl FnMut() -> Result<()>) -> Result<f64> {
    make()?;
    let before = kernel_memory()?;
    make()?;
    Ok((kernel_memory()? as f64 - before as f64) / IDLE as f64)
}

/// Measures all mechanisms. Must run before cases that use much memory, which would be reused here.
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
    crowd.destroy_all()?;
    for (mechanism, _) in OWNERS.into_iter().skip(1) {
        put(mechanism, "memory pipe", 0, with(mechanism, Idle)?)?;
    }
    let group = Group::new()?;
    // Other processors return precharged memory with a delay.
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
