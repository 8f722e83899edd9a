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

use core::ptr;
use kernel::{
    bindings,
    sync::{
        aref::ARef,
        LockedBy,
        Mutex,
        MutexGuard, //
    },
    task::{
        CurrentTask,
        Task,
        TASK_INTERRUPTIBLE, //
    },
};

/// A task in line.
struct Sleeper {
    /// The task, until it is chosen.
    task: Option<ARef<Task>>,
    previous: *mut Sleeper,
    next: *mut Sleeper,
}

/// Who is in line, first come first.
///
/// # Invariants
///
/// `first` and `last` are the ends of a doubly linked list of sleepers, all of them valid and not
/// referred to by anything else while the line can be accessed, or null if there is none. Each of
/// them has a task.
struct Line {
    first: *mut Sleeper,
    last: *mut Sleeper,
}

// SAFETY: Sleepers may be accessed, and their tasks woken, by any thread that has the line.
unsafe impl Send for Line {}

impl Line {
    /// Puts one at the end.
    ///
    /// # Safety
    ///
    /// `sleeper` must be valid, have a task, and not be referred to by anything else while the line
    /// can be accessed, until it has left the line.
    unsafe fn push(&mut self, sleeper: *mut Sleeper) {
        // SAFETY: By the safety requirements.
        unsafe {
            (*sleeper).previous = self.last;
            (*sleeper).next = ptr::null_mut();
        }
        if self.last.is_null() {
            self.first = sleeper;
        } else {
            // SAFETY: By the invariants it is valid.
            unsafe { (*self.last).next = sleeper };
        }
        // INVARIANT: It is linked to the one before it, and by the safety requirements it is valid
        // and has a task.
        self.last = sleeper;
    }

    /// Takes one out.
    ///
    /// # Safety
    ///
    /// `sleeper` must be in the line.
    unsafe fn remove(&mut self, sleeper: *mut Sleeper) {
        // SAFETY: By the safety requirements and the invariants it is valid.
        let (previous, next) = unsafe { ((*sleeper).previous, (*sleeper).next) };
        // INVARIANT: Those at its sides, or the ends, are linked past it.
        if previous.is_null() {
            self.first = next;
        } else {
            // SAFETY: By the invariants it is valid.
            unsafe { (*previous).next = next };
        }
        if next.is_null() {
            self.last = previous;
        } else {
            // SAFETY: By the invariants it is valid.
            unsafe { (*next).previous = previous };
        }
    }
}

/// Tasks that sleep. What a mutex protects, a `U`, says whether they have to.
pub(crate) struct Sleepers<U>(LockedBy<Line, U>);

impl<U: Unpin> Sleepers<U> {
    /// Nobody, of those who hold `mutex` before and after they sleep.
    pub(crate) fn new(mutex: &Mutex<U>) -> Self {
        // INVARIANT: Nobody is in line.
        let line = Line {
            first: ptr::null_mut(),
            last: ptr::null_mut(),
        };
        Self(LockedBy::new(mutex, line))
    }

    /// Whether nobody is in line.
    #[inline]
    pub(crate) fn is_empty(&self, state: &mut U) -> bool {
        self.0.access_mut(state).first.is_null()
    }

    /// Chooses the one who has slept longest, if anybody does. He is to be woken when the mutex is
    /// released.
    #[inline]
    pub(crate) fn choose(&self, state: &mut U) -> Option<ARef<Task>> {
        let line = self.0.access_mut(state);
        let first = line.first;
        if first.is_null() {
            return None;
        }
        // SAFETY: It is in the line.
        unsafe { line.remove(first) };
        // SAFETY: By the invariants of the line it is valid, and has a task. It does not go away
        // before the mutex is released, which its task must take to leave, and is not in line now.
        unsafe { (*first).task.take() }
    }

    /// Releases the mutex and lets the current task, `task`, sleep until it is chosen or has a
    /// signal; then takes the mutex again. Returns whether it was chosen.
    pub(crate) fn sleep<'a>(
        &self,
        mut guard: MutexGuard<'a, U>,
        task: &CurrentTask,
    ) -> (MutexGuard<'a, U>, bool) {
        let mutex = guard.lock_ref();
        let mut sleeper = Sleeper {
            task: Some(ARef::from(&**task)),
            previous: ptr::null_mut(),
            next: ptr::null_mut(),
        };
        // From here on it is used by this pointer only.
        let sleeper = &raw mut sleeper;
        // SAFETY: It is valid and has a task. It is not used before this function has the mutex
        // again, and with it the access to the line; and it leaves the line before it goes away.
        unsafe { self.0.access_mut(&mut guard).push(sleeper) };
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
            if unsafe { (*sleeper).task.is_none() } {
                return (guard, true);
            }
            if task.signal_pending() {
                // SAFETY: Nobody has chosen it, so that it is still in the line.
                unsafe { line.remove(sleeper) };
                // SAFETY: As above; it has left the line. The reference is that of a task that
                // runs, and so never the last one.
                drop(unsafe { (*sleeper).task.take() });
                return (guard, false);
            }
        }
    }
}
