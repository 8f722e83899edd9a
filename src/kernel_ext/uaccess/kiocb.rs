// SPDX-License-Identifier: GPL-2.0

//! Properties of read and write calls that come with a `struct kiocb` or an open file.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h).

use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    fs::{
        file::flags,
        Kiocb,
        LocalFile, //
    },
    types::ForeignOwnable, //
};

use super::call::Call;

use crate::kernel_ext::layout::{
    IOCB_AIO_RW,
    IOCB_NOWAIT, //
};

/// Returns whether this call must fail with `EAGAIN` instead of waiting: the file has `O_NONBLOCK`,
/// or the call has `RWF_NOWAIT` or comes from the submitting task of io_uring.
///
/// # Examples
///
/// ```ignore
/// use crate::kernel_ext::uaccess::kiocb::is_nonblocking;
///
/// #[vtable]
/// impl MiscDevice for OpenMailbox {
///     // ...
///
///     fn read_iter(kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterDest<'_>) -> Result<usize> {
///         let mailbox = kiocb.file();
///         while mailbox.is_empty() {
///             if is_nonblocking(&kiocb) {
///                 return Err(EAGAIN);
///             }
///             mailbox.wait()?;
///         }
///         mailbox.take(iov)
///     }
/// }
/// ```
pub(crate) fn is_nonblocking<T: ForeignOwnable>(kiocb: &Kiocb<'_, T>) -> bool {
    let raw = kiocb.as_raw();
    // SAFETY: By the type invariants of `Kiocb` it is valid, and so is its file.
    let (nowait, nonblock) = unsafe {
        (
            (*raw).ki_flags & IOCB_NOWAIT != 0,
            is_file_nonblocking((*raw).ki_filp),
        )
    };
    nowait || nonblock
}

impl<T: ForeignOwnable> Call for Kiocb<'_, T> {
    fn is_nonblocking(&self) -> bool {
        is_nonblocking(self)
    }

    fn is_attempt(&self) -> bool {
        let raw = self.as_raw();
        // SAFETY: By the type invariants of `Kiocb` it is valid.
        let (flags, ends_later) = unsafe { ((*raw).ki_flags, (*raw).ki_complete.is_some()) };
        // Calls with a completion function are from io_uring or aio, and aio does not retry.
        ends_later && flags & (IOCB_NOWAIT | IOCB_AIO_RW) == IOCB_NOWAIT
    }
}

/// A `read(2)` or `write(2)` call.
///
/// # Invariants
///
/// The file is valid for `'a`.
pub(in crate::kernel_ext) struct FileCall<'a>(
    NonNull<bindings::file>,
    PhantomData<&'a bindings::file>,
);

impl FileCall<'_> {
    /// Makes a call on `file`.
    ///
    /// # Safety
    ///
    /// `file` must be valid for the lifetime of the result.
    #[inline]
    pub(in crate::kernel_ext) unsafe fn new(file: *mut bindings::file) -> Self {
        // SAFETY: By the safety requirements `file` is valid, so it is not null.
        // INVARIANT: By the safety requirements `file` is valid for the lifetime of the result.
        Self(unsafe { NonNull::new_unchecked(file) }, PhantomData)
    }
}

impl Call for FileCall<'_> {
    #[inline]
    fn is_nonblocking(&self) -> bool {
        // SAFETY: By the type invariants the file is valid.
        unsafe { is_file_nonblocking(self.0.as_ptr()) }
    }

    fn is_attempt(&self) -> bool {
        false
    }
}

/// Returns whether a file has `O_NONBLOCK`.
///
/// # Safety
///
/// `file` must be valid.
pub(in crate::kernel_ext) unsafe fn is_file_nonblocking(file: *mut bindings::file) -> bool {
    // SAFETY: By the safety requirements `file` is valid. A `LocalFile` may exist while the current
    // task uses the position of the file.
    let file = unsafe { LocalFile::from_raw_file(file) };
    file.flags() & flags::O_NONBLOCK != 0
}
