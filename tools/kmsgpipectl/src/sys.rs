// SPDX-License-Identifier: GPL-2.0

//! The system calls that have no safe wrapper elsewhere, each wrapped once.

use nix::{errno::Errno, libc, sys::ioctl::ioctl_num_type};
use std::os::fd::{AsRawFd, BorrowedFd};

/// What an ioctl answers, under the names of the header.
pub(crate) use kmsgpipe_sys::raw::kmsgpipe_stats as RawStats;

/// The requests as unsafe functions.
mod request {
    use super::{ioctl_num_type, RawStats};

    nix::ioctl_read_bad!(
        get_stats,
        kmsgpipe_sys::GET_STATS as ioctl_num_type,
        RawStats
    );
    nix::ioctl_none_bad!(clear_queue, kmsgpipe_sys::CLEAR_QUEUE as ioctl_num_type);
}

/// Asks for a snapshot of the statistics.
pub(crate) fn get_stats(fd: BorrowedFd<'_>) -> nix::Result<RawStats> {
    let mut stats = RawStats::default();
    // SAFETY: The descriptor is open. The number of the request says how much it writes, which is the
    // size of this structure, and any bytes make a valid one, as it consists of integers.
    unsafe { request::get_stats(fd.as_raw_fd(), &mut stats) }?;
    Ok(stats)
}

/// Discards every queued message.
pub(crate) fn clear_queue(fd: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: The descriptor is open, and the request takes no argument: it accesses no memory.
    unsafe { request::clear_queue(fd.as_raw_fd()) }?;
    Ok(())
}

/// Reads without waiting, whether or not the file is in non-blocking mode.
pub(crate) fn read_nowait(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> nix::Result<usize> {
    let segment = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: The descriptor is open, there is one segment, and it is exactly `buffer`, which is
    // borrowed mutably. An offset of -1 stands for a read that has none.
    let ret = unsafe { libc::preadv2(fd.as_raw_fd(), &segment, 1, -1, libc::RWF_NOWAIT) };
    Errno::result(ret).map(|n| n as usize)
}

/// Writes without waiting, whether or not the file is in non-blocking mode.
pub(crate) fn write_nowait(fd: BorrowedFd<'_>, buffer: &[u8]) -> nix::Result<usize> {
    let segment = libc::iovec {
        iov_base: buffer.as_ptr().cast_mut().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: The descriptor is open, there is one segment, and it is exactly `buffer`, which a write
    // only reads. An offset of -1 stands for a write that has none.
    let ret = unsafe { libc::pwritev2(fd.as_raw_fd(), &segment, 1, -1, libc::RWF_NOWAIT) };
    Errno::result(ret).map(|n| n as usize)
}
