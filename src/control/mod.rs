// SPDX-License-Identifier: GPL-2.0

//! The registry of pipes, and their views in sysfs, procfs and debugfs.

pub(crate) mod debugfs;
mod listing;
mod numbers;
pub(crate) mod procfs;
pub(crate) mod registry;
mod request;
pub(crate) mod sysfs;
