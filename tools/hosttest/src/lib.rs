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

#[path = "."]
#[deny(unsafe_code)]
mod control {
    #[path = "../../../src/control/numbers.rs"]
    #[rustfmt::skip]
    pub(crate) mod numbers;
}
mod kernel_ext;
#[path = "."]
#[deny(unsafe_code)]
mod log {
    #[path = "../../../src/log/limits.rs"]
    #[rustfmt::skip]
    pub(crate) mod limits;
    #[path = "../../../src/log/message.rs"]
    #[rustfmt::skip]
    pub(crate) mod message;
    #[path = "../../../src/log/queue.rs"]
    #[rustfmt::skip]
    pub(crate) mod queue;
    #[path = "../../../src/log/counters.rs"]
    #[rustfmt::skip]
    pub(crate) mod counters;
    #[path = "../../../src/log/store.rs"]
    #[rustfmt::skip]
    pub(crate) mod store;
    #[path = "../../../src/log/stream.rs"]
    #[rustfmt::skip]
    pub(crate) mod stream;
    #[path = "../../../src/log/walk.rs"]
    #[rustfmt::skip]
    pub(crate) mod walk;
}
#[path = "."]
#[deny(unsafe_code)]
mod pipe {
    #[path = "../../../src/pipe/mode.rs"]
    #[rustfmt::skip]
    pub(crate) mod mode;
    #[path = "../../../src/pipe/name.rs"]
    #[rustfmt::skip]
    pub(crate) mod name;
}
#[cfg(all(test, not(miri)))]
mod property;
mod uapi;
