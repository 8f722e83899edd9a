// SPDX-License-Identifier: GPL-2.0

//! What the kernel crate lacks, as the model has it.

#[path = "../../../../src/kernel_ext/call.rs"]
#[rustfmt::skip]
pub(crate) mod call;
#[path = "../../../../src/kernel_ext/chain.rs"]
#[rustfmt::skip]
pub(crate) mod chain;
pub(crate) mod clock;
pub(crate) mod cred;
#[path = "../../../../src/kernel_ext/lock.rs"]
#[rustfmt::skip]
pub(crate) mod lock;
pub(crate) mod nofault;
pub(crate) mod notify;
#[path = "../../../../src/kernel_ext/pieces.rs"]
#[rustfmt::skip]
pub(crate) mod pieces;
pub(crate) mod segment;
pub(crate) mod view;
pub(crate) mod wait_list;
pub(crate) mod work;
#[path = "../../../../src/kernel_ext/words.rs"]
#[rustfmt::skip]
pub(crate) mod words;
