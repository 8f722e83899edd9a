// SPDX-License-Identifier: GPL-2.0

//! Cancelling and disabling of delayed work.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h).
//!
//! # Examples
//!
//! ```ignore
//! use crate::kernel_ext::sync::work;
//! use kernel::{
//!     prelude::*,
//!     sync::Arc,
//!     time::Jiffies,
//!     workqueue::{impl_has_delayed_work, DelayedWork, WorkItem},
//! };
//!
//! #[pin_data]
//! struct Alarm {
//!     #[pin]
//!     work: DelayedWork<Alarm>,
//! }
//!
//! impl_has_delayed_work! {
//!     impl HasDelayedWork<Self> for Alarm { self.work }
//! }
//!
//! impl WorkItem for Alarm {
//!     type Pointer = Arc<Self>;
//!
//!     fn run(_this: Arc<Self>) {
//!         pr_info!("time is up\n");
//!     }
//! }
//!
//! /// Sets the alarm to `delay` from now, even if it is already set.
//! fn set(alarm: &Arc<Alarm>, delay: Jiffies) {
//!     drop(work::cancel::<Alarm, 0>(alarm));
//!     let _ = work::queue().enqueue_delayed::<_, 0>(alarm.clone(), delay);
//! }
//!
//! /// Disables the alarm permanently. It does not go off after this.
//! fn remove(alarm: &Arc<Alarm>) {
//!     work::disable::<Alarm, 0>(alarm);
//! }
//! ```

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

/// Returns the system workqueue for work that may run on any CPU, `system_dfl_wq`.
///
/// `kernel::workqueue` only has its deprecated predecessors.
pub(crate) fn queue() -> &'static Queue {
    // SAFETY: `system_dfl_wq` is created before modules are loaded, and is never destroyed.
    unsafe { Queue::from_raw(bindings::system_dfl_wq) }
}

/// Returns the `struct delayed_work` of `this`.
fn raw<T, const ID: u64>(this: &Arc<T>) -> *mut bindings::delayed_work
where
    T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>>,
{
    // SAFETY: The pointer is that of an `Arc`, so it is valid.
    let work = unsafe { T::raw_get_work(Arc::as_ptr(this).cast_mut()) };
    // SAFETY: `work` points to a valid `Work` in `this`.
    let work = unsafe { Work::raw_get(work) };
    // SAFETY: By the contract of `HasDelayedWork` the pointer is to the `work` of a `delayed_work`.
    unsafe { container_of!(work, bindings::delayed_work, work) }
}

/// Takes back the reference to `this` that a workqueue held while the work was pending.
///
/// # Safety
///
/// The work must just have been removed from the queue before it ran.
unsafe fn reclaim<T>(this: &Arc<T>) -> Arc<T> {
    // SAFETY: Queueing the work gave up a reference with `Arc::into_raw`, which the work takes back
    // when it runs. By the safety requirements it does not run.
    unsafe { Arc::from_raw(Arc::as_ptr(this)) }
}

/// Removes the delayed work of `this` from its queue if it is pending. Does not wait for running
/// work.
///
/// Returns the reference that the queue held, if the work was pending.
pub(crate) fn cancel<T, const ID: u64>(this: &Arc<T>) -> Option<Arc<T>>
where
    T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>>,
{
    // SAFETY: The work is initialised, as `this` is, and `this` keeps it valid.
    let was_pending = unsafe { bindings::cancel_delayed_work(raw(this)) };
    // SAFETY: The work was pending, and was just removed from the queue.
    was_pending.then(|| unsafe { reclaim(this) })
}

/// Removes the delayed work of `this` from its queue if it is pending, waits for it if it is
/// running, and prevents further queueing. Must not be called by the work itself, nor with a lock
/// held that the work takes.
pub(crate) fn disable<T, const ID: u64>(this: &Arc<T>)
where
    T: HasDelayedWork<T, ID> + WorkItem<ID, Pointer = Arc<T>>,
{
    // SAFETY: The work is initialised, as `this` is, and `this` keeps it valid.
    let was_pending = unsafe { bindings::disable_delayed_work_sync(raw(this)) };
    if was_pending {
        // SAFETY: The work was pending, and was just removed from the queue.
        drop(unsafe { reclaim(this) });
    }
}
