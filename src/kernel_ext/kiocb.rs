// SPDX-License-Identifier: GPL-2.0

//! How the caller of a read or write wants it done.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h).

use kernel::{
    bindings,
    fs::{
        file::flags,
        Kiocb,
        LocalFile, //
    },
    types::ForeignOwnable, //
};

use super::layout::IOCB_NOWAIT;

/// Returns whether this call must fail with `EAGAIN` instead of waiting: the file is in
/// non-blocking mode, or the call was made with `RWF_NOWAIT` or by io_uring from its submitter.
pub(crate) fn is_nonblocking<T: ForeignOwnable>(kiocb: &Kiocb<'_, T>) -> bool {
    let raw = kiocb.as_raw();
    // SAFETY: By the invariants of `Kiocb` it is valid, and so is its file.
    let (nowait, nonblock) = unsafe {
        (
            (*raw).ki_flags & IOCB_NOWAIT != 0,
            is_file_nonblocking((*raw).ki_filp),
        )
    };
    nowait || nonblock
}

/// Returns whether a file is in non-blocking mode.
///
/// # Safety
///
/// `file` must be valid.
pub(super) unsafe fn is_file_nonblocking(file: *mut bindings::file) -> bool {
    // SAFETY: By the safety requirements. `LocalFile` is right even when the file position of this
    // file is in use by the current task.
    let file = unsafe { LocalFile::from_raw_file(file) };
    file.flags() & flags::O_NONBLOCK != 0
}
