// SPDX-License-Identifier: GPL-2.0

//! Tasks.

use crate::{
    bindings,
    model,
    sync::aref::AlwaysRefCounted, //
};
use core::{cell::UnsafeCell, ffi::c_int, ops::Deref};
use std::sync::Arc;

/// State of a task that runs, or would if the model let it.
pub const TASK_RUNNING: c_int = 0;
/// State of a task that sleeps until it is woken or has a signal pending.
pub const TASK_INTERRUPTIBLE: c_int = 1;
/// State of a task that sleeps until it is woken.
pub const TASK_UNINTERRUPTIBLE: c_int = 2;

/// A task.
#[derive(Debug)]
pub struct Task {
    id: usize,
    raw: UnsafeCell<bindings::task_struct>,
}

// SAFETY: All tasks of the model run on one thread of the host.
unsafe impl Send for Task {}

// SAFETY: All tasks of the model run on one thread of the host.
unsafe impl Sync for Task {}

impl Task {
    /// Makes the task with this number.
    pub(crate) fn new(id: usize) -> Self {
        Self {
            id,
            raw: UnsafeCell::default(),
        }
    }

    /// Returns a pointer to the C structure.
    pub fn as_ptr(&self) -> *mut bindings::task_struct {
        self.raw.get()
    }

    /// Returns the state.
    pub(crate) fn state(&self) -> c_int {
        // SAFETY: The pointer is valid, and no other task runs meanwhile.
        unsafe { (*self.as_ptr()).__state as c_int }
    }

    /// Sets the state, and returns the former one.
    pub(crate) fn set_state(&self, state: c_int) -> c_int {
        let before = self.state();
        // SAFETY: The pointer is valid, and no other task runs meanwhile.
        unsafe { (*self.as_ptr()).__state = state as u32 };
        before
    }

    /// Returns whether page faults are disabled.
    pub(crate) fn page_faults_disabled(&self) -> bool {
        // SAFETY: The pointer is valid, and no other task runs meanwhile.
        unsafe { (*self.as_ptr()).pagefault_disabled != 0 }
    }

    /// Wakes the task if it sleeps.
    pub fn wake_up(&self) {
        model::assert_unlocked("waking a task that may want the lock");
        model::point();
        model::wake(self.id);
    }

    /// Returns whether a signal is pending.
    pub fn signal_pending(&self) -> bool {
        model::signal_pending(self.id)
    }
}

impl AlwaysRefCounted for Task {
    fn get(&self) -> Arc<Self> {
        model::task(self.id)
    }
}

/// The current task.
#[derive(Debug)]
pub struct CurrentTask(Arc<Task>);

impl CurrentTask {
    /// Returns the current task, for the macro `current!`.
    #[expect(clippy::new_without_default, reason = "it is not a new task")]
    pub fn new() -> Self {
        Self(model::task(model::me()))
    }
}

impl Deref for CurrentTask {
    type Target = Task;

    fn deref(&self) -> &Task {
        &self.0
    }
}
