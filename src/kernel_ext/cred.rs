// SPDX-License-Identifier: GPL-2.0

//! Who the current task is.
//!
//! C headers: [`include/linux/cred.h`](srctree/include/linux/cred.h),
//! [`include/linux/uidgid.h`](srctree/include/linux/uidgid.h),
//! [`include/linux/capability.h`](srctree/include/linux/capability.h).

use kernel::{
    bindings,
    cred::Credential,
    fs::File,
    prelude::*,
    sync::aref::ARef,
    task::CurrentTask, //
};

/// The user id and the group id that a task has by its credentials.
type Pair = (u32, u32);

/// The real ids of `cred`.
#[inline(always)]
fn real(cred: &Credential) -> Pair {
    let cred = cred.as_ptr();
    // SAFETY: A `Credential` is valid, and the ids in it never change.
    unsafe { ((*cred).uid.val, (*cred).gid.val) }
}

/// The effective ids of `cred`.
fn effective(cred: &Credential) -> Pair {
    let cred = cred.as_ptr();
    // SAFETY: A `Credential` is valid, and the ids in it never change.
    unsafe { ((*cred).euid.val, (*cred).egid.val) }
}

/// The credentials with which a file was opened.
pub(crate) struct Opener {
    cred: ARef<Credential>,
    /// The address of `cred` if its real and its effective ids are the same, else 0. A task with
    /// these very credentials then has no other ids. The address is only compared. The reference in
    /// `cred` keeps it from being used for other credentials.
    plain: usize,
}

impl Opener {
    /// Those of `file`.
    pub(crate) fn of(file: &File) -> Self {
        let cred = file.cred();
        let plain = if real(cred) == effective(cred) {
            cred.as_ptr().addr()
        } else {
            0
        };
        Self {
            cred: cred.into(),
            plain,
        }
    }

    /// Whether the effective ids of `writer`, or the real or effective ids of the opener, differ
    /// from the real ids of `writer`.
    #[inline]
    fn differs(&self, writer: &Credential) -> bool {
        writer.as_ptr().addr() != self.plain && self.differs_in_ids(writer)
    }

    /// Compares the ids one by one. A task has other credentials than the opener's after each
    /// `execve`.
    #[cold]
    #[inline(never)]
    fn differs_in_ids(&self, writer: &Credential) -> bool {
        let ids = real(writer);
        effective(writer) != ids || real(&self.cred) != ids || effective(&self.cred) != ids
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
    /// Its effective ids, or the ids with which the file was opened, differ from these.
    pub(crate) privileged: bool,
}

/// The ids of `task`, which uses a file opened by `opener`.
///
/// A set-user-id program has the real ids of its caller, who chose where its output goes and often
/// what it says. It may make its effective ids its real ones: then it is the opener that differs.
#[inline(always)]
pub(crate) fn ids(task: &CurrentTask, opener: &Opener) -> Ids {
    let task = task.as_ptr();
    // SAFETY: `task` is the current task, so that it is valid. Nobody but the task itself changes
    // its `cred`, which it keeps a reference to. `tgid` does not change while the task runs.
    let (cred, pid) = unsafe { (Credential::from_ptr((*task).cred), (*task).tgid as u32) };
    let (uid, gid) = real(cred);
    Ids {
        uid,
        gid,
        pid,
        privileged: opener.differs(cred),
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
