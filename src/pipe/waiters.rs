// SPDX-License-Identifier: GPL-2.0

//! Wait lists for the readers and the writers of a pipe, and the wakeup in flight of each.

use kernel::{
    sync::aref::ARef,
    task::{
        CurrentTask,
        Task, //
    },
};

use super::{
    Flag,
    Handle,
    State, //
};

use crate::kernel_ext::sync::{
    lock::{
        StateGuard,
        StateLock, //
    },
    wait_list::WaitList, //
};

/// What a task waits for.
#[derive(Clone, Copy)]
pub(super) enum WaitFor<'a> {
    /// A slot.
    Slot,
    /// A message of this file.
    Message(&'a Handle),
    /// A message of this file, or a rest that it keeps.
    MessageOrRest(&'a Handle),
}

impl<'a> WaitFor<'a> {
    /// Returns a wait for a message of the file of `handle`, and for a rest if the task
    /// `takes_rest`.
    #[inline]
    pub(super) fn message_of(handle: &'a Handle, takes_rest: bool) -> Self {
        if takes_rest {
            Self::MessageOrRest(handle)
        } else {
            Self::Message(handle)
        }
    }

    /// Returns the tag by which a waiter for it is found. It has the address of the handle, which
    /// does not move while the task waits, and which is even.
    fn tag(self) -> usize {
        let address = |handle: &Handle| core::ptr::from_ref(handle).addr();
        match self {
            Self::Slot => 0,
            Self::Message(handle) => address(handle) | 1,
            Self::MessageOrRest(handle) => address(handle),
        }
    }
}

kernel::static_assert!(align_of::<Handle>() > 1);

/// Wait list for readers, which wait for a message, or for writers, which wait for a slot.
///
/// [`Waiters::take_next`] sends at most one wakeup each time the flag `may_wake` is set: until the
/// woken task runs, more messages or slots may arrive, and it may use them all. A woken task that
/// leaves some passes the baton: it wakes the next waiter. [`Waiters::take_next_of`],
/// [`Waiters::wake_all_of`] and [`Waiters::wake_all`] ignore the flag.
pub(super) struct Waiters {
    list: WaitList<State>,
    /// Set when a task begins to wait, even while a wakeup is in flight, and by a woken task if
    /// others wait. Cleared by [`Waiters::take_next`], and by a woken task if no other task waits.
    /// Clear means that no task waits or that a wakeup is in flight.
    may_wake: Flag,
}

impl Waiters {
    /// Creates an empty wait list for state that `lock` protects. Nothing else may change the flag
    /// `may_wake`.
    pub(super) fn new(lock: &StateLock<State>, may_wake: Flag) -> Self {
        Self {
            list: WaitList::new(lock),
            may_wake,
        }
    }

    /// Returns the number of tasks that wait and were not woken yet.
    pub(super) fn len(&self, state: &State) -> u32 {
        self.list.len(state)
    }

    /// Takes the task that has waited longest off the list, unless a wakeup is in flight. The
    /// caller wakes it after it has released the lock, which the woken task takes.
    #[inline]
    pub(super) fn take_next(&self, state: &mut State) -> Option<ARef<Task>> {
        if !state.flags.contains(self.may_wake) {
            return None;
        }
        state.flags.set(self.may_wake, false);
        self.list.take_next(state)
    }

    /// Takes the task that has waited longest for a rest of the file of `handle` off the list, even
    /// if a wakeup is in flight: no other file can take what this one keeps. The caller wakes the
    /// task after it has released the lock. The task passes the baton like any woken task.
    pub(super) fn take_next_of(&self, state: &mut State, handle: &Handle) -> Option<ARef<Task>> {
        let tag = WaitFor::MessageOrRest(handle).tag();
        self.list.take_next_tagged(state, tag)
    }

    /// Releases the lock and waits until another task wakes this one or a signal arrives; then
    /// takes the lock again. Returns whether the task was woken: it must then wake the next waiter
    /// if it leaves a message or a slot.
    pub(super) fn sleep<'a>(
        &self,
        mut state: StateGuard<'a, State>,
        task: &CurrentTask,
        wait_for: WaitFor<'_>,
    ) -> (StateGuard<'a, State>, bool) {
        state.flags |= self.may_wake;
        let (mut state, woken) = self.list.sleep(state, task, wait_for.tag());
        if woken {
            let more = self.list.len(&state) > 0;
            state.flags.set(self.may_wake, more);
        }
        (state, woken)
    }

    /// Releases the lock. A task that was `woken` passes the baton: it wakes the next waiter for
    /// what it leaves.
    pub(super) fn pass_baton(&self, mut state: StateGuard<'_, State>, woken: bool) {
        let next = woken.then(|| self.take_next(&mut state)).flatten();
        drop(state);
        if let Some(next) = next {
            next.wake_up();
        }
    }

    /// Wakes all tasks that wait now.
    pub(super) fn wake_all(&self, lock: &StateLock<State>) {
        lock.lock().flags.set(self.may_wake, false);
        self.wake_each(lock, |state| self.list.take_next(state));
    }

    /// Wakes all tasks that wait now for messages of the file of `handle`. They pass the baton like
    /// any woken task.
    pub(super) fn wake_all_of(&self, lock: &StateLock<State>, handle: &Handle) {
        for wait_for in [WaitFor::MessageOrRest(handle), WaitFor::Message(handle)] {
            let tag = wait_for.tag();
            self.wake_each(lock, |state| self.list.take_next_tagged(state, tag));
        }
    }

    /// Wakes the tasks that `take_next` takes off the list, at most as many as wait now: a task
    /// that waits again is behind those. Takes the lock for each of them.
    fn wake_each(
        &self,
        lock: &StateLock<State>,
        take_next: impl Fn(&mut State) -> Option<ARef<Task>>,
    ) {
        let waiting = self.list.len(&lock.lock());
        for _ in 0..waiting {
            let chosen = take_next(&mut lock.lock());
            let Some(task) = chosen else {
                break;
            };
            task.wake_up();
        }
    }
}
