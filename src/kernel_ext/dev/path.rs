// SPDX-License-Identifier: GPL-2.0

//! Lookup of device nodes by path.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h).

use core::ptr;
use kernel::{
    bindings,
    error::from_err_ptr,
    fs::file::flags::{
        O_NOFOLLOW,
        O_PATH, //
    },
    prelude::*, //
};

/// Returns the number of the character device at `path`, or [`None`] if another kind of file is
/// there. A final symbolic link is not followed.
///
/// The lookup uses the root directory, the mount namespace and the credentials of the current task.
/// Other tasks may see another file there, so the result is only a hint.
///
/// # Errors
///
/// Those of a path lookup, such as [`ENOENT`].
///
/// # Examples
///
/// ```ignore
/// use crate::kernel_ext::dev::path::device_at;
///
/// if device_at(c"/dev/counter")? != Some(region.number(0)?) {
///     pr_warn!("/dev/counter is not the node of the counter\n");
/// }
/// ```
pub(crate) fn device_at(path: &CStr) -> Result<Option<bindings::dev_t>> {
    // `O_PATH` opens the file without calling its driver or file system.
    //
    // SAFETY: `path` is a C string. The flags are flags of `open(2)` that need no mode.
    let file = from_err_ptr(unsafe {
        bindings::filp_open(path.as_char_ptr(), (O_PATH | O_NOFOLLOW) as c_int, 0)
    })?;
    // SAFETY: The file was just opened, so it has an inode. The type and the number of an inode do
    // not change.
    let (mode, number) = unsafe {
        let inode = (*file).f_inode;
        (u32::from((*inode).i_mode), (*inode).i_rdev)
    };
    // SAFETY: This drops the only reference to `file`, which is not used after this. The file is in
    // no descriptor table, so the owner is null.
    unsafe { bindings::filp_close(file, ptr::null_mut()) };
    Ok((mode & bindings::S_IFMT == bindings::S_IFCHR).then_some(number))
}
