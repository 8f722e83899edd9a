// SPDX-License-Identifier: GPL-2.0

//! Lock type of the state of a pipe.
//!
//! It is a mutex, because the longest copy made with it held is 1 MiB, and the holder of a mutex
//! can be preempted. To build with a spinlock instead, re-export `new_spinlock`, `SpinLock` and
//! `SpinLockGuard` under these names; `docs/performance.md` has the cost.

pub(crate) use kernel::sync::{
    new_mutex as new_state_lock,
    Mutex as StateLock,
    MutexGuard as StateGuard, //
};
