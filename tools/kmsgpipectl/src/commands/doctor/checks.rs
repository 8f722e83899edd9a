// SPDX-License-Identifier: GPL-2.0

//! The checks.

use super::Check;
use crate::{failure::Failure, open::open_any};
use kmsgpipe::{Class, Node, Stray, CLASS};
use nix::{
    fcntl::{AtFlags, AT_FDCWD},
    unistd::{faccessat, AccessFlags},
};
use std::{collections::HashSet, fs, path::Path};

/// The file that lists all pipes.
const PROC: &str = "/proc/kmsgpipe_stats";

/// Number of `CAP_SYS_ADMIN`.
const CAP_SYS_ADMIN: u32 = 21;

/// Maximum number of affected pipes that a result names.
const NAMED: usize = 3;

/// Runs all checks that are possible; without the module, only the first.
pub fn all() -> Vec<Check> {
    let module = module();
    if module.class.is_some() {
        return vec![module];
    }
    let nodes = match kmsgpipe::pipes() {
        Ok(nodes) => nodes,
        Err(error) => {
            let found = Failure::from(error).message().to_string();
            let mend = "reload the module: `rmmod kmsgpipe`, then `modprobe kmsgpipe`";
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

/// Checks whether the module is loaded.
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
            "it is not installed for Linux {release}: build it, then as root `insmod kmsgpipe.ko`, or \
             `make modules_install`, `depmod` and `modprobe kmsgpipe`"
        )
    };
    Check::failed(name, Class::NotFound, "the module is not loaded", mend)
}

/// Checks whether this program and the module are of compatible versions.
fn version(nodes: &[Node]) -> Check {
    let name = "version";
    let mut refusal = None;
    for node in nodes {
        let error = match open_any(node) {
            Ok((pipe, _)) => {
                let unknown = pipe.unknown_requests();
                if unknown.is_empty() {
                    let version = env!("CARGO_PKG_VERSION");
                    let found =
                        format!("the module supports every request of kmsgpipectl {version}");
                    return Check::ok(name, found);
                }
                let found = format!("the module does not support {}", unknown.join(", "));
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
        Some(error) => format!("unknown: {}", Failure::from(error).message()),
        None => "unknown without a pipe".to_string(),
    };
    Check::note(name, found, "run as root: `sudo kmsgpipectl doctor`")
}

/// Returns the result for a module of another version.
fn mismatch(found: String) -> Check {
    let mend = "install the module and kmsgpipectl from the same release, and reload the module: \
                `rmmod kmsgpipe`, then `modprobe kmsgpipe`";
    Check::failed("version", Class::Mismatch, found, mend)
}

/// Checks whether each pipe has a device node.
fn presence(nodes: &[Node]) -> Check {
    let name = "nodes";
    // A pipe that was destroyed meanwhile has no stray.
    let strays: Vec<Stray> = nodes.iter().filter_map(Node::stray).collect();
    let Some(first) = strays.first() else {
        return Check::ok(name, format!("{} with a device node", pipes(nodes.len())));
    };
    let missing = |stray: &Stray| stray.blocker.is_none();
    let mend = if strays.len() == nodes.len() && strays.iter().all(missing) {
        "the kernel creates the nodes in devtmpfs, which must be mounted on /dev: as root, `mount -t \
         devtmpfs devtmpfs /dev`; in a container, pass the nodes through"
            .to_string()
    } else {
        format!("as root: {}", first.mend())
    };
    let found = some(strays.iter().map(ToString::to_string).collect());
    Check::failed(name, Class::NotFound, found, mend)
}

/// Checks whether the caller can open the pipes.
fn permissions(nodes: &[Node]) -> Check {
    let name = "permissions";
    let may =
        |node: &Node, mode| faccessat(AT_FDCWD, node.path(), mode, AtFlags::AT_EACCESS).is_ok();
    let there = nodes.iter().filter(|node| node.is_there());
    let closed =
        there.filter(|node| !may(node, AccessFlags::R_OK) && !may(node, AccessFlags::W_OK));
    let closed: Vec<String> = closed.map(ToString::to_string).collect();
    let mend = "as root: change the owner or mode of the node with `chown` or `chmod`, or \
                permanently with a udev rule";
    match closed.len() {
        0 => Check::ok(name, "you can open every pipe"),
        all if all == nodes.len() => {
            Check::failed(name, Class::Permission, "you cannot open any pipe", mend)
        }
        _ => Check::note(name, format!("you cannot open {}", some(closed)), mend),
    }
}

/// Checks whether the caller can administer pipes.
fn privilege() -> Check {
    let name = "privilege";
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let namespace = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    if is_administrator(&status, &namespace) {
        return Check::ok(name, "you can administer pipes");
    }
    Check::note(
        name,
        "you cannot create, destroy, change, clear or dump pipes",
        "this needs CAP_SYS_ADMIN in the initial user namespace: use sudo, outside of containers",
    )
}

/// Returns whether a process has `CAP_SYS_ADMIN` in the initial user namespace, given its
/// `/proc/self/status` and `uid_map`.
fn is_administrator(status: &str, namespace: &str) -> bool {
    let mut lines = status.lines();
    let capabilities = lines.find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = capabilities.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    let initial = namespace.split_whitespace().eq(["0", "0", "4294967295"]);
    initial && capabilities.is_some_and(|bits| (bits >> CAP_SYS_ADMIN) & 1 == 1)
}

/// Checks whether the procfs file has a line for each pipe.
fn proc(nodes: &[Node]) -> Check {
    let name = "proc";
    let text = match fs::read_to_string(PROC) {
        Ok(text) => text,
        Err(error) => {
            let found = Failure::io(&format!("read {PROC}"), &error);
            let mend = "as root: `mount -t proc proc /proc`; if it is mounted, reload the module";
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
        format!("{PROC} has no line for {}", some(absent)),
        "reload the module: `rmmod kmsgpipe`, then `modprobe kmsgpipe`",
    )
}

/// Parses the pipe number in a line.
fn line_id(line: &str) -> Option<u32> {
    let (pipe, values) = line.split_once(": ")?;
    let id = pipe.strip_prefix("pipe")?.parse().ok()?;
    values.starts_with("msgs=").then_some(id)
}

/// Checks whether all attributes of each pipe are readable.
fn sysfs(nodes: &[Node]) -> Check {
    let name = "sysfs";
    if !Path::new(CLASS).exists() {
        let mend = "reload the module: `rmmod kmsgpipe`, then `modprobe kmsgpipe`";
        return Check::failed(name, Class::Failed, format!("there is no {CLASS}"), mend);
    }
    let bad = nodes.iter().filter_map(|node| {
        let error = node.public_stats().err()?;
        let failure = Failure::io("read its attributes", &error);
        node.is_known()
            .then(|| format!("{node}: {}", failure.message()))
    });
    let bad: Vec<String> = bad.collect();
    if bad.is_empty() {
        return Check::ok(
            name,
            format!("{CLASS} has the attributes of {}", pipes(nodes.len())),
        );
    }
    Check::failed(
        name,
        Class::Failed,
        some(bad),
        "install the module and kmsgpipectl from the same release",
    )
}

/// Formats a number of pipes.
fn pipes(count: usize) -> String {
    match count {
        1 => "1 pipe".into(),
        _ => format!("{count} pipes"),
    }
}

/// Formats the first items of a list, and the number of the others.
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
    fn capability_counts_in_the_initial_namespace_only() {
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
    fn long_lists_are_truncated() {
        let items = |count: usize| (0..count).map(|item| item.to_string()).collect();
        assert_eq!(some(items(1)), "0");
        assert_eq!(some(items(3)), "0, 1, 2");
        assert_eq!(some(items(5)), "0, 1, 2 and 2 more");
        assert_eq!((pipes(1), pipes(2)), ("1 pipe".into(), "2 pipes".into()));
    }

    #[test]
    fn line_starts_with_the_pipe_number() {
        let line = "pipe12: msgs=12, drops=0, expired=3, writers=2, readers=1";
        assert_eq!(line_id(line), Some(12));
        for line in ["", "pipe12", "pipe: msgs=1", "12: msgs=1", "pipe1: drops=0"] {
            assert_eq!(line_id(line), None, "{line}");
        }
    }

    #[test]
    fn destroyed_pipe_passes_the_checks() {
        let absent = [Node::of(u32::MAX)];
        // It is treated as destroyed meanwhile.
        assert_eq!(presence(&absent).class, None);
        assert_eq!(version(&absent).status, super::super::Status::Note);
        let null = [Node::at(Path::new("/dev/null"))];
        assert_eq!(version(&null).class, Some(Class::Mismatch));
        assert_eq!(permissions(&null).class, None);
    }
}
