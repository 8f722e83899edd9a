// SPDX-License-Identifier: GPL-2.0

//! Wait list of tasks, in FIFO order, protected by the mutex of the condition.
//!
//! C headers: [`include/linux/sched.h`](srctree/include/linux/sched.h),
//! [`include/linux/wait.h`](srctree/include/linux/wait.h).
//!
//! A [`WaitList`] replaces a `CondVar` where waiter and waker hold the same mutex anyway. The wait
//! queue of a `CondVar` has a lock of its own, which each enqueue, wakeup and dequeue takes. Here
//! the mutex protects the list too.
//!
//! A waker removes the waiter from the list under the mutex, and wakes it after releasing the
//! mutex: the waiter would otherwise block on that mutex at once.
//!
//! A chosen waiter is no longer in the list, so no waiter is chosen twice. A waiter that is
//! interrupted by a signal learns whether it was also chosen. If so, it must use the wakeup or pass
//! it on.

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
    /// Value by which [`WaitList::choose_tagged`] selects waiters.
    tag: usize,
}

/// Tasks that wait for a change of a `U`, which a mutex protects.
pub(crate) struct WaitList<U>(LockedBy<Fifo<Waiter>, U>);

impl<U: Unpin> WaitList<U> {
    /// Makes an empty wait list, protected by `mutex`.
    pub(crate) fn new(mutex: &StateLock<U>) -> Self {
        Self(LockedBy::new(mutex, Fifo::new()))
    }

    /// Returns the number of waiters that were not chosen yet.
    #[inline]
    pub(crate) fn len(&self, state: &U) -> u32 {
        self.0.access(state).len()
    }

    /// Removes the waiter that has waited longest and returns its task, if there is one. The caller
    /// must wake it after releasing the mutex.
    #[inline]
    pub(crate) fn choose(&self, state: &mut U) -> Option<ARef<Task>> {
        self.0.access_mut(state).call().map(|sleeper| sleeper.task)
    }

    /// Removes the waiter with tag `tag` that has waited longest and returns its task, if there is
    /// one. The caller must wake it after releasing the mutex.
    pub(crate) fn choose_tagged(&self, state: &mut U, tag: usize) -> Option<ARef<Task>> {
        let line = self.0.access_mut(state);
        let sleeper = line.call_first(|sleeper| sleeper.tag == tag);
        sleeper.map(|sleeper| sleeper.task)
    }

    /// Releases the mutex, sleeps until `task`, the current task, is chosen or has a signal
    /// pending, and takes the mutex again. `tag` selects the waiter in [`WaitList::choose_tagged`].
    ///
    /// Returns whether the task was chosen.
    pub(crate) fn sleep<'a>(
        &self,
        mut guard: StateGuard<'a, U>,
        task: &CurrentTask,
        tag: usize,
    ) -> (StateGuard<'a, U>, bool) {
        let mutex = guard.lock_ref();
        let mut place = Link::new(Waiter {
            task: ARef::from(&**task),
            tag,
        });
        // From here on the link is accessed through this pointer only.
        let place = &raw mut place;
        // SAFETY: `place` is valid, in no FIFO, and has a value. This function accesses it only
        // with the mutex held, and so with exclusive access to the list. Before it returns, the
        // entry was called or leaves the list.
        unsafe { self.0.access_mut(&mut guard).join(place) };
        loop {
            // A waker finds this task in the list only after the mutex is released below. The
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
            // SAFETY: The mutex is released, and the caller is in a context that may sleep, as for
            // a `CondVar`.
            unsafe { bindings::schedule() };
            guard = mutex.lock();

            let line = self.0.access_mut(&mut guard);
            // SAFETY: `place` is valid. The access to the list is exclusive, and so is that to the
            // link.
            if unsafe { (*place).is_called() } {
                return (guard, true);
            }
            if task.signal_pending() {
                // SAFETY: `place` was not called, so it is still in the list.
                let myself = unsafe { line.leave(place) };
                // A running task has other references, so this one is not the last: no task is
                // freed here.
                drop(myself);
                return (guard, false);
            }
        }
    }
}
