// SPDX-License-Identifier: GPL-2.0

//! Device nodes of pipes in `/dev`.

use super::name::Name;

/// Properties of the device node of a pipe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// Permissions.
    pub(crate) mode: u16,
    /// Owner: a user id of the initial user namespace.
    pub(crate) uid: u32,
    /// Group: a group id of the initial user namespace.
    pub(crate) gid: u32,
    /// Name of the pipe, if it has one.
    pub(crate) name: Option<Name>,
}
