// SPDX-License-Identifier: GPL-2.0

//! Ranges of device numbers.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h).

use kernel::{
    bindings,
    error::to_result,
    prelude::*, //
};

/// Number of bits of a minor number.
pub(super) const MINOR_BITS: u32 = 20;

/// A range of device numbers with one major number.
///
/// # Invariants
///
/// The `minors` numbers from `first` on are allocated.
///
/// # Examples
///
/// ```ignore
/// use crate::kernel_ext::dev::region::Region;
///
/// // A major number with the minor numbers 0 to 7, allocated until `region` is dropped.
/// let region = Region::new(c"counter", 8)?;
/// let last = region.number(7)?;
/// assert!(region.number(8).is_err());
/// ```
pub(crate) struct Region {
    first: bindings::dev_t,
    minors: u32,
}

impl Region {
    /// Allocates a major number with `minors` minor numbers, starting at zero.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`]: `minors` is zero or more than there are minor numbers.
    /// - [`EBUSY`]: no major number is free.
    /// - [`ENOMEM`].
    pub(crate) fn new(name: &'static CStr, minors: u32) -> Result<Self> {
        if minors == 0 || minors > 1 << MINOR_BITS {
            return Err(EINVAL);
        }
        let mut first = 0;
        // SAFETY: `first` is writable, and `name` is static.
        to_result(unsafe {
            bindings::alloc_chrdev_region(&mut first, 0, minors, name.as_char_ptr())
        })?;
        // INVARIANT: The numbers were just allocated.
        Ok(Self { first, minors })
    }

    /// Returns the first device number.
    pub(super) fn first(&self) -> bindings::dev_t {
        self.first
    }

    /// Returns the number of device numbers.
    pub(super) fn minors(&self) -> u32 {
        self.minors
    }

    /// Returns the device number with the minor number `minor`.
    ///
    /// # Errors
    ///
    /// [`EINVAL`] if it is not in the region.
    pub(crate) fn number(&self, minor: u32) -> Result<bindings::dev_t> {
        if minor < self.minors {
            Ok(self.first | minor)
        } else {
            Err(EINVAL)
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the numbers are allocated.
        unsafe { bindings::unregister_chrdev_region(self.first, self.minors) };
    }
}
