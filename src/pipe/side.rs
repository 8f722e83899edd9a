// SPDX-License-Identifier: GPL-2.0

//! The sides of a pipe: who sleeps there, and who is on his way.

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
use crate::kernel_ext::{
    lock::{
        StateGuard,
        StateLock, //
    },
    sleepers::Sleepers,
};

/// What tells the tasks that sleep for one file from those that sleep for others: its address,
/// where the handle stays while they do.
fn tag(handle: &Handle) -> usize {
    core::ptr::from_ref(handle).addr()
}

/// Those who read, and sleep until there is a message, or those who write, and sleep until there is
/// room.
///
/// One is woken at a time: until he comes there may be work for more, and they would come for
/// nothing if he does it all. He wakes the next if he leaves some.
pub(super) struct Side {
    sleepers: Sleepers<State>,
    /// Is set if somebody is in line, and nobody is on his way.
    waits: Flag,
}

impl Side {
    /// A side of what `lock` protects where nobody sleeps; `waits` must not be used otherwise.
    pub(super) fn new(lock: &StateLock<State>, waits: Flag) -> Self {
        Self {
            sleepers: Sleepers::new(lock),
            waits,
        }
    }

    /// How many sleep.
    pub(super) fn len(&self, state: &State) -> u32 {
        self.sleepers.len(state)
    }

    /// Chooses one to be woken when the lock is released, if one sleeps and none is on his way.
    #[inline]
    pub(super) fn choose(&self, state: &mut State) -> Option<ARef<Task>> {
        if !state.flags.contains(self.waits) {
            return None;
        }
        state.flags.set(self.waits, false);
        self.sleepers.choose(state)
    }

    /// Chooses one that sleeps for the file of `handle` to be woken when the lock is released, if
    /// one does: there is something that no other file has. It wakes the next like every other one.
    pub(super) fn choose_of(&self, state: &mut State, handle: &Handle) -> Option<ARef<Task>> {
        self.sleepers.choose_tagged(state, tag(handle))
    }

    /// Sleeps, for the file of `handle`, until another task has work for this one and wakes it, or
    /// a signal comes. Returns whether it was woken: the task must then wake the next one if it
    /// leaves some work.
    pub(super) fn sleep<'a>(
        &self,
        mut state: StateGuard<'a, State>,
        task: &CurrentTask,
        handle: &Handle,
    ) -> (StateGuard<'a, State>, bool) {
        state.flags |= self.waits;
        let (mut state, woken) = self.sleepers.sleep(state, task, tag(handle));
        if woken {
            let more = self.sleepers.len(&state) > 0;
            state.flags.set(self.waits, more);
        }
        (state, woken)
    }

    /// Releases the lock; who was `woken` and leaves what he was woken for wakes the next for it.
    pub(super) fn pass_on(&self, mut state: StateGuard<'_, State>, woken: bool) {
        let next = woken.then(|| self.choose(&mut state)).flatten();
        drop(state);
        if let Some(next) = next {
            next.wake_up();
        }
    }

    /// Wakes everybody, one after the other, so that the lock is never held for long.
    pub(super) fn wake_all(&self, lock: &StateLock<State>) {
        loop {
            let chosen = self.sleepers.choose(&mut lock.lock());
            let Some(task) = chosen else {
                break;
            };
            task.wake_up();
        }
    }
}
