// SPDX-License-Identifier: GPL-2.0

//! Differences between the kernels that the module supports: Linux 7.2 (`kmsgpipe_linux_7_2`, set
//! by Kbuild) and later ones.
//!
//! # Examples
//!
//! ```ignore
//! use crate::kernel_ext::compat;
//!
//! module! {
//!     type: Counter,
//!     name: "counter",
//!     authors: ["Counter developers"],
//!     description: "A counter",
//!     license: "GPL",
//!     params: {
//!         start: u32 {
//!             default: 1,
//!             description: "First value",
//!         },
//!     },
//! }
//!
//! let start: u32 = compat::parameter(&module_parameters::start);
//! ```

use kernel::{
    module_param::ModuleParamAccess,
    ThisModule, //
};

/// Returns the module: 7.2 has a static for it, later kernels a constant of its type.
pub(crate) const fn this_module() -> &'static ThisModule {
    #[cfg(kmsgpipe_linux_7_2)]
    return &crate::THIS_MODULE;
    #[cfg(not(kmsgpipe_linux_7_2))]
    return kernel::module::this_module::<crate::LocalModule>();
}

/// Returns the value of a module parameter: 7.2 returns a reference, later kernels a copy.
pub(crate) fn parameter<T: Copy>(parameter: &ModuleParamAccess<T>) -> T {
    #[cfg(kmsgpipe_linux_7_2)]
    return *parameter.value();
    #[cfg(not(kmsgpipe_linux_7_2))]
    return parameter.value();
}
