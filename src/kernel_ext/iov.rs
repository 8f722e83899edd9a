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

use super::segment::Bytes;

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
        // SAFETY: The current task is valid, and nobody but the task itself, or what interrupts it
        // and puts it back, changes the field. By the invariants it is at least one.
        unsafe { (*Task::current_raw()).pagefault_disabled -= 1 };
    }
}

/// Keeps the compiler from moving accesses to memory across, as `barrier` of C does.
fn barrier() {
    // SAFETY: It is empty.
    unsafe { asm!("") };
}

/// A copy out of a vector, piece by piece, without page faults.
///
/// Unless it is finished, the vector is where it was when this object is dropped.
pub(crate) struct FillNoFault<'a, 'data> {
    source: &'a mut IovIterSource<'data>,
    /// By how much the vector was advanced, in bytes.
    copied: usize,
    _no_faults: PageFaultsDisabled,
}

impl<'a, 'data> FillNoFault<'a, 'data> {
    /// Begins to copy.
    #[inline]
    pub(crate) fn new(source: &'a mut IovIterSource<'data>) -> Self {
        Self {
            source,
            copied: 0,
            _no_faults: PageFaultsDisabled::new(),
        }
    }

    /// Fills `piece` with what comes next; returns whether all of that is there.
    #[inline]
    pub(crate) fn copy(&mut self, piece: &mut [u8]) -> bool {
        let copied = self.source.copy_from_iter(piece);
        self.copied += copied;
        copied == piece.len()
    }

    /// Leaves the vector where it is now.
    #[inline]
    pub(crate) fn finish(mut self) {
        self.copied = 0;
    }
}

impl Drop for FillNoFault<'_, '_> {
    #[inline]
    fn drop(&mut self) {
        if self.copied > 0 {
            // SAFETY: The vector was advanced by that much.
            unsafe { self.source.revert(self.copied) };
        }
    }
}

/// Brings the memory of the next `len` bytes of the vector in, to be read: not for use with a lock
/// held. It may be gone again by the time it is read.
///
/// # Errors
///
/// [`EFAULT`] when some of it cannot be brought in.
pub(crate) fn fault_in_readable(source: &mut IovIterSource<'_>, len: usize) -> Result {
    // SAFETY: By the invariants of the type it is a valid I/O vector.
    match unsafe { bindings::fault_in_iov_iter_readable(source.as_raw(), len) } {
        0 => Ok(()),
        _ => Err(EFAULT),
    }
}

/// Copies the next `len` bytes of the vector to `places`, one behind the other, waiting for page
/// faults, and leaves the vector where it was: not for use with a lock held.
///
/// # Errors
///
/// [`EFAULT`] when some of it cannot be read, or does not fit.
pub(crate) fn fill<'a>(
    source: &mut IovIterSource<'_>,
    len: usize,
    places: impl Iterator<Item = &'a mut Bytes>,
) -> Result {
    let mut copied = 0;
    for place in places {
        let piece = place.len().min(len - copied);
        let now = source.copy_from_iter(place.get_mut(..piece).unwrap_or_default());
        copied += now;
        if now < piece {
            break;
        }
    }
    // SAFETY: The vector was just advanced by `copied` bytes.
    unsafe { source.revert(copied) };
    if copied == len {
        Ok(())
    } else {
        Err(EFAULT)
    }
}

/// Copies all `pieces` to the vector, one behind the other, without page faults.
///
/// # Errors
///
/// [`NotPresent`] when some of the memory is not there. The vector is then where it was, though
/// part of its memory may have been overwritten.
#[inline]
pub(crate) fn deliver_nofault<'a>(
    dest: &mut IovIterDest<'_>,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Result<(), NotPresent> {
    let mut total = 0;
    let mut complete = true;
    {
        let _no_faults = PageFaultsDisabled::new();
        for piece in pieces {
            let copied = dest.copy_to_iter(piece);
            total += copied;
            if copied != piece.len() {
                complete = false;
                break;
            }
        }
    }
    if complete {
        return Ok(());
    }
    // SAFETY: The vector was just advanced by `total` bytes.
    unsafe { dest.revert(total) };
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
pub(crate) fn fault_in_writeable(dest: &mut IovIterDest<'_>, len: usize) -> Result {
    // SAFETY: By the invariants of the type it is a valid I/O vector.
    match unsafe { bindings::fault_in_iov_iter_writeable(dest.as_raw(), len) } {
        0 => Ok(()),
        _ => Err(EFAULT),
    }
}

/// Overwrites the next `len` bytes of the vector with zeroes, waiting for page faults, and leaves
/// the vector where it was: not for use with a lock held.
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
