// SPDX-License-Identifier: GPL-2.0

//! Delayed work that can be called off.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h).

use kernel::{
    bindings, container_of,
    sync::Arc,
    workqueue::{
        HasDelayedWork,
        Queue,
        Work,
        WorkItem, //
    },
};

/// The kernel's queue for work that may run on any processor.
///
/// `kernel::workqueue` has its deprecated predecessors only.
pub(crate) fn queue() -> &'static Queue {
    // SAFETY: The kernel makes it before modules are loaded, and never removes it.
    unsafe { Queue::from_raw(bindings::system_dfl_wq) }
}

/// The delayed work of `this`.
fn raw<T, const ID: u64>(this: &Arc<T>) -> *mut bindings::delayed_work
where
    T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>>,
{
    // SAFETY: The pointer is valid, as `this` is.
    let work = unsafe { T::raw_get_work(Arc::as_ptr(this).cast_mut()) };
    // SAFETY: So is this one, to a field of it.
    let work = unsafe { Work::raw_get(work) };
    // SAFETY: By the contract of `HasDelayedWork` it is the `work` of a `delayed_work`.
    unsafe { container_of!(work, bindings::delayed_work, work) }
}

/// The reference that the queue held to `this` as long as its work was pending.
///
/// # Safety
///
/// The work must just have been taken off the queue, before it was run.
unsafe fn reclaim<T>(this: &Arc<T>) -> Arc<T> {
    // SAFETY: Queueing gave a reference up with `Arc::into_raw`, for the work to take it back when
    // it runs, which by the safety requirements it does not.
    unsafe { Arc::from_raw(Arc::as_ptr(this)) }
}

/// Takes the delayed work of `this` off its queue if it is pending; does not wait if it is running.
///
/// Returns the reference that the queue held.
pub(crate) fn cancel<T, const ID: u64>(this: &Arc<T>) -> Option<Arc<T>>
where
    T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>>,
{
    // SAFETY: The work is initialised, as `this` is, and `this` keeps it valid.
    let was_pending = unsafe { bindings::cancel_delayed_work(raw(this)) };
    // SAFETY: It was pending and is no more.
    was_pending.then(|| unsafe { reclaim(this) })
}

/// Takes the delayed work of `this` off its queue if it is pending, waits for it if it is running,
/// and makes that it is never queued again. Must not be called by the work itself, nor with a lock
/// held that it takes.
pub(crate) fn disable<T, const ID: u64>(this: &Arc<T>)
where
    T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>>,
{
    // SAFETY: The work is initialised, as `this` is, and `this` keeps it valid.
    let was_pending = unsafe { bindings::disable_delayed_work_sync(raw(this)) };
    if was_pending {
        // SAFETY: It was pending and is no more.
        drop(unsafe { reclaim(this) });
    }
}
