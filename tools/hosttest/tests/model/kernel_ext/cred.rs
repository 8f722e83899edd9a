// SPDX-License-Identifier: GPL-2.0

//! Credentials, which are the same for all tasks.

use kernel::{model, task::CurrentTask};

/// Credentials with which a file was opened.
pub(crate) struct Opener;

/// Ids of a task.
pub(crate) struct Ids {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) pid: u32,
    pub(crate) privileged: bool,
}

/// Returns the ids of the current task. The process id is the number of the task in the model.
pub(crate) fn ids(_task: &CurrentTask, _opener: &Opener) -> Ids {
    Ids {
        uid: 0,
        gid: 0,
        pid: model::me() as u32,
        privileged: false,
    }
}
