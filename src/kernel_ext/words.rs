// SPDX-License-Identifier: GPL-2.0

//! Copies of words that are mostly few, for which a call of `memcpy` takes more instructions than
//! the copy.
//!
//! C headers: [`arch/x86/lib/memcpy_64.S`](srctree/arch/x86/lib/memcpy_64.S), which does the same
//! with bytes where the processor is fast at it.

#[cfg(all(target_arch = "x86_64", not(miri)))]
use core::arch::asm;

/// A word, in bytes.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const WORD: usize = size_of::<u64>();

/// Copies `from` to `to`, which must be as long: a multiple of 8 bytes.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline(always)]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    let words = from.len().min(to.len()) / WORD;
    // SAFETY: So many words can be read from the one and written to the other, which do not
    // overlap, as one of them is borrowed mutably. The direction flag is clear in Rust code.
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

/// Copies `from` to `to`, which must be as long: a multiple of 8 bytes.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
#[inline(always)]
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    to.copy_from_slice(from);
}
