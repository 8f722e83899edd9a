// SPDX-License-Identifier: GPL-2.0

//! Cancelling and disabling of delayed work.

use kernel::{
    sync::Arc,
    workqueue::{self, HasDelayedWork, Queue, WorkItem},
};

/// Returns the system workqueue.
pub(crate) fn queue() -> &'static Queue {
    Queue::SYSTEM
}

/// Removes the delayed work of `this` from its queue if it is pending. Does not wait for running
/// work.
///
/// Returns the reference that the queue held, if the work was pending.
pub(crate) fn cancel<T, const ID: u64>(this: &Arc<T>) -> Option<Arc<T>>
where
    T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>> + Send + Sync + 'static,
{
    workqueue::cancel::<T, ID>(this, false)
}

/// Removes the delayed work of `this` from its queue if it is pending, waits for it if it is running,
/// and prevents further queueing.
pub(crate) fn disable<T, const ID: u64>(this: &Arc<T>)
where
    T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>> + Send + Sync + 'static,
{
    drop(workqueue::cancel::<T, ID>(this, true));
}
