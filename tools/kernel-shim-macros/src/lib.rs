// SPDX-License-Identifier: GPL-2.0

//! The attribute macros of the kernel crate that the pure files of the module use, on the host.

use proc_macro::TokenStream;

/// Turns a module of KUnit tests into a module of ordinary tests.
///
/// The name of the suite is not needed: the test runner prints the path of each test.
#[proc_macro_attribute]
pub fn kunit_tests(_suite: TokenStream, module: TokenStream) -> TokenStream {
    "#[cfg(test)]"
        .parse::<TokenStream>()
        .into_iter()
        .flatten()
        .chain(module)
        .collect()
}
