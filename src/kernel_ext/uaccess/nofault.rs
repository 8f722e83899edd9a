// SPDX-License-Identifier: GPL-2.0

//! Copies from and to user memory without page faults.
//!
//! C header: [`include/linux/uaccess.h`](srctree/include/linux/uaccess.h).
//!
//! A page fault on user memory can take arbitrarily long (userfaultfd, FUSE), so it must not happen
//! with a lock held. These copies fail instead. The caller then drops its lock, faults the memory
//! in, and retries.
//!
//! # Examples
//!
//! A copy of all that is left of `source` to memory that a lock protects:
//!
//! ```ignore
//! use crate::kernel_ext::{
//!     sync::lock::StateLock,
//!     uaccess::nofault::{
//!         self,
//!         Source, //
//!     }, //
//! };
//! use kernel::{
//!     current,
//!     prelude::*, //
//! };
//!
//! fn store(buffer: &StateLock<[u8; 64]>, source: &mut impl Source) -> Result {
//!     let len = source.len();
//!     loop {
//!         let mut bytes = buffer.lock();
//!         let place = bytes.get_mut(..len).ok_or(EMSGSIZE)?;
//!         if nofault::fill_all(source, current!(), place) {
//!             return Ok(());
//!         }
//!         drop(bytes);
//!         source.fault_in(len)?;
//!     }
//! }
//! ```

use core::{
    arch::asm,
    ops::Range, //
};
use kernel::{
    prelude::*,
    task::CurrentTask, //
};

use crate::kernel_ext::mm::{
    chain::Chain,
    pieces::{
        self,
        part,
        prefix,
        prefix_mut, //
    },
    segment::{
        Bytes,
        Segment, //
    }, //
};

/// Memory of the caller that data is copied from, with a current position.
pub(crate) trait Source {
    /// Returns the number of bytes that are left.
    fn len(&self) -> usize;

    /// Copies the next bytes to `piece` and advances. Returns how many bytes were copied.
    fn copy(&mut self, piece: &mut [u8]) -> usize;

    /// Copies all that is left to `piece`, which must be as long. Returns whether all of it was
    /// copied. The position is unchanged on failure, and unspecified on success.
    fn copy_all(&mut self, piece: &mut [u8]) -> bool {
        let copied = self.copy(piece);
        if copied < piece.len() {
            // SAFETY: The source has advanced by `copied` bytes.
            unsafe { self.revert(copied) };
        }
        copied == piece.len()
    }

    /// Skips `by` bytes, or all that are left if there are fewer.
    fn advance(&mut self, by: usize);

    /// Moves the position back by `by` bytes.
    ///
    /// # Safety
    ///
    /// The source must have advanced by at least `by` bytes.
    unsafe fn revert(&mut self, by: usize);

    /// Faults the next `len` bytes in for reading. The memory may be absent again when it is read.
    /// Must not be called with a lock held.
    ///
    /// # Errors
    ///
    /// [`EFAULT`] if some of it cannot be faulted in.
    fn fault_in(&mut self, len: usize) -> Result;
}

/// Memory of the caller that data is copied to, with a current position.
pub(crate) trait Dest {
    /// Returns the number of bytes for which there is room.
    fn len(&self) -> usize;

    /// Copies `piece` to the current position and advances. Returns how many bytes were copied.
    fn copy(&mut self, piece: &[u8]) -> usize;

    /// Copies `piece`, which must be the last copy to this destination. Returns whether all of it
    /// was copied. The position is unchanged on failure, and unspecified on success.
    fn copy_last(&mut self, piece: &[u8]) -> bool {
        let copied = self.copy(piece);
        if copied < piece.len() {
            // SAFETY: The destination has advanced by `copied` bytes.
            unsafe { self.revert(copied) };
        }
        copied == piece.len()
    }

    /// Moves the position back by `copied` bytes.
    ///
    /// # Safety
    ///
    /// The destination must have advanced by at least `copied` bytes.
    unsafe fn revert(&mut self, copied: usize);

    /// Faults the next `len` bytes in for writing. Must not be called with a lock held.
    ///
    /// Success does not prove that the memory is writable: some kinds, such as shadow stacks, can
    /// be faulted in but not stored to.
    ///
    /// # Errors
    ///
    /// [`EFAULT`] if some of it cannot be faulted in.
    fn fault_in(&mut self, len: usize) -> Result;
}

/// Some of the user memory was absent. The position is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotPresent;

/// RAII guard for `pagefault_disable()`: while it exists, accesses of the current task to absent
/// user memory fail.
///
/// # Invariants
///
/// This object is counted in `pagefault_disabled` of the current task.
struct PageFaultsDisabled<'a>(&'a CurrentTask);

impl<'a> PageFaultsDisabled<'a> {
    /// Disables page faults, like the C inline function `pagefault_disable`.
    #[inline]
    fn new(task: &'a CurrentTask) -> Self {
        // SAFETY: The current task is valid. Only the task itself and its interrupts change the
        // field, and an interrupt restores it before the task continues.
        let count = unsafe { &mut (*task.as_ptr()).pagefault_disabled };
        *count = count.wrapping_add(1);
        barrier();
        // INVARIANT: The object was just counted. It cannot leave the current task.
        Self(task)
    }
}

impl Drop for PageFaultsDisabled<'_> {
    #[inline]
    fn drop(&mut self) {
        barrier();
        // SAFETY: The current task is valid. Only the task itself and its interrupts change the
        // field, and an interrupt restores it before the task continues. By the type invariants it
        // is at least one.
        let count = unsafe { &mut (*self.0.as_ptr()).pagefault_disabled };
        *count = count.wrapping_sub(1);
    }
}

/// Compiler barrier for memory accesses, like `barrier()` in C.
#[inline(always)]
fn barrier() {
    // SAFETY: The assembly is empty.
    unsafe { asm!("") };
}

/// Copies from a source piece by piece, with page faults disabled.
///
/// Dropping it without [`NofaultReader::finish`] restores the position of the source.
pub(crate) struct NofaultReader<'a, S: Source> {
    source: &'a mut S,
    /// Bytes copied so far.
    copied: usize,
    _no_faults: PageFaultsDisabled<'a>,
}

impl<'a, S: Source> NofaultReader<'a, S> {
    /// Disables page faults and starts a copy.
    #[inline]
    pub(crate) fn new(source: &'a mut S, task: &'a CurrentTask) -> Self {
        Self {
            source,
            copied: 0,
            _no_faults: PageFaultsDisabled::new(task),
        }
    }

    /// Copies the next bytes to `piece`. Returns whether all of it was filled.
    #[inline]
    pub(crate) fn copy(&mut self, piece: &mut [u8]) -> bool {
        let copied = self.source.copy(piece);
        self.copied += copied;
        copied == piece.len()
    }

    /// Keeps the current position of the source.
    #[inline]
    pub(crate) fn finish(mut self) {
        self.copied = 0;
    }
}

impl<S: Source> Drop for NofaultReader<'_, S> {
    #[inline]
    fn drop(&mut self) {
        if self.copied > 0 {
            // SAFETY: The source has advanced by `copied` bytes.
            unsafe { self.source.revert(self.copied) };
        }
    }
}

/// Copies all that is left of `source` to `piece`, which must be as long, with page faults
/// disabled. Returns whether all of it was copied. The position is unchanged on failure, and
/// unspecified on success.
#[inline]
pub(crate) fn fill_all(source: &mut impl Source, task: &CurrentTask, piece: &mut [u8]) -> bool {
    let _no_faults = PageFaultsDisabled::new(task);
    source.copy_all(piece)
}

/// Copies the next `len` bytes of `source` to `places`, in order, with page faults enabled, and
/// restores the position. Must not be called with a lock held.
///
/// # Errors
///
/// [`EFAULT`] if some of the memory cannot be read, or `places` is too small.
pub(crate) fn fill_faulting<'a>(
    source: &mut impl Source,
    len: usize,
    places: impl Iterator<Item = &'a mut Bytes>,
) -> Result {
    let mut copied = 0;
    for place in places {
        let piece = prefix_mut(&mut place[..], len - copied);
        let now = source.copy(piece);
        copied += now;
        if now < piece.len() {
            break;
        }
    }
    // SAFETY: The source has advanced by `copied` bytes.
    unsafe { source.revert(copied) };
    if copied == len {
        Ok(())
    } else {
        Err(EFAULT)
    }
}

/// Copies the next bytes of `source` to `piece` with page faults enabled, and advances. Must not be
/// called with a lock held.
///
/// # Errors
///
/// [`EFAULT`] if some of the memory cannot be read. The position is then unchanged.
pub(crate) fn read_faulting(source: &mut impl Source, piece: &mut [u8]) -> Result {
    let copied = source.copy(piece);
    if copied == piece.len() {
        return Ok(());
    }
    // SAFETY: The source has advanced by `copied` bytes.
    unsafe { source.revert(copied) };
    Err(EFAULT)
}

/// Runs `look` on `source`, and restores the position afterwards.
pub(crate) fn peek<S: Source, T>(source: &mut S, look: impl FnOnce(&mut S) -> T) -> T {
    let before = source.len();
    let seen = look(source);
    let gone = before.saturating_sub(source.len());
    // SAFETY: The source has advanced by `gone` bytes.
    unsafe { source.revert(gone) };
    seen
}

/// Kernel memory, such as a bounce buffer, as a [`Source`]. Copying from it cannot fault.
pub(crate) struct KernelSource<'a> {
    segments: &'a Chain<Segment>,
    at: usize,
    end: usize,
}

impl<'a> KernelSource<'a> {
    /// Makes a source of the first `len` bytes of `segments`, which must have that many.
    pub(crate) fn new(segments: &'a Chain<Segment>, len: usize) -> Self {
        Self::part(segments, 0..len)
    }

    /// Makes a source of the bytes in `range` of `segments`, which must have that many.
    pub(crate) fn part(segments: &'a Chain<Segment>, range: Range<usize>) -> Self {
        Self {
            segments,
            at: range.start,
            end: range.end,
        }
    }
}

impl Source for KernelSource<'_> {
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

/// The next bytes of another source, as a separate [`Source`].
pub(crate) struct Take<'a, S> {
    source: &'a mut S,
    left: usize,
}

impl<'a, S: Source> Take<'a, S> {
    /// Makes a source of the next `len` bytes of `source`, which must have that many.
    pub(crate) fn new(source: &'a mut S, len: usize) -> Self {
        Self { source, left: len }
    }
}

impl<S: Source> Source for Take<'_, S> {
    fn len(&self) -> usize {
        self.left
    }

    fn copy(&mut self, piece: &mut [u8]) -> usize {
        let copied = self.source.copy(prefix_mut(piece, self.left));
        self.left -= copied;
        copied
    }

    fn advance(&mut self, by: usize) {
        let by = by.min(self.left);
        self.source.advance(by);
        self.left -= by;
    }

    unsafe fn revert(&mut self, by: usize) {
        // SAFETY: By the safety requirements this source has advanced by `by` bytes, and each
        // advance of it advances the underlying source by the same number.
        unsafe { self.source.revert(by) };
        self.left += by;
    }

    fn fault_in(&mut self, len: usize) -> Result {
        self.source.fault_in(len.min(self.left))
    }
}

/// Copies to a destination piece by piece, with page faults disabled.
///
/// Dropping it without [`NofaultWriter::finish`] restores the position of the destination. Memory
/// behind the position may have been overwritten.
pub(crate) struct NofaultWriter<'a, D: Dest> {
    dest: &'a mut D,
    /// Bytes copied so far.
    copied: usize,
    _no_faults: PageFaultsDisabled<'a>,
}

impl<'a, D: Dest> NofaultWriter<'a, D> {
    /// Disables page faults and starts a copy.
    #[inline]
    pub(crate) fn new(dest: &'a mut D, task: &'a CurrentTask) -> Self {
        Self {
            dest,
            copied: 0,
            _no_faults: PageFaultsDisabled::new(task),
        }
    }

    /// Copies `piece` to the current position.
    ///
    /// # Errors
    ///
    /// [`NotPresent`] if some of the memory is absent.
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

    /// Keeps the current position of the destination.
    #[inline]
    pub(crate) fn finish(mut self) {
        self.copied = 0;
    }
}

impl<D: Dest> Drop for NofaultWriter<'_, D> {
    #[inline]
    fn drop(&mut self) {
        if self.copied > 0 {
            // SAFETY: The destination has advanced by `copied` bytes.
            unsafe { self.dest.revert(self.copied) };
        }
    }
}

/// Copies all `pieces` to `dest`, in order, with page faults disabled. Returns their length in
/// bytes.
///
/// # Errors
///
/// [`NotPresent`] if some of the memory is absent. Part of it may have been overwritten.
#[inline]
pub(crate) fn deliver<'a>(
    dest: &mut impl Dest,
    task: &CurrentTask,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<usize, NotPresent> {
    let mut writer = NofaultWriter::new(dest, task);
    for piece in pieces {
        writer.copy(piece)?;
    }
    let copied = writer.copied;
    writer.finish();
    Ok(copied)
}

/// Copies `piece`, which must be the last copy to `dest`, with page faults disabled. Returns
/// whether all of it was copied. Part of the memory may have been overwritten on failure.
#[inline]
pub(crate) fn deliver_all(dest: &mut impl Dest, task: &CurrentTask, piece: &[u8]) -> bool {
    let _no_faults = PageFaultsDisabled::new(task);
    dest.copy_last(piece)
}

/// Overwrites the next `len` bytes of `dest` with zeroes, with page faults enabled, and restores
/// the position. Must not be called with a lock held.
///
/// # Errors
///
/// [`EFAULT`] if some of the memory cannot be written.
pub(crate) fn overwrite(dest: &mut impl Dest, len: usize) -> Result {
    static ZEROES: [u8; 512] = [0; 512];

    let mut written = 0;
    while written < len {
        let chunk = prefix(&ZEROES, len - written);
        let copied = dest.copy(chunk);
        written += copied;
        if copied < chunk.len() {
            break;
        }
    }
    // SAFETY: The destination has advanced by `written` bytes.
    unsafe { dest.revert(written) };
    if written == len {
        Ok(())
    } else {
        Err(EFAULT)
    }
}
