// SPDX-License-Identifier: GPL-2.0

//! The clock, batches, and what is made of them.

use anyhow::Result;
use nix::time::{clock_gettime, ClockId};
use statrs::statistics::{Data, Max, Min, OrderStatistics};

/// The time by `CLOCK_MONOTONIC`, in nanoseconds. Where instructions are counted it is their number.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("the kernel has this clock");
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

/// How a figure is come by.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How often it is measured.
    pub batches: usize,
    /// How many times a measurement does what is measured.
    pub iterations: u32,
}

impl Plan {
    /// For messages of `size` bytes: a batch is short enough that most see no tick of the timer, and
    /// long enough that the clock does not matter. The number is a power of two, so that each batch
    /// meets the same number of beginnings of pages.
    pub fn of_size(size: usize) -> Self {
        Self {
            batches: 12,
            iterations: match size {
                0..=1024 => 512,
                1025..=4096 => 256,
                _ => 32,
            },
        }
    }
}

/// What batches say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The smallest.
    pub least: f64,
    /// The one in the middle.
    pub median: f64,
    /// The largest.
    pub most: f64,
    /// How many there were.
    pub batches: usize,
}

impl Figure {
    /// Of what each batch measured. There is at least one.
    pub fn of(values: Vec<f64>) -> Self {
        let batches = values.len();
        let mut data = Data::new(values);
        Self {
            least: data.min(),
            median: data.median(),
            most: data.max(),
            batches,
        }
    }

    /// What is exact, and was measured once.
    pub fn exact(value: f64) -> Self {
        Self::of(vec![value])
    }
}

/// What reading the clock adds to a measurement.
fn overhead() -> f64 {
    let reads = (0..64).map(|_| {
        let start = now();
        (now() - start) as f64
    });
    Figure::of(reads.collect()).least
}

/// Measures what one iteration takes. `work` is called once before, for what is only done at first.
pub fn measure(plan: Plan, mut work: impl FnMut(u32) -> Result<()>) -> Result<Figure> {
    let overhead = overhead();
    work(plan.iterations)?;
    let mut values = Vec::with_capacity(plan.batches);
    for _ in 0..plan.batches {
        let start = now();
        work(plan.iterations)?;
        let took = (now() - start) as f64 - overhead;
        values.push(took / f64::from(plan.iterations));
    }
    Ok(Figure::of(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_of_all_batches() {
        let figure = Figure::of(vec![5.0, 1.0, 9.0, 2.0, 3.0]);
        let expected = Figure {
            least: 1.0,
            median: 3.0,
            most: 9.0,
            batches: 5,
        };
        assert_eq!(figure, expected);
        assert_eq!(Figure::of(vec![4.0, 2.0]).median, 3.0);
        assert_eq!(Figure::exact(7.0).median, 7.0);
    }

    #[test]
    fn each_batch_is_measured_and_one_is_not() {
        let plan = Plan {
            batches: 4,
            iterations: 10,
        };
        let mut calls = Vec::new();
        let figure = measure(plan, |count| {
            calls.push(count);
            Ok(())
        });
        assert_eq!(calls, [10; 5]);
        assert_eq!(figure.unwrap().batches, 4);
    }

    #[test]
    fn a_failure_ends_it() {
        let plan = Plan::of_size(64);
        let mut calls = 0;
        let figure = measure(plan, |_| {
            calls += 1;
            anyhow::bail!("broken")
        });
        assert!(figure.is_err());
        assert_eq!(calls, 1);
    }
}
