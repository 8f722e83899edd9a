// SPDX-License-Identifier: GPL-2.0

//! Copies between a buffer and an I/O vector without page faults.
//!
//! C headers: [`include/linux/uio.h`](srctree/include/linux/uio.h),
//! [`include/linux/uaccess.h`](srctree/include/linux/uaccess.h).
//!
//! A page fault on user memory can last for ever (userfaultfd, FUSE), so that none may happen with
//! a lock held. The copies here fail instead; their caller then drops its lock, faults the memory
//! in, and tries again.

use core::arch::asm;
use kernel::{
    bindings,
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    prelude::*,
    task::Task,
    types::NotThreadSafe, //
};

/// The user memory was not all there: nothing was copied, and the vector is where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotPresent;

/// While it exists, an access of the current task to user memory that is not there fails.
///
/// # Invariants
///
/// The current task's `pagefault_disabled` counts this object.
struct PageFaultsDisabled(NotThreadSafe);

impl PageFaultsDisabled {
    /// The Rust face of `pagefault_disable`, which is an inline function.
    fn new() -> Self {
        // SAFETY: The current task is valid. Nobody changes the field but the task itself, and what
        // interrupts it, which puts it back before the task goes on.
        unsafe { (*Task::current_raw()).pagefault_disabled += 1 };
        barrier();
        // INVARIANT: It was just counted, in the task that this object cannot leave.
        Self(NotThreadSafe)
    }
}

impl Drop for PageFaultsDisabled {
    fn drop(&mut self) {
        barrier();
        // SAFETY: The current task is valid, and nobody but the task itself, or what interrupts it and
        // puts it back, changes the field. By the invariants it is at least one.
        unsafe { (*Task::current_raw()).pagefault_disabled -= 1 };
    }
}

/// Keeps the compiler from moving accesses to memory across, as `barrier` of C does.
fn barrier() {
    // SAFETY: It is empty.
    unsafe { asm!("") };
}

/// Fills `buffer` from the vector, without page faults.
///
/// # Errors
///
/// [`NotPresent`] when some of the memory is not there. The content of `buffer` is then undefined.
pub(crate) fn fill_nofault(
    source: &mut IovIterSource<'_>,
    buffer: &mut [u8],
) -> Result<(), NotPresent> {
    let copied = {
        let _no_faults = PageFaultsDisabled::new();
        source.copy_from_iter(buffer)
    };
    if copied == buffer.len() {
        return Ok(());
    }
    // SAFETY: The vector was just advanced by `copied` bytes.
    unsafe { source.revert(copied) };
    Err(NotPresent)
}

/// Fills `buffer` from the vector, waiting for page faults: not for use with a lock held.
///
/// # Errors
///
/// [`EFAULT`] when some of the memory cannot be read. The content of `buffer` is then undefined.
pub(crate) fn fill(source: &mut IovIterSource<'_>, buffer: &mut [u8]) -> Result {
    let copied = source.copy_from_iter(buffer);
    if copied == buffer.len() {
        return Ok(());
    }
    // SAFETY: The vector was just advanced by `copied` bytes.
    unsafe { source.revert(copied) };
    Err(EFAULT)
}

/// Copies all of `data` to the vector, without page faults.
///
/// # Errors
///
/// [`NotPresent`] when some of the memory is not there. The vector is then where it was, though
/// part of its memory may have been overwritten.
pub(crate) fn deliver_nofault(dest: &mut IovIterDest<'_>, data: &[u8]) -> Result<(), NotPresent> {
    let copied = {
        let _no_faults = PageFaultsDisabled::new();
        dest.copy_to_iter(data)
    };
    if copied == data.len() {
        return Ok(());
    }
    // SAFETY: The vector was just advanced by `copied` bytes.
    unsafe { dest.revert(copied) };
    Err(NotPresent)
}

/// Brings the memory of the next `len` bytes of the vector in, to be written to: not for use with a
/// lock held.
///
/// That it succeeds does not prove that the memory can be written to: some kinds of memory, such as
/// shadow stacks, can be brought in only.
///
/// # Errors
///
/// [`EFAULT`] when some of it cannot be brought in.
pub(crate) fn fault_in(dest: &mut IovIterDest<'_>, len: usize) -> Result {
    // SAFETY: By the invariants of the type it is a valid I/O vector.
    match unsafe { bindings::fault_in_iov_iter_writeable(dest.as_raw(), len) } {
        0 => Ok(()),
        _ => Err(EFAULT),
    }
}

/// Overwrites the next `len` bytes of the vector with zeroes, waiting for page faults, and leaves the
/// vector where it was: not for use with a lock held.
///
/// # Errors
///
/// [`EFAULT`] when some of it cannot be written to.
pub(crate) fn overwrite(dest: &mut IovIterDest<'_>, len: usize) -> Result {
    static ZEROES: [u8; 512] = [0; 512];

    let mut written = 0;
    while written < len {
        let chunk = ZEROES.len().min(len - written);
        let copied = dest.copy_to_iter(ZEROES.get(..chunk).unwrap_or_default());
        written += copied;
        if copied < chunk {
            break;
        }
    }
    // SAFETY: The vector was just advanced by `written` bytes.
    unsafe { dest.revert(written) };
    if written == len {
        Ok(())
    } else {
        Err(EFAULT)
    }
}
