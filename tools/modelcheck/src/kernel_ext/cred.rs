// SPDX-License-Identifier: GPL-2.0

//! Who the current task is.

use kernel::{model, task::CurrentTask};
use std::marker::PhantomData;

/// The credentials with which a file was opened: those of everybody.
pub(crate) struct Opener;

/// The ids of a task.
pub(crate) struct Ids {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) pid: u32,
    pub(crate) privileged: bool,
}

/// The ids of `task`, which uses a file opened by `opener`.
pub(crate) fn ids(_task: &CurrentTask, _opener: &Opener) -> Ids {
    Ids {
        uid: 0,
        gid: 0,
        pid: model::me() as u32,
        privileged: false,
    }
}

/// How the current task sees ids: there is one namespace of each kind.
pub(crate) struct View<'a>(PhantomData<&'a CurrentTask>);

impl<'a> View<'a> {
    /// That of a task.
    pub(crate) fn of(_task: &'a CurrentTask) -> Self {
        Self(PhantomData)
    }

    /// Translates a user id.
    pub(crate) fn uid(&self, uid: u32) -> u32 {
        uid
    }

    /// Translates a group id.
    pub(crate) fn gid(&self, gid: u32) -> u32 {
        gid
    }

    /// Translates a process id.
    pub(crate) fn pid(&self, pid: u32) -> u32 {
        pid
    }
}
