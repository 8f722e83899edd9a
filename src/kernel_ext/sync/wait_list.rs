// SPDX-License-Identifier: GPL-2.0

//! Wait list of tasks, in FIFO order, protected by the lock of the condition.
//!
//! C headers: [`include/linux/sched.h`](srctree/include/linux/sched.h),
//! [`include/linux/wait.h`](srctree/include/linux/wait.h).
//!
//! A [`WaitList`] replaces a `CondVar` where waiter and waker hold the same lock anyway. The wait
//! queue of a `CondVar` has a separate lock, which each enqueue, wakeup and dequeue takes. Here
//! the lock of the condition protects the list too.
//!
//! A waker takes the waiter off the list under the lock, and wakes it after releasing the lock: the
//! waiter would otherwise block on that lock at once.
//!
//! A waiter that was taken off the list is not taken twice. A waiter that is interrupted by a
//! signal learns whether it was also taken. If so, it must use the wakeup or pass it on.
//!
//! # Examples
//!
//! A counter of free units, and the tasks that wait for one:
//!
//! ```ignore
//! use crate::kernel_ext::sync::{
//!     lock::{
//!         new_state_lock,
//!         StateLock, //
//!     },
//!     wait_list::WaitList, //
//! };
//! use kernel::{
//!     current,
//!     prelude::*, //
//! };
//!
//! #[pin_data]
//! struct Units {
//!     #[pin]
//!     free: StateLock<u32>,
//!     waiters: WaitList<u32>,
//! }
//!
//! impl Units {
//!     fn new() -> impl PinInit<Self> {
//!         pin_init!(Self {
//!             free <- new_state_lock!(0, "Units::free"),
//!             waiters: WaitList::new(&free),
//!         })
//!     }
//!
//!     fn acquire(&self) -> Result {
//!         let mut free = self.free.lock();
//!         while *free == 0 {
//!             let taken;
//!             (free, taken) = self.waiters.sleep(free, current!(), 0);
//!             if !taken {
//!                 return Err(ERESTARTSYS);
//!             }
//!         }
//!         *free -= 1;
//!         Ok(())
//!     }
//!
//!     fn release(&self) {
//!         let mut free = self.free.lock();
//!         *free += 1;
//!         let waiter = self.waiters.take_next(&mut free);
//!         drop(free);
//!         if let Some(waiter) = waiter {
//!             waiter.wake_up();
//!         }
//!     }
//! }
//! ```

use kernel::{
    bindings,
    sync::{
        aref::ARef,
        LockedBy, //
    },
    task::{
        CurrentTask,
        Task,
        TASK_INTERRUPTIBLE, //
    },
};

use super::{
    fifo::{
        Fifo,
        Link, //
    },
    lock::{
        StateGuard,
        StateLock, //
    },
};

/// A waiting task.
struct Waiter {
    task: ARef<Task>,
    /// Value by which [`WaitList::take_next_tagged`] selects waiters.
    tag: usize,
}

/// Tasks that wait for a change of a `U`, which a lock protects.
pub(crate) struct WaitList<U>(LockedBy<Fifo<Waiter>, U>);

impl<U: Unpin> WaitList<U> {
    /// Makes an empty wait list, protected by `lock`.
    pub(crate) fn new(lock: &StateLock<U>) -> Self {
        Self(LockedBy::new(lock, Fifo::new()))
    }

    /// Returns the number of waiters in the list.
    #[inline]
    pub(crate) fn len(&self, state: &U) -> u32 {
        self.0.access(state).len()
    }

    /// Removes the waiter that has waited longest and returns its task, if there is one. The caller
    /// must wake it after releasing the lock.
    #[inline]
    pub(crate) fn take_next(&self, state: &mut U) -> Option<ARef<Task>> {
        self.0
            .access_mut(state)
            .pop_front()
            .map(|waiter| waiter.task)
    }

    /// Removes the waiter with tag `tag` that has waited longest and returns its task, if there is
    /// one. The caller must wake it after releasing the lock.
    pub(crate) fn take_next_tagged(&self, state: &mut U, tag: usize) -> Option<ARef<Task>> {
        let list = self.0.access_mut(state);
        let waiter = list.pop_first(|waiter| waiter.tag == tag);
        waiter.map(|waiter| waiter.task)
    }

    /// Releases the lock, sleeps until `task`, the current task, is taken off the list or has a
    /// signal pending, and takes the lock again. `tag` selects the waiter in
    /// [`WaitList::take_next_tagged`].
    ///
    /// Returns whether the task was taken off the list.
    pub(crate) fn sleep<'a>(
        &self,
        mut guard: StateGuard<'a, U>,
        task: &CurrentTask,
        tag: usize,
    ) -> (StateGuard<'a, U>, bool) {
        let lock = guard.lock_ref();
        let mut link = Link::new(Waiter {
            task: ARef::from(&**task),
            tag,
        });
        // From here on the link is accessed through this pointer only.
        let link = &raw mut link;
        // SAFETY: `link` is valid, in no FIFO, and has a value. This function accesses it only
        // with the lock held, and so with exclusive access to the list. When it returns, the entry
        // is no longer in the list.
        unsafe { self.0.access_mut(&mut guard).push_back(link) };
        loop {
            // A waker finds this task in the list only after the lock is released below. The
            // release orders this store before the wakeup, so the wakeup cannot be lost.
            //
            // SAFETY: The current task is valid, and sets its own state. Other tasks may read the
            // state at any time, so the store is volatile, like `WRITE_ONCE` in C.
            unsafe {
                (&raw mut (*task.as_ptr()).__state).write_volatile(TASK_INTERRUPTIBLE as u32);
            }
            drop(guard);
            // `schedule` does not sleep if a signal is pending.
            //
            // SAFETY: The lock is released, and the caller is in a context that may sleep, as for
            // a `CondVar`.
            unsafe { bindings::schedule() };
            guard = lock.lock();

            let list = self.0.access_mut(&mut guard);
            // SAFETY: `link` is valid. The access to the list is exclusive, and so is that to the
            // link.
            if unsafe { (*link).is_removed() } {
                return (guard, true);
            }
            if task.signal_pending() {
                // SAFETY: `link` was not removed, so it is still in the list.
                let myself = unsafe { list.remove(link) };
                // A running task has other references, so this one is not the last: no task is
                // freed here.
                drop(myself);
                return (guard, false);
            }
        }
    }
}
