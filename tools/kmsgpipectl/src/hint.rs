// SPDX-License-Identifier: GPL-2.0

//! What to do about an error: the end of its message.

use crate::error::Action;
use nix::errno::Errno;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

/// Where the kernel shows the module while it is loaded.
const MODULE: &str = "/sys/module/kmsgpipe";

/// Says why there are no pipes, and how to get one.
pub(crate) fn no_pipes() -> &'static str {
    if Path::new(MODULE).exists() {
        "the module is loaded but its device nodes are not in /dev: is devtmpfs mounted there?"
    } else {
        "the module is not loaded: load it with `modprobe kmsgpipe`, or with `insmod kmsgpipe.ko` \
         where it was built, as root"
    }
}

/// Says what to do when `action` on `object` failed with `errno`; may be empty.
pub(crate) fn after(action: Action, object: &Path, errno: Errno) -> String {
    match (action, errno) {
        (Action::Open, Errno::ENOENT) if Path::new(MODULE).exists() => {
            "the module is loaded but has no such pipe; `kmsgpipectl list` shows those it has"
                .into()
        }
        (Action::Open, Errno::ENOENT) => no_pipes().into(),
        (Action::Open, Errno::EACCES | Errno::EPERM) => permission(object),
        (Action::Clear, Errno::EPERM) => {
            "this needs CAP_SYS_ADMIN: do it as root, for example with sudo".into()
        }
        (Action::Send | Action::Receive, Errno::EBADF) => {
            "it was not opened for that: open it for reading to receive, for writing to send".into()
        }
        (Action::Open, Errno::ENXIO | Errno::ENODEV) => {
            "there is no device behind this node any more; `kmsgpipectl list` shows the pipes"
                .into()
        }
        (_, Errno::ENODEV) => "the pipe was destroyed; `kmsgpipectl list` shows those left".into(),
        (_, Errno::ENOTTY) => {
            "either it is no pipe of kmsgpipe, or this program and the loaded module are of \
             different versions: install both from the same release and load the module again"
                .into()
        }
        (_, Errno::ENOMEM) => "free some memory, or raise the limit of this control group".into(),
        (_, Errno::EINTR) => "a signal came; nothing was sent or received".into(),
        _ => String::new(),
    }
}

/// Says who may open `object`. Numbers only: a static program looks up no names.
fn permission(object: &Path) -> String {
    let Ok(metadata) = fs::metadata(object) else {
        return "a directory on the way to it cannot be searched; try as root".into();
    };
    format!(
        "it belongs to uid {} and gid {} with mode {:04o}, and you are uid {} and gid {}; do it as \
         root, or let the administrator change the mode (`chmod`, or the module parameter `mode`)",
        metadata.uid(),
        metadata.gid(),
        metadata.permissions().mode() & 0o7777,
        nix::unistd::geteuid(),
        nix::unistd::getegid(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permission_names_owner_mode_and_caller() {
        let hint = after(Action::Open, Path::new("/dev/null"), Errno::EACCES);
        assert!(hint.contains("uid 0 and gid 0 with mode 0666"), "{hint}");
        assert!(hint.contains("you are uid"), "{hint}");
    }

    #[test]
    fn clearing_names_the_capability() {
        let hint = after(Action::Clear, Path::new("/dev/kmsgpipe0"), Errno::EPERM);
        assert!(hint.contains("CAP_SYS_ADMIN"), "{hint}");
    }
}
