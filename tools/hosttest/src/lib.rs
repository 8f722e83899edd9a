// SPDX-License-Identifier: GPL-2.0

//! The pure files of the module, compiled and tested on the host.
//!
//! They are the very files that go into the module, in the same module tree, on a stand-in for the
//! `kernel` crate; the tests are their KUnit tests. `cargo test -p hosttest` takes a second, and
//! `cargo miri test -p hosttest` checks their memory accesses.

#![expect(
    dead_code,
    reason = "the rest of the module uses it, which is not here"
)]

mod kernel_ext;
#[path = "../../../src/limits.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod limits;
#[path = "../../../src/message.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod message;
#[path = "../../../src/pool.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod pool;
#[path = "../../../src/queue.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod queue;
#[path = "../../../src/stats.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod stats;
mod uapi;
