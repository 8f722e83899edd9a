// SPDX-License-Identifier: GPL-2.0

//! Memory in which records are put together, in the mode `RECORDS`.
//!
//! A call needs it with the lock held, where nothing can be allocated. Therefore a pipe has it from
//! the moment on at which a file gets that mode, until the last file of the pipe is closed.

use kernel::prelude::*;

use super::State;
use crate::{
    device::Access,
    kernel_ext::segment::Segment,
    mode::Modes,
    stream::Segments, //
};

/// A page for each direction, or none where no file needed it yet.
#[derive(Default)]
pub(super) struct Pages {
    /// Where a read puts records together. It is used with the lock held alone.
    pub(super) reading: Option<Segment>,
    /// Where a write looks at messages. One that has to wait takes it along and brings it back;
    /// other writes allocate their own meanwhile.
    pub(super) writing: Option<Segment>,
}

impl Pages {
    /// Those that a pipe needs for a file with these modes.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(super) fn of_file(access: Access, modes: Modes) -> Result<Self> {
        let page = |needed: bool| {
            (needed && modes.contains(Modes::RECORDS))
                .then(Segment::new)
                .transpose()
        };
        Ok(Self {
            reading: page(access.read)?,
            writing: page(access.write)?,
        })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        usize::from(self.reading.is_some()) + usize::from(self.writing.is_some())
    }

    /// Takes them all out.
    pub(super) fn take(&mut self) -> Segments {
        let mut pages = Segments::new();
        let both = [self.reading.take(), self.writing.take()];
        for page in both.into_iter().flatten() {
            pages.push_back(page);
        }
        pages
    }
}

impl State {
    /// Keeps those of `pages` that the pipe does not have, and leaves the others, which are then to
    /// be freed without the lock. A dead pipe gets none.
    pub(super) fn keep_pages(&mut self, pages: &mut Pages) {
        if self.is_dead() {
            return;
        }
        if self.pages.reading.is_none() {
            self.pages.reading = pages.reading.take();
        }
        if self.pages.writing.is_none() {
            self.pages.writing = pages.writing.take();
        }
    }
}
