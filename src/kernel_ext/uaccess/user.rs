// SPDX-License-Identifier: GPL-2.0

//! The user buffer of a `read` or `write` call.
//!
//! C headers: [`include/linux/uaccess.h`](srctree/include/linux/uaccess.h),
//! [`include/linux/pagemap.h`](srctree/include/linux/pagemap.h).
//!
//! `kernel::uaccess::UserSlice` neither reports how much a failed copy has copied, nor can it go
//! back. It also checks the kernel buffer (`CONFIG_HARDENED_USERCOPY`). A segment needs no such
//! check: it is a whole page. I/O vectors and `pipe(2)` copy from and to whole pages without that
//! check, too.

use kernel::{
    bindings,
    prelude::*, //
};

use super::nofault::{
    Dest,
    Source, //
};
use crate::kernel_ext::mm::pieces::{
    prefix,
    prefix_mut, //
};

/// Rest of a buffer in the address space of the current task. The address is not trusted.
struct Range {
    at: *mut c_char,
    len: usize,
}

impl Range {
    /// Advances by `by` bytes, or to the end if there are fewer.
    #[inline]
    fn advance(&mut self, by: usize) {
        let by = by.min(self.len);
        self.at = self.at.wrapping_add(by);
        self.len -= by;
    }

    /// Moves the start back by `by` bytes.
    fn revert(&mut self, by: usize) {
        self.at = self.at.wrapping_sub(by);
        self.len = self.len.saturating_add(by);
    }
}

/// User buffer that data is copied from.
///
/// # Examples
///
/// [`StreamDevice::write`](crate::kernel_ext::dev::chrdev::StreamDevice::write) gets a source:
///
/// ```ignore
/// use crate::kernel_ext::uaccess::{nofault::Source, user::UserSource};
///
/// /// Returns the value that a `write(2)` call passes, which must be eight bytes.
/// fn value(mut source: UserSource) -> Result<u64> {
///     let mut bytes = [0; size_of::<u64>()];
///     if source.len() != bytes.len() {
///         return Err(EINVAL);
///     }
///     if source.copy_all(&mut bytes) {
///         Ok(u64::from_ne_bytes(bytes))
///     } else {
///         Err(EFAULT)
///     }
/// }
/// ```
pub(crate) struct UserSource(Range);

impl UserSource {
    /// Makes a source of the `len` bytes at `at`.
    #[inline]
    pub(in crate::kernel_ext) fn new(at: *const c_char, len: usize) -> Self {
        let at = at.cast_mut();
        Self(Range { at, len })
    }

    /// Copies from the current position to `piece`. Returns the number of bytes not copied.
    #[inline]
    fn missing(&self, piece: &mut [u8]) -> usize {
        let (to, from) = (piece.as_mut_ptr().cast(), self.0.at.cast());
        // SAFETY: `piece` is writable and has `piece.len()` bytes. `_copy_from_user` checks the
        // user address.
        unsafe { bindings::_copy_from_user(to, from, piece.len()) }
    }
}

impl Source for UserSource {
    #[inline]
    fn len(&self) -> usize {
        self.0.len
    }

    #[inline]
    fn copy(&mut self, piece: &mut [u8]) -> usize {
        let piece = prefix_mut(piece, self.0.len);
        let copied = piece.len().saturating_sub(self.missing(piece));
        self.0.advance(copied);
        copied
    }

    #[inline]
    fn copy_all(&mut self, piece: &mut [u8]) -> bool {
        piece.len() <= self.0.len && self.missing(piece) == 0
    }

    fn advance(&mut self, by: usize) {
        self.0.advance(by);
    }

    unsafe fn revert(&mut self, by: usize) {
        self.0.revert(by);
    }

    fn fault_in(&mut self, len: usize) -> Result {
        // SAFETY: `fault_in_readable` accepts any address.
        match unsafe { bindings::fault_in_readable(self.0.at, len.min(self.0.len)) } {
            0 => Ok(()),
            _ => Err(EFAULT),
        }
    }
}

/// User buffer that data is copied to.
///
/// # Examples
///
/// [`StreamDevice::read`](crate::kernel_ext::dev::chrdev::StreamDevice::read) gets a destination:
///
/// ```ignore
/// use crate::kernel_ext::uaccess::{nofault::Dest, user::UserDest};
///
/// /// Returns a value to a `read(2)` call, as eight bytes.
/// fn return_value(mut dest: UserDest, value: u64) -> Result<usize> {
///     let bytes = value.to_ne_bytes();
///     if dest.len() < bytes.len() {
///         return Err(EINVAL);
///     }
///     if dest.copy_last(&bytes) {
///         Ok(bytes.len())
///     } else {
///         Err(EFAULT)
///     }
/// }
/// ```
pub(crate) struct UserDest(Range);

impl UserDest {
    /// Makes a destination of the `len` bytes at `at`.
    #[inline]
    pub(in crate::kernel_ext) fn new(at: *mut c_char, len: usize) -> Self {
        Self(Range { at, len })
    }

    /// Copies `piece` to the current position. Returns the number of bytes not copied.
    #[inline]
    fn missing(&self, piece: &[u8]) -> usize {
        let (to, from) = (self.0.at.cast(), piece.as_ptr().cast());
        // SAFETY: `piece` is readable and has `piece.len()` bytes. `_copy_to_user` checks the user
        // address.
        unsafe { bindings::_copy_to_user(to, from, piece.len()) }
    }
}

impl Dest for UserDest {
    #[inline]
    fn len(&self) -> usize {
        self.0.len
    }

    #[inline]
    fn copy(&mut self, piece: &[u8]) -> usize {
        let piece = prefix(piece, self.0.len);
        let copied = piece.len().saturating_sub(self.missing(piece));
        self.0.advance(copied);
        copied
    }

    #[inline]
    fn copy_last(&mut self, piece: &[u8]) -> bool {
        piece.len() <= self.0.len && self.missing(piece) == 0
    }

    unsafe fn revert(&mut self, copied: usize) {
        self.0.revert(copied);
    }

    fn fault_in(&mut self, len: usize) -> Result {
        // SAFETY: `fault_in_writeable` accepts any address.
        match unsafe { bindings::fault_in_writeable(self.0.at, len.min(self.0.len)) } {
            0 => Ok(()),
            _ => Err(EFAULT),
        }
    }
}
