// SPDX-License-Identifier: GPL-2.0

//! The state of an open file.

use kernel::{
    fs::{
        file::flags,
        File, //
    },
    prelude::*,
    sync::Arc, //
};

use crate::{
    kernel_ext::dev::{
        chrdev::OpenFile,
        stream_device::CallPath, //
    },
    log::subscription::Start,
    pipe::{
        mode::Modes,
        Access,
        FileSnapshot,
        Handle,
        Pipe,
        Reads, //
    }, //
};

/// The state of one open file: `open` creates it, and `release` drops it.
#[repr(C)]
pub(crate) struct OpenPipe {
    // The first field: the fast paths find it at the address of the object.
    pub(super) pipe: Arc<Pipe>,
    pub(super) handle: Handle,
}

impl OpenPipe {
    /// Returns the pipe that was opened.
    pub(crate) fn pipe(&self) -> &Arc<Pipe> {
        &self.pipe
    }

    /// Returns the state that the pipe keeps for the file.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Returns the access rights of the file.
    pub(crate) fn access(&self) -> Access {
        self.handle.access()
    }
}

impl Drop for OpenPipe {
    fn drop(&mut self) {
        Pipe::detach(&self.pipe, &self.handle);
    }
}

impl OpenFile<OpenPipe> {
    /// Sets the modes of `file`. This object must be its private data.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::set_modes`].
    pub(crate) fn set_modes(&self, file: &File, modes: Modes) -> Result {
        let switch = |shown| self.set_call_path(file, call_path(&shown));
        self.pipe.set_modes(&self.handle, modes, switch)
    }

    /// Makes `file` read from `start` on as `reads` says. This object must be its private data.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::read_from`].
    pub(crate) fn read_from(&self, file: &File, reads: Reads, start: Start) -> Result {
        let switch = |shown| self.set_call_path(file, call_path(&shown));
        Pipe::read_from(&self.pipe, &self.handle, reads, start, switch)
    }
}

/// Returns the path of the calls of a file in this state.
pub(super) fn call_path(shown: &FileSnapshot) -> CallPath {
    if shown.modes.contains(Modes::RECORDS) {
        if shown.is_prioritized {
            CallPath::PrioritizedFramed
        } else {
            CallPath::Framed
        }
    } else if shown.is_prioritized {
        CallPath::Prioritized
    } else if shown.subscription.is_some() {
        CallPath::Own
    } else {
        CallPath::Plain
    }
}

/// Returns the access rights with which `file` is being opened. A file that is opened for ioctls
/// only has none.
pub(super) fn access_of(file: &File) -> Access {
    let mode = file.flags() & flags::O_ACCMODE;
    let read = matches!(mode, flags::O_RDONLY | flags::O_RDWR);
    Access {
        read,
        write: matches!(mode, flags::O_WRONLY | flags::O_RDWR),
        // The kernel clears this flag after the open.
        exclusive: read && file.flags() & flags::O_EXCL != 0,
    }
}
