// SPDX-License-Identifier: GPL-2.0

//! Copies of a few 8-byte words, without the overhead of a call of `memcpy`.
//!
//! C headers: [`arch/x86/lib/memcpy_64.S`](srctree/arch/x86/lib/memcpy_64.S), which does the same
//! with bytes on CPUs with fast string operations.
//!
//! # Examples
//!
//! ```ignore
//! use crate::kernel_ext::mm::words;
//!
//! let mut entry = [0u8; 16];
//! words::copy(&mut entry, b"a log entry.....");
//! ```

#[cfg(all(target_arch = "x86_64", not(miri)))]
use core::arch::asm;

/// Size of a word in bytes.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const WORD: usize = size_of::<u64>();

/// Copies `from` to `to`. Both must have the same length, a multiple of 8 bytes.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline(always)]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    let words = from.len().min(to.len()) / WORD;
    // SAFETY: `words` words are readable from `from` and writable to `to`. The slices do not
    // overlap, as `to` is borrowed mutably. The direction flag is clear in Rust code.
    unsafe {
        asm!(
            "rep movsq",
            inout("rcx") words => _,
            inout("rsi") from.as_ptr() => _,
            inout("rdi") to.as_mut_ptr() => _,
            options(nostack, preserves_flags),
        );
    }
}

/// Copies `from` to `to`. Both must have the same length, a multiple of 8 bytes.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
#[inline(always)]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    to.copy_from_slice(from);
}
