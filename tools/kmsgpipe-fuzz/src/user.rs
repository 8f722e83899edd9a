// SPDX-License-Identifier: GPL-2.0

//! The users that threads make their calls as.

use crate::{model::User, sys};
use nix::libc;

/// Root; two users without privilege, of whom the second is also in the first one's group; and root
/// without `CAP_SYS_ADMIN`, as in a container.
pub const USERS: [User; 4] = [
    user(0, 0, true),
    user(1001, 2001, false),
    user(1002, 2002, false),
    user(0, 0, false),
];

/// The other group that the user with this number is in.
fn other_group(number: usize) -> Option<u32> {
    (number == 2).then_some(2001)
}

const fn user(uid: u32, gid: u32, admin: bool) -> User {
    User { uid, gid, admin }
}

/// Makes the calling thread one of a user; there is no way back.
///
/// # Panics
///
/// If it may not do so.
pub fn become_one(number: usize) {
    let user = USERS[number];
    if user.uid != 0 {
        let ret = sys::become_user(user.uid, user.gid, other_group(number));
        assert_eq!(ret, 0, "the privileges of another user");
    } else if !user.admin {
        assert_eq!(
            sys::drop_admin(),
            0,
            "the capabilities without CAP_SYS_ADMIN"
        );
    }
}

/// The node of a pipe, as far as opening it goes.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its path.
    pub path: String,
    /// Its permissions.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

impl Node {
    /// Whether a user may open it with this access mode.
    pub fn may_open(&self, number: usize, access: i32) -> bool {
        let user = USERS[number];
        // Both roots override permissions.
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
            // For requests only: that takes both, too.
            _ => 6,
        };
        granted & wanted == wanted
    }
}
