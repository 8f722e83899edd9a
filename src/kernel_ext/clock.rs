// SPDX-License-Identifier: GPL-2.0

//! Clock readings as numbers.
//!
//! C header: [`include/linux/timekeeping.h`](srctree/include/linux/timekeeping.h).
//!
//! `kernel::time::Instant` does not let a module see its value.

use kernel::bindings;

/// Reads `CLOCK_MONOTONIC`, in nanoseconds.
#[inline]
pub(crate) fn monotonic() -> u64 {
    // SAFETY: `ktime_get` has no preconditions.
    let now = unsafe { bindings::ktime_get() };
    // CAST: This clock counts up from zero.
    now as u64
}

/// Converts a reading of `CLOCK_MONOTONIC` to `CLOCK_REALTIME`, both in nanoseconds, as the clocks
/// stand to each other now: negative before 1970. Much cheaper than a second reading.
#[inline]
pub(crate) fn monotonic_to_realtime(monotonic: u64) -> i64 {
    // CAST: The clock takes three centuries to get out of the range.
    let monotonic = monotonic as i64;
    // SAFETY: `ktime_mono_to_any` takes any time, and `TK_OFFS_REAL` is a valid offset.
    unsafe { bindings::ktime_mono_to_any(monotonic, bindings::tk_offsets_TK_OFFS_REAL) }
}
