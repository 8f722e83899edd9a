// SPDX-License-Identifier: GPL-2.0

//! The trimmer, which frees memory that a pipe no longer needs.
//!
//! A pipe keeps the segments that its messages have used, for the next messages. While the pipe is
//! in use, the trimmer runs every second and frees the spare segments that were not needed since
//! the last run. After a second without traffic it frees everything that holds no message, and
//! stops.

use kernel::{
    sync::Arc,
    time::msecs_to_jiffies,
    workqueue::WorkItem, //
};

use super::{
    work_id,
    Flag,
    Pipe,
    State, //
};

use crate::kernel_ext::sync::work;

/// Interval of the trimmer, in milliseconds.
const INTERVAL_MS: u32 = 1000;

impl Pipe {
    /// Queues the trimmer, unless it is queued. Must be called when the queue is used.
    #[inline]
    pub(super) fn arm_trimmer(self: &Arc<Self>, state: &mut State) {
        if state.flags.contains(Flag::Untrimmed) {
            state.flags.set(Flag::Untrimmed, false);
            self.queue_trimmer();
        }
    }

    /// Queues the trimmer.
    fn queue_trimmer(self: &Arc<Self>) {
        let delay = msecs_to_jiffies(INTERVAL_MS);
        let _ = work::queue().enqueue_delayed::<_, { work_id::TRIM }>(self.clone(), delay);
    }
}

impl WorkItem<{ work_id::TRIM }> for Pipe {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let mut state = this.state.lock();
        let counters = state.queue.counters();
        let left = counters
            .enqueued
            .msgs
            .wrapping_sub(state.queue.depth().msgs);
        let passed = counters.enqueued.msgs.wrapping_add(left);
        // CAST: Only differences matter, which fit.
        let passed = passed as u32;
        let idle = passed == state.passed_at_trim && !state.flags.contains(Flag::Dumping);
        state.passed_at_trim = passed;
        let surplus = state.queue.trim(idle);
        let lanes = state.forget_deadlines();
        state.flags.set(Flag::Untrimmed, idle);
        if !idle {
            this.queue_trimmer();
        }
        drop(state);
        drop(surplus);
        drop(lanes);
    }
}
