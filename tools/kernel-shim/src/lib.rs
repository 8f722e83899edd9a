// SPDX-License-Identifier: GPL-2.0

//! As much of the `kernel` crate as the pure files of the module need, on the host.
//!
//! It exists so that the very files that are compiled into the module can be tested, and run under
//! Miri, where there is no kernel. It offers nothing else: a file that needs more is not pure.

pub mod alloc;
pub mod error;
pub mod id_pool;
pub mod transmute;

pub use core::fmt;

/// Attribute macros.
pub mod macros {
    pub use kernel_shim_macros::kunit_tests;
}

/// What every file may use without asking.
pub mod prelude {
    pub use crate::{
        alloc::{
            flags::{GFP_KERNEL, GFP_KERNEL_ACCOUNT},
            KBox, KVVec,
        },
        error::{code::*, Error, Result},
    };
}

/// Fails the build unless the condition holds.
#[macro_export]
macro_rules! static_assert {
    ($condition:expr $(,$message:literal)?) => {
        const _: () = assert!($condition $(,$message)?);
    };
}
