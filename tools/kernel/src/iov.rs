// SPDX-License-Identifier: GPL-2.0

//! I/O vectors of user memory, some of which can be absent.

use crate::{
    bindings,
    model, //
};
use core::marker::PhantomData;

/// Behaviour of user memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Behaviour {
    /// Number of copies with page faults disabled that find some of the memory absent. A fault-in
    /// does not change that: another task removes the pages again.
    pub absent: u32,
    /// Number of times that the memory can be faulted in, or [`None`] if always.
    pub left: Option<u32>,
}

impl Behaviour {
    /// Copies `len` bytes as far as the memory is present, or can be faulted in. Returns the number
    /// of bytes.
    fn copy(&mut self, len: usize) -> usize {
        if model::page_faults_disabled() {
            // A fault ends the copy somewhere in the middle.
            let copied = if self.absent > 0 { len / 2 } else { len };
            self.absent = self.absent.saturating_sub(1);
            return copied;
        }
        model::assert_unlocked("a page fault");
        if self.absent == 0 || self.fault_in() {
            len
        } else {
            0
        }
    }

    /// Faults the memory in, which can take arbitrarily long. Returns whether that is possible.
    pub(crate) fn fault_in(&mut self) -> bool {
        model::assert_unlocked("a page fault");
        assert!(!model::page_faults_disabled(), "a fault-in cannot succeed");
        let can = self.left != Some(0);
        self.left = self.left.map(|left| left.saturating_sub(1));
        can
    }
}

/// Memory that a message is read from.
#[derive(Debug)]
pub struct IovIterSource<'data> {
    data: &'data [u8],
    at: usize,
    raw: bindings::iov_iter,
}

impl<'data> IovIterSource<'data> {
    /// Makes a vector of `data`, in memory with the given presence.
    pub fn new(data: &'data [u8], behaviour: Behaviour) -> Self {
        Self {
            data,
            at: 0,
            raw: bindings::iov_iter(behaviour),
        }
    }

    /// Returns a pointer to the C structure.
    pub fn as_raw(&mut self) -> *mut bindings::iov_iter {
        &raw mut self.raw
    }

    /// Returns the number of bytes that are left.
    #[expect(clippy::len_without_is_empty, reason = "as in the kernel")]
    pub fn len(&self) -> usize {
        self.data.len() - self.at
    }

    /// Copies the next bytes to `out` and advances. Returns the number of bytes.
    pub fn copy_from_iter(&mut self, out: &mut [u8]) -> usize {
        let left = &self.data[self.at..];
        let len = self.raw.0.copy(out.len().min(left.len()));
        out[..len].copy_from_slice(&left[..len]);
        self.at += len;
        len
    }

    /// Skips `bytes` bytes, or all that are left if there are fewer.
    pub fn advance(&mut self, bytes: usize) {
        self.at += bytes.min(self.len());
    }

    /// Moves the position back by `bytes` bytes.
    ///
    /// # Safety
    ///
    /// The vector must have advanced by at least `bytes` bytes.
    ///
    /// # Panics
    ///
    /// Panics if it has not.
    pub unsafe fn revert(&mut self, bytes: usize) {
        assert!(bytes <= self.at, "reverted by more than was advanced");
        self.at -= bytes;
    }
}

/// Memory that a message is written to.
#[derive(Debug)]
pub struct IovIterDest<'data> {
    written: Vec<u8>,
    room: usize,
    raw: bindings::iov_iter,
    _data: PhantomData<&'data mut [u8]>,
}

impl IovIterDest<'_> {
    /// Makes a vector with room for `room` bytes, in memory with the given presence.
    pub fn new(room: usize, behaviour: Behaviour) -> Self {
        Self {
            written: Vec::new(),
            room,
            raw: bindings::iov_iter(behaviour),
            _data: PhantomData,
        }
    }

    /// Returns the bytes before the current position.
    pub fn written(&self) -> &[u8] {
        &self.written
    }

    /// Returns a pointer to the C structure.
    pub fn as_raw(&mut self) -> *mut bindings::iov_iter {
        &raw mut self.raw
    }

    /// Returns the number of bytes for which there is room.
    #[expect(clippy::len_without_is_empty, reason = "as in the kernel")]
    pub fn len(&self) -> usize {
        self.room - self.written.len()
    }

    /// Copies `input` to the current position and advances. Returns the number of bytes.
    pub fn copy_to_iter(&mut self, input: &[u8]) -> usize {
        let len = self.raw.0.copy(input.len().min(self.len()));
        self.written.extend_from_slice(&input[..len]);
        len
    }

    /// Moves the position back by `bytes` bytes.
    ///
    /// # Safety
    ///
    /// The vector must have advanced by at least `bytes` bytes.
    ///
    /// # Panics
    ///
    /// Panics if it has not.
    pub unsafe fn revert(&mut self, bytes: usize) {
        let left = self.written.len().checked_sub(bytes);
        self.written
            .truncate(left.expect("reverted by no more than was advanced"));
    }
}
