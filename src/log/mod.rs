// SPDX-License-Identifier: GPL-2.0

//! How messages are stored: pure data.
//!
//! No module here sleeps, takes a lock, or depends on pipes or files. The host compiles the same
//! files and tests them against simple models.

mod broadcast;
pub(crate) mod counters;
pub(crate) mod cursor;
pub(crate) mod dump;
pub(crate) mod fanout;
mod fanout_tests;
pub(crate) mod iter;
pub(crate) mod lane;
pub(crate) mod lanes;
pub(crate) mod leased_queue;
pub(crate) mod leases;
mod leases_tests;
pub(crate) mod limits;
pub(crate) mod message;
mod position;
mod prioritized;
pub(crate) mod queue;
mod queue_tests;
pub(crate) mod store;
mod store_tests;
pub(crate) mod stream;
pub(crate) mod subscription;
mod subscription_tests;
pub(crate) mod wire;
