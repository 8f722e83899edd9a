// SPDX-License-Identifier: GPL-2.0

//! Allocations per message in the steady state: with one message at a time, and with 64 messages queued.

use crate::{
    channel::{pairs, with, Channel, Job, Sender, Shape},
    measure::Figure,
    mechanism::Mechanism,
    record::{Of, Sink, Unit},
    trace::Trace,
};
use anyhow::{ensure, Result};
use std::collections::BTreeMap;

/// Number of messages that are traced.
const MESSAGES: u32 = 256;
/// Number of messages that stay queued in the second case.
const QUEUED: usize = 64;
/// Message sizes.
const SIZES: [usize; 4] = [64, 1024, 4096, 65536];
/// A measurement.
struct Steady<'a> {
    trace: &'a Trace,
    shape: Shape,
    queued: usize,
}

impl Job for Steady<'_> {
    type Output = f64;

    fn run<C: Channel>(self) -> Result<f64> {
        let shape = self.shape;
        let (mut sender, mut receiver) = C::open(shape)?;
        ensure!(
            (0..self.queued).all(|_| sender.send()),
            "{}: the queue was not filled",
            C::MECHANISM.name()
        );
        let mut go = |count| pairs::<C>(&mut sender, &mut receiver, shape, count);
        go(MESSAGES)?;
        let mut fewest: Option<BTreeMap<String, usize>> = None;
        // The minimum of three runs, because other events in this task may allocate as well.
        for _ in 0..3 {
            let mut found = self.trace.count(|| go(MESSAGES))?;
            // Subtract the allocations of enabling and disabling the tracer.
            for (place, count) in self.trace.count(|| Ok(()))? {
                found
                    .entry(place)
                    .and_modify(|all| *all = all.saturating_sub(count));
            }
            found.retain(|_, count| *count > 0);
            let sum = |counts: &BTreeMap<_, usize>| counts.values().sum::<usize>();
            if fewest
                .as_ref()
                .is_none_or(|fewest| sum(&found) < sum(fewest))
            {
                fewest = Some(found);
            }
        }
        let fewest = fewest.unwrap_or_default();
        if C::MECHANISM == Mechanism::Kmsgpipe {
            for (place, count) in &fewest {
                eprintln!(
                    "# {} messages of {} bytes with {} queued: {count} x {place}",
                    MESSAGES, shape.size, self.queued
                );
            }
        }
        Ok(fewest.values().sum::<usize>() as f64 / f64::from(MESSAGES))
    }
}

/// Measures all mechanisms.
pub fn measure(sink: &mut Sink<'_>) -> Result<()> {
    let trace = &Trace::new()?;
    for (case, queued) in [("allocations one", 0), ("allocations queued", QUEUED)] {
        for mechanism in Mechanism::BY_SIZE {
            for size in SIZES.into_iter().filter(|size| mechanism.takes(*size)) {
                let shape = Shape { size, depth: 128 };
                let job = Steady {
                    trace,
                    shape,
                    queued,
                };
                let allocations = with(mechanism, job)?;
                let of = Of {
                    mechanism,
                    case,
                    size,
                    at: None,
                };
                sink.put(of, Unit::Allocations, Figure::exact(allocations))?;
            }
        }
    }
    Ok(())
}
