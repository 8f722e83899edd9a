// SPDX-License-Identifier: GPL-2.0

//! The pure files of the module, compiled and tested on the host.
//!
//! They are the very files that go into the module, in the same module tree, on a stand-in for the
//! `kernel` crate; the tests are their KUnit tests, and random operations compared with models.
//! `cargo test -p hosttest` takes seconds, and `cargo miri test -p hosttest` checks the memory accesses
//! of the former.

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
#[path = "../../../src/queue.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod queue;
#[path = "../../../src/stats.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod stats;
#[path = "../../../src/store.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod store;
#[path = "../../../src/mode.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod mode;
#[path = "../../../src/name.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod name;
#[path = "../../../src/numbers.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod numbers;
#[cfg(all(test, not(miri)))]
mod property;
#[path = "../../../src/stream.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod stream;
mod uapi;
#[path = "../../../src/walk.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod walk;
