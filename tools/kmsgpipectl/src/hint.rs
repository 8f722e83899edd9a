// SPDX-License-Identifier: GPL-2.0

//! What to do about an error: the end of its message.

use crate::{error::Action, sysfs::CLASS};
use kmsgpipe_sys::{MAX_MSGS_MAX, MAX_MSGS_MIN, MSG_SIZE_MAX, MSG_SIZE_MIN};
use nix::errno::Errno;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

/// Says why there are no pipes, and how to get one.
pub(crate) fn no_pipes() -> &'static str {
    if Path::new(CLASS).exists() {
        "the module is loaded but its device nodes are not in /dev: is devtmpfs mounted there?"
    } else {
        "the module is not loaded: load it with `modprobe kmsgpipe`, or with `insmod kmsgpipe.ko` \
         where it was built, as root"
    }
}

/// Says what to do when `action` on `object` failed with `errno`; may be empty.
pub(crate) fn after(action: Action, object: &Path, errno: Errno) -> String {
    match (action, errno) {
        (Action::Open, Errno::ENOENT) if Path::new(CLASS).exists() => {
            "the module is loaded but has no such pipe; `kmsgpipectl list` shows those it has"
                .into()
        }
        (Action::Open, Errno::ENOENT) => no_pipes().into(),
        (Action::Open, Errno::EACCES | Errno::EPERM) => permission(object),
        (action, Errno::EPERM) if action.is_privileged() => privilege().into(),
        (Action::SetParams, Errno::EBUSY) => {
            "it is not empty: receive what is in it, or discard that with `kmsgpipectl clear`"
                .into()
        }
        (Action::Destroy, Errno::EBUSY) => {
            "pipe 0 stays as long as the module: `rmmod kmsgpipe` removes both".into()
        }
        (Action::Create, Errno::EEXIST) => {
            "there is a pipe of that name; `kmsgpipectl list` shows the pipes".into()
        }
        (Action::Create, Errno::ENOSPC) => {
            "there are as many pipes as there can be; destroy one first".into()
        }
        (Action::SetParams, Errno::EINVAL) => limits(),
        (Action::Create, Errno::EINVAL) => format!(
            "{}; a name has at most 31 letters, digits, '.', '_' and '-'; a mode is at most 0777",
            limits()
        ),
        (Action::Flush, Errno::EINVAL) => {
            "messages that do not expire can have neither an interval nor an age".into()
        }
        (Action::NextLen, Errno::EBADF) => "it was not opened for reading".into(),
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

/// Says who may do what the administrator does.
fn privilege() -> &'static str {
    if nix::unistd::geteuid().is_root() {
        "this needs CAP_SYS_ADMIN in the initial user namespace: do it outside of this container"
    } else {
        "this needs CAP_SYS_ADMIN: do it as root, for example with sudo"
    }
}

/// Says what a pipe may hold.
fn limits() -> String {
    format!(
        "msg_size is {MSG_SIZE_MIN} to {MSG_SIZE_MAX} bytes, max_msgs is {MAX_MSGS_MIN} to \
         {MAX_MSGS_MAX}, and their product is at most max_bytes of the module, 67108864 unless it \
         was loaded with another"
    )
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
    fn privileged_actions_name_the_capability() {
        for action in [
            Action::Clear,
            Action::SetParams,
            Action::Flush,
            Action::Create,
            Action::Destroy,
            Action::Dump,
        ] {
            let hint = after(action, Path::new("/dev/kmsgpipe0"), Errno::EPERM);
            assert!(hint.contains("CAP_SYS_ADMIN"), "{hint}");
        }
        assert_eq!(after(Action::Send, Path::new("x"), Errno::EPERM), "");
    }

    #[test]
    fn what_a_pipe_may_hold_is_told() {
        for action in [Action::SetParams, Action::Create] {
            let hint = after(action, Path::new("/dev/kmsgpipe0"), Errno::EINVAL);
            assert!(hint.contains("msg_size is 1 to 1048576 bytes"), "{hint}");
            assert!(hint.contains("max_msgs is 1 to 65536"), "{hint}");
            assert!(hint.contains("max_bytes of the module"), "{hint}");
        }
    }
}
