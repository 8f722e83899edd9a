// SPDX-License-Identifier: GPL-2.0

//! Clock, batches and statistics.

use anyhow::Result;
use nix::time::{clock_gettime, ClockId};
use statrs::statistics::{Data, Max, Min, OrderStatistics};

/// Returns `CLOCK_MONOTONIC` in nanoseconds; with icount, this is the number of executed instructions.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("the kernel has this clock");
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

/// Plan of a measurement.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Number of batches.
    pub batches: usize,
    /// Number of iterations per batch.
    pub iterations: u32,
}

impl Plan {
    /// Returns the plan for messages of `size` bytes. A batch is short enough that most contain no timer
    /// tick, and long enough that reading the clock does not matter. The number of iterations is a power of
    /// two, so that each batch crosses the same number of page boundaries.
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

/// Statistics of batches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// Minimum.
    pub least: f64,
    /// Median.
    pub median: f64,
    /// Maximum.
    pub most: f64,
    /// Number of batches.
    pub batches: usize,
}

impl Figure {
    /// Computes the statistics of at least one value.
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

    /// Returns the figure of an exact value, measured once.
    pub fn exact(value: f64) -> Self {
        Self::of(vec![value])
    }
}

/// Returns the cost of reading the clock.
fn overhead() -> f64 {
    let reads = (0..64).map(|_| {
        let start = now();
        (now() - start) as f64
    });
    Figure::of(reads.collect()).least
}

/// Measures one iteration of `work`, after a warm-up call for costs that occur only once.
pub fn measure(plan: Plan, mut work: impl FnMut(u32) -> Result<()>) -> Result<Figure> {
    measure_after(plan, &mut (), |()| Ok(()), |(), count| work(count))
}

/// Measures one iteration of `work` like [`measure`], and calls `prepare` before each call of `work`. The cost
/// of `prepare` is not included.
pub fn measure_after<T>(
    plan: Plan,
    on: &mut T,
    mut prepare: impl FnMut(&mut T) -> Result<()>,
    mut work: impl FnMut(&mut T, u32) -> Result<()>,
) -> Result<Figure> {
    let overhead = overhead();
    prepare(on)?;
    work(on, plan.iterations)?;
    let mut values = Vec::with_capacity(plan.batches);
    for _ in 0..plan.batches {
        prepare(on)?;
        let start = now();
        work(on, plan.iterations)?;
        let took = (now() - start) as f64 - overhead;
        values.push(took / f64::from(plan.iterations));
    }
    Ok(Figure::of(values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{thread, time::Duration};

    #[test]
    fn figure_summarizes_all_batches() {
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
    fn warm_up_is_not_measured() {
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
    fn preparation_is_not_measured() {
        let plan = Plan {
            batches: 3,
            iterations: 2,
        };
        let pause = Duration::from_millis(20);
        let mut calls = Vec::new();
        let figure = measure_after(
            plan,
            &mut calls,
            |calls| {
                thread::sleep(pause);
                calls.push(("prepare", 0));
                Ok(())
            },
            |calls, count| {
                calls.push(("work", count));
                Ok(())
            },
        );
        assert_eq!(calls, [("prepare", 0), ("work", 2)].repeat(4));
        assert!(figure.unwrap().least < pause.as_nanos() as f64 / 4.0);
    }

    #[test]
    fn failure_ends_the_measurement() {
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
