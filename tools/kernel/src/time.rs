// SPDX-License-Identifier: GPL-2.0

//! Units of time.

/// Ticks of the kernel.
pub type Jiffies = u64;

/// Converts milliseconds to ticks.
pub fn msecs_to_jiffies(msecs: u32) -> Jiffies {
    msecs.into()
}
