// SPDX-License-Identifier: GPL-2.0

//! The module's `src/pipe`, compiled on a model of the kernel's locks, wait queues and works, and run
//! in every interleaving of a few tasks that matters.
//!
//! They are the very files that go into the module. What they use of the kernel is modelled in
//! `model-kernel`, and what they use of `kernel_ext` here. The tests are in `scenarios`.

#![cfg(test)]
#![expect(
    dead_code,
    reason = "the rest of the module uses it, which is not here"
)]

mod kernel_ext;
#[path = "../../../src/log/mod.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod log;
#[path = "../../../src/pipe/mod.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod pipe;
mod scenarios;
mod uapi;
