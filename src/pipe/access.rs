// SPDX-License-Identifier: GPL-2.0

//! Access rights of an open file.

/// What a file was opened for.
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
