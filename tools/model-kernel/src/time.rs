// SPDX-License-Identifier: GPL-2.0

//! Time, which passes when a scenario says so.

/// Ticks of the clock.
pub type Jiffies = u64;

/// Milliseconds as ticks.
pub fn msecs_to_jiffies(msecs: u32) -> Jiffies {
    msecs.into()
}
