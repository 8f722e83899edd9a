// SPDX-License-Identifier: GPL-2.0

//! Clocks that advance only when a scenario advances them.

use kernel::model;

/// Reads `CLOCK_MONOTONIC`, in nanoseconds.
pub(crate) fn monotonic() -> u64 {
    model::now()
}

/// Converts a reading of `CLOCK_MONOTONIC` to `CLOCK_REALTIME`.
pub(crate) fn monotonic_to_realtime(monotonic: u64) -> i64 {
    monotonic as i64
}
