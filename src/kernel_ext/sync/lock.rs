// SPDX-License-Identifier: GPL-2.0

//! Lock type of the state that waiters wait for.
//!
//! It is a mutex, because long copies may be made with it held, and the holder of a mutex can be
//! preempted. To build with a spinlock instead, re-export `new_spinlock`, `SpinLock` and
//! `SpinLockGuard` under these names.
//!
//! # Examples
//!
//! ```ignore
//! use crate::kernel_ext::sync::lock::{new_state_lock, StateGuard, StateLock};
//!
//! #[pin_data]
//! struct Counter {
//!     #[pin]
//!     value: StateLock<u64>,
//! }
//!
//! let counter = KBox::pin_init(
//!     pin_init!(Counter {
//!         value <- new_state_lock!(0, "Counter::value"),
//!     }),
//!     GFP_KERNEL,
//! )?;
//! let mut value: StateGuard<'_, u64> = counter.value.lock();
//! *value += 1;
//! ```

pub(crate) use kernel::sync::{
    new_mutex as new_state_lock,
    Mutex as StateLock,
    MutexGuard as StateGuard, //
};
