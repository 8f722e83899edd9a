// SPDX-License-Identifier: GPL-2.0

//! Copies between a buffer and user memory, which is absent when a scenario wants it to be.

use super::{
    chain::Chain,
    segment::{Bytes, Segment},
};
use kernel::{
    iov::{Behaviour, IovIterDest, IovIterSource},
    prelude::*,
    task::CurrentTask,
};
use std::marker::PhantomData;

/// Memory of the caller's that a message is copied from.
pub(crate) trait Source {
    /// The number of bytes that are left.
    fn len(&self) -> usize;

    /// The bytes that are left.
    fn left(&self) -> &[u8];

    /// Goes on by so many bytes.
    fn advance(&mut self, by: usize);

    /// How it behaves.
    fn behaviour(&mut self) -> &mut Behaviour;

    /// Brings the memory of the next `len` bytes in, to be read.
    fn fault_in(&mut self, _len: usize) -> Result {
        bring_in(self.behaviour())
    }
}

impl Source for &mut IovIterSource<'_> {
    fn len(&self) -> usize {
        self.data.len()
    }

    fn left(&self) -> &[u8] {
        self.data
    }

    fn advance(&mut self, by: usize) {
        self.data = &self.data[by..];
    }

    fn behaviour(&mut self) -> &mut Behaviour {
        &mut self.behaviour
    }
}

/// Memory of the caller's that a message is copied to.
pub(crate) trait Dest {
    /// The number of bytes for which there is room.
    fn len(&self) -> usize;

    /// Writes `piece`, and goes on behind it.
    fn write(&mut self, piece: &[u8]);

    /// How it behaves.
    fn behaviour(&mut self) -> &mut Behaviour;

    /// Brings the memory of the next `len` bytes in, to be written to.
    fn fault_in(&mut self, _len: usize) -> Result {
        bring_in(self.behaviour())
    }
}

impl Dest for &mut IovIterDest<'_> {
    fn len(&self) -> usize {
        IovIterDest::len(self)
    }

    fn write(&mut self, piece: &[u8]) {
        self.written.extend_from_slice(piece);
    }

    fn behaviour(&mut self) -> &mut Behaviour {
        &mut self.behaviour
    }
}

/// The user memory was not all there: nothing was copied, and what is left of it is what was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotPresent;

/// A copy out of a source, piece by piece, without page faults.
///
/// Unless it is finished, what is left of the source is what was when this object is dropped.
pub(crate) struct Fill<'a, S: Source> {
    source: &'a mut S,
    copied: usize,
    present: bool,
}

impl<'a, S: Source> Fill<'a, S> {
    /// Begins to copy.
    pub(crate) fn new(source: &'a mut S, _task: &'a CurrentTask) -> Self {
        Self {
            present: source.behaviour().is_present(),
            copied: 0,
            source,
        }
    }

    /// Fills `piece` with what comes next; returns whether all of that is there.
    pub(crate) fn copy(&mut self, piece: &mut [u8]) -> bool {
        let left = &self.source.left()[self.copied..];
        match left.get(..piece.len()) {
            Some(first) if self.present => {
                piece.copy_from_slice(first);
                self.copied += piece.len();
                true
            }
            _ => false,
        }
    }

    /// Leaves the source where it is now.
    pub(crate) fn finish(self) {
        self.source.advance(self.copied);
    }
}

/// Fills `piece`, which is for all that is left of a source, without page faults; returns whether all
/// was there.
pub(crate) fn fill_all(source: &mut impl Source, task: &CurrentTask, piece: &mut [u8]) -> bool {
    let mut filling = Fill::new(source, task);
    let complete = filling.copy(piece);
    if complete {
        filling.finish();
    }
    complete
}

/// Brings memory in, if that can be done.
fn bring_in(behaviour: &mut Behaviour) -> Result {
    if behaviour.bring_in() {
        Ok(())
    } else {
        Err(EFAULT)
    }
}

/// Copies the next `len` bytes of a source to `places`, waiting for page faults.
pub(crate) fn fill_patiently<'a>(
    source: &mut impl Source,
    len: usize,
    places: impl Iterator<Item = &'a mut Bytes>,
) -> Result {
    source.fault_in(len)?;
    let bytes = source.left().get(..len).ok_or(EFAULT)?;
    for (from, to) in bytes.iter().zip(places.flatten()) {
        *to = *from;
    }
    Ok(())
}

/// Fills `piece` with what comes next in a source, waiting for page faults, and goes on behind it.
pub(crate) fn read_patiently(source: &mut impl Source, piece: &mut [u8]) -> Result {
    let len = piece.len();
    fill_patiently_into(source, piece)?;
    source.advance(len);
    Ok(())
}

/// Copies the next bytes of a source to `piece`, waiting for page faults.
fn fill_patiently_into(source: &mut impl Source, piece: &mut [u8]) -> Result {
    source.fault_in(piece.len())?;
    let bytes = source.left().get(..piece.len()).ok_or(EFAULT)?;
    piece.copy_from_slice(bytes);
    Ok(())
}

/// Memory of the kernel's that a message is copied from. It is always there.
pub(crate) struct Copied<'a> {
    bytes: Vec<u8>,
    at: usize,
    behaviour: Behaviour,
    segments: PhantomData<&'a Chain<Segment>>,
}

impl<'a> Copied<'a> {
    /// The first `len` bytes in `segments`, which must have so many.
    pub(crate) fn new(segments: &'a Chain<Segment>, len: usize) -> Self {
        let bytes: Vec<u8> = segments.iter().flatten().take(len).copied().collect();
        assert_eq!(bytes.len(), len);
        Self {
            bytes,
            at: 0,
            behaviour: Behaviour::default(),
            segments: PhantomData,
        }
    }
}

impl Source for Copied<'_> {
    fn len(&self) -> usize {
        self.left().len()
    }

    fn left(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    fn advance(&mut self, by: usize) {
        self.at += by;
    }

    fn behaviour(&mut self) -> &mut Behaviour {
        &mut self.behaviour
    }
}

/// Copies all `pieces`, one behind the other, without page faults.
pub(crate) fn deliver<'a>(
    dest: &mut impl Dest,
    _task: &CurrentTask,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(), NotPresent> {
    if !dest.behaviour().is_present() {
        return Err(NotPresent);
    }
    for piece in pieces {
        dest.write(piece);
    }
    Ok(())
}

/// Copies `piece`, which is all, without page faults; returns whether that could be done.
pub(crate) fn deliver_all(dest: &mut impl Dest, task: &CurrentTask, piece: &[u8]) -> bool {
    deliver(dest, task, [piece]).is_ok()
}

/// Overwrites the next `len` bytes with zeroes, waiting for page faults.
pub(crate) fn overwrite(dest: &mut impl Dest, len: usize) -> Result {
    dest.fault_in(len)
}
