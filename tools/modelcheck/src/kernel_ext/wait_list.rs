// SPDX-License-Identifier: GPL-2.0

//! Tasks that sleep until another one lets them go on, in the order in which they came.

use kernel::{
    model::{self, State},
    sync::{aref::ARef, Mutex, MutexGuard},
    task::{CurrentTask, Task},
};
use std::{
    collections::VecDeque,
    marker::PhantomData,
    sync::{self, PoisonError},
};

/// Tasks that sleep.
pub(crate) struct WaitList<U> {
    /// Tasks, each with its tag.
    line: sync::Mutex<VecDeque<(usize, usize)>>,
    _mutex: PhantomData<fn(U)>,
}

impl<U> WaitList<U> {
    /// Nobody, of those who hold the mutex before and after they sleep.
    pub(crate) fn new(_mutex: &Mutex<U>) -> Self {
        Self {
            line: sync::Mutex::default(),
            _mutex: PhantomData,
        }
    }

    /// Whoever gets it has the mutex, so that there is nobody else.
    fn line(&self) -> sync::MutexGuard<'_, VecDeque<(usize, usize)>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many sleep and were not chosen.
    pub(crate) fn len(&self, _state: &U) -> u32 {
        self.line().len() as u32
    }

    /// Chooses the one who has slept longest, if anybody does.
    pub(crate) fn choose(&self, _state: &mut U) -> Option<ARef<Task>> {
        self.line().pop_front().map(|(id, _)| ARef::from(&Task(id)))
    }

    /// Chooses, of those that sleep with this tag, the one that has slept longest, if any does.
    pub(crate) fn choose_tagged(&self, _state: &mut U, tag: usize) -> Option<ARef<Task>> {
        let mut line = self.line();
        let at = line.iter().position(|(_, other)| *other == tag)?;
        line.remove(at).map(|(id, _)| ARef::from(&Task(id)))
    }

    /// Releases the mutex and lets the current task sleep with a tag until it is chosen or has a
    /// signal; then takes the mutex again. Returns whether it was chosen.
    pub(crate) fn sleep<'a>(
        &self,
        mut guard: MutexGuard<'a, U>,
        task: &CurrentTask,
        tag: usize,
    ) -> (MutexGuard<'a, U>, bool) {
        let mutex = guard.lock_ref();
        let me = model::me();
        self.line().push_back((me, tag));
        loop {
            model::set_state(State::Interruptible);
            drop(guard);
            model::schedule();
            model::set_state(State::Running);
            guard = mutex.lock();
            if !self.line().contains(&(me, tag)) {
                return (guard, true);
            }
            if task.signal_pending() {
                self.line().retain(|(other, _)| *other != me);
                return (guard, false);
            }
        }
    }
}
