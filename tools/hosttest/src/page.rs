// SPDX-License-Identifier: GPL-2.0

//! Pages: as large as those of the kernel, and always available.

use kernel::alloc::AllocError;

/// Size of a page in bytes.
pub(crate) const SIZE: usize = 4096;

/// Allows one more page.
///
/// # Errors
///
/// None.
pub(crate) fn allocate() -> Result<(), AllocError> {
    Ok(())
}

/// Takes a page back.
pub(crate) fn free() {}
