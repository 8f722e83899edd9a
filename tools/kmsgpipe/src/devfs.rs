// SPDX-License-Identifier: MIT OR Apache-2.0

//! Paths of the device nodes of pipes, and the pipe that a path leads to.

use crate::{
    ident::{number, PREFIX},
    sysfs::Class,
};
use nix::sys::stat::{major, minor};
use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

/// Directory of the nodes of pipes without a name.
pub(crate) const DIRECTORY: &str = "/dev";

/// Directory of the nodes of named pipes.
pub(crate) const NAMED: &str = "/dev/kmsgpipe";

/// Returns the node path of the pipe with this name.
pub(crate) fn path_of_name(name: &str) -> PathBuf {
    Path::new(NAMED).join(name)
}

/// Returns the node path of the pipe with this number, if it has no name.
pub(crate) fn path_of_digits(digits: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{PREFIX}{digits}"))
}

/// Returns the number of the pipe that `path` denotes: the pipe whose node belongs at `path`, else the pipe
/// whose device is there.
pub(crate) fn pipe_at(path: &Path) -> Option<u32> {
    let device = id_of_device(path);
    if !path.starts_with(NAMED) && number_in(path).is_none() {
        return device;
    }
    device
        .filter(|id| Class::SYSTEM.node(*id).as_deref() == Some(path))
        .or_else(|| Class::SYSTEM.find(path))
        .or(device)
        .or_else(|| number_in(path))
}

/// Returns the major and minor number of the character device at `path`.
pub(crate) fn device_of(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    let device = metadata.rdev();
    let is_device = metadata.file_type().is_char_device();
    is_device.then(|| (major(device), minor(device)))
}

/// Returns the number of the pipe whose device is at `path`, according to sysfs.
pub(crate) fn id_of_device(path: &Path) -> Option<u32> {
    let device = device_of(path)?;
    let id = u32::try_from(device.1).ok()?;
    (Class::SYSTEM.device(id)? == device).then_some(id)
}

/// Returns the pipe number in the name of a node.
pub(crate) fn number_in(path: &Path) -> Option<u32> {
    let name = path.strip_prefix(DIRECTORY).ok()?.to_str()?;
    number(name.strip_prefix(PREFIX)?)
}
