// SPDX-License-Identifier: GPL-2.0

//! Allocations that can fail.

mod kbox;
mod kvvec;

pub use kbox::KBox;
pub use kvvec::KVVec;

/// No memory was available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocError;

/// Allocation flags, which make no difference on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(u32);

/// Values of [`Flags`].
pub mod flags {
    use super::Flags;

    /// May sleep.
    pub const GFP_KERNEL: Flags = Flags(0);
    /// May sleep, and is charged to the memory cgroup of the current task.
    pub const GFP_KERNEL_ACCOUNT: Flags = Flags(1);
}
