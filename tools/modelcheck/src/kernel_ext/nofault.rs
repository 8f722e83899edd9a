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
use std::{marker::PhantomData, ops::Range};

/// Memory of the caller's that a message is copied from.
pub(crate) trait Source {
    /// The number of bytes that are left.
    fn len(&self) -> usize;

    /// The bytes that are left.
    fn left(&self) -> &[u8];

    /// Goes on by so many bytes.
    fn advance(&mut self, by: usize);

    /// Goes back by so many bytes.
    fn revert(&mut self, by: usize);

    /// How it behaves.
    fn behaviour(&mut self) -> &mut Behaviour;

    /// Brings the memory of the next `len` bytes in, to be read.
    fn fault_in(&mut self, _len: usize) -> Result {
        bring_in(self.behaviour())
    }
}

impl Source for &mut IovIterSource<'_> {
    fn len(&self) -> usize {
        IovIterSource::len(self)
    }

    fn left(&self) -> &[u8] {
        &self.data[self.at..]
    }

    fn advance(&mut self, by: usize) {
        self.at += by;
    }

    fn revert(&mut self, by: usize) {
        self.at -= by;
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

/// Lets `look` go on in a source, and leaves that where it was.
pub(crate) fn look_ahead<S: Source, T>(source: &mut S, look: impl FnOnce(&mut S) -> T) -> T {
    let before = source.len();
    let seen = look(source);
    source.revert(before - source.len());
    seen
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
        Self::part(segments, 0..len)
    }

    /// The bytes in `range` of `segments`, which must have so many.
    pub(crate) fn part(segments: &'a Chain<Segment>, range: Range<usize>) -> Self {
        let all: Vec<u8> = segments.iter().flatten().copied().collect();
        let bytes = all[range].to_vec();
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

    fn revert(&mut self, by: usize) {
        self.at -= by;
    }

    fn behaviour(&mut self) -> &mut Behaviour {
        &mut self.behaviour
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
        assert!(len <= source.len());
        Self { source, left: len }
    }
}

impl<S: Source> Source for First<'_, S> {
    fn len(&self) -> usize {
        self.left
    }

    fn left(&self) -> &[u8] {
        &self.source.left()[..self.left]
    }

    fn advance(&mut self, by: usize) {
        self.source.advance(by);
        self.left -= by;
    }

    fn revert(&mut self, by: usize) {
        self.source.revert(by);
        self.left += by;
    }

    fn behaviour(&mut self) -> &mut Behaviour {
        self.source.behaviour()
    }
}

/// A copy to a destination, piece by piece, without page faults.
pub(crate) struct Pour<'a, D: Dest> {
    dest: &'a mut D,
    pieces: Vec<u8>,
    present: bool,
}

impl<'a, D: Dest> Pour<'a, D> {
    /// Begins to copy.
    pub(crate) fn new(dest: &'a mut D, _task: &'a CurrentTask) -> Self {
        Self {
            present: dest.behaviour().is_present(),
            pieces: Vec::new(),
            dest,
        }
    }

    /// Copies `piece` behind the others.
    pub(crate) fn copy(&mut self, piece: &[u8]) -> Result<(), NotPresent> {
        self.pieces.extend_from_slice(piece);
        if self.present {
            Ok(())
        } else {
            Err(NotPresent)
        }
    }

    /// Leaves the destination where it is now.
    pub(crate) fn finish(self) {
        self.dest.write(&self.pieces);
    }
}

/// Copies all `pieces`, one behind the other, without page faults.
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

/// Copies `piece`, which is all, without page faults; returns whether that could be done.
pub(crate) fn deliver_all(dest: &mut impl Dest, task: &CurrentTask, piece: &[u8]) -> bool {
    deliver(dest, task, [piece]).is_ok()
}

/// Overwrites the next `len` bytes with zeroes, waiting for page faults.
pub(crate) fn overwrite(dest: &mut impl Dest, len: usize) -> Result {
    dest.fault_in(len)
}
