// SPDX-License-Identifier: GPL-2.0

//! Translation of ids and times. There is one namespace of each kind, so nothing is translated.

use kernel::task::CurrentTask;
use std::marker::PhantomData;

/// Ids and times as a task sees them.
pub(crate) struct View<'a>(PhantomData<&'a CurrentTask>);

impl View<'static> {
    /// View of a task in the initial namespaces.
    pub(crate) const INITIAL: Self = Self(PhantomData);
}

impl<'a> View<'a> {
    /// Returns whether the view of a task is [`View::INITIAL`].
    pub(crate) fn is_initial_for(_task: &CurrentTask) -> bool {
        true
    }

    /// Returns the view of a task.
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

    /// Translates a reading of `CLOCK_MONOTONIC`.
    pub(crate) fn monotonic(&self, monotonic: u64) -> u64 {
        monotonic
    }
}
