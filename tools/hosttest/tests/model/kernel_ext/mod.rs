// SPDX-License-Identifier: GPL-2.0

//! The files of `kernel_ext` that the pipe is built on, and stand-ins for those that reach further
//! into the kernel: clocks, credentials, pollers, namespaces and workqueues.

#[path = "../../../../../src/kernel_ext/call.rs"]
#[rustfmt::skip]
pub(crate) mod call;
#[path = "../../../../../src/kernel_ext/chain.rs"]
#[rustfmt::skip]
pub(crate) mod chain;
pub(crate) mod clock;
pub(crate) mod cred;
#[path = "../../../../../src/kernel_ext/fifo.rs"]
#[rustfmt::skip]
mod fifo;
#[path = "../../../../../src/kernel_ext/iov.rs"]
#[rustfmt::skip]
mod iov;
#[path = "../../../../../src/kernel_ext/lock.rs"]
#[rustfmt::skip]
pub(crate) mod lock;
#[path = "../../../../../src/kernel_ext/nofault.rs"]
#[rustfmt::skip]
pub(crate) mod nofault;
pub(crate) mod notify;
#[path = "../../../../../src/kernel_ext/pieces.rs"]
#[rustfmt::skip]
pub(crate) mod pieces;
#[path = "../../../src/segment.rs"]
pub(crate) mod segment;
pub(crate) mod view;
#[path = "../../../../../src/kernel_ext/wait_list.rs"]
#[rustfmt::skip]
pub(crate) mod wait_list;
#[path = "../../../../../src/kernel_ext/words.rs"]
#[rustfmt::skip]
pub(crate) mod words;
pub(crate) mod work;
