// SPDX-License-Identifier: GPL-2.0

//! Tasks.

use crate::model;

/// A task.
#[derive(Clone, Copy, Debug)]
pub struct Task(pub usize);

impl Task {
    /// Wakes it if it sleeps.
    pub fn wake_up(&self) {
        model::assert_unlocked("waking a task that may want the lock");
        model::point();
        model::wake(self.0);
    }
}

/// The task that runs.
#[derive(Debug)]
pub struct CurrentTask;

impl CurrentTask {
    /// Whether it has a signal.
    pub fn signal_pending(&self) -> bool {
        model::signal_pending()
    }
}
