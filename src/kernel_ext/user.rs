// SPDX-License-Identifier: GPL-2.0

//! The buffer of a `read` or `write` as memory of the caller's.
//!
//! C headers: [`include/linux/uaccess.h`](srctree/include/linux/uaccess.h),
//! [`include/linux/pagemap.h`](srctree/include/linux/pagemap.h).
//!
//! `kernel::uaccess::UserSlice` says of a copy that failed neither how much was copied, nor can it
//! go back. It also has the memory of the kernel checked (`CONFIG_HARDENED_USERCOPY`), which a
//! segment has no need of: it is a page that is used for nothing else, as those are that I/O
//! vectors and pipes copy to and from, without that check.

use kernel::{
    bindings,
    prelude::*, //
};

use super::nofault::{
    Dest,
    Source, //
};

/// Memory of the current task, which may be anything: what is left of it.
struct Range {
    at: *mut c_char,
    len: usize,
}

impl Range {
    /// Goes on by so many bytes, or less if it has less.
    #[inline]
    fn advance(&mut self, by: usize) {
        self.at = self.at.wrapping_add(by);
        self.len = self.len.saturating_sub(by);
    }

    /// Goes back by so many bytes.
    fn revert(&mut self, by: usize) {
        self.at = self.at.wrapping_sub(by);
        self.len = self.len.saturating_add(by);
    }
}

/// Memory that a message is copied from.
pub(crate) struct UserSource(Range);

impl UserSource {
    /// `len` bytes from `at` on.
    #[inline]
    pub(super) fn new(at: *const c_char, len: usize) -> Self {
        let at = at.cast_mut();
        Self(Range { at, len })
    }

    /// Fills `piece` from the beginning of what is left; returns how many bytes could not be read.
    #[inline]
    fn missing(&self, piece: &mut [u8]) -> usize {
        let (to, from) = (piece.as_mut_ptr().cast(), self.0.at.cast());
        // SAFETY: `piece` may be written to, and has that many bytes. What comes from user memory
        // is checked by the function.
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
        let len = piece.len().min(self.0.len);
        let copied = len.saturating_sub(self.missing(piece.get_mut(..len).unwrap_or_default()));
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
        // SAFETY: Any address may be given.
        match unsafe { bindings::fault_in_readable(self.0.at, len.min(self.0.len)) } {
            0 => Ok(()),
            _ => Err(EFAULT),
        }
    }
}

/// Memory that a message is copied to.
pub(crate) struct UserDest(Range);

impl UserDest {
    /// `len` bytes from `at` on.
    #[inline]
    pub(super) fn new(at: *mut c_char, len: usize) -> Self {
        Self(Range { at, len })
    }

    /// Copies `piece` to the beginning of what is left; returns how many bytes could not be
    /// written.
    #[inline]
    fn missing(&self, piece: &[u8]) -> usize {
        let (to, from) = (self.0.at.cast(), piece.as_ptr().cast());
        // SAFETY: `piece` may be read, and has that many bytes. Whether the user memory may be
        // written to is checked by the function.
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
        let len = piece.len().min(self.0.len);
        let copied = len.saturating_sub(self.missing(piece.get(..len).unwrap_or_default()));
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
        // SAFETY: Any address may be given.
        match unsafe { bindings::fault_in_writeable(self.0.at, len.min(self.0.len)) } {
            0 => Ok(()),
            _ => Err(EFAULT),
        }
    }
}
