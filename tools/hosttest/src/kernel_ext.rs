// SPDX-License-Identifier: GPL-2.0

//! What the kernel crate lacks, as far as it is pure.

#[path = "../../../src/kernel_ext/chain.rs"]
#[rustfmt::skip]
pub(crate) mod chain;
