// SPDX-License-Identifier: GPL-2.0

//! Copies between a buffer and user memory, which is absent when a scenario wants it to be.

use super::segment::Bytes;
use kernel::{
    iov::{Behaviour, IovIterDest, IovIterSource},
    prelude::*,
};

/// The user memory was not all there: nothing was copied, and the vector is where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotPresent;

/// A copy out of a vector, piece by piece, without page faults.
///
/// Unless it is finished, the vector is where it was when this object is dropped.
pub(crate) struct FillNoFault<'a, 'data> {
    source: &'a mut IovIterSource<'data>,
    /// What it was when the copy began.
    all: &'data [u8],
    present: bool,
    finished: bool,
}

impl<'a, 'data> FillNoFault<'a, 'data> {
    /// Begins to copy.
    pub(crate) fn new(source: &'a mut IovIterSource<'data>) -> Self {
        Self {
            all: source.data,
            present: source.behaviour.is_present(),
            source,
            finished: false,
        }
    }

    /// Fills `piece` with what comes next; returns whether all of that is there.
    pub(crate) fn copy(&mut self, piece: &mut [u8]) -> bool {
        match self.source.data.split_at_checked(piece.len()) {
            Some((first, rest)) if self.present => {
                piece.copy_from_slice(first);
                self.source.data = rest;
                true
            }
            _ => false,
        }
    }

    /// Leaves the vector where it is now.
    pub(crate) fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for FillNoFault<'_, '_> {
    fn drop(&mut self) {
        if !self.finished {
            self.source.data = self.all;
        }
    }
}

/// Brings the memory of the next `len` bytes of the vector in, to be read.
pub(crate) fn fault_in_readable(source: &mut IovIterSource<'_>, _len: usize) -> Result {
    bring_in(&mut source.behaviour)
}

/// Brings memory in, if that can be done.
fn bring_in(behaviour: &mut Behaviour) -> Result {
    if behaviour.bring_in() {
        Ok(())
    } else {
        Err(EFAULT)
    }
}

/// Copies the next `len` bytes of the vector to `places`, waiting for page faults.
pub(crate) fn fill<'a>(
    source: &mut IovIterSource<'_>,
    len: usize,
    places: impl Iterator<Item = &'a mut Bytes>,
) -> Result {
    bring_in(&mut source.behaviour)?;
    let bytes = source.data.get(..len).ok_or(EFAULT)?;
    for (from, to) in bytes.iter().zip(places.flatten()) {
        *to = *from;
    }
    Ok(())
}

/// Copies all `pieces` to the vector, one behind the other, without page faults.
pub(crate) fn deliver_nofault<'a>(
    dest: &mut IovIterDest<'_>,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Result<(), NotPresent> {
    if !dest.behaviour.is_present() {
        return Err(NotPresent);
    }
    for piece in pieces {
        dest.written.extend_from_slice(piece);
    }
    Ok(())
}

/// Brings the memory of the next `len` bytes of the vector in, to be written to.
pub(crate) fn fault_in_writeable(dest: &mut IovIterDest<'_>, _len: usize) -> Result {
    bring_in(&mut dest.behaviour)
}

/// Overwrites the next `len` bytes of the vector with zeroes, waiting for page faults.
pub(crate) fn overwrite(dest: &mut IovIterDest<'_>, _len: usize) -> Result {
    bring_in(&mut dest.behaviour)
}
