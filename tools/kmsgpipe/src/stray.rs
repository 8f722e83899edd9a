// SPDX-License-Identifier: MIT OR Apache-2.0

//! Device nodes that are missing or replaced by another file.
//!
//! The kernel creates the nodes in devtmpfs and does not report a failure: a file may exist at the path,
//! devtmpfs may not be mounted on `/dev`, or a node may have been removed.

use crate::{devfs::device_of, node::Node};
use std::{
    fmt,
    fs::{self, FileType},
    io::ErrorKind,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

/// A pipe's node that is not at its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// The path where the node belongs.
    pub path: PathBuf,
    /// The major and minor number of the pipe's device.
    pub device: (u64, u64),
    /// The file in its place, or in the place of a directory of its path, and the type of that file.
    pub blocker: Option<(PathBuf, &'static str)>,
}

impl Stray {
    /// Checks for the node of the device `device` at `path`. Returns `None` if it is there.
    fn look(path: &Path, device: (u64, u64)) -> Option<Self> {
        if device_of(path) == Some(device) {
            return None;
        }
        let (at, metadata) = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                let parent = path.parent().unwrap_or(path);
                (parent, fs::symlink_metadata(parent))
            }
            metadata => (path, metadata),
        };
        let kind = metadata.ok().map(|metadata| kind(metadata.file_type()));
        Some(Self {
            path: path.into(),
            device,
            blocker: kind.map(|kind| (at.into(), kind)),
        })
    }

    /// Returns the commands with which an administrator recreates the node.
    pub fn mend(&self) -> String {
        let path = self.path.display();
        let (major, minor) = self.device;
        let mut mend = String::new();
        if let Some((at, _)) = &self.blocker {
            mend += &format!("remove what is at {}, then ", at.display());
        }
        mend += "`";
        if let Some(parent) = self.path.parent().filter(|parent| !parent.is_dir()) {
            mend += &format!("mkdir {} && ", parent.display());
        }
        mend + &format!("mknod -m 600 {path} c {major} {minor}` recreates the node")
    }
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.blocker {
            None => write!(f, "nothing is at {}", self.path.display()),
            Some((at, kind)) => write!(f, "{kind} stands at {}", at.display()),
        }
    }
}

impl Node {
    /// Checks whether the device of this pipe is at its path. Returns `None` if it is, or if the kernel has no
    /// such pipe.
    pub fn stray(&self) -> Option<Stray> {
        Stray::look(self.path(), self.device()?)
    }
}

/// Names the type of a file that is not the pipe's node.
fn kind(file_type: FileType) -> &'static str {
    if file_type.is_file() {
        "a regular file"
    } else if file_type.is_dir() {
        "a directory"
    } else if file_type.is_symlink() {
        "a symbolic link"
    } else if file_type.is_fifo() {
        "a FIFO"
    } else if file_type.is_socket() {
        "a socket"
    } else {
        "another device"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::{fs::symlink, net::UnixListener};

    #[test]
    fn file_in_place_of_the_node_is_named() {
        let directory = std::env::temp_dir().join(format!("kmsgpipe-stray-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let at = |name: &str| directory.join(name);
        fs::write(at("file"), "").unwrap();
        fs::create_dir(at("directory")).unwrap();
        symlink("/dev/zero", at("link")).unwrap();
        symlink("/dev/null", at("null")).unwrap();
        let _listener = UnixListener::bind(at("socket")).unwrap();
        let found = ["file", "directory", "link", "null", "socket", "file/x", "x"]
            .map(|name| Stray::look(&at(name), (1, 3)).map(|stray| stray.to_string()));
        let mend =
            ["file", "file/x", "x"].map(|name| Stray::look(&at(name), (1, 3)).unwrap().mend());
        fs::remove_dir_all(&directory).unwrap();

        let directory = directory.display();
        let told = |what: &str, name: &str| Some(format!("{what} stands at {directory}/{name}"));
        assert_eq!(
            found,
            [
                told("a regular file", "file"),
                told("a directory", "directory"),
                told("a symbolic link", "link"),
                None,
                told("a socket", "socket"),
                told("a regular file", "file"),
                Some(format!("nothing is at {directory}/x")),
            ]
        );
        let node = |steps: &str, name: &str| {
            format!("{steps}mknod -m 600 {directory}/{name} c 1 3` recreates the node")
        };
        let remove = format!("remove what is at {directory}/file, then `");
        assert_eq!(mend[0], node(&remove, "file"));
        let remove = remove + &format!("mkdir {directory}/file && ");
        assert_eq!(mend[1], node(&remove, "file/x"));
        assert_eq!(mend[2], node("`", "x"));
        let null = Stray::look(Path::new("/dev/null"), (1, 5)).unwrap();
        assert_eq!(null.to_string(), "another device stands at /dev/null");
    }

    #[test]
    fn unknown_pipe_has_no_stray() {
        assert_eq!(Node::of(u32::MAX).stray(), None);
        assert_eq!(Node::at(Path::new("/dev/null")).stray(), None);
    }
}
