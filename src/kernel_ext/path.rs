// SPDX-License-Identifier: GPL-2.0

//! What is at a path.
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

/// Returns the number of the character device at a path, or [`None`] if something else is there. A
/// symbolic link at its end is something else.
///
/// The current task looks it up: from its root, in its mount namespace, and with its rights. That
/// need not be what others see, so it is good for a hint only.
///
/// # Errors
///
/// Those of looking a path up; [`ENOENT`] if nothing is there.
pub(crate) fn device_at(path: &CStr) -> Result<Option<bindings::dev_t>> {
    // With `O_PATH` no driver and no file system is told of the opening.
    //
    // SAFETY: The path is a string, and the flags are those of open(2) that need no mode.
    let file = from_err_ptr(unsafe {
        bindings::filp_open(path.as_char_ptr(), (O_PATH | O_NOFOLLOW) as c_int, 0)
    })?;
    // SAFETY: The file was just opened, and has an inode, whose type and number do not change.
    let (mode, number) = unsafe {
        let inode = (*file).f_inode;
        (u32::from((*inode).i_mode), (*inode).i_rdev)
    };
    // SAFETY: This is the only reference, and it is not used again. The file is in no table of
    // descriptors, for which the owner stands.
    unsafe { bindings::filp_close(file, ptr::null_mut()) };
    Ok((mode & bindings::S_IFMT == bindings::S_IFCHR).then_some(number))
}
