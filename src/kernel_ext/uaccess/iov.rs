// SPDX-License-Identifier: GPL-2.0

//! I/O vectors as sources and destinations of data.
//!
//! C header: [`include/linux/uio.h`](srctree/include/linux/uio.h).
//!
//! # Examples
//!
//! ```ignore
//! use crate::kernel_ext::uaccess::nofault::Dest;
//!
//! /// Returns a value to a read call, as eight bytes, wherever its memory is.
//! fn return_value(mut dest: impl Dest, value: u64) -> Result<usize> {
//!     let bytes = value.to_ne_bytes();
//!     if dest.len() < bytes.len() {
//!         return Err(EINVAL);
//!     }
//!     if dest.copy_last(&bytes) {
//!         Ok(bytes.len())
//!     } else {
//!         Err(EFAULT)
//!     }
//! }
//!
//! #[vtable]
//! impl MiscDevice for OpenCounter {
//!     // ...
//!
//!     fn read_iter(kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterDest<'_>) -> Result<usize> {
//!         return_value(iov, kiocb.file().value())
//!     }
//! }
//! ```

use kernel::{
    bindings,
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    prelude::*, //
};

use super::nofault::{
    Dest,
    Source, //
};

impl Source for &mut IovIterSource<'_> {
    #[inline]
    fn len(&self) -> usize {
        IovIterSource::len(self)
    }

    #[inline]
    fn copy(&mut self, piece: &mut [u8]) -> usize {
        self.copy_from_iter(piece)
    }

    fn advance(&mut self, by: usize) {
        IovIterSource::advance(self, by);
    }

    unsafe fn revert(&mut self, by: usize) {
        // SAFETY: By the safety requirements the vector was advanced by at least `by` bytes.
        unsafe { IovIterSource::revert(self, by) };
    }

    fn fault_in(&mut self, len: usize) -> Result {
        // SAFETY: By the type invariants of `IovIterSource`, it wraps a valid I/O vector.
        match unsafe { bindings::fault_in_iov_iter_readable(self.as_raw(), len) } {
            0 => Ok(()),
            _ => Err(EFAULT),
        }
    }
}

impl Dest for &mut IovIterDest<'_> {
    #[inline]
    fn len(&self) -> usize {
        IovIterDest::len(self)
    }

    #[inline]
    fn copy(&mut self, piece: &[u8]) -> usize {
        self.copy_to_iter(piece)
    }

    unsafe fn revert(&mut self, copied: usize) {
        // SAFETY: By the safety requirements the vector was advanced by at least `copied` bytes.
        unsafe { IovIterDest::revert(self, copied) };
    }

    fn fault_in(&mut self, len: usize) -> Result {
        // SAFETY: By the type invariants of `IovIterDest`, it wraps a valid I/O vector.
        match unsafe { bindings::fault_in_iov_iter_writeable(self.as_raw(), len) } {
            0 => Ok(()),
            _ => Err(EFAULT),
        }
    }
}
