// SPDX-License-Identifier: GPL-2.0

//! Values as bytes.

/// Types without uninitialised bytes. In the kernel each type implements the trait; here each type
/// that is [`Copy`] does.
///
/// # Safety
///
/// No byte of a value may be uninitialised.
pub unsafe trait AsBytes {
    /// Returns the bytes of the value.
    fn as_bytes(&self) -> &[u8] {
        let data = core::ptr::from_ref(self).cast();
        // SAFETY: The value has this many bytes, and is borrowed. By the safety requirements they
        // are initialised.
        unsafe { core::slice::from_raw_parts(data, core::mem::size_of_val(self)) }
    }
}

// SAFETY: The module uses only types without padding here, which it checks when it is compiled.
unsafe impl<T: Copy> AsBytes for T {}
