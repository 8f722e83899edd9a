// SPDX-License-Identifier: GPL-2.0

//! What a pipe keeps for one open file.

use kernel::{
    prelude::*,
    sync::{
        Arc,
        LockedBy, //
    },
};

use super::{
    lines::Line,
    pages::Pages,
    rest::Rest,
    Pipe,
    State, //
};
use crate::{
    device::Access,
    mode::Modes,
    stats::Tally, //
};

/// One open file of a pipe, as the pipe knows it. The pipe's lock protects what changes: it is held
/// anyway when a message passes.
pub(crate) struct Handle {
    access: Access,
    kept: LockedBy<Kept, State>,
}

/// How many files may read from a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// One, if it was opened so.
    OneIfSo,
    /// Any number, for an administrator who looks after the pipe.
    Any,
}

/// What changes of an open file.
pub(super) struct Kept {
    /// Messages that have passed.
    pub(super) passed: Passed,
    /// How it reads and writes.
    pub(super) modes: Modes,
    /// A write of lines is in progress. Another one waits until that has ended, as each begins with
    /// what the one before has left.
    pub(super) writing_lines: bool,
    /// Allocated when it is needed for the first time: most files never have any.
    pub(super) extra: Option<KBox<Extra>>,
}

/// What an open file keeps that most never need.
#[derive(Default)]
pub(super) struct Extra {
    /// What is left of the message that it has begun to read.
    pub(super) rest: Rest,
    /// The beginning of the line that it has begun to write.
    pub(super) line: Line,
}

impl Extra {
    /// Nothing.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(super) fn new() -> Result<KBox<Self>> {
        Ok(KBox::new(Self::default(), GFP_KERNEL_ACCOUNT)?)
    }
}

/// Messages that have passed through an open file.
#[derive(Clone, Copy)]
pub(crate) struct Passed {
    /// Those that were sent.
    pub(crate) sent: Tally,
    /// Those that were received.
    pub(crate) received: Tally,
}

/// What an open file shows of itself.
pub(crate) struct Shown {
    /// Messages that have passed.
    pub(crate) passed: Passed,
    /// How it reads and writes.
    pub(crate) modes: Modes,
    /// What is left of the message that it has begun to read, in bytes.
    pub(crate) rest: usize,
    /// What it has of the line that it has begun to write, in bytes.
    pub(crate) line: usize,
}

impl Kept {
    /// What is left of the message that was begun to be read, in bytes.
    #[inline]
    pub(super) fn rest_len(&self) -> usize {
        self.extra.as_ref().map_or(0, |extra| extra.rest.len())
    }

    /// What there is of the line that was begun to be written, in bytes.
    fn line_len(&self) -> usize {
        self.extra.as_ref().map_or(0, |extra| extra.line.len())
    }
}

impl Handle {
    /// What the file was opened for.
    pub(crate) fn access(&self) -> Access {
        self.access
    }

    /// What the pipe keeps for it.
    #[inline]
    pub(super) fn of<'a>(&'a self, state: &'a mut State) -> &'a mut Kept {
        self.kept.access_mut(state)
    }
}

impl Pipe {
    /// Counts a newly opened file.
    ///
    /// # Errors
    ///
    /// - [`ENOMEM`]: there is no memory for records.
    /// - [`ENODEV`]: the pipe is destroyed.
    /// - [`EBUSY`]: the file is to be read from, beside one that excludes others, or it is to
    ///   exclude others, and there are some.
    pub(crate) fn attach(&self, access: Access, readers: Readers) -> Result<Handle> {
        // If that changes meanwhile, the pipe has pages for nothing, or none.
        let mut pages = Pages::of_file(access, self.default_modes())?;
        let kept = Kept {
            passed: Passed {
                sent: Tally::NONE,
                received: Tally::NONE,
            },
            modes: Modes::NONE,
            writing_lines: false,
            extra: None,
        };
        let handle = Handle {
            access,
            kept: LockedBy::new(&self.state, kept),
        };
        let mut state = self.state.lock();
        state.alive()?;
        if readers == Readers::OneIfSo && state.population.excludes(access) {
            return Err(EBUSY);
        }
        state.population.count(access, 1);
        let modes = state.default_modes;
        state.keep_pages(&mut pages);
        state.change_modes(&handle, modes);
        drop(state);
        Ok(handle)
    }

    /// Ends what an open file has begun, and counts it out. The rest of a message is discarded, and
    /// the beginning of a line is sent if that can be done without waiting. The last file takes the
    /// spare memory of the pipe with it; messages stay.
    pub(crate) fn detach(this: &Arc<Self>, handle: &Handle) {
        let mut state = this.state.lock();
        let kept = handle.of(&mut state);
        let extra = kept.extra.take();
        let has_rest = extra.as_ref().is_some_and(|extra| extra.rest.len() > 0);
        if has_rest {
            state.count_rests(-1);
        }
        state.change_modes(handle, Modes::NONE);
        this.announce_room(state, has_rest.into());
        if let Some(extra) = extra {
            this.send_at_close(handle, &extra.line);
        }

        let mut state = this.state.lock();
        state.population.count(handle.access, -1);
        let spare = state.population.is_empty().then(|| state.take_spare());
        drop(state);
        drop(spare);
    }

    /// How an open file reads and writes.
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn modes(&self, handle: &Handle) -> Result<Modes> {
        let mut state = self.state.lock();
        state.alive()?;
        Ok(handle.of(&mut state).modes)
    }

    /// Changes how an open file reads and writes, from the next call on, and calls `switch` as long
    /// as nobody else can do the same.
    ///
    /// # Errors
    ///
    /// - [`ENOMEM`]: there is no memory for records.
    /// - [`ENODEV`]: the pipe is destroyed.
    /// - [`EBUSY`]: the file has begun to read a message or to write a line.
    pub(crate) fn set_modes(&self, handle: &Handle, modes: Modes, switch: impl FnOnce()) -> Result {
        // Declared before the guard: what is not needed of it is freed without the lock.
        let mut pages = Pages::of_file(handle.access, modes)?;
        let mut state = self.state.lock();
        state.alive()?;
        let kept = handle.of(&mut state);
        if kept.rest_len() > 0 || kept.line_len() > 0 || kept.writing_lines {
            return Err(EBUSY);
        }
        state.keep_pages(&mut pages);
        state.change_modes(handle, modes);
        switch();
        Ok(())
    }

    /// How a newly opened file reads and writes.
    pub(crate) fn default_modes(&self) -> Modes {
        self.state.lock().default_modes
    }

    /// Changes how files that are opened from now on read and write.
    pub(crate) fn set_default_modes(&self, modes: Modes) {
        self.state.lock().default_modes = modes;
    }

    /// What an open file shows of itself.
    pub(crate) fn show(&self, handle: &Handle) -> Shown {
        let mut state = self.state.lock();
        let kept = handle.of(&mut state);
        Shown {
            passed: kept.passed,
            modes: kept.modes,
            rest: kept.rest_len(),
            line: kept.line_len(),
        }
    }
}

impl State {
    /// Changes how an open file reads and writes, and with that whether the fast paths are closed.
    fn change_modes(&mut self, handle: &Handle, modes: Modes) {
        let splits = |modes: Modes| handle.access.write && modes.contains(Modes::LINES);
        let before = core::mem::replace(&mut handle.of(self).modes, modes);
        self.count_splitters(i32::from(splits(modes)) - i32::from(splits(before)));
    }
}
