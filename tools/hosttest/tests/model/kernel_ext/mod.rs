// SPDX-License-Identifier: GPL-2.0

//! The files of `kernel_ext` that the pipe is built on, and stand-ins for those that reach further
//! into the kernel: clocks, credentials, pollers, namespaces and workqueues.

pub(crate) mod clock;
pub(crate) mod cred;
#[path = "."]
pub(crate) mod mm {
    #[path = "../../../../../src/kernel_ext/mm/chain.rs"]
    #[rustfmt::skip]
    pub(crate) mod chain;
    #[path = "../../../../../src/kernel_ext/mm/indexed.rs"]
    #[rustfmt::skip]
    pub(crate) mod indexed;
    #[path = "../../../../../src/kernel_ext/mm/pieces.rs"]
    #[rustfmt::skip]
    pub(crate) mod pieces;
    #[path = "../../../src/segment.rs"]
    pub(crate) mod segment;
    #[path = "../../../../../src/kernel_ext/mm/words.rs"]
    #[rustfmt::skip]
    pub(crate) mod words;
}
#[path = "."]
pub(crate) mod sync {
    #[path = "../../../../../src/kernel_ext/sync/fifo.rs"]
    #[rustfmt::skip]
    mod fifo;
    #[path = "../../../../../src/kernel_ext/sync/lock.rs"]
    #[rustfmt::skip]
    pub(crate) mod lock;
    pub(crate) mod notify;
    #[path = "../../../../../src/kernel_ext/sync/wait_list.rs"]
    #[rustfmt::skip]
    pub(crate) mod wait_list;
    pub(crate) mod work;
}
#[path = "."]
pub(crate) mod uaccess {
    #[path = "../../../../../src/kernel_ext/uaccess/call.rs"]
    #[rustfmt::skip]
    pub(crate) mod call;
    #[path = "../../../../../src/kernel_ext/uaccess/iov.rs"]
    #[rustfmt::skip]
    mod iov;
    #[path = "../../../../../src/kernel_ext/uaccess/nofault.rs"]
    #[rustfmt::skip]
    pub(crate) mod nofault;
}
pub(crate) mod view;
