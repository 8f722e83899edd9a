// SPDX-License-Identifier: GPL-2.0

//! The pure files of `kernel_ext`, and stand-ins for what they need of the others.

#[path = "../../../src/kernel_ext/chain.rs"]
#[rustfmt::skip]
pub(crate) mod chain;
#[path = "../../../src/kernel_ext/fifo.rs"]
#[rustfmt::skip]
pub(crate) mod fifo;
#[path = "../../../src/kernel_ext/pieces.rs"]
#[rustfmt::skip]
pub(crate) mod pieces;
#[path = "segment.rs"]
pub(crate) mod segment;
#[path = "../../../src/kernel_ext/words.rs"]
#[rustfmt::skip]
pub(crate) mod words;
