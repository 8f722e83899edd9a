// SPDX-License-Identifier: GPL-2.0

//! Sending and receiving by one task that never blocks.

use super::SIZES;
use crate::{
    channel::{pairs, verify, with, Channel, Job, Shape},
    measure::{measure as batches, Figure, Plan},
    mechanism::Mechanism,
    record::{Of, Sink},
};
use anyhow::Result;

/// Queue depth: the default of a pipe.
const DEPTH: usize = 128;

/// A measurement.
struct Pair {
    shape: Shape,
}

impl Job for Pair {
    type Output = Figure;

    fn run<C: Channel>(self) -> Result<Figure> {
        let shape = self.shape;
        let (mut sender, mut receiver) = C::open(shape)?;
        verify::<C>(&mut sender, &mut receiver, shape)?;
        let per_call = Plan::of_size(shape.size);
        let plan = Plan {
            iterations: (per_call.iterations / C::BATCH as u32).max(4),
            ..per_call
        };
        let figure = batches(plan, |count| {
            pairs::<C>(&mut sender, &mut receiver, shape, count)
        })?;
        verify::<C>(&mut sender, &mut receiver, shape)?;
        let each = C::BATCH as f64;
        Ok(Figure {
            least: figure.least / each,
            median: figure.median / each,
            most: figure.most / each,
            ..figure
        })
    }
}

/// Measures all mechanisms with all sizes that they support.
pub fn measure(sink: &mut Sink<'_>) -> Result<()> {
    for mechanism in Mechanism::ALL {
        for size in [8].into_iter().chain(SIZES) {
            // Only eventfd is measured with 8 bytes.
            if !mechanism.takes(size) || (size == 8 && mechanism != Mechanism::Eventfd) {
                continue;
            }
            let shape = Shape { size, depth: DEPTH };
            let figure = with(mechanism, Pair { shape })?;
            let of = Of {
                mechanism,
                case: "pair",
                size,
                at: None,
            };
            sink.put_time(of, figure)?;
        }
    }
    Ok(())
}
