// SPDX-License-Identifier: MIT OR Apache-2.0

//! Hints: the end of an error message, which says what to do next.

use crate::{
    action::Action,
    attach::Attach,
    devfs::pipe_at,
    error::Error,
    ident::is_name,
    kind::Kind,
    modes::{Modes, CONFLICT},
    params::{Create, Params},
    sysfs::{Class, CLASS},
};
use kmsgpipe_sys::{MAX_MSGS_MAX, MAX_MSGS_MIN, MSG_SIZE_MAX, MSG_SIZE_MIN, PRIORITIES_MAX};
use nix::errno::Errno;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

impl Error {
    /// Creates the error of a failed system call, with a hint.
    pub(crate) fn system(action: Action, object: &Path, errno: Errno) -> Self {
        Self::System {
            action,
            object: object.to_owned(),
            errno,
            hint: after(action, object, errno),
        }
    }

    /// Creates the error for a system without pipes.
    pub(crate) fn no_pipes(directory: &Path) -> Self {
        Self::NoPipes {
            directory: directory.to_owned(),
            hint: no_pipes(),
        }
    }
}

/// Says why no pipes exist, and how to get one.
pub(crate) fn no_pipes() -> &'static str {
    if Path::new(CLASS).exists() {
        "the module is loaded, but its device nodes are not in /dev: is devtmpfs mounted there?"
    } else {
        "the module is not loaded: load it with `modprobe kmsgpipe`, or with `insmod kmsgpipe.ko` \
         where it was built, as root"
    }
}

/// Returns the hint for a failed `action` on `object`; may be empty.
pub(crate) fn after(action: Action, object: &Path, errno: Errno) -> String {
    match (action, errno) {
        (Action::Open, Errno::ENOENT) if pipe_at(object).is_some_and(|id| Class::SYSTEM.has(id)) => {
            "the pipe exists but its device node does not; `kmsgpipectl doctor` says how to fix that".into()
        }
        (Action::Open, Errno::ENOENT) if Path::new(CLASS).exists() => {
            "the module is loaded but has no such pipe; `kmsgpipectl list` lists the pipes"
                .into()
        }
        (Action::Open, Errno::ENOENT) => no_pipes().into(),
        (Action::Open, Errno::EACCES | Errno::EPERM) => permission(object),
        (action, Errno::EPERM | Errno::EACCES) if action.is_privileged() => privilege().into(),
        (Action::Open, Errno::EBUSY) => {
            "another reader has it open exclusively (O_EXCL), or O_EXCL was given while another reader has it \
             open"
                .into()
        }
        (Action::SetParams, Errno::EBUSY) => {
            "it is not empty: receive its messages, or discard them with `kmsgpipectl clear`"
                .into()
        }
        (Action::Destroy, Errno::EBUSY) => {
            "pipe 0 exists as long as the module is loaded: `rmmod kmsgpipe` removes both".into()
        }
        (Action::Create, Errno::EEXIST) => {
            "a pipe with this name exists; `kmsgpipectl list` lists the pipes".into()
        }
        (Action::Create, Errno::ENOSPC) => {
            "the maximum number of pipes exists; destroy one first".into()
        }
        (Action::SetMode, Errno::EBUSY) => {
            "the file holds the rest of a message or an incomplete line: read the rest, complete the line, or \
             open the pipe again"
                .into()
        }
        (Action::Attach, Errno::EBUSY) => {
            "the file holds the rest of a message: read the rest, or open the pipe again".into()
        }
        (Action::Flush, Errno::EINVAL) => {
            "an interval or an age limit requires that messages expire".into()
        }
        (Action::Ack | Action::Nack, Errno::ENOENT) => {
            "this open file has none of them on trust: it never received them, has acknowledged them or given \
             them back already, or its lease has ended, and they will be delivered again"
                .into()
        }
        (Action::Ack | Action::Nack, Errno::EINVAL) => {
            "the first sequence number is higher than the last".into()
        }
        (Action::NextLen | Action::Attach | Action::Ack | Action::Nack, Errno::EBADF) => "it is not open for reading".into(),
        (Action::Send | Action::Receive, Errno::EBADF) => {
            "the access mode does not match: receiving requires read access, sending write access".into()
        }
        (Action::Open, Errno::ENXIO | Errno::ENODEV) => {
            "no device is behind this node any more; `kmsgpipectl list` lists the pipes"
                .into()
        }
        (_, Errno::ENODEV) => "the pipe was destroyed; `kmsgpipectl list` lists the others".into(),
        (_, Errno::ENOTTY) => {
            "either it is not a kmsgpipe pipe, or this program and the loaded module are of different \
             versions: install both from the same release and reload the module"
                .into()
        }
        (_, Errno::ENOMEM) => "free some memory, or raise the memory limit of this cgroup".into(),
        (_, Errno::EINTR) => "interrupted by a signal; nothing was sent or received".into(),
        _ => String::new(),
    }
}

/// Names the privilege that administration requires.
fn privilege() -> &'static str {
    if nix::unistd::geteuid().is_root() {
        "this needs CAP_SYS_ADMIN in the initial user namespace: run it outside of this container"
    } else {
        "this needs CAP_SYS_ADMIN: run it as root, for example with sudo"
    }
}

/// Returns which limit `params`, the new ones of the pipe at `path`, violates, after the kernel returned `EINVAL`.
pub(crate) fn violated_limit_of_change(path: &Path, params: Params) -> String {
    let history = pipe_at(path).and_then(|id| Class::SYSTEM.history(id).ok());
    match history.and_then(|history| history_above(history, params)) {
        Some(hint) if params.max_msgs >= MAX_MSGS_MIN => hint,
        _ => violated_limit(params),
    }
}

/// Returns which limit a history violates, if it does.
fn history_above(history: u32, params: Params) -> Option<String> {
    let max_msgs = params.max_msgs;
    let hint = || format!("history is at most max_msgs: it is {history}, and max_msgs {max_msgs}");
    (history > max_msgs).then(hint)
}

/// Returns which limit `params` violates, after the kernel returned `EINVAL`.
pub(crate) fn violated_limit(params: Params) -> String {
    let Params { msg_size, max_msgs } = params;
    if !(MSG_SIZE_MIN..=MSG_SIZE_MAX).contains(&msg_size) {
        format!("msg_size is {MSG_SIZE_MIN} to {MSG_SIZE_MAX} bytes, and not {msg_size}")
    } else if !(MAX_MSGS_MIN..=MAX_MSGS_MAX).contains(&max_msgs) {
        format!("max_msgs is {MAX_MSGS_MIN} to {MAX_MSGS_MAX}, and not {max_msgs}")
    } else {
        // Only max_bytes is left, and the kernel does not export its value.
        let bytes = u64::from(msg_size) * u64::from(max_msgs);
        format!(
            "{max_msgs} messages of {msg_size} bytes are {bytes} bytes, and max_bytes of the module allows less: \
             67108864 unless it was loaded with another"
        )
    }
}

/// Returns which limit a pipe to be created violates, after the kernel returned `EINVAL`.
pub(crate) fn violated_limit_of_create(create: &Create) -> String {
    if create.name.as_deref().is_some_and(|name| !is_name(name)) {
        "a name has at most 31 letters, digits, '.', '_' and '-', and is not '.', '..' or *.peer"
            .into()
    } else if create.mode > 0o777 {
        format!("a mode is at most 0777, and not {:04o}", create.mode)
    } else if create.uid == u32::MAX || create.gid == u32::MAX {
        format!("{} is not a valid user or group ID", u32::MAX)
    } else if !Modes::all().contains(create.default_mode) || !create.default_mode.are_compatible() {
        rejected_modes(create.default_mode)
    } else if create.history > 0 && create.kind == Kind::Queue {
        format!(
            "a queue has no history, so {} is invalid: only a broadcast pipe keeps messages for later \
             subscriptions",
            create.history
        )
    } else if create.priorities > PRIORITIES_MAX {
        format!(
            "a pipe has 1 to {PRIORITIES_MAX} priorities, and not {}",
            create.priorities
        )
    } else if create.priorities > 1 && create.kind == Kind::Broadcast {
        format!(
            "a broadcast pipe has one priority, so {} are invalid: only a queue has more",
            create.priorities
        )
    } else if let Some(hint) = history_above(create.history, create.params) {
        hint
    } else {
        violated_limit(create.params)
    }
}

/// Returns why the kernel rejected `attach`: the kind of the pipe.
pub(crate) fn rejected_attach(attach: Attach) -> &'static str {
    match attach {
        Attach::Own(_) => {
            "a queue has no subscriptions: receive its messages from the oldest on, or browse copies of them"
        }
        Attach::Group => {
            "in a broadcast pipe each file has a subscription: attach to that, or browse"
        }
        Attach::Lease { .. } => {
            "a broadcast pipe has no leases, nor has a queue with priorities or with times to live"
        }
        Attach::Browse(_) => "a pipe with priorities cannot be browsed: dump it",
    }
}

/// Returns why the kernel rejected `modes`: a conflict, or a flag of another version.
pub(crate) fn rejected_modes(modes: Modes) -> String {
    if !modes.are_compatible() {
        return format!("of {modes}, {CONFLICT}");
    }
    format!(
        "the module does not support every mode in {modes}; install it and this program from the same release"
    )
}

/// Explains which users may open `object`. IDs are numeric because a static program cannot look up names.
fn permission(object: &Path) -> String {
    let Ok(metadata) = fs::metadata(object) else {
        return "a directory in its path cannot be searched; try as root".into();
    };
    permission_of(object, &metadata)
}

/// Explains which users may open `object`, whose metadata is given.
fn permission_of(object: &Path, metadata: &fs::Metadata) -> String {
    let way = match pipe_at(object) {
        Some(0) => "change the mode (`chmod`, or the module parameter `mode`)",
        _ => "change the mode (`chmod`), or create the pipe with another one (`kmsgpipectl create --mode`)",
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
    fn permission_hint_names_owner_mode_and_caller() {
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
    fn lease_hints_say_why_there_is_no_such_message() {
        for action in [Action::Ack, Action::Nack] {
            for (errno, why) in [
                (Errno::ENOENT, "its lease has ended"),
                (Errno::EINVAL, "higher than the last"),
                (Errno::EBADF, "not open for reading"),
            ] {
                let hint = after(action, Path::new("/dev/kmsgpipe0"), errno);
                assert!(hint.contains(why), "{hint}");
            }
        }
    }

    #[test]
    fn hint_names_the_violated_limit() {
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
            assert_eq!(violated_limit(Params { msg_size, max_msgs }), limit);
        }
        let mut create = Create::default();
        create.params.max_msgs = 0;
        assert_eq!(
            violated_limit_of_create(&create),
            "max_msgs is 1 to 65536, and not 0"
        );
        create.history = 1;
        assert_eq!(
            violated_limit_of_create(&create),
            "a queue has no history, so 1 is invalid: only a broadcast pipe keeps messages for later \
             subscriptions"
        );
        create.kind = Kind::Broadcast;
        create.history = 1;
        assert_eq!(
            violated_limit_of_create(&create),
            "history is at most max_msgs: it is 1, and max_msgs 0"
        );
        create.priorities = 2;
        assert_eq!(
            violated_limit_of_create(&create),
            "a broadcast pipe has one priority, so 2 are invalid: only a queue has more"
        );
        create.priorities = 33;
        assert_eq!(
            violated_limit_of_create(&create),
            "a pipe has 1 to 32 priorities, and not 33"
        );
        create.default_mode = Modes::from_bits_retain(32);
        assert_eq!(
            violated_limit_of_create(&create),
            "the module does not support every mode in 0x20; install it and this program from the same release"
        );
        create.default_mode = Modes::EOF | Modes::RECORDS | Modes::LINES;
        assert_eq!(
            violated_limit_of_create(&create),
            "of eof,lines,records, records goes with eof and hup alone"
        );
        create.gid = u32::MAX;
        assert!(violated_limit_of_create(&create).starts_with("4294967295 is not a valid user"));
        create.mode = 0o1000;
        assert_eq!(
            violated_limit_of_create(&create),
            "a mode is at most 0777, and not 1000"
        );
        create.name = Some("a b".into());
        assert!(violated_limit_of_create(&create).starts_with("a name has"));
    }

    #[test]
    fn a_change_of_another_file_is_judged_without_a_history() {
        let params = Params {
            msg_size: 1,
            max_msgs: 0,
        };
        let hint = violated_limit_of_change(Path::new("/dev/null"), params);
        assert_eq!(hint, violated_limit(params));
    }

    #[test]
    fn permission_hint_depends_on_the_pipe() {
        for (path, way) in [
            (
                "/dev/kmsgpipe0",
                "(`chmod`, or the module parameter `mode`)",
            ),
            (
                "/dev/null",
                "(`chmod`), or create the pipe with another one (`kmsgpipectl create --mode`)",
            ),
        ] {
            let hint = permission_of(Path::new(path), &fs::metadata("/dev/null").unwrap());
            assert!(hint.ends_with(way), "{hint}");
        }
    }
}
