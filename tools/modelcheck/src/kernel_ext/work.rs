// SPDX-License-Identifier: GPL-2.0

//! Delayed work that can be called off.

use kernel::{
    sync::Arc,
    workqueue::{self, HasDelayedWork, Queue, WorkItem},
};

/// The queue for work.
pub(crate) fn queue() -> &'static Queue {
    Queue::SYSTEM
}

/// Takes the delayed work of `this` off its queue if it is pending; does not wait if it is running.
///
/// Returns the reference that the queue held.
pub(crate) fn cancel<T, const ID: u64>(this: &Arc<T>) -> Option<Arc<T>>
where
    T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>> + Send + Sync + 'static,
{
    workqueue::cancel::<T, ID>(this, false)
}

/// Takes the delayed work of `this` off its queue if it is pending, waits for it if it is running,
/// and makes that it is never queued again.
pub(crate) fn disable<T, const ID: u64>(this: &Arc<T>)
where
    T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>> + Send + Sync + 'static,
{
    drop(workqueue::cancel::<T, ID>(this, true));
}
