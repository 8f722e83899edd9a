// SPDX-License-Identifier: GPL-2.0

//! Who the current task is, and how others see it.
//!
//! C headers: [`include/linux/cred.h`](srctree/include/linux/cred.h),
//! [`include/linux/uidgid.h`](srctree/include/linux/uidgid.h),
//! [`include/linux/capability.h`](srctree/include/linux/capability.h).

use core::{
    marker::PhantomData,
    ptr, //
};
use kernel::{
    bindings,
    prelude::*,
    task::{
        CurrentTask,
        Task, //
    }, //
};

/// The credentials with which a file was opened.
///
/// # Invariants
///
/// The pointer is valid for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct Opener<'a>(*const bindings::cred, PhantomData<&'a bindings::cred>);

impl<'a> Opener<'a> {
    /// Those of `file`.
    ///
    /// # Safety
    ///
    /// `file` must be valid for `'a`.
    #[inline]
    pub(super) unsafe fn of(file: *const bindings::file) -> Self {
        // SAFETY: By the safety requirements.
        // INVARIANT: A file keeps the credentials of its opener, as they are, until it is freed.
        Self(unsafe { (*file).f_cred }, PhantomData)
    }

    /// Whether its real or its effective ids are others than `ids`.
    #[cold]
    #[inline(never)]
    fn differs(self, ids: Pair) -> bool {
        // SAFETY: By the invariants.
        let (real, effective) = unsafe { (Pair::real(self.0), Pair::effective(self.0)) };
        real != ids || effective != ids
    }
}

/// A user id and a group id, as credentials have them side by side.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Pair(u64);

impl Pair {
    /// The real ids of `cred`.
    ///
    /// # Safety
    ///
    /// `cred` must be valid.
    #[inline(always)]
    unsafe fn real(cred: *const bindings::cred) -> Self {
        // SAFETY: By the safety requirements; `layout.rs` asserts that `gid` follows `uid`, and the
        // ids in credentials never change.
        Self(unsafe { (&raw const (*cred).uid).cast::<u64>().read_unaligned() })
    }

    /// The effective ids of `cred`.
    ///
    /// # Safety
    ///
    /// `cred` must be valid.
    #[inline(always)]
    unsafe fn effective(cred: *const bindings::cred) -> Self {
        // SAFETY: As in `real`, of `egid` and `euid`.
        Self(unsafe { (&raw const (*cred).euid).cast::<u64>().read_unaligned() })
    }

    /// Both ids.
    #[inline(always)]
    fn ids(self) -> (u32, u32) {
        // CAST: Each is one half.
        let halves = (self.0 as u32, (self.0 >> 32) as u32);
        if cfg!(target_endian = "little") {
            halves
        } else {
            (halves.1, halves.0)
        }
    }
}

/// The kernel's own ids of a task.
pub(crate) struct Ids {
    /// Real user id.
    pub(crate) uid: u32,
    /// Real group id.
    pub(crate) gid: u32,
    /// Process id in the initial pid namespace.
    pub(crate) pid: u32,
    /// Its effective ids are others, or one of those is with which the file was opened.
    pub(crate) privileged: bool,
}

/// The ids of `task`, which uses a file opened by `opener`.
///
/// A set-user-id program has the real ids of its caller, who chose where its output goes and often
/// what it says. It may make its effective ids its real ones: then it is the opener that differs.
#[inline(always)]
pub(crate) fn ids(task: &CurrentTask, opener: Opener<'_>) -> Ids {
    let task = task.as_ptr();
    // SAFETY: `task` is the current task, so that it is valid. Nobody but the task itself changes
    // its `cred`, which it keeps a reference to. `tgid` does not change while the task runs.
    let (cred, pid) = unsafe { ((*task).cred, (*task).tgid as u32) };
    // SAFETY: As above, `cred` is valid.
    let (real, effective) = unsafe { (Pair::real(cred), Pair::effective(cred)) };
    let (uid, gid) = real.ids();
    Ids {
        uid,
        gid,
        pid,
        // Nearly always who writes has opened the file.
        privileged: real != effective || (!ptr::eq(cred, opener.0) && opener.differs(real)),
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
