// SPDX-License-Identifier: GPL-2.0

//! Clock readings as numbers.
//!
//! C headers: [`include/linux/timekeeping.h`](srctree/include/linux/timekeeping.h),
//! [`include/linux/time_namespace.h`](srctree/include/linux/time_namespace.h).
//!
//! `kernel::time::Instant` does not let a module see its value.

use kernel::{
    bindings,
    task::CurrentTask, //
};

#[cfg(CONFIG_TIME_NS)]
use super::layout::TIME_NS_MONOTONIC;

/// Nanoseconds in a second.
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

/// By how much, in seconds and nanoseconds, the time namespace of `task` has set `CLOCK_MONOTONIC`
/// ahead.
#[cfg(CONFIG_TIME_NS)]
#[inline(always)]
fn offset(task: &CurrentTask) -> (i64, i64) {
    // SAFETY: The current task is valid. While it makes a call it has namespaces, which it alone
    // changes.
    let time_ns = unsafe { (*(*task.as_ptr()).nsproxy).time_ns };
    // SAFETY: The namespace is valid while the task is in it, and this is where its offset is.
    let offset = unsafe {
        time_ns
            .byte_add(TIME_NS_MONOTONIC)
            .cast::<bindings::timespec64>()
    };
    // SAFETY: It is valid. It does not change any more once a task is in the namespace.
    // CAST: It is less than a second.
    unsafe { ((*offset).tv_sec, (*offset).tv_nsec as i64) }
}

/// By how much: there is one time namespace.
#[cfg(not(CONFIG_TIME_NS))]
fn offset(_task: &CurrentTask) -> (i64, i64) {
    (0, 0)
}

/// By how many nanoseconds the time namespace of `task` has set `CLOCK_MONOTONIC` ahead.
pub(super) fn ahead(task: &CurrentTask) -> i64 {
    let (sec, nsec) = offset(task);
    sec.saturating_mul(NSEC_PER_SEC).saturating_add(nsec)
}

/// Whether that is nothing.
#[inline(always)]
pub(super) fn is_initial_for(task: &CurrentTask) -> bool {
    let (sec, nsec) = offset(task);
    sec | nsec == 0
}
