// SPDX-License-Identifier: GPL-2.0

//! Character devices, device classes, and the files that show state: sysfs, procfs and debugfs.

pub(crate) mod attribute;
mod cache;
pub(crate) mod chrdev;
pub(crate) mod class;
pub(crate) mod debugfs;
pub(crate) mod device;
pub(crate) mod file;
pub(crate) mod param;
pub(crate) mod path;
pub(crate) mod proc;
pub(crate) mod region;
pub(crate) mod seq;
mod splice;
pub(crate) mod stream_device;
