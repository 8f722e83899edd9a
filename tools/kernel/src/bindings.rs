// SPDX-License-Identifier: GPL-2.0

//! Functions and types of the kernel's C code, as far as the module's abstractions call them.

#![expect(non_camel_case_types, reason = "the names are those of the C code")]

use crate::{
    iov::Behaviour,
    model, //
};
use core::ffi::{c_int, c_uint};

/// A task.
#[derive(Debug, Default)]
pub struct task_struct {
    /// The state, one of `TASK_RUNNING`, `TASK_INTERRUPTIBLE` and `TASK_UNINTERRUPTIBLE`.
    pub __state: c_uint,
    /// The number of calls of `pagefault_disable` without a call of `pagefault_enable`.
    pub pagefault_disabled: c_int,
}

/// An I/O vector, of which only the behaviour of the user memory is known here.
#[derive(Debug)]
pub struct iov_iter(pub(crate) Behaviour);

/// Sleeps, unless the state of the current task is `TASK_RUNNING`, or the state is
/// `TASK_INTERRUPTIBLE` and a signal is pending.
///
/// # Safety
///
/// None is needed on the host.
pub unsafe fn schedule() {
    model::schedule();
}

/// Faults in the next `len` bytes for reading. Returns the number of bytes that are still absent.
///
/// # Safety
///
/// `iter` must be valid, and have no other users.
pub unsafe fn fault_in_iov_iter_readable(iter: *mut iov_iter, len: usize) -> usize {
    // SAFETY: By the safety requirements `iter` is valid and has no other users.
    if unsafe { &mut *iter }.0.fault_in() {
        0
    } else {
        len
    }
}

/// Faults in the next `len` bytes for writing. Returns the number of bytes that are still absent.
///
/// # Safety
///
/// `iter` must be valid, and have no other users.
pub unsafe fn fault_in_iov_iter_writeable(iter: *mut iov_iter, len: usize) -> usize {
    // SAFETY: The safety requirements are the same.
    unsafe { fault_in_iov_iter_readable(iter, len) }
}
