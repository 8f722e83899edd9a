// SPDX-License-Identifier: GPL-2.0

//! As much of the `kernel` crate as `src/pipe` needs, on the host, with locks, wait queues and work
//! whose tasks are scheduled by the model checker in [`model`].
//!
//! It is the counterpart of `kernel-shim`, which is for files that know nothing of other tasks.
//! What does not depend on them comes from there.

pub mod explore;
pub mod impl_flags;
pub mod iov;
pub mod model;
pub mod sync;
pub mod task;
#[cfg(test)]
mod tests;
pub mod time;
pub mod workqueue;

pub use kernel_shim::{alloc, error, fmt, static_assert, transmute};

/// Attribute macros.
pub mod macros {
    pub use kernel_shim_macros::no_kunit_tests as kunit_tests;
}

/// What every file may use without asking.
pub mod prelude {
    pub use crate::{pr_info, sync::PinInitArc};
    pub use kernel_shim::prelude::*;
    pub use kernel_shim_macros::{pin_data, pin_init};
}

/// The task that runs.
#[macro_export]
macro_rules! current {
    () => {
        &$crate::task::CurrentTask
    };
}

/// Logging, which must not happen with a lock held either.
#[macro_export]
macro_rules! pr_info {
    ($($arg:tt)*) => {{
        $crate::model::assert_unlocked("logging");
        let _ = format!($($arg)*);
    }};
}

/// Lock classes are lockdep's.
#[macro_export]
macro_rules! static_lock_class {
    () => {
        $crate::sync::LockClassKey
    };
}
