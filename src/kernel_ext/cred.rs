// SPDX-License-Identifier: GPL-2.0

//! Who the current task is, and how others see it.
//!
//! C headers: [`include/linux/cred.h`](srctree/include/linux/cred.h),
//! [`include/linux/uidgid.h`](srctree/include/linux/uidgid.h),
//! [`include/linux/capability.h`](srctree/include/linux/capability.h).

use kernel::{
    bindings,
    prelude::*,
    task::{
        CurrentTask,
        Task, //
    }, //
};

/// The kernel's own ids of `task`: effective user id, effective group id, and process id
/// in the initial pid namespace.
#[inline]
pub(crate) fn ids(task: &CurrentTask) -> (u32, u32, u32) {
    let task = task.as_ptr();
    // SAFETY: `task` is the current task, so that it is valid. Nobody but the task itself changes
    // its `cred`, which it keeps a reference to, and the ids in it never change. `tgid` does not
    // change while the task runs.
    unsafe {
        let cred = (*task).cred;
        ((*cred).euid.val, (*cred).egid.val, (*task).tgid as u32)
    }
}

/// Fails unless the current task has `CAP_SYS_ADMIN` in the initial user namespace: it is an
/// administrator of the machine, not just of a container.
///
/// # Errors
///
/// [`EPERM`].
pub(crate) fn require_admin() -> Result {
    // SAFETY: `capable` may be called by any task, and the constant is a valid capability.
    if unsafe { bindings::capable(bindings::CAP_SYS_ADMIN as i32) } {
        Ok(())
    } else {
        Err(EPERM)
    }
}

/// Translates the kernel's user id for the current task; an id that its user namespace does not
/// know becomes the overflow id.
#[cfg(CONFIG_USER_NS)]
pub(crate) fn uid_for_current(uid: u32) -> u32 {
    // SAFETY: The user namespace of the current task is valid while the task runs.
    unsafe {
        bindings::from_kuid_munged(bindings::current_user_ns(), bindings::kuid_t { val: uid })
    }
}

/// Translates the kernel's group id for the current task; an id that its user namespace does not
/// know becomes the overflow id.
#[cfg(CONFIG_USER_NS)]
pub(crate) fn gid_for_current(gid: u32) -> u32 {
    // SAFETY: The user namespace of the current task is valid while the task runs.
    unsafe {
        bindings::from_kgid_munged(bindings::current_user_ns(), bindings::kgid_t { val: gid })
    }
}

/// Translates the kernel's user id for the current task: there is one user namespace.
#[cfg(not(CONFIG_USER_NS))]
pub(crate) fn uid_for_current(uid: u32) -> u32 {
    uid
}

/// Translates the kernel's group id for the current task: there is one user namespace.
#[cfg(not(CONFIG_USER_NS))]
pub(crate) fn gid_for_current(gid: u32) -> u32 {
    gid
}

/// Translates a process id of the initial pid namespace for the current task: a task in another one
/// gets zero, as the process may be gone and its number used anew.
pub(crate) fn pid_for_current(pid: u32) -> u32 {
    // SAFETY: The current task is valid, and has a pid namespace while it runs.
    let active = unsafe { bindings::task_active_pid_ns(Task::current_raw()) };
    if core::ptr::eq(active, &raw const bindings::init_pid_ns) {
        pid
    } else {
        0
    }
}
