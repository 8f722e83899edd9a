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

/// All permission bits.
const PERMISSIONS: u32 = 0o777;

impl Node {
    /// Returns a node with these properties. Returns [`None`] if `mode` has other bits than
    /// permissions, or if `uid` or `gid` is the invalid id.
    ///
    /// The ids are the caller's: it is in the initial user namespace, as it has `CAP_SYS_ADMIN`
    /// there, so they are also the kernel's.
    pub(crate) fn new(mode: u32, uid: u32, gid: u32, name: Option<Name>) -> Option<Self> {
        if mode & !PERMISSIONS != 0 || uid == u32::MAX || gid == u32::MAX {
            return None;
        }
        Some(Self {
            // CAST: The permission bits fit.
            mode: mode as u16,
            uid,
            gid,
            name,
        })
    }
}
