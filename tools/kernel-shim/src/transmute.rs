// SPDX-License-Identifier: GPL-2.0

//! Values as bytes.

/// Values that are bytes alone. In the kernel, types say so by themselves; here all are taken for such
/// that can be copied.
///
/// # Safety
///
/// No byte of a value may be uninitialised.
pub unsafe trait AsBytes {
    /// The value as bytes.
    fn as_bytes(&self) -> &[u8] {
        let data = core::ptr::from_ref(self).cast();
        // SAFETY: That many bytes are there, borrowed, and by the safety requirements initialised.
        unsafe { core::slice::from_raw_parts(data, core::mem::size_of_val(self)) }
    }
}

// SAFETY: The types that are used so have no padding: the module holds to that when it is compiled.
unsafe impl<T: Copy> AsBytes for T {}
