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

mod device;
mod kernel_ext;
#[path = "../../../src/limits.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod limits;
#[path = "../../../src/message.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod message;
#[path = "../../../src/mode.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod mode;
#[path = "../../../src/name.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod name;
#[path = "../../../src/node.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod node;
#[path = "../../../src/pipe/mod.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod pipe;
#[path = "../../../src/queue.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod queue;
mod scenarios;
#[path = "../../../src/stats.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod stats;
#[path = "../../../src/store.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod store;
#[path = "../../../src/stream.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod stream;
mod uapi;
#[path = "../../../src/walk.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod walk;
#[path = "../../../src/wire.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod wire;
