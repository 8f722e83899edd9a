// SPDX-License-Identifier: GPL-2.0

//! Tasks that sleep until another one lets them go on, in the order in which they came.
//!
//! C headers: [`include/linux/sched.h`](srctree/include/linux/sched.h),
//! [`include/linux/wait.h`](srctree/include/linux/wait.h).
//!
//! It is a `CondVar` for those who hold the mutex anyway when they go to sleep, wake up, and choose
//! whom to wake. A wait queue has a lock of its own, which is taken for each of that; here the
//! mutex protects the line, too. Nobody is woken with the mutex held, which he would have to wait
//! for.
//!
//! Whoever is chosen is no longer in line: nobody is chosen twice, and who wakes up by himself, for
//! a signal, knows whether he was chosen as well and has to see to it that another one is.

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
    line::{
        Line,
        Place, //
    },
    lock::{
        StateGuard,
        StateLock, //
    },
};

/// A task that sleeps.
struct Sleeper {
    task: ARef<Task>,
    /// What it sleeps for, as its caller has it.
    tag: usize,
}

/// Tasks that sleep. What a mutex protects, a `U`, says whether they have to.
pub(crate) struct Sleepers<U>(LockedBy<Line<Sleeper>, U>);

impl<U: Unpin> Sleepers<U> {
    /// Nobody, of those who hold `mutex` before and after they sleep.
    pub(crate) fn new(mutex: &StateLock<U>) -> Self {
        Self(LockedBy::new(mutex, Line::new()))
    }

    /// How many sleep and were not chosen.
    #[inline]
    pub(crate) fn len(&self, state: &U) -> u32 {
        self.0.access(state).len()
    }

    /// Chooses the one who has slept longest, if anybody does. He is to be woken when the mutex is
    /// released.
    #[inline]
    pub(crate) fn choose(&self, state: &mut U) -> Option<ARef<Task>> {
        self.0.access_mut(state).call().map(|sleeper| sleeper.task)
    }

    /// Chooses, of those that sleep with this tag, the one that has slept longest, if any does. It
    /// is to be woken when the mutex is released.
    pub(crate) fn choose_tagged(&self, state: &mut U, tag: usize) -> Option<ARef<Task>> {
        let line = self.0.access_mut(state);
        let sleeper = line.call_first(|sleeper| sleeper.tag == tag);
        sleeper.map(|sleeper| sleeper.task)
    }

    /// Releases the mutex and lets the current task, `task`, sleep with a tag until it is chosen or
    /// has a signal; then takes the mutex again. Returns whether it was chosen.
    pub(crate) fn sleep<'a>(
        &self,
        mut guard: StateGuard<'a, U>,
        task: &CurrentTask,
        tag: usize,
    ) -> (StateGuard<'a, U>, bool) {
        let mutex = guard.lock_ref();
        let mut place = Place::new(Sleeper {
            task: ARef::from(&**task),
            tag,
        });
        // From here on it is used by this pointer only.
        let place = &raw mut place;
        // SAFETY: It is valid, new, and has a task. It is not used before this function has the
        // mutex again, and with it the access to the line; and it was called or leaves the line
        // before it goes away.
        unsafe { self.0.access_mut(&mut guard).join(place) };
        loop {
            // Whoever chooses this task does so after it has released the mutex, so that the wakeup
            // finds it in this state or later.
            //
            // SAFETY: The current task is valid, and sets its state itself. Others may read it
            // meanwhile, so that it is written as `WRITE_ONCE` of C does.
            unsafe {
                (&raw mut (*task.as_ptr()).__state).write_volatile(TASK_INTERRUPTIBLE as u32);
            }
            drop(guard);
            // SAFETY: The mutex was released; whoever calls this may sleep, as with a `CondVar`.
            // With a signal it does not.
            unsafe { bindings::schedule() };
            guard = mutex.lock();

            let line = self.0.access_mut(&mut guard);
            // SAFETY: It is valid, and with the line accessed nobody else uses it.
            if unsafe { (*place).is_called() } {
                return (guard, true);
            }
            if task.signal_pending() {
                // SAFETY: Nobody has called it, so that it is still in the line.
                let myself = unsafe { line.leave(place) };
                // The reference is that of a task that runs, and so never the last one.
                drop(myself);
                return (guard, false);
            }
        }
    }
}
