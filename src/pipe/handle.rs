// SPDX-License-Identifier: GPL-2.0

//! Per-file state of a pipe.

use kernel::{
    prelude::*,
    sync::{
        Arc,
        LockedBy,
        SetOnce, //
    },
};

use super::{
    kind::Kind,
    lease::LeaseTerms,
    mode::Modes,
    pages::Pages,
    partial_line::PartialLine,
    rest::Rest,
    roster::{
        Place,
        SubscriptionSnapshot, //
    },
    Access,
    Pipe,
    State, //
};

use crate::{
    kernel_ext::cred::Opener,
    log::{
        counters::Tally,
        subscription::{
            self,
            Search,
            Start, //
        }, //
    }, //
};

/// One open file of a pipe. The lock of the pipe protects the part that changes: a call holds it
/// anyway while a message passes, so counting takes no atomic operations.
pub(crate) struct Handle {
    access: Access,
    /// The credentials with which the file was opened: a sender with other ids is privileged.
    pub(super) opener: Opener,
    state: LockedBy<HandleState, State>,
    /// Allocated when the file first reads from a position of its own. It is apart from `state`, as
    /// the list of the pipe refers to it as well.
    pub(super) place: SetOnce<Arc<Place>>,
}

/// Whether an exclusive reader keeps out other readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exclusivity {
    /// An exclusive reader must be the only reader.
    Enforced,
    /// Any number of readers, for an administrator that inspects the pipe.
    Ignored,
}

/// State of an open file that the lock of the pipe protects.
pub(super) struct HandleState {
    /// Messages that have passed through the file.
    pub(super) stats: FileStats,
    /// Mode of the file.
    pub(super) modes: Modes,
    /// Number of writers that had come and gone when the file was opened. It wraps.
    pub(super) gone_at_open: u32,
    /// A write of lines is in progress. The next one waits for its end, and begins with the partial
    /// line that it leaves.
    pub(super) writing_lines: bool,
    /// Allocated at first use: most files never need it.
    pub(super) extra: Option<KBox<Extra>>,
}

/// Per-file state that most files never need.
#[derive(Default)]
pub(super) struct Extra {
    /// Rest of the message that the file has begun to read.
    pub(super) rest: Rest,
    /// Partial line that the file has begun to write.
    pub(super) line: PartialLine,
    /// Terms on which the file receives messages of a queue.
    pub(super) terms: LeaseTerms,
    /// The file has received with a lease.
    pub(super) has_leased: bool,
}

impl Extra {
    /// Allocates the state, empty.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(super) fn new() -> Result<KBox<Self>> {
        Ok(KBox::new(Self::default(), GFP_KERNEL_ACCOUNT)?)
    }
}

/// File statistics: messages that have passed through an open file.
#[derive(Clone, Copy)]
pub(crate) struct FileStats {
    /// Messages that were sent.
    pub(crate) sent: Tally,
    /// Messages that were received.
    pub(crate) received: Tally,
}

/// State of an open file that `fdinfo` shows.
pub(crate) struct FileSnapshot {
    /// Messages that have passed through the file.
    pub(crate) stats: FileStats,
    /// Mode of the file.
    pub(crate) modes: Modes,
    /// Length in bytes of the rest of a message that the file keeps.
    pub(crate) rest: usize,
    /// Length in bytes of the partial line that the file keeps.
    pub(crate) line: usize,
    /// The pipe has more than one priority.
    pub(crate) is_prioritized: bool,
    /// Position from which the file reads, if it has one of its own.
    pub(crate) subscription: Option<SubscriptionSnapshot>,
    /// Terms on which the file receives messages of a queue.
    pub(crate) terms: LeaseTerms,
}

impl HandleState {
    /// Returns the length in bytes of the rest of a message that the file keeps.
    #[inline]
    pub(super) fn rest_len(&self) -> usize {
        self.extra.as_ref().map_or(0, |extra| extra.rest.len())
    }

    /// Returns the length in bytes of the partial line that the file keeps.
    fn line_len(&self) -> usize {
        self.extra.as_ref().map_or(0, |extra| extra.line.len())
    }
}

impl Handle {
    /// Returns the access rights of the file.
    pub(crate) fn access(&self) -> Access {
        self.access
    }

    /// Returns the part of the file's state that the lock of the pipe protects.
    #[inline]
    pub(super) fn state<'a>(&'a self, state: &'a mut State) -> &'a mut HandleState {
        self.state.access_mut(state)
    }
}

impl Pipe {
    /// Registers a file with the pipe, in the default modes. It was just opened with the
    /// credentials `opener`.
    ///
    /// # Errors
    ///
    /// - [`ENOMEM`]: there is no memory for the pages of the mode `RECORDS`.
    /// - [`ENODEV`]: the pipe is destroyed.
    /// - [`EBUSY`]: `exclusivity` is [`Exclusivity::Enforced`], and the file conflicts with an
    ///   exclusive reader, or is one itself and conflicts with another reader.
    pub(crate) fn attach(
        &self,
        access: Access,
        opener: Opener,
        exclusivity: Exclusivity,
    ) -> Result<Handle> {
        // The default modes may change before the lock is taken. The pipe then gets pages that it
        // does not need, or lacks pages, and its calls take the slow paths.
        let mut pages = Pages::of_file(access, self.default_modes())?;
        let file = HandleState {
            stats: FileStats {
                sent: Tally::NONE,
                received: Tally::NONE,
            },
            modes: Modes::NONE,
            gone_at_open: 0,
            writing_lines: false,
            extra: None,
        };
        let mut search = Search::new(Start::Open);
        let handle = Handle {
            access,
            opener,
            state: LockedBy::new(&self.state, file),
            place: SetOnce::new(),
        };
        let mut room = None;
        if access.read && self.kind() != Kind::Queue {
            room = Some(handle.provide_place(self)?);
        }
        let mut state = match room {
            Some(_) => self.lock_at(&mut search),
            None => self.state.lock(),
        };
        state.alive()?;
        if exclusivity == Exclusivity::Enforced && state.open_counts.excludes(access) {
            return Err(EBUSY);
        }
        let gone = state.gone_writers();
        handle.state(&mut state).gone_at_open = gone;
        state.open_counts.count(access, 1);
        state.subscribe(&handle, subscription::Kind::Own, &search, &mut room);
        let modes = state.default_modes;
        state.keep_pages(&mut pages);
        state.change_modes(&handle, modes);
        drop(state);
        Ok(handle)
    }

    /// Unregisters an open file. Discards the rest of a message that the file keeps, and sends its
    /// partial line if that is possible without waiting. The last file frees the spare memory of
    /// the pipe; messages stay queued.
    pub(crate) fn detach(this: &Arc<Self>, handle: &Handle) {
        let mut state = this.state.lock();
        let has_rest = handle.state(&mut state).rest_len() > 0;
        let mut freed = 0;
        if has_rest {
            // The terms of the file tell whether the rest has a slot, so they are taken after this.
            freed = state.count_rest(handle, -1);
        }
        let extra = handle.state(&mut state).extra.take();
        state.change_modes(handle, Modes::NONE);
        let room = state.unsubscribe(handle);
        if room.is_some() {
            this.settle(state);
        } else {
            this.announce_room(state, freed);
        }
        drop(room);
        if let Some(extra) = extra {
            if extra.has_leased {
                this.give_back_all(handle);
            }
            this.send_at_close(handle, &extra.line);
        }

        let mut state = this.state.lock();
        state.open_counts.count(handle.access, -1);
        let hangs_up = handle.access.write
            && state.open_counts.writers == 0
            && state.blockers.hup_readers() > 0;
        let is_last = state.open_counts.is_empty();
        let spare = is_last.then(|| {
            let consumed = state.take_consumed();
            let leases = state.take_unused_leases();
            let spare = state.take_spare();
            (consumed, spare, leases, state.take_unused_index())
        });
        drop(state);
        drop(spare);
        if hangs_up {
            this.announce_hang_up();
        }
    }

    /// Returns the mode of an open file.
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn modes(&self, handle: &Handle) -> Result<Modes> {
        let mut state = self.state.lock();
        state.alive()?;
        Ok(handle.state(&mut state).modes)
    }

    /// Changes the mode of an open file, from the next call on. Calls `switch` with the new state
    /// of the file and the lock held, which serializes concurrent changes.
    ///
    /// # Errors
    ///
    /// - [`ENOMEM`]: there is no memory for the pages of the mode `RECORDS`.
    /// - [`ENODEV`]: the pipe is destroyed.
    /// - [`EBUSY`]: the file keeps the rest of a message or a partial line, or a write of lines is
    ///   in progress.
    pub(crate) fn set_modes(
        &self,
        handle: &Handle,
        modes: Modes,
        switch: impl FnOnce(FileSnapshot),
    ) -> Result {
        // Declared before the guard: surplus pages are freed without the lock.
        let mut pages = Pages::of_file(handle.access, modes)?;
        let mut state = self.state.lock();
        state.alive()?;
        let file = handle.state(&mut state);
        if file.rest_len() > 0 || file.line_len() > 0 || file.writing_lines {
            return Err(EBUSY);
        }
        state.keep_pages(&mut pages);
        state.change_modes(handle, modes);
        switch(state.show(handle));
        Ok(())
    }

    /// Returns the mode of newly opened files.
    pub(crate) fn default_modes(&self) -> Modes {
        self.state.lock().default_modes
    }

    /// Changes the mode of files that are opened from now on.
    pub(crate) fn set_default_modes(&self, modes: Modes) {
        self.state.lock().default_modes = modes;
    }

    /// Returns the state of an open file that `fdinfo` shows.
    pub(crate) fn show(&self, handle: &Handle) -> FileSnapshot {
        self.state.lock().show(handle)
    }
}

impl State {
    /// Returns the state of an open file that `fdinfo` shows.
    pub(super) fn show(&mut self, handle: &Handle) -> FileSnapshot {
        let subscription = handle.listed(self).map(|listed| self.show_listed(listed));
        let is_prioritized = self.queue.priorities() > 1;
        let file = handle.state(self);
        FileSnapshot {
            is_prioritized,
            subscription,
            stats: file.stats,
            modes: file.modes,
            rest: file.rest_len(),
            line: file.line_len(),
            terms: file
                .extra
                .as_ref()
                .map_or(LeaseTerms::default(), |extra| extra.terms),
        }
    }

    /// Changes the mode of an open file, and closes or opens the fast path of writes accordingly.
    fn change_modes(&mut self, handle: &Handle, modes: Modes) {
        let splits = |modes: Modes| handle.access.write && modes.contains(Modes::LINES);
        let before = core::mem::replace(&mut handle.state(self).modes, modes);
        self.count_line_writers(i32::from(splits(modes)) - i32::from(splits(before)));
        let hangs_up = |modes: Modes| handle.access.read && modes.contains(Modes::HUP);
        self.count_hup_readers(i32::from(hangs_up(modes)) - i32::from(hangs_up(before)));
    }
}
