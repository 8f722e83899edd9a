// SPDX-License-Identifier: GPL-2.0

//! What a pipe needs to know of open files.

/// What a file was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// It may be read from.
    pub(crate) read: bool,
    /// It may be written to.
    pub(crate) write: bool,
    /// It may be read from, and no other file may.
    pub(crate) exclusive: bool,
}
