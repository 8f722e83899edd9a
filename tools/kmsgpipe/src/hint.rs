// SPDX-License-Identifier: MIT OR Apache-2.0

//! What to do about an error: the end of its message.

use crate::{
    action::Action,
    devfs::pipe_at,
    error::Error,
    ident::is_name,
    modes::{Modes, ALONE},
    params::{Create, Params},
    sysfs::{Class, CLASS},
};
use kmsgpipe_sys::{MAX_MSGS_MAX, MAX_MSGS_MIN, MSG_SIZE_MAX, MSG_SIZE_MIN};
use nix::errno::Errno;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

impl Error {
    /// Makes an error of a failed system call.
    pub(crate) fn system(action: Action, object: &Path, errno: Errno) -> Self {
        Self::System {
            action,
            object: object.to_owned(),
            errno,
            hint: after(action, object, errno),
        }
    }

    /// Makes the error that there are no pipes at all.
    pub(crate) fn no_pipes(directory: &Path) -> Self {
        Self::NoPipes {
            directory: directory.to_owned(),
            hint: no_pipes(),
        }
    }
}

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
        (Action::Open, Errno::ENOENT) if pipe_at(object).is_some_and(|id| Class::SYSTEM.has(id)) => {
            "the pipe is there, but not its node; `kmsgpipectl doctor` says what to do".into()
        }
        (Action::Open, Errno::ENOENT) if Path::new(CLASS).exists() => {
            "the module is loaded but has no such pipe; `kmsgpipectl list` shows those it has"
                .into()
        }
        (Action::Open, Errno::ENOENT) => no_pipes().into(),
        (Action::Open, Errno::EACCES | Errno::EPERM) => permission(object),
        (action, Errno::EPERM | Errno::EACCES) if action.is_privileged() => privilege().into(),
        (Action::Open, Errno::EBUSY) => {
            "a reader that excludes others (O_EXCL) has it open, or others read from it beside this one that would \
             exclude them"
                .into()
        }
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
        (Action::SetMode, Errno::EBUSY) => {
            "it keeps the rest of a message or the beginning of a line: read that rest, write the end of \
             that line, or open the pipe again"
                .into()
        }
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

/// Says which limit `params` break that the kernel has refused.
pub(crate) fn broken_limit(params: Params) -> String {
    let Params { msg_size, max_msgs } = params;
    if !(MSG_SIZE_MIN..=MSG_SIZE_MAX).contains(&msg_size) {
        format!("msg_size is {MSG_SIZE_MIN} to {MSG_SIZE_MAX} bytes, and not {msg_size}")
    } else if !(MAX_MSGS_MIN..=MAX_MSGS_MAX).contains(&max_msgs) {
        format!("max_msgs is {MAX_MSGS_MIN} to {MAX_MSGS_MAX}, and not {max_msgs}")
    } else {
        // It is what remains. How much is allowed can be read nowhere.
        let bytes = u64::from(msg_size) * u64::from(max_msgs);
        format!(
            "{max_msgs} messages of {msg_size} bytes are {bytes} bytes, and max_bytes of the module allows less: \
             67108864 unless it was loaded with another"
        )
    }
}

/// Says which limit a pipe breaks that the kernel has refused to make.
pub(crate) fn broken_limit_of_create(create: &Create) -> String {
    if create.name.as_deref().is_some_and(|name| !is_name(name)) {
        "a name has at most 31 letters, digits, '.', '_' and '-'; '.', '..' and what ends in '.peer' \
         is none"
            .into()
    } else if create.mode > 0o777 {
        format!("a mode is at most 0777, and not {:04o}", create.mode)
    } else if create.uid == u32::MAX || create.gid == u32::MAX {
        format!("no user or group has the number {}", u32::MAX)
    } else if !Modes::all().contains(create.default_mode) || !create.default_mode.go_together() {
        refused_modes(create.default_mode)
    } else {
        broken_limit(create.params)
    }
}

/// Says why the kernel has refused modes: they do not go together, or are those of another version.
pub(crate) fn refused_modes(modes: Modes) -> String {
    if !modes.go_together() {
        return format!("of {modes}, {ALONE}");
    }
    format!(
        "the module does not know every mode of {modes}; install it and this program from the same release"
    )
}

/// Says who may open `object`. Numbers only: a static program looks up no names.
fn permission(object: &Path) -> String {
    let Ok(metadata) = fs::metadata(object) else {
        return "a directory on the way to it cannot be searched; try as root".into();
    };
    permission_of(object, &metadata)
}

/// Says who may open `object`, of which this is known.
fn permission_of(object: &Path, metadata: &fs::Metadata) -> String {
    let way = match pipe_at(object) {
        Some(0) => "change the mode (`chmod`, or the module parameter `mode`)",
        _ => "change the mode (`chmod`), or make it with another (`kmsgpipectl create --mode`)",
    };
    format!(
        "it belongs to uid {} and gid {} with mode {:04o}, and you are uid {} and gid {}; do it as \
         root, or let the administrator {way}",
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
            for errno in [Errno::EPERM, Errno::EACCES] {
                let hint = after(action, Path::new("/dev/kmsgpipe0"), errno);
                assert!(hint.contains("CAP_SYS_ADMIN"), "{hint}");
            }
        }
        assert_eq!(after(Action::Send, Path::new("x"), Errno::EPERM), "");
    }

    #[test]
    fn the_one_limit_that_was_broken_is_told() {
        for (msg_size, max_msgs, limit) in [
            (0, 0, "msg_size is 1 to 1048576 bytes, and not 0"),
            (1_048_577, 1, "msg_size is 1 to 1048576 bytes, and not 1048577"),
            (1, 0, "max_msgs is 1 to 65536, and not 0"),
            (1, 65_537, "max_msgs is 1 to 65536, and not 65537"),
            (
                1_048_576,
                65,
                "65 messages of 1048576 bytes are 68157440 bytes, and max_bytes of the module allows \
                 less: 67108864 unless it was loaded with another",
            ),
        ] {
            assert_eq!(broken_limit(Params { msg_size, max_msgs }), limit);
        }
        let mut create = Create::default();
        create.params.max_msgs = 0;
        assert_eq!(
            broken_limit_of_create(&create),
            "max_msgs is 1 to 65536, and not 0"
        );
        create.default_mode = Modes::from_bits_retain(4);
        assert_eq!(
            broken_limit_of_create(&create),
            "the module does not know every mode of 0x4; install it and this program from the same release"
        );
        create.default_mode = Modes::EOF | Modes::RECORDS | Modes::LINES;
        assert_eq!(
            broken_limit_of_create(&create),
            "of eof,lines,records, records goes with eof alone"
        );
        create.gid = u32::MAX;
        assert!(broken_limit_of_create(&create).starts_with("no user or group has"));
        create.mode = 0o1000;
        assert_eq!(
            broken_limit_of_create(&create),
            "a mode is at most 0777, and not 1000"
        );
        create.name = Some("a b".into());
        assert!(broken_limit_of_create(&create).starts_with("a name has"));
    }

    #[test]
    fn a_hint_fits_the_pipe() {
        for (path, way) in [
            (
                "/dev/kmsgpipe0",
                "(`chmod`, or the module parameter `mode`)",
            ),
            (
                "/dev/null",
                "(`chmod`), or make it with another (`kmsgpipectl create --mode`)",
            ),
        ] {
            let hint = permission_of(Path::new(path), &fs::metadata("/dev/null").unwrap());
            assert!(hint.ends_with(way), "{hint}");
        }
    }
}
