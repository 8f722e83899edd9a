// SPDX-License-Identifier: GPL-2.0

//! Preallocated pages in which records are assembled, in the mode `RECORDS`.
//!
//! A call needs a page with the lock held, where it cannot allocate. Therefore the pipe gets its
//! pages when the first file enters the mode, and keeps them until its last file is closed.

use kernel::prelude::*;

use super::{
    mode::Modes,
    Access,
    State, //
};
use crate::{
    kernel_ext::mm::segment::Segment,
    log::stream::Segments, //
};

/// A page for each direction, if a file has needed it.
#[derive(Default)]
pub(super) struct Pages {
    /// Page in which a read assembles records. It is used only with the lock held.
    pub(super) reading: Option<Segment>,
    /// Page to which a write copies its messages. A write that has to wait takes the page out and
    /// puts it back at its end; other writes allocate their own in the meantime.
    pub(super) writing: Option<Segment>,
}

impl Pages {
    /// Allocates the pages that a file with these modes needs.
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

    /// Returns the number of pages.
    pub(super) fn len(&self) -> usize {
        usize::from(self.reading.is_some()) + usize::from(self.writing.is_some())
    }

    /// Takes all pages out.
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
    /// Moves the `pages` that the pipe lacks to the pipe. The caller frees the others without the
    /// lock. A destroyed pipe takes none.
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
