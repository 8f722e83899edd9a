// SPDX-License-Identifier: GPL-2.0

//! Copies between a buffer and memory of the caller's without page faults.
//!
//! C header: [`include/linux/uaccess.h`](srctree/include/linux/uaccess.h).
//!
//! A page fault on user memory can last for ever (userfaultfd, FUSE), so that none may happen with
//! a lock held. The copies here fail instead; their caller then drops its lock, faults the memory
//! in, and tries again.

use core::{
    arch::asm,
    ops::Range, //
};
use kernel::{
    prelude::*,
    task::CurrentTask, //
};

use super::{
    chain::Chain,
    pieces::{
        self,
        part, //
    },
    segment::{
        Bytes,
        Segment, //
    },
};

/// Memory of the caller's that a message is copied from: what is left of it.
pub(crate) trait Source {
    /// The number of bytes that are left.
    fn len(&self) -> usize;

    /// Fills `piece` with what comes next, and goes on behind it; returns how much of it was there.
    fn copy(&mut self, piece: &mut [u8]) -> usize;

    /// Fills `piece`, which is for all that is left, and may go on behind it; returns whether all
    /// was there. What is left is what was if not.
    fn copy_all(&mut self, piece: &mut [u8]) -> bool {
        let copied = self.copy(piece);
        if copied < piece.len() {
            // SAFETY: So many bytes were just copied.
            unsafe { self.revert(copied) };
        }
        copied == piece.len()
    }

    /// Goes on by so many bytes, which are not copied, or less if it has less.
    fn advance(&mut self, by: usize);

    /// Goes back by so many bytes.
    ///
    /// # Safety
    ///
    /// It must have gone on by them.
    unsafe fn revert(&mut self, by: usize);

    /// Brings the memory of the next `len` bytes in, to be read: not for use with a lock held. It
    /// may be gone again by the time it is read.
    ///
    /// # Errors
    ///
    /// [`EFAULT`] when some of it cannot be brought in.
    fn fault_in(&mut self, len: usize) -> Result;
}

/// Memory of the caller's that a message is copied to: what is left of it.
pub(crate) trait Dest {
    /// The number of bytes for which there is room.
    fn len(&self) -> usize;

    /// Copies `piece`, and goes on behind it; returns how much of it could be copied.
    fn copy(&mut self, piece: &[u8]) -> usize;

    /// Copies `piece`, behind which nothing is to follow, and may go on there; returns whether all
    /// of it could be copied. There is as much room as there was if not.
    fn copy_last(&mut self, piece: &[u8]) -> bool {
        let copied = self.copy(piece);
        if copied < piece.len() {
            // SAFETY: So many bytes were just copied.
            unsafe { self.revert(copied) };
        }
        copied == piece.len()
    }

    /// Goes back by so many bytes.
    ///
    /// # Safety
    ///
    /// They must have been copied.
    unsafe fn revert(&mut self, copied: usize);

    /// Brings the memory of the next `len` bytes in, to be written to: not for use with a lock
    /// held.
    ///
    /// That it succeeds does not prove that the memory can be written to: some kinds of memory,
    /// such as shadow stacks, can be brought in only.
    ///
    /// # Errors
    ///
    /// [`EFAULT`] when some of it cannot be brought in.
    fn fault_in(&mut self, len: usize) -> Result;
}

/// The memory was not all there: nothing was copied, and what is left of it is what was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotPresent;

/// While it exists, an access of the current task to user memory that is not there fails.
///
/// # Invariants
///
/// The current task's `pagefault_disabled` counts this object.
struct PageFaultsDisabled<'a>(&'a CurrentTask);

impl<'a> PageFaultsDisabled<'a> {
    /// The Rust face of `pagefault_disable`, which is an inline function.
    #[inline]
    fn new(task: &'a CurrentTask) -> Self {
        // SAFETY: The current task is valid. Nobody changes the field but the task itself, and what
        // interrupts it, which puts it back before the task goes on.
        let count = unsafe { &mut (*task.as_ptr()).pagefault_disabled };
        *count = count.wrapping_add(1);
        barrier();
        // INVARIANT: It was just counted, in the task that this object cannot leave.
        Self(task)
    }
}

impl Drop for PageFaultsDisabled<'_> {
    #[inline]
    fn drop(&mut self) {
        barrier();
        // SAFETY: The current task is valid, and nobody but the task itself, or what interrupts it
        // and puts it back, changes the field. By the invariants it is at least one.
        let count = unsafe { &mut (*self.0.as_ptr()).pagefault_disabled };
        *count = count.wrapping_sub(1);
    }
}

/// Keeps the compiler from moving accesses to memory across, as `barrier` of C does.
#[inline(always)]
fn barrier() {
    // SAFETY: It is empty.
    unsafe { asm!("") };
}

/// A copy out of a source, piece by piece, without page faults.
///
/// Unless it is finished, what is left of the source is what was when this object is dropped.
pub(crate) struct Fill<'a, S: Source> {
    source: &'a mut S,
    /// How much was copied, in bytes.
    copied: usize,
    _no_faults: PageFaultsDisabled<'a>,
}

impl<'a, S: Source> Fill<'a, S> {
    /// Begins to copy.
    #[inline]
    pub(crate) fn new(source: &'a mut S, task: &'a CurrentTask) -> Self {
        Self {
            source,
            copied: 0,
            _no_faults: PageFaultsDisabled::new(task),
        }
    }

    /// Fills `piece` with what comes next; returns whether all of that is there.
    #[inline]
    pub(crate) fn copy(&mut self, piece: &mut [u8]) -> bool {
        let copied = self.source.copy(piece);
        self.copied += copied;
        copied == piece.len()
    }

    /// Leaves the source where it is now.
    #[inline]
    pub(crate) fn finish(mut self) {
        self.copied = 0;
    }
}

impl<S: Source> Drop for Fill<'_, S> {
    #[inline]
    fn drop(&mut self) {
        if self.copied > 0 {
            // SAFETY: So many bytes were copied.
            unsafe { self.source.revert(self.copied) };
        }
    }
}

/// Fills `piece`, which is for all that is left of a source, without page faults; returns whether
/// all was there. What is left of the source is what was if not.
#[inline]
pub(crate) fn fill_all(source: &mut impl Source, task: &CurrentTask, piece: &mut [u8]) -> bool {
    let _no_faults = PageFaultsDisabled::new(task);
    source.copy_all(piece)
}

/// Copies the next `len` bytes of a source to `places`, one behind the other, waiting for page
/// faults, and leaves the source where it was: not for use with a lock held.
///
/// # Errors
///
/// [`EFAULT`] when some of it cannot be read, or does not fit.
pub(crate) fn fill_patiently<'a>(
    source: &mut impl Source,
    len: usize,
    places: impl Iterator<Item = &'a mut Bytes>,
) -> Result {
    let mut copied = 0;
    for place in places {
        let piece = place.len().min(len - copied);
        let now = source.copy(place.get_mut(..piece).unwrap_or_default());
        copied += now;
        if now < piece {
            break;
        }
    }
    // SAFETY: So many bytes were just copied.
    unsafe { source.revert(copied) };
    if copied == len {
        Ok(())
    } else {
        Err(EFAULT)
    }
}

/// Fills `piece` with what comes next in a source, waiting for page faults, and goes on behind it:
/// not for use with a lock held.
///
/// # Errors
///
/// [`EFAULT`] when some of it cannot be read. What is left of the source is what was then.
pub(crate) fn read_patiently(source: &mut impl Source, piece: &mut [u8]) -> Result {
    let copied = source.copy(piece);
    if copied == piece.len() {
        return Ok(());
    }
    // SAFETY: So many bytes were just copied.
    unsafe { source.revert(copied) };
    Err(EFAULT)
}

/// Lets `look` go on in a source, and leaves that where it was.
pub(crate) fn look_ahead<S: Source, T>(source: &mut S, look: impl FnOnce(&mut S) -> T) -> T {
    let before = source.len();
    let seen = look(source);
    let gone = before.saturating_sub(source.len());
    // SAFETY: It has gone on by so many bytes.
    unsafe { source.revert(gone) };
    seen
}

/// Memory of the kernel's that a message is copied from. It is always there.
pub(crate) struct Copied<'a> {
    segments: &'a Chain<Segment>,
    at: usize,
    end: usize,
}

impl<'a> Copied<'a> {
    /// The first `len` bytes in `segments`, which must have so many.
    pub(crate) fn new(segments: &'a Chain<Segment>, len: usize) -> Self {
        Self::part(segments, 0..len)
    }

    /// The bytes in `range` of `segments`, which must have so many.
    pub(crate) fn part(segments: &'a Chain<Segment>, range: Range<usize>) -> Self {
        Self {
            segments,
            at: range.start,
            end: range.end,
        }
    }
}

impl Source for Copied<'_> {
    fn len(&self) -> usize {
        self.end - self.at
    }

    fn copy(&mut self, piece: &mut [u8]) -> usize {
        let segments = self.segments.iter().map(|segment| segment.as_slice());
        let left = part(segments, self.at..self.end);
        let copied = pieces::copy(left, [piece].into_iter());
        self.at += copied;
        copied
    }

    fn advance(&mut self, by: usize) {
        self.at += by.min(self.len());
    }

    unsafe fn revert(&mut self, by: usize) {
        self.at -= by;
    }

    fn fault_in(&mut self, _len: usize) -> Result {
        Ok(())
    }
}

/// What comes next in a source, of which that is a message.
pub(crate) struct First<'a, S> {
    source: &'a mut S,
    left: usize,
}

impl<'a, S: Source> First<'a, S> {
    /// The next `len` bytes of `source`, which must have so many.
    pub(crate) fn new(source: &'a mut S, len: usize) -> Self {
        Self { source, left: len }
    }
}

impl<S: Source> Source for First<'_, S> {
    fn len(&self) -> usize {
        self.left
    }

    fn copy(&mut self, piece: &mut [u8]) -> usize {
        let len = piece.len().min(self.left);
        let copied = self.source.copy(piece.get_mut(..len).unwrap_or_default());
        self.left -= copied;
        copied
    }

    fn advance(&mut self, by: usize) {
        let by = by.min(self.left);
        self.source.advance(by);
        self.left -= by;
    }

    unsafe fn revert(&mut self, by: usize) {
        // SAFETY: By the safety requirements this has gone on by so many bytes, and so has that.
        unsafe { self.source.revert(by) };
        self.left += by;
    }

    fn fault_in(&mut self, len: usize) -> Result {
        self.source.fault_in(len.min(self.left))
    }
}

/// A copy to a destination, piece by piece, without page faults.
///
/// Unless it is finished, what is left of the destination is what was when this object is dropped,
/// though part of that may have been overwritten.
pub(crate) struct Pour<'a, D: Dest> {
    dest: &'a mut D,
    /// How much was copied, in bytes.
    copied: usize,
    _no_faults: PageFaultsDisabled<'a>,
}

impl<'a, D: Dest> Pour<'a, D> {
    /// Begins to copy.
    #[inline]
    pub(crate) fn new(dest: &'a mut D, task: &'a CurrentTask) -> Self {
        Self {
            dest,
            copied: 0,
            _no_faults: PageFaultsDisabled::new(task),
        }
    }

    /// Copies `piece` behind the others.
    ///
    /// # Errors
    ///
    /// [`NotPresent`] when some of the memory is not there.
    #[inline]
    pub(crate) fn copy(&mut self, piece: &[u8]) -> Result<(), NotPresent> {
        let copied = self.dest.copy(piece);
        self.copied += copied;
        if copied == piece.len() {
            Ok(())
        } else {
            Err(NotPresent)
        }
    }

    /// Leaves the destination where it is now.
    #[inline]
    pub(crate) fn finish(mut self) {
        self.copied = 0;
    }
}

impl<D: Dest> Drop for Pour<'_, D> {
    #[inline]
    fn drop(&mut self) {
        if self.copied > 0 {
            // SAFETY: So many bytes were copied.
            unsafe { self.dest.revert(self.copied) };
        }
    }
}

/// Copies all `pieces`, one behind the other, without page faults.
///
/// # Errors
///
/// [`NotPresent`] when some of the memory is not there, though part of it may have been
/// overwritten.
#[inline]
pub(crate) fn deliver<'a>(
    dest: &mut impl Dest,
    task: &CurrentTask,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(), NotPresent> {
    let mut pour = Pour::new(dest, task);
    for piece in pieces {
        pour.copy(piece)?;
    }
    pour.finish();
    Ok(())
}

/// Copies `piece`, which is all, without page faults; returns whether that could be done, though
/// part of the memory may have been overwritten if not.
#[inline]
pub(crate) fn deliver_all(dest: &mut impl Dest, task: &CurrentTask, piece: &[u8]) -> bool {
    let _no_faults = PageFaultsDisabled::new(task);
    dest.copy_last(piece)
}

/// Overwrites the next `len` bytes with zeroes, waiting for page faults, and goes back: not for use
/// with a lock held.
///
/// # Errors
///
/// [`EFAULT`] when some of it cannot be written to.
pub(crate) fn overwrite(dest: &mut impl Dest, len: usize) -> Result {
    static ZEROES: [u8; 512] = [0; 512];

    let mut written = 0;
    while written < len {
        let chunk = ZEROES.len().min(len - written);
        let copied = dest.copy(ZEROES.get(..chunk).unwrap_or_default());
        written += copied;
        if copied < chunk {
            break;
        }
    }
    // SAFETY: So many bytes were just copied.
    unsafe { dest.revert(written) };
    if written == len {
        Ok(())
    } else {
        Err(EFAULT)
    }
}
