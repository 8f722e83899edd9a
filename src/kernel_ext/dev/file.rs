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
pub(crate) fn toggle_nonblock(file: &File) {
    let file = file.as_ptr();
    // SAFETY: A `File` is valid. `f_lock` serializes changes of `f_flags`; readers take no lock.
    unsafe {
        bindings::spin_lock(&raw mut (*file).f_lock);
        (*file).f_flags ^= flags::O_NONBLOCK;
        bindings::spin_unlock(&raw mut (*file).f_lock);
    }
}
