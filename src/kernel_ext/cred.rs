// SPDX-License-Identifier: GPL-2.0

//! Credentials of the current task and of open files.
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

/// User id and group id.
type Pair = (u32, u32);

/// Returns the real ids of `cred`.
#[inline(always)]
fn real(cred: &Credential) -> Pair {
    let cred = cred.as_ptr();
    // SAFETY: A `Credential` is valid, and its ids never change.
    unsafe { ((*cred).uid.val, (*cred).gid.val) }
}

/// Returns the effective ids of `cred`.
fn effective(cred: &Credential) -> Pair {
    let cred = cred.as_ptr();
    // SAFETY: A `Credential` is valid, and its ids never change.
    unsafe { ((*cred).euid.val, (*cred).egid.val) }
}

/// Credentials with which a file was opened.
///
/// # Examples
///
/// ```ignore
/// use crate::kernel_ext::cred::{self, Opener};
/// use kernel::{fs::File, prelude::*};
///
/// /// An open file of a log that records the author of each entry.
/// struct LogFile {
///     opener: Opener,
/// }
///
/// impl LogFile {
///     fn open(file: &File) -> Self {
///         Self { opener: Opener::of(file) }
///     }
///
///     fn append(&self, entry: &CStr) {
///         let author = cred::ids(current!(), &self.opener);
///         pr_info!("user {}, process {}: {}\n", author.uid, author.pid, entry);
///     }
///
///     fn clear(&self) -> Result {
///         cred::require_admin()?;
///         pr_info!("log cleared\n");
///         Ok(())
///     }
/// }
/// ```
pub(crate) struct Opener {
    cred: ARef<Credential>,
    /// Address of `cred` if its real and effective ids are the same, else 0. A task whose
    /// credentials have this address needs no comparison of ids. The reference in `cred` prevents
    /// reuse of the address for other credentials.
    plain: usize,
}

impl Opener {
    /// Returns the credentials with which `file` was opened.
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

    /// Returns whether the effective ids of `writer`, or the real or effective ids of the opener,
    /// differ from the real ids of `writer`.
    #[inline]
    fn differs(&self, writer: &Credential) -> bool {
        writer.as_ptr().addr() != self.plain && self.differs_in_ids(writer)
    }

    /// Slow path: compares the ids. After `execve` a task no longer has the opener's credentials,
    /// even if the ids are the same.
    #[cold]
    #[inline(never)]
    fn differs_in_ids(&self, writer: &Credential) -> bool {
        let ids = real(writer);
        effective(writer) != ids || real(&self.cred) != ids || effective(&self.cred) != ids
    }
}

/// Ids of a task, as in the initial namespaces.
pub(crate) struct Ids {
    /// Real user id.
    pub(crate) uid: u32,
    /// Real group id.
    pub(crate) gid: u32,
    /// Process id in the initial pid namespace.
    pub(crate) pid: u32,
    /// Whether the effective ids of the task, or the ids of the opener of the file, differ from
    /// `uid` and `gid`.
    pub(crate) privileged: bool,
}

/// Returns the ids of `task`, which uses a file opened by `opener`.
///
/// A set-user-id program has the real ids of its caller, which chose where the output goes and
/// often what it says. The program may set its real ids to its effective ones; then the ids of the
/// opener differ.
#[inline(always)]
pub(crate) fn ids(task: &CurrentTask, opener: &Opener) -> Ids {
    let task = task.as_ptr();
    // SAFETY: `task` is the current task, so it is valid. Only the task itself changes its `cred`,
    // to which it holds a reference. `tgid` does not change while the task runs.
    let (cred, pid) = unsafe { (Credential::from_ptr((*task).cred), (*task).tgid as u32) };
    let (uid, gid) = real(cred);
    Ids {
        uid,
        gid,
        pid,
        privileged: opener.differs(cred),
    }
}

/// Fails unless the current task has `CAP_SYS_ADMIN` in the initial user namespace. Administrators
/// of containers do not have it there.
///
/// # Errors
///
/// [`EPERM`].
pub(crate) fn require_admin() -> Result {
    // SAFETY: `capable` may be called by any task, and `CAP_SYS_ADMIN` is a valid capability.
    if unsafe { bindings::capable(bindings::CAP_SYS_ADMIN as i32) } {
        Ok(())
    } else {
        Err(EPERM)
    }
}
