// SPDX-License-Identifier: GPL-2.0

//! Clock readings as numbers.
//!
//! C headers: [`include/linux/timekeeping.h`](srctree/include/linux/timekeeping.h),
//! [`include/linux/time_namespace.h`](srctree/include/linux/time_namespace.h).
//!
//! `kernel::time::Instant` does not let a module see its value.

use kernel::bindings;
#[cfg(CONFIG_TIME_NS)]
use kernel::task::Task;

#[cfg(CONFIG_TIME_NS)]
use super::layout::TIME_NS_MONOTONIC;

/// Nanoseconds in a second.
#[cfg(CONFIG_TIME_NS)]
const NSEC_PER_SEC: i64 = 1_000_000_000;

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

/// Translates a reading of `CLOCK_MONOTONIC` for the current task, whose time namespace may have
/// set that clock to another time. What was before it began is zero.
#[cfg(CONFIG_TIME_NS)]
pub(crate) fn monotonic_for_current(monotonic: u64) -> u64 {
    // SAFETY: The current task is valid. While it makes a call it has namespaces, which it alone
    // changes.
    let time_ns = unsafe { (*(*Task::current_raw()).nsproxy).time_ns };
    // SAFETY: The namespace is valid while the task is in it, and this is where its offset is.
    let offset = unsafe {
        time_ns
            .byte_add(TIME_NS_MONOTONIC)
            .cast::<bindings::timespec64>()
    };
    // SAFETY: It is valid. It does not change any more once a task is in the namespace.
    let (sec, nsec) = unsafe { ((*offset).tv_sec, (*offset).tv_nsec) };
    // CAST: It is less than a second.
    let offset = sec.saturating_mul(NSEC_PER_SEC).saturating_add(nsec as i64);
    monotonic.saturating_add_signed(offset)
}

/// Translates a reading of `CLOCK_MONOTONIC` for the current task: there is one time namespace.
#[cfg(not(CONFIG_TIME_NS))]
pub(crate) fn monotonic_for_current(monotonic: u64) -> u64 {
    monotonic
}
