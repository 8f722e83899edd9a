// SPDX-License-Identifier: GPL-2.0

//! Clock readings as integers.
//!
//! C headers: [`include/linux/timekeeping.h`](srctree/include/linux/timekeeping.h),
//! [`include/linux/time_namespace.h`](srctree/include/linux/time_namespace.h).
//!
//! `kernel::time::Instant` does not give modules access to its value.

use kernel::{
    bindings,
    task::CurrentTask, //
};

#[cfg(CONFIG_TIME_NS)]
use super::layout::TIME_NS_MONOTONIC;

const NSEC_PER_SEC: i64 = 1_000_000_000;

/// Reads `CLOCK_MONOTONIC`, in nanoseconds.
///
/// # Examples
///
/// ```ignore
/// use crate::kernel_ext::clock;
///
/// let begin = clock::monotonic();
/// run();
/// let duration = clock::monotonic().saturating_sub(begin);
/// let date = clock::monotonic_to_realtime(begin);
/// pr_info!("began at {date} and took {duration} ns\n");
/// ```
#[inline]
pub(crate) fn monotonic() -> u64 {
    // SAFETY: `ktime_get` has no preconditions.
    let now = unsafe { bindings::ktime_get() };
    // CAST: `CLOCK_MONOTONIC` is never negative.
    now as u64
}

/// Converts a reading of `CLOCK_MONOTONIC` to `CLOCK_REALTIME` with the current offset between the
/// two. Both are in nanoseconds; the result is negative for times before 1970. Much cheaper than
/// reading a second clock.
#[inline]
pub(crate) fn monotonic_to_realtime(monotonic: u64) -> i64 {
    // CAST: `CLOCK_MONOTONIC` exceeds the range of `i64` after three centuries only.
    let monotonic = monotonic as i64;
    // SAFETY: `ktime_mono_to_any` accepts any time, and `TK_OFFS_REAL` is a valid offset.
    unsafe { bindings::ktime_mono_to_any(monotonic, bindings::tk_offsets_TK_OFFS_REAL) }
}

/// Returns the offset of `CLOCK_MONOTONIC` in the time namespace of `task`: seconds, nanoseconds.
#[cfg(CONFIG_TIME_NS)]
#[inline(always)]
fn offset(task: &CurrentTask) -> (i64, i64) {
    // SAFETY: The current task is valid. During a system call its `nsproxy` is not null, and only
    // the task itself changes it.
    let time_ns = unsafe { (*(*task.as_ptr()).nsproxy).time_ns };
    // SAFETY: The time namespace stays valid while the task is in it. `TIME_NS_MONOTONIC` is the
    // offset of a `struct timespec64` in it.
    let offset = unsafe {
        time_ns
            .byte_add(TIME_NS_MONOTONIC)
            .cast::<bindings::timespec64>()
    };
    // SAFETY: `offset` is valid. Its value does not change once a task is in the namespace.
    // CAST: The nanoseconds are less than a second.
    unsafe { ((*offset).tv_sec, (*offset).tv_nsec as i64) }
}

/// Returns zero: without `CONFIG_TIME_NS` there is one time namespace.
#[cfg(not(CONFIG_TIME_NS))]
fn offset(_task: &CurrentTask) -> (i64, i64) {
    (0, 0)
}

/// Returns the offset of `CLOCK_MONOTONIC` in the time namespace of `task`, in nanoseconds.
pub(super) fn monotonic_offset(task: &CurrentTask) -> i64 {
    let (sec, nsec) = offset(task);
    sec.saturating_mul(NSEC_PER_SEC).saturating_add(nsec)
}

/// Returns whether the time namespace of `task` has no offset for `CLOCK_MONOTONIC`.
#[inline(always)]
pub(super) fn is_initial_for(task: &CurrentTask) -> bool {
    let (sec, nsec) = offset(task);
    sec | nsec == 0
}
