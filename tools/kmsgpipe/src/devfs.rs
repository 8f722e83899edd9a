// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where the device nodes of pipes are, and which pipe a path leads to.

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

/// Where the nodes of pipes are.
pub(crate) const DIRECTORY: &str = "/dev";

/// Where the nodes of pipes are that have a name.
pub(crate) const NAMED: &str = "/dev/kmsgpipe";

/// Where the node of the pipe with this name is.
pub(crate) fn path_of_name(name: &str) -> PathBuf {
    Path::new(NAMED).join(name)
}

/// Where the node of the pipe with this number is, unless it has a name.
pub(crate) fn path_of_digits(digits: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{PREFIX}{digits}"))
}

/// The number of the pipe that a path stands for: that whose node it is to be, or whose device it leads to.
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

/// The major and the minor number of the character device that a path leads to.
pub(crate) fn device_of(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok()?;
    let device = metadata.rdev();
    let is_device = metadata.file_type().is_char_device();
    is_device.then(|| (major(device), minor(device)))
}

/// The number of the pipe whose device node a path leads to, as the kernel says.
pub(crate) fn id_of_device(path: &Path) -> Option<u32> {
    let device = device_of(path)?;
    let id = u32::try_from(device.1).ok()?;
    (Class::SYSTEM.device(id)? == device).then_some(id)
}

/// The number of the pipe as the path of its node says.
pub(crate) fn number_in(path: &Path) -> Option<u32> {
    let name = path.strip_prefix(DIRECTORY).ok()?.to_str()?;
    number(name.strip_prefix(PREFIX)?)
}
