// SPDX-License-Identifier: GPL-2.0

//! What is looked at.

use super::Check;
use crate::{failure::Failure, report::open_any};
use kmsgpipe::{Class, Node, Stray, CLASS};
use nix::{
    fcntl::{AtFlags, AT_FDCWD},
    unistd::{faccessat, AccessFlags},
};
use std::{collections::HashSet, fs, path::Path};

/// The pipes in one text.
const PROC: &str = "/proc/kmsgpipe_stats";

/// The number of `CAP_SYS_ADMIN`.
const CAP_SYS_ADMIN: u32 = 21;

/// How many pipes are named of those with which something is wrong.
const NAMED: usize = 3;

/// Looks at everything that can be looked at: without the module, at nothing else.
pub fn all() -> Vec<Check> {
    let module = module();
    if module.class.is_some() {
        return vec![module];
    }
    let nodes = match kmsgpipe::pipes() {
        Ok(nodes) => nodes,
        Err(error) => {
            let found = Failure::from(error).message().to_string();
            let mend = "load the module again: `rmmod kmsgpipe`, then `modprobe kmsgpipe`";
            return vec![module, Check::failed("nodes", Class::NotFound, found, mend)];
        }
    };
    vec![
        module,
        version(&nodes),
        presence(&nodes),
        permissions(&nodes),
        privilege(),
        proc(&nodes),
        sysfs(&nodes),
    ]
}

/// Whether the module is loaded.
fn module() -> Check {
    let name = "module";
    if Path::new(CLASS).exists() {
        return Check::ok(name, "the module is loaded");
    }
    if !Path::new("/sys/class").exists() {
        let mend = "as root: `mount -t sysfs sysfs /sys`";
        return Check::failed(name, Class::NotFound, "there is no /sys/class", mend);
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    let known = fs::read_to_string(format!("/lib/modules/{release}/modules.dep"));
    let mend = if known.is_ok_and(|known| known.contains("/kmsgpipe.ko")) {
        "as root: `modprobe kmsgpipe`".to_string()
    } else {
        format!(
            "it is not installed for Linux {release}: build it, and as root `insmod kmsgpipe.ko`, or \
             `make modules_install`, `depmod` and `modprobe kmsgpipe`"
        )
    };
    Check::failed(name, Class::NotFound, "the module is not loaded", mend)
}

/// Whether this program and the module understand each other.
fn version(nodes: &[Node]) -> Check {
    let name = "version";
    let mut refusal = None;
    for node in nodes {
        let error = match open_any(node) {
            Ok((pipe, _)) => {
                let unknown = pipe.unknown_requests();
                if unknown.is_empty() {
                    let version = env!("CARGO_PKG_VERSION");
                    let found = format!("the module knows every request of kmsgpipectl {version}");
                    return Check::ok(name, found);
                }
                let found = format!("the module does not know {}", unknown.join(", "));
                return mismatch(found);
            }
            Err(error) if error.class() == Class::Mismatch => {
                return mismatch(Failure::from(error).message().to_string());
            }
            Err(error) => error,
        };
        refusal = refusal.or(Some(error));
    }
    let found = match refusal {
        Some(error) => format!("it cannot be told: {}", Failure::from(error).message()),
        None => "it cannot be told without a pipe".to_string(),
    };
    Check::note(name, found, "ask as root: `sudo kmsgpipectl doctor`")
}

/// A module of another version.
fn mismatch(found: String) -> Check {
    let mend =
        "install the module and kmsgpipectl from the same release, and load the module again: \
                `rmmod kmsgpipe`, then `modprobe kmsgpipe`";
    Check::failed("version", Class::Mismatch, found, mend)
}

/// Whether each pipe has its node.
fn presence(nodes: &[Node]) -> Check {
    let name = "nodes";
    // One that was destroyed a moment ago is not missing.
    let strays: Vec<Stray> = nodes.iter().filter_map(Node::stray).collect();
    let Some(first) = strays.first() else {
        return Check::ok(name, format!("{} with a device node", pipes(nodes.len())));
    };
    let missing = |stray: &Stray| stray.blocker.is_none();
    let mend = if strays.len() == nodes.len() && strays.iter().all(missing) {
        "the kernel makes the nodes in devtmpfs, which has to be mounted on /dev: as root, `mount -t \
         devtmpfs devtmpfs /dev`; into a container, they have to be let in"
            .to_string()
    } else {
        format!("as root: {}", first.mend())
    };
    let found = some(strays.iter().map(ToString::to_string).collect());
    Check::failed(name, Class::NotFound, found, mend)
}

/// Whether the pipes can be used.
fn permissions(nodes: &[Node]) -> Check {
    let name = "permissions";
    let may =
        |node: &Node, mode| faccessat(AT_FDCWD, node.path(), mode, AtFlags::AT_EACCESS).is_ok();
    let there = nodes.iter().filter(|node| node.is_there());
    let closed =
        there.filter(|node| !may(node, AccessFlags::R_OK) && !may(node, AccessFlags::W_OK));
    let closed: Vec<String> = closed.map(ToString::to_string).collect();
    let mend = "ask the administrator, who can change the owner and the mode of a node: `chown`, \
                `chmod`, or a udev rule to stay";
    match closed.len() {
        0 => Check::ok(name, "you may open every pipe"),
        all if all == nodes.len() => {
            Check::failed(name, Class::Permission, "you may open no pipe", mend)
        }
        _ => Check::note(name, format!("you may not open {}", some(closed)), mend),
    }
}

/// Whether the caller may do what the administrator does.
fn privilege() -> Check {
    let name = "privilege";
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let namespace = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    if is_administrator(&status, &namespace) {
        return Check::ok(name, "you may administer pipes");
    }
    Check::note(
        name,
        "you may not create, destroy, change, clear or dump pipes",
        "that needs CAP_SYS_ADMIN in the initial user namespace: use sudo, outside of containers",
    )
}

/// Whether a process with this status, in a user namespace with this mapping, has `CAP_SYS_ADMIN` in
/// the initial one.
fn is_administrator(status: &str, namespace: &str) -> bool {
    let mut lines = status.lines();
    let capabilities = lines.find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = capabilities.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    let initial = namespace.split_whitespace().eq(["0", "0", "4294967295"]);
    initial && capabilities.is_some_and(|bits| (bits >> CAP_SYS_ADMIN) & 1 == 1)
}

/// Whether there is a line for each pipe.
fn proc(nodes: &[Node]) -> Check {
    let name = "proc";
    let text = match fs::read_to_string(PROC) {
        Ok(text) => text,
        Err(error) => {
            let found = Failure::io(&format!("read {PROC}"), &error);
            let mend = "as root: `mount -t proc proc /proc`; if it is, load the module again";
            return Check::failed(name, Class::Failed, found.message(), mend);
        }
    };
    let shown: HashSet<u32> = text.lines().filter_map(line_id).collect();
    let has = |id| shown.contains(&id);
    let absent = nodes
        .iter()
        .filter(|node| node.is_known() && node.id().is_some_and(|id| !has(id)));
    let absent: Vec<String> = absent.map(ToString::to_string).collect();
    if absent.is_empty() {
        return Check::ok(name, format!("{PROC} has a line for each pipe"));
    }
    Check::failed(
        name,
        Class::Failed,
        format!("{PROC} says nothing about {}", some(absent)),
        "load the module again: `rmmod kmsgpipe`, then `modprobe kmsgpipe`",
    )
}

/// The number of the pipe that a line is about.
fn line_id(line: &str) -> Option<u32> {
    let (pipe, values) = line.split_once(": ")?;
    let id = pipe.strip_prefix("pipe")?.parse().ok()?;
    values.starts_with("msgs=").then_some(id)
}

/// Whether all values of each pipe can be read.
fn sysfs(nodes: &[Node]) -> Check {
    let name = "sysfs";
    if !Path::new(CLASS).exists() {
        let mend = "load the module again: `rmmod kmsgpipe`, then `modprobe kmsgpipe`";
        return Check::failed(name, Class::Failed, format!("there is no {CLASS}"), mend);
    }
    let bad = nodes.iter().filter_map(|node| {
        let error = node.public_stats().err()?;
        let failure = Failure::io("read its values", &error);
        node.is_known()
            .then(|| format!("{node}: {}", failure.message()))
    });
    let bad: Vec<String> = bad.collect();
    if bad.is_empty() {
        return Check::ok(
            name,
            format!("{CLASS} has the values of {}", pipes(nodes.len())),
        );
    }
    Check::failed(
        name,
        Class::Failed,
        some(bad),
        "install the module and kmsgpipectl from the same release",
    )
}

/// So many pipes, in words.
fn pipes(count: usize) -> String {
    match count {
        1 => "1 pipe".into(),
        _ => format!("{count} pipes"),
    }
}

/// The first ones of a list, and how many there are besides.
fn some(mut items: Vec<String>) -> String {
    let more = items.len().saturating_sub(NAMED);
    items.truncate(NAMED);
    match more {
        0 => items.join(", "),
        _ => format!("{} and {more} more", items.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn administrators_have_the_capability_where_it_counts() {
        let status = |bits: &str| format!("Name:\tx\nCapPrm:\t0\nCapEff:\t{bits}\nCapBnd:\t0\n");
        let initial = "         0          0 4294967295\n";
        let inner = "         0       1000          1\n";
        for (bits, namespace, expected) in [
            ("000001ffffffffff", initial, true),
            ("0000000000200000", initial, true),
            ("00000000ffdfffff", initial, false),
            ("0000000000000000", initial, false),
            ("000001ffffffffff", inner, false),
            ("x", initial, false),
        ] {
            let found = is_administrator(&status(bits), namespace);
            assert_eq!(found, expected, "{bits} {namespace}");
        }
        assert!(!is_administrator("", ""));
    }

    #[test]
    fn long_lists_are_cut() {
        let items = |count: usize| (0..count).map(|item| item.to_string()).collect();
        assert_eq!(some(items(1)), "0");
        assert_eq!(some(items(3)), "0, 1, 2");
        assert_eq!(some(items(5)), "0, 1, 2 and 2 more");
        assert_eq!((pipes(1), pipes(2)), ("1 pipe".into(), "2 pipes".into()));
    }

    #[test]
    fn lines_are_about_pipes() {
        let line = "pipe12: msgs=12, drops=0, expired=3, writers=2, readers=1";
        assert_eq!(line_id(line), Some(12));
        for line in ["", "pipe12", "pipe: msgs=1", "12: msgs=1", "pipe1: drops=0"] {
            assert_eq!(line_id(line), None, "{line}");
        }
    }

    #[test]
    fn what_is_not_there_is_found_out() {
        let absent = [Node::of(u32::MAX)];
        // It counts as destroyed a moment ago.
        assert_eq!(presence(&absent).class, None);
        assert_eq!(version(&absent).status, super::super::Status::Note);
        let null = [Node::at(Path::new("/dev/null"))];
        assert_eq!(version(&null).class, Some(Class::Mismatch));
        assert_eq!(permissions(&null).class, None);
    }
}
