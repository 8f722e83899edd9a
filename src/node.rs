// SPDX-License-Identifier: GPL-2.0

//! Nodes of pipes in `/dev`.

use crate::name::Name;

/// What the node of a pipe is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// Its permissions.
    pub(crate) mode: u16,
    /// Its owner, by the kernel's own id.
    pub(crate) uid: u32,
    /// Its group, by the kernel's own id.
    pub(crate) gid: u32,
    /// The name of the pipe.
    pub(crate) name: Option<Name>,
}
