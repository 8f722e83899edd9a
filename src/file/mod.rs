// SPDX-License-Identifier: GPL-2.0

//! One open file of a pipe: its file operations, its ioctls, and its fdinfo.

mod ioctl;
mod open;
mod operations;

pub(crate) use self::open::OpenPipe;
