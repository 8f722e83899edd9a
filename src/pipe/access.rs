// SPDX-License-Identifier: GPL-2.0

//! Access rights of open files, and numbers of files by right.

/// Access rights with which a file was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// Reading.
    pub(crate) read: bool,
    /// Writing.
    pub(crate) write: bool,
    /// Reading with `O_EXCL`: no other file may be open for reading.
    pub(crate) exclusive: bool,
}

impl Access {
    /// Returns the rights as the views show them.
    pub(crate) fn as_str(self) -> &'static str {
        match (self.read, self.write) {
            (true, true) => "rw",
            (true, false) => "r",
            (false, true) => "w",
            (false, false) => "-",
        }
    }
}

/// Numbers of open files of a pipe.
#[derive(Clone, Copy, Default)]
pub(crate) struct OpenCounts {
    /// Files open for reading.
    pub(crate) readers: u32,
    /// Files open for writing.
    pub(crate) writers: u32,
    /// Files open for exclusive reading.
    pub(crate) exclusive: u32,
    /// Files that were ever open for writing. It wraps.
    pub(super) ever_writing: u32,
}

impl OpenCounts {
    /// Adds `by` to the counts of the rights in `access`: 1 when a file is opened, -1 when it is
    /// closed.
    pub(super) fn count(&mut self, access: Access, by: i32) {
        // No count wraps: the kernel limits the number of open files to far fewer than 2^32.
        if access.read {
            self.readers = self.readers.wrapping_add_signed(by);
        }
        if access.write {
            self.writers = self.writers.wrapping_add_signed(by);
            if by > 0 {
                self.ever_writing = self.ever_writing.wrapping_add(1);
            }
        }
        if access.exclusive {
            self.exclusive = self.exclusive.wrapping_add_signed(by);
        }
    }

    /// Returns whether opening a file for `access` conflicts with the files that are open. An
    /// exclusive reader and another reader exclude each other.
    pub(super) fn excludes(&self, access: Access) -> bool {
        access.read && (self.exclusive > 0 || access.exclusive && self.readers > 0)
    }

    /// Returns whether no file is open for reading or writing.
    pub(super) fn is_empty(&self) -> bool {
        self.readers == 0 && self.writers == 0
    }
}
