// SPDX-License-Identifier: GPL-2.0

//! Flags of open files, and an ioctl request that is common to many file types.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h).

use kernel::{
    bindings,
    fs::{
        file::flags,
        File, //
    },
};

use crate::kernel_ext::layout;

/// `FIONREAD`: request for the number of readable bytes, as an `int`.
pub(crate) const FIONREAD: u32 = layout::FIONREAD;

/// Toggles `O_NONBLOCK` of an open file. `FIONBIO` sets it to a given value instead.
///
/// # Examples
///
/// ```ignore
/// use crate::kernel_ext::dev::file;
/// use kernel::{
///     fs::File,
///     prelude::*,
///     uaccess::{UserPtr, UserSlice},
/// };
///
/// fn ioctl(log: &Log, file: &File, cmd: u32, arg: usize) -> Result<isize> {
///     match cmd {
///         TOGGLE_NONBLOCK => file::toggle_nonblock(file),
///         file::FIONREAD => {
///             let readable: c_int = log.readable();
///             UserSlice::new(UserPtr::from_addr(arg), size_of::<c_int>())
///                 .writer()
///                 .write(&readable)?;
///         }
///         _ => return Err(ENOTTY),
///     }
///     Ok(0)
/// }
/// ```
pub(crate) fn toggle_nonblock(file: &File) {
    let file = file.as_ptr();
    // SAFETY: A `File` is valid. `f_lock` serializes changes of `f_flags`; readers take no lock.
    unsafe {
        bindings::spin_lock(&raw mut (*file).f_lock);
        (*file).f_flags ^= flags::O_NONBLOCK;
        bindings::spin_unlock(&raw mut (*file).f_lock);
    }
}
