// SPDX-License-Identifier: GPL-2.0

//! The module's `src/pipe`, on a model of the kernel's locks, wait queues and works, in each
//! interleaving of a few tasks that matters.
//!
//! These files are also compiled into the module, and so are the wait lists and the copies below
//! them. Only primitives are replaced, by the stand-in for the `kernel` crate: the state of a
//! task, `schedule`, wakeups, page faults, pages and works. The tests are in `scenarios`.
//!
//! The model is a separate program, not a module of the library `hosttest`: the files name each
//! other by paths from the root of a crate, and their pages have another size here.

// Miri cannot run the coroutines of the model.
#![cfg(not(miri))]
#![expect(
    dead_code,
    reason = "the rest of the module uses it, which is not here"
)]

/// Leaves the KUnit tests out: the library runs them.
macro_rules! kunit_tests {
    ($module:item) => {};
}

mod kernel_ext;
#[path = "../../../../src/log/mod.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod log;
mod page;
#[path = "../../../../src/pipe/mod.rs"]
#[deny(unsafe_code)]
#[rustfmt::skip]
mod pipe;
mod scenarios;
mod uapi;
