// SPDX-License-Identifier: MIT OR Apache-2.0

//! The device nodes of pipes.

use crate::{
    action::Action,
    devfs::{id_of_device, number_in, path_of_digits, path_of_name, pipe_at, DIRECTORY, NAMED},
    error::{Error, Result},
    ident::{digits, is_name, number, PREFIX},
    kind::Kind,
    modes::Modes,
    overflow::Overflow,
    stats::Stats,
    sysfs::Class,
};
use nix::errno::Errno;
use std::{
    ffi::OsStr,
    fmt, fs, io,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

/// The device node of a pipe, which may no longer exist.
///
/// [`Pipe::open`](crate::Pipe::open) accepts a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    path: PathBuf,
    id: Option<u32>,
}

impl Node {
    /// Returns the node of the pipe with the number `id`. If there is no such pipe, returns where it would be.
    pub fn of(id: u32) -> Self {
        let path = Class::SYSTEM
            .node(id)
            .unwrap_or_else(|| path_of_digits(&id.to_string()));
        Self { path, id: Some(id) }
    }

    /// Returns the node of the pipe with the name `name` and the number `id`.
    pub fn named(name: &str, id: u32) -> Self {
        Self {
            path: path_of_name(name),
            id: Some(id),
        }
    }

    /// Returns the node at a path.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            id: pipe_at(path),
        }
    }

    /// Returns the path of the node.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the pipe's number, if it is known.
    pub fn id(&self) -> Option<u32> {
        self.id
    }

    /// Returns the name that the pipe was created with.
    pub fn name(&self) -> Option<&str> {
        let name = self.path.strip_prefix(NAMED).ok()?.to_str()?;
        is_name(name).then_some(name)
    }

    /// Reads the pipe's statistics from `/sys/class/kmsgpipe`, which needs no privilege.
    ///
    /// The values are read one by one: unlike those of [`Pipe::stats`](crate::Pipe::stats), they are not a
    /// consistent snapshot, and they do not include the oldest message.
    ///
    /// # Errors
    ///
    /// Errors of reading files; `ENOENT` if the pipe's number is not known.
    pub fn public_stats(&self) -> io::Result<Stats> {
        Class::SYSTEM.stats(self.known_id()?)
    }

    /// Reads the mode that files of the pipe have when they are opened, from `/sys/class/kmsgpipe`.
    ///
    /// # Errors
    ///
    /// Errors of reading files; `ENOENT` if the pipe's number is not known.
    pub fn default_mode(&self) -> io::Result<Modes> {
        Class::SYSTEM.default_mode(self.known_id()?)
    }

    /// Reads what a write to the full pipe does, from `/sys/class/kmsgpipe`.
    ///
    /// # Errors
    ///
    /// Errors of reading files; `ENOENT` if the pipe's number is not known.
    pub fn overflow(&self) -> io::Result<Overflow> {
        Class::SYSTEM.overflow(self.known_id()?)
    }

    /// Reads the kind of the pipe from `/sys/class/kmsgpipe`.
    ///
    /// # Errors
    ///
    /// Errors of reading files; `ENOENT` if the pipe's number is not known.
    pub fn kind(&self) -> io::Result<Kind> {
        Class::SYSTEM.kind(self.known_id()?)
    }

    /// Reads how many messages the pipe keeps for later subscriptions from `/sys/class/kmsgpipe`.
    ///
    /// # Errors
    ///
    /// Errors of reading files; `ENOENT` if the pipe's number is not known.
    pub fn history(&self) -> io::Result<u32> {
        Class::SYSTEM.history(self.known_id()?)
    }

    /// Reads how many priorities the pipe has from `/sys/class/kmsgpipe`.
    ///
    /// # Errors
    ///
    /// Errors of reading files; `ENOENT` if the pipe's number is not known.
    pub fn priorities(&self) -> io::Result<u32> {
        Class::SYSTEM.priorities(self.known_id()?)
    }

    /// Returns the pipe's number, which is the key in `/sys/class/kmsgpipe`.
    fn known_id(&self) -> io::Result<u32> {
        self.id.ok_or_else(|| Errno::ENOENT.into())
    }

    /// Returns whether a character device is at the path and, if sysfs lists the pipe, is this pipe's device.
    pub fn is_there(&self) -> bool {
        let is_device =
            fs::metadata(&self.path).is_ok_and(|metadata| metadata.file_type().is_char_device());
        is_device && (!self.is_known() || id_of_device(&self.path) == self.id)
    }

    /// Returns the major and minor number of the pipe's device, according to sysfs.
    pub(crate) fn device(&self) -> Option<(u64, u64)> {
        Class::SYSTEM.device(self.id?)
    }

    /// Destroys the pipe as [`Pipe::destroy`](crate::Pipe::destroy) does, but does not need its node.
    ///
    /// # Errors
    ///
    /// [`Error::System`]: `EACCES` or `EPERM` unless the caller is root and has `CAP_SYS_ADMIN`, `EBUSY` for
    /// pipe 0, `ENODEV` if the pipe is already destroyed, `ENOENT` if its number is not known.
    pub fn destroy(&self) -> Result<()> {
        let result = self.known_id().and_then(|id| Class::SYSTEM.destroy(id));
        result.map_err(|error| Error::system(Action::Destroy, &self.path, errno_of(&error)))
    }

    /// Returns whether sysfs lists this pipe.
    pub fn is_known(&self) -> bool {
        self.id.is_some_and(|id| Class::SYSTEM.has(id))
    }
}

impl fmt::Display for Node {
    /// Writes the short name of the pipe, or its path if the short name would denote another pipe.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name().filter(|name| digits(name).is_none());
        match (name, number_in(&self.path)) {
            (Some(name), _) => f.write_str(name),
            (None, Some(id)) => write!(f, "{PREFIX}{id}"),
            (None, None) => self.path.display().fmt(f),
        }
    }
}

impl AsRef<OsStr> for Node {
    fn as_ref(&self) -> &OsStr {
        self.path.as_os_str()
    }
}

/// Lists all pipes, ordered by number.
///
/// # Errors
///
/// [`Error::NoPipes`] if there are none, usually because the module is not loaded.
///
/// ```no_run
/// for node in kmsgpipe::pipes()? {
///     println!("{}", node.path().display());
/// }
/// # Ok::<(), kmsgpipe::Error>(())
/// ```
pub fn pipes() -> Result<Vec<Node>> {
    let ids = Class::SYSTEM.ids();
    if !ids.is_empty() {
        return Ok(ids.into_iter().map(Node::of).collect());
    }

    let directory = Path::new(DIRECTORY);
    let nodes = nodes_in(directory, Path::new(NAMED))
        .map_err(|error| Error::system(Action::List, directory, errno_of(&error)))?;
    if nodes.is_empty() {
        return Err(Error::no_pipes(directory));
    }
    Ok(nodes)
}

/// Returns the error number of a failed file access, 0 if it has none.
fn errno_of(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}

/// Lists the nodes in `directory`, ordered by number, then those in `named`, which need not exist.
fn nodes_in(directory: &Path, named: &Path) -> io::Result<Vec<Node>> {
    let mut nodes = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().and_then(OsStr::to_str);
        let id = name.and_then(|name| number(name.strip_prefix(PREFIX)?));
        if id.is_some() {
            nodes.push(Node { path, id });
        }
    }
    for entry in fs::read_dir(named).into_iter().flatten() {
        let path = entry?.path();
        let name = path.file_name().and_then(OsStr::to_str);
        if name.is_some_and(is_name) {
            nodes.push(Node { path, id: None });
        }
    }
    nodes.sort_unstable_by_key(|node| (node.id.is_none(), node.id, node.path.clone()));
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_listed_by_number() {
        let directory = std::env::temp_dir().join(format!("kmsgpipe-node-{}", std::process::id()));
        let named = directory.join("kmsgpipe");
        fs::create_dir(&directory).unwrap();
        for name in ["kmsgpipe10", "kmsgpipe9", "kmsgpipe01", "kmsg", "null"] {
            fs::write(directory.join(name), "").unwrap();
        }
        let without = nodes_in(&directory, &named);
        fs::create_dir(&named).unwrap();
        for name in ["log", "a.b", "a b", "a.peer"] {
            fs::write(named.join(name), "").unwrap();
        }
        let nodes = nodes_in(&directory, &named);
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(without.unwrap().len(), 2);
        let nodes = nodes.unwrap();
        assert_eq!(
            nodes.iter().map(Node::id).collect::<Vec<_>>(),
            [Some(9), Some(10), None, None]
        );
        assert!(nodes[2].path().ends_with("kmsgpipe/a.b"));
        assert!(nodes[3].path().ends_with("kmsgpipe/log"));
    }

    #[test]
    fn short_names_parse_back_to_the_node() {
        for (path, short, name) in [
            ("/dev/kmsgpipe0", "kmsgpipe0", None),
            ("/dev/kmsgpipe/log", "log", Some("log")),
            ("/dev/kmsgpipe/3", "/dev/kmsgpipe/3", Some("3")),
            ("/dev/kmsgpipe/pipe3", "/dev/kmsgpipe/pipe3", Some("pipe3")),
            ("/dev/kmsgpipe/a/b", "/dev/kmsgpipe/a/b", None),
            ("/dev/kmsgpipe", "/dev/kmsgpipe", None),
            ("/dev/null", "/dev/null", None),
            ("/dev/queues/log", "/dev/queues/log", None),
            ("./log", "./log", None),
        ] {
            let node = Node::at(Path::new(path));
            assert_eq!(node.to_string(), short);
            let back: crate::PipeName = short.parse().unwrap();
            assert_eq!(back.locate(), node);
            assert_eq!(node.name(), name);
        }
    }

    #[test]
    fn another_device_has_no_number() {
        assert_eq!(Node::at(Path::new("/dev/null")).id(), None);
        assert_eq!(
            Node::at(Path::new("/dev/kmsgpipe4000000000")).id(),
            Some(4_000_000_000)
        );
        assert!(Node::at(Path::new("/dev/null")).public_stats().is_err());
        assert!(Node::at(Path::new("/dev/null")).default_mode().is_err());
        assert!(Node::at(Path::new("/dev/null")).overflow().is_err());
        assert!(Node::at(Path::new("/dev/null")).kind().is_err());
        assert!(Node::at(Path::new("/dev/null")).history().is_err());
        assert!(Node::at(Path::new("/dev/null")).priorities().is_err());
        assert!(!Node::at(Path::new("/dev/null")).is_known());
        assert!(!Node::at(Path::new("/dev/kmsgpipe4000000000")).is_there());
        assert!(!Node::at(Path::new("/proc/self/exe")).is_there());
    }
}
