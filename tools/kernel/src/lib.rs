// SPDX-License-Identifier: GPL-2.0

//! Stand-in for the `kernel` crate: as much of it as the files of the module need that are compiled
//! on the host.
//!
//! These files are compiled into the module unchanged. Those without tasks need allocation,
//! errors and macros only, and can be run under Miri. Those with tasks run on locks, wait queues
//! and works whose tasks are scheduled by the model checker in [`model`].

pub mod alloc;
#[cfg(not(miri))]
pub mod bindings;
pub mod error;
#[cfg(not(miri))]
pub mod explore;
pub mod id_pool;
pub mod impl_flags;
pub mod init;
#[cfg(not(miri))]
pub mod iov;
#[cfg(not(miri))]
pub mod model;
#[cfg(not(miri))]
pub mod rbtree;
#[cfg(not(miri))]
pub mod sync;
#[cfg(not(miri))]
pub mod task;
#[cfg(all(test, not(miri)))]
mod tests;
pub mod time;
pub mod transmute;
#[cfg(not(miri))]
pub mod workqueue;

pub use core::fmt;

/// Attribute macros.
pub mod macros {
    pub use kernel_macros::kunit_tests;
}

/// Names that most files of the module import together.
pub mod prelude {
    pub use crate::{
        alloc::{
            flags::{GFP_KERNEL, GFP_KERNEL_ACCOUNT},
            KBox, KVVec,
        },
        error::{code::*, Error, Result},
        pin_init, pr_info,
    };
    pub use kernel_macros::pin_data;

    #[cfg(not(miri))]
    pub use crate::sync::PinInitArc;
}

/// Fails the build unless the condition holds.
#[macro_export]
macro_rules! static_assert {
    ($condition:expr $(,$message:literal)?) => {
        const _: () = assert!($condition $(,$message)?);
    };
}

/// Returns a reference to the current task.
#[macro_export]
macro_rules! current {
    () => {
        &$crate::task::CurrentTask::new()
    };
}

/// Checks that a message could be logged here: without a lock held.
#[macro_export]
macro_rules! pr_info {
    ($($arg:tt)*) => {{
        $crate::model::assert_unlocked("logging");
        let _ = format!($($arg)*);
    }};
}

/// Returns a lock class, which only lockdep needs.
#[macro_export]
macro_rules! static_lock_class {
    () => {
        $crate::sync::LockClassKey
    };
}
