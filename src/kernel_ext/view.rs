// SPDX-License-Identifier: GPL-2.0

//! How the current task sees the ids of others, and times: by its namespaces.
//!
//! C headers: [`include/linux/cred.h`](srctree/include/linux/cred.h),
//! [`include/linux/nsproxy.h`](srctree/include/linux/nsproxy.h),
//! [`include/linux/pid.h`](srctree/include/linux/pid.h),
//! [`include/linux/time_namespace.h`](srctree/include/linux/time_namespace.h),
//! [`include/linux/uidgid.h`](srctree/include/linux/uidgid.h).

use core::marker::PhantomData;
use kernel::{
    bindings,
    task::CurrentTask, //
};

use super::clock;

/// How the current task sees ids and times. Its namespaces do not change while it makes a call.
///
/// # Invariants
///
/// It belongs to the current task: it borrows from that, which no other task can, or is
/// [`View::INITIAL`], which is the same for every task.
pub(crate) struct View<'a> {
    /// It is in the initial user namespace, where ids are those of the kernel.
    users_alike: bool,
    /// It is in the initial pid namespace.
    pids_alike: bool,
    /// What its `CLOCK_MONOTONIC` is ahead, in nanoseconds.
    ahead: i64,
    _task: PhantomData<&'a CurrentTask>,
}

/// Whether `task` is in the initial user namespace.
#[inline(always)]
fn users_alike(task: &CurrentTask) -> bool {
    // SAFETY: `task` is the current task, so that it is valid. Nobody but the task itself changes
    // its `cred`, which it keeps a reference to, and which has a user namespace.
    let users = unsafe { (*(*task.as_ptr()).cred).user_ns };
    core::ptr::eq(users, &raw const bindings::init_user_ns)
}

/// Whether `task` is in the initial pid namespace, which is the one of level 0.
#[inline(always)]
fn pids_alike(task: &CurrentTask) -> bool {
    // SAFETY: `task` is the current task, so that it is valid, and has a `struct pid`, which it
    // keeps a reference to while it runs; the level of that never changes.
    unsafe { (*(*task.as_ptr()).thread_pid).level == 0 }
}

impl View<'static> {
    /// How a task in the initial namespaces sees them: as the kernel keeps them.
    // INVARIANT: It is the one.
    pub(crate) const INITIAL: Self = Self {
        users_alike: true,
        pids_alike: true,
        ahead: 0,
        _task: PhantomData,
    };
}

impl<'a> View<'a> {
    /// That of `task`.
    pub(crate) fn of(task: &'a CurrentTask) -> Self {
        // INVARIANT: It borrows from `task`, which is the current one.
        Self {
            users_alike: users_alike(task),
            pids_alike: pids_alike(task),
            ahead: clock::ahead(task),
            _task: PhantomData,
        }
    }

    /// Whether that of `task` is [`View::INITIAL`].
    #[inline(always)]
    pub(crate) fn is_initial_for(task: &CurrentTask) -> bool {
        users_alike(task) && pids_alike(task) && clock::is_initial_for(task)
    }

    /// Translates the kernel's user id; one that its user namespace does not know becomes the
    /// overflow id.
    #[inline]
    pub(crate) fn uid(&self, uid: u32) -> u32 {
        if self.users_alike {
            uid
        } else {
            uid_for_current(uid)
        }
    }

    /// Translates the kernel's group id; one that its user namespace does not know becomes the
    /// overflow id.
    #[inline]
    pub(crate) fn gid(&self, gid: u32) -> u32 {
        if self.users_alike {
            gid
        } else {
            gid_for_current(gid)
        }
    }

    /// Translates a process id of the initial pid namespace: a task in another one gets zero, as
    /// the process may be gone and its number used anew.
    #[inline]
    pub(crate) fn pid(&self, pid: u32) -> u32 {
        if self.pids_alike {
            pid
        } else {
            0
        }
    }

    /// Translates a reading of `CLOCK_MONOTONIC`, whose time namespace may have set that clock to
    /// another time. What was before it began is zero.
    #[inline]
    pub(crate) fn monotonic(&self, monotonic: u64) -> u64 {
        monotonic.saturating_add_signed(self.ahead)
    }
}

/// Translates the kernel's user id for the current task.
#[cfg(CONFIG_USER_NS)]
#[cold]
fn uid_for_current(uid: u32) -> u32 {
    // SAFETY: The user namespace of the current task is valid while the task runs.
    unsafe {
        bindings::from_kuid_munged(bindings::current_user_ns(), bindings::kuid_t { val: uid })
    }
}

/// Translates the kernel's group id for the current task.
#[cfg(CONFIG_USER_NS)]
#[cold]
fn gid_for_current(gid: u32) -> u32 {
    // SAFETY: The user namespace of the current task is valid while the task runs.
    unsafe {
        bindings::from_kgid_munged(bindings::current_user_ns(), bindings::kgid_t { val: gid })
    }
}

/// Translates the kernel's user id for the current task: there is one user namespace.
#[cfg(not(CONFIG_USER_NS))]
fn uid_for_current(uid: u32) -> u32 {
    uid
}

/// Translates the kernel's group id for the current task: there is one user namespace.
#[cfg(not(CONFIG_USER_NS))]
fn gid_for_current(gid: u32) -> u32 {
    gid
}
