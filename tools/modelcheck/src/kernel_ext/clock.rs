// SPDX-License-Identifier: GPL-2.0

//! Clock readings as numbers.

use kernel::model;

/// Reads `CLOCK_MONOTONIC`, in nanoseconds.
pub(crate) fn monotonic() -> u64 {
    model::now()
}

/// Converts a reading of `CLOCK_MONOTONIC` to `CLOCK_REALTIME`.
pub(crate) fn monotonic_to_realtime(monotonic: u64) -> i64 {
    monotonic as i64
}

/// Translates a reading of `CLOCK_MONOTONIC` for the current task: there is one namespace.
pub(crate) fn monotonic_for_current(monotonic: u64) -> u64 {
    monotonic
}
