// SPDX-License-Identifier: GPL-2.0

//! Credentials of the threads.

use crate::{model::User, sys};
use nix::libc;

/// Root; two unprivileged users, of which the second is also in the group of the first; and root without
/// `CAP_SYS_ADMIN`, as in a container.
pub const USERS: [User; 4] = [
    user(0, 0, true),
    user(1001, 2001, false),
    user(1002, 2002, false),
    user(0, 0, false),
];

/// Returns the supplementary group of a user.
fn other_group(number: usize) -> Option<u32> {
    (number == 2).then_some(2001)
}

const fn user(uid: u32, gid: u32, admin: bool) -> User {
    User { uid, gid, admin }
}

/// Changes the credentials of the calling thread permanently.
///
/// # Panics
///
/// The caller is not privileged.
pub fn become_one(number: usize) {
    let user = USERS[number];
    if user.uid != 0 {
        let ret = sys::become_user(user.uid, user.gid, other_group(number));
        assert_eq!(ret, 0, "cannot change the credentials");
    } else if !user.admin {
        assert_eq!(sys::drop_admin(), 0, "cannot drop CAP_SYS_ADMIN");
    }
}

/// Attributes of a node that decide which users may open it.
#[derive(Clone, Debug)]
pub struct Node {
    /// Path of the node.
    pub path: String,
    /// Permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Node {
    /// Returns whether a user may open the node with this access mode.
    pub fn may_open(&self, number: usize, access: i32) -> bool {
        let user = USERS[number];
        // Both root users override permissions.
        if user.uid == 0 {
            return true;
        }
        let granted = if user.uid == self.uid {
            self.mode >> 6
        } else if user.gid == self.gid || other_group(number) == Some(self.gid) {
            self.mode >> 3
        } else {
            self.mode
        };
        let wanted = match access {
            libc::O_RDONLY => 4,
            libc::O_WRONLY => 2,
            // Access mode 3 (ioctls only) requires read and write permission.
            _ => 6,
        };
        granted & wanted == wanted
    }
}
