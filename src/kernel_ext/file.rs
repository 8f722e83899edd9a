// SPDX-License-Identifier: GPL-2.0

//! Open files: their flags, and a request that all kinds of them have.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h).

use kernel::{
    bindings,
    fs::{
        file::flags,
        File, //
    },
};

use super::layout;

/// `FIONREAD`: the request for the number of bytes that can be read, as an `int`.
pub(crate) const FIONREAD: u32 = layout::FIONREAD;

/// Turns `O_NONBLOCK` of an open file on if it is off, and off if it is on, as `FIONBIO` does with
/// a given value.
pub(crate) fn toggle_nonblock(file: &File) {
    let file = file.as_ptr();
    // SAFETY: The file is valid. Its flags are changed under this lock, and read without it.
    unsafe {
        bindings::spin_lock(&raw mut (*file).f_lock);
        (*file).f_flags ^= flags::O_NONBLOCK;
        bindings::spin_unlock(&raw mut (*file).f_lock);
    }
}
