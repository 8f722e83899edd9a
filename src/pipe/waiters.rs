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

/// Tag of waiters that can take no rest. It is the address of no handle.
const NO_TAG: usize = 0;

/// Returns the tag of waiters that can take a rest of the file of `handle`: the address of the
/// handle, which does not move while they wait.
fn tag(handle: &Handle) -> usize {
    core::ptr::from_ref(handle).addr()
}

/// Wait list for readers, which wait for a message, or for writers, which wait for a slot.
///
/// [`Waiters::take_next`] sends at most one wakeup each time the flag `may_wake` is set: until the
/// woken task runs, more messages or slots may arrive, and it may use them all. A woken task that
/// leaves some passes the baton: it wakes the next waiter. [`Waiters::take_next_of`] and
/// [`Waiters::wake_all`] ignore the flag.
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
        self.list.take_next_tagged(state, tag(handle))
    }

    /// Releases the lock and waits until another task wakes this one or a signal arrives; then
    /// takes the lock again. Returns whether the task was woken: it must then wake the next waiter
    /// if it leaves a message or a slot. `rest_of` is the file whose rest the task can take, too.
    pub(super) fn sleep<'a>(
        &self,
        mut state: StateGuard<'a, State>,
        task: &CurrentTask,
        rest_of: Option<&Handle>,
    ) -> (StateGuard<'a, State>, bool) {
        state.flags |= self.may_wake;
        let (mut state, woken) = self.list.sleep(state, task, rest_of.map_or(NO_TAG, tag));
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

    /// Wakes all waiters, and releases the lock between them.
    pub(super) fn wake_all(&self, lock: &StateLock<State>) {
        loop {
            let chosen = self.list.take_next(&mut lock.lock());
            let Some(task) = chosen else {
                break;
            };
            task.wake_up();
        }
    }
}
