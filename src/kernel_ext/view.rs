// SPDX-License-Identifier: GPL-2.0

//! Translation of ids and times to the namespaces of the current task.
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

/// Ids and times as the current task sees them. Its namespaces do not change during a call.
///
/// # Invariants
///
/// The view is that of the current task, or [`View::INITIAL`], which does not depend on the task.
/// It borrows a `CurrentTask`, so it cannot be sent to another task.
///
/// # Examples
///
/// ```ignore
/// use crate::kernel_ext::{cred::Ids, view::View};
///
/// /// Returns the owner and the time of an entry as the current task must see them.
/// fn entry_for_current(owner: &Ids, time: u64) -> (u32, u32, u64) {
///     let task = current!();
///     let view = if View::is_initial_for(task) {
///         View::INITIAL
///     } else {
///         View::of(task)
///     };
///     (view.uid(owner.uid), view.pid(owner.pid), view.monotonic(time))
/// }
/// ```
pub(crate) struct View<'a> {
    /// The task is in the initial user namespace, so ids need no translation.
    in_initial_user_ns: bool,
    /// The task is in the initial pid namespace.
    in_initial_pid_ns: bool,
    /// Offset of `CLOCK_MONOTONIC` in its time namespace, in nanoseconds.
    monotonic_offset: i64,
    _task: PhantomData<&'a CurrentTask>,
}

/// Returns whether `task` is in the initial user namespace.
#[inline(always)]
fn in_initial_user_ns(task: &CurrentTask) -> bool {
    // SAFETY: `task` is the current task, so it is valid. Only the task itself changes its `cred`,
    // to which it holds a reference. A `struct cred` always has a user namespace.
    let users = unsafe { (*(*task.as_ptr()).cred).user_ns };
    core::ptr::eq(users, &raw const bindings::init_user_ns)
}

/// Returns whether `task` is in the initial pid namespace, the only one with level 0.
#[inline(always)]
fn in_initial_pid_ns(task: &CurrentTask) -> bool {
    // SAFETY: `task` is the current task, so it is valid. It holds a reference to its `struct pid`
    // while it runs. The level of a `struct pid` never changes.
    unsafe { (*(*task.as_ptr()).thread_pid).level == 0 }
}

impl View<'static> {
    /// View of a task in the initial namespaces, which translates nothing.
    // INVARIANT: This is `View::INITIAL`.
    pub(crate) const INITIAL: Self = Self {
        in_initial_user_ns: true,
        in_initial_pid_ns: true,
        monotonic_offset: 0,
        _task: PhantomData,
    };
}

impl<'a> View<'a> {
    /// Returns the view of `task`.
    pub(crate) fn of(task: &'a CurrentTask) -> Self {
        // INVARIANT: The view borrows from `task`, the current task.
        Self {
            in_initial_user_ns: in_initial_user_ns(task),
            in_initial_pid_ns: in_initial_pid_ns(task),
            monotonic_offset: clock::monotonic_offset(task),
            _task: PhantomData,
        }
    }

    /// Returns whether the view of `task` is [`View::INITIAL`].
    #[inline(always)]
    pub(crate) fn is_initial_for(task: &CurrentTask) -> bool {
        in_initial_user_ns(task) && in_initial_pid_ns(task) && clock::is_initial_for(task)
    }

    /// Translates a kernel user id. An id without a mapping in the user namespace of the task
    /// becomes the overflow id.
    #[inline]
    pub(crate) fn uid(&self, uid: u32) -> u32 {
        if self.in_initial_user_ns {
            uid
        } else {
            uid_for_current(uid)
        }
    }

    /// Translates a kernel group id. An id without a mapping in the user namespace of the task
    /// becomes the overflow id.
    #[inline]
    pub(crate) fn gid(&self, gid: u32) -> u32 {
        if self.in_initial_user_ns {
            gid
        } else {
            gid_for_current(gid)
        }
    }

    /// Translates a process id of the initial pid namespace. Returns zero in any other one: the
    /// process may be gone and its number reused.
    #[inline]
    pub(crate) fn pid(&self, pid: u32) -> u32 {
        if self.in_initial_pid_ns {
            pid
        } else {
            0
        }
    }

    /// Translates a reading of `CLOCK_MONOTONIC`, in nanoseconds, to the time namespace of the
    /// task. Saturates at zero.
    #[inline]
    pub(crate) fn monotonic(&self, monotonic: u64) -> u64 {
        monotonic.saturating_add_signed(self.monotonic_offset)
    }
}

/// Translates a kernel user id for the current task.
#[cfg(CONFIG_USER_NS)]
#[cold]
fn uid_for_current(uid: u32) -> u32 {
    // SAFETY: The user namespace of the current task is valid while the task runs.
    unsafe {
        bindings::from_kuid_munged(bindings::current_user_ns(), bindings::kuid_t { val: uid })
    }
}

/// Translates a kernel group id for the current task.
#[cfg(CONFIG_USER_NS)]
#[cold]
fn gid_for_current(gid: u32) -> u32 {
    // SAFETY: The user namespace of the current task is valid while the task runs.
    unsafe {
        bindings::from_kgid_munged(bindings::current_user_ns(), bindings::kgid_t { val: gid })
    }
}

/// Returns `uid`: without `CONFIG_USER_NS` there is one user namespace.
#[cfg(not(CONFIG_USER_NS))]
fn uid_for_current(uid: u32) -> u32 {
    uid
}

/// Returns `gid`: without `CONFIG_USER_NS` there is one user namespace.
#[cfg(not(CONFIG_USER_NS))]
fn gid_for_current(gid: u32) -> u32 {
    gid
}
