// SPDX-License-Identifier: GPL-2.0

//! Giving memory back that is not needed any more.
//!
//! What a queue has used it keeps for the next messages. Every second while the pipe is in use,
//! what was not needed in that second is freed; once nothing happens, all that holds no message is,
//! and the work is not queued any more.

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
use crate::kernel_ext::work;

/// The time between two looks, in milliseconds.
const INTERVAL_MS: u32 = 1000;

impl Pipe {
    /// Queues the work unless it is, as the queue is used.
    #[inline]
    pub(super) fn arm_trimmer(self: &Arc<Self>, state: &mut State) {
        if state.flags.contains(Flag::Untrimmed) {
            state.flags.set(Flag::Untrimmed, false);
            self.queue_trimmer();
        }
    }

    /// Queues the work.
    fn queue_trimmer(self: &Arc<Self>) {
        let delay = msecs_to_jiffies(INTERVAL_MS);
        let _ = work::queue().enqueue_delayed::<_, { work_id::TRIM }>(self.clone(), delay);
    }
}

impl WorkItem<{ work_id::TRIM }> for Pipe {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        let mut state = this.state.lock();
        let account = state.queue.account();
        let left = account.enqueued.msgs.wrapping_sub(state.queue.depth().msgs);
        let passed = account.enqueued.msgs.wrapping_add(left);
        let idle = passed == state.passed_at_trim && !state.flags.contains(Flag::Dumping);
        state.passed_at_trim = passed;
        let surplus = state.queue.store_mut().trim(idle);
        state.flags.set(Flag::Untrimmed, idle);
        if !idle {
            this.queue_trimmer();
        }
        drop(state);
        drop(surplus);
    }
}
