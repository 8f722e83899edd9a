// SPDX-License-Identifier: GPL-2.0

//! The kind of lock that protects a pipe.
//!
//! A mutex, whose holder can be preempted, as the longest copy that is made with it held is of
//! 1 MiB. With the names of a spinlock here (`new_spinlock`, `SpinLock`, `SpinLockGuard`) the
//! module is built with that instead; `docs/performance.md` says what it costs.

pub(crate) use kernel::sync::{
    new_mutex as new_state_lock,
    Mutex as StateLock,
    MutexGuard as StateGuard, //
};
