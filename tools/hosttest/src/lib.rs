// SPDX-License-Identifier: GPL-2.0

//! The pure files of the module, compiled and tested on the host.
//!
//! These files are also compiled into the module. Here a stand-in replaces the `kernel` crate.
//! The tests are the KUnit tests in the files, and random operations that are compared with models.
//! `cargo test -p hosttest --lib` runs them in seconds, and `cargo miri test -p hosttest` checks the
//! memory accesses of the KUnit tests. `tests/model` has the tests with tasks.

// Not `expect`: the tests use all but one structure, which the compiler reports only without it.
#![allow(
    dead_code,
    reason = "the rest of the module uses it, which is not here"
)]

/// Makes ordinary tests of the KUnit tests.
macro_rules! kunit_tests {
    ($module:item) => {
        #[cfg(test)]
        $module
    };
}

#[path = "."]
#[deny(unsafe_code)]
mod control {
    #[path = "../../../src/control/numbers.rs"]
    #[rustfmt::skip]
    pub(crate) mod numbers;
    #[path = "../../../src/control/request.rs"]
    #[rustfmt::skip]
    pub(crate) mod request;
}
#[cfg(test)]
mod fifo_entry;
mod kernel_ext;
#[path = "."]
#[deny(unsafe_code)]
mod log {
    #[path = "../../../src/log/broadcast.rs"]
    #[rustfmt::skip]
    mod broadcast;
    #[path = "../../../src/log/fanout.rs"]
    #[rustfmt::skip]
    pub(crate) mod fanout;
    #[path = "../../../src/log/fanout_tests.rs"]
    #[rustfmt::skip]
    mod fanout_tests;
    #[path = "../../../src/log/cursor.rs"]
    #[rustfmt::skip]
    pub(crate) mod cursor;
    #[path = "../../../src/log/dump.rs"]
    #[rustfmt::skip]
    pub(crate) mod dump;
    #[path = "../../../src/log/lane.rs"]
    #[rustfmt::skip]
    pub(crate) mod lane;
    #[path = "../../../src/log/lanes.rs"]
    #[rustfmt::skip]
    pub(crate) mod lanes;
    #[path = "../../../src/log/leased_queue.rs"]
    #[rustfmt::skip]
    pub(crate) mod leased_queue;
    #[path = "../../../src/log/leases_tests.rs"]
    #[rustfmt::skip]
    mod leases_tests;
    #[path = "../../../src/log/leases.rs"]
    #[rustfmt::skip]
    pub(crate) mod leases;
    #[path = "../../../src/log/position.rs"]
    #[rustfmt::skip]
    mod position;
    #[path = "../../../src/log/limits.rs"]
    #[rustfmt::skip]
    pub(crate) mod limits;
    #[path = "../../../src/log/message.rs"]
    #[rustfmt::skip]
    pub(crate) mod message;
    #[path = "../../../src/log/prioritized.rs"]
    #[rustfmt::skip]
    mod prioritized;
    #[path = "../../../src/log/queue.rs"]
    #[rustfmt::skip]
    pub(crate) mod queue;
    #[path = "../../../src/log/counters.rs"]
    #[rustfmt::skip]
    pub(crate) mod counters;
    #[path = "../../../src/log/queue_tests.rs"]
    #[rustfmt::skip]
    mod queue_tests;
    #[path = "../../../src/log/store.rs"]
    #[rustfmt::skip]
    pub(crate) mod store;
    #[path = "../../../src/log/store_tests.rs"]
    #[rustfmt::skip]
    mod store_tests;
    #[path = "../../../src/log/stream.rs"]
    #[rustfmt::skip]
    pub(crate) mod stream;
    #[path = "../../../src/log/subscription.rs"]
    #[rustfmt::skip]
    pub(crate) mod subscription;
    #[path = "../../../src/log/subscription_tests.rs"]
    #[rustfmt::skip]
    mod subscription_tests;
    #[path = "../../../src/log/iter.rs"]
    #[rustfmt::skip]
    pub(crate) mod iter;
}
#[cfg(all(test, not(miri)))]
mod lanes_bounds;
mod page;
#[path = "."]
#[deny(unsafe_code)]
mod pipe {
    #[path = "../../../src/pipe/kind.rs"]
    #[rustfmt::skip]
    pub(crate) mod kind;
    #[path = "../../../src/pipe/mode.rs"]
    #[rustfmt::skip]
    pub(crate) mod mode;
    #[path = "../../../src/pipe/name.rs"]
    #[rustfmt::skip]
    pub(crate) mod name;
    #[path = "../../../src/pipe/node.rs"]
    #[rustfmt::skip]
    pub(crate) mod node;
    #[path = "../../../src/pipe/overflow.rs"]
    #[rustfmt::skip]
    pub(crate) mod overflow;
}
#[cfg(all(test, not(miri)))]
mod property;
#[cfg(all(test, not(miri)))]
mod property_broadcast;
#[cfg(all(test, not(miri)))]
mod property_broadcast_model;
#[cfg(all(test, not(miri)))]
mod property_broadcast_ops;
#[cfg(all(test, not(miri)))]
mod property_leases;
#[cfg(all(test, not(miri)))]
mod property_priorities;
#[cfg(all(test, not(miri)))]
mod property_values;
mod uapi;
