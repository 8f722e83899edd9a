// SPDX-License-Identifier: GPL-2.0

//! Memory: allocations that can fail.

mod kbox;
mod kvvec;

pub use kbox::KBox;
pub use kvvec::KVVec;

/// There was no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocError;

/// How the kernel is to allocate. The host allocates in one way only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u32);

/// The flags there are.
pub mod flags {
    use super::Flags;

    /// May sleep.
    pub const GFP_KERNEL: Flags = Flags(0);
    /// May sleep, and is accounted to the task that asks.
    pub const GFP_KERNEL_ACCOUNT: Flags = Flags(1);
}
