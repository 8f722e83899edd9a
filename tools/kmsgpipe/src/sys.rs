// SPDX-License-Identifier: MIT OR Apache-2.0

//! Safe wrappers of the system calls for which nix has none.

use nix::{errno::Errno, libc, sys::ioctl::ioctl_num_type};
use std::{
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

/// Arguments and results of ioctls and records, as defined in the header.
pub(crate) use kmsgpipe_sys::raw::{
    kmsgpipe_ack as RawAck, kmsgpipe_attach as RawAttach, kmsgpipe_create as RawCreate,
    kmsgpipe_dump as RawDump, kmsgpipe_flush as RawFlush, kmsgpipe_params as RawParams,
    kmsgpipe_record as RawRecord, kmsgpipe_send as RawSend, kmsgpipe_stats as RawStats,
};

/// The ioctls as unsafe functions.
mod request {
    use super::{
        ioctl_num_type as number, libc, RawAck, RawAttach, RawCreate, RawDump, RawFlush, RawParams,
        RawStats,
    };
    use kmsgpipe_sys as sys;

    nix::ioctl_read_bad!(get_stats, sys::GET_STATS as number, RawStats);
    nix::ioctl_none_bad!(clear_queue, sys::CLEAR_QUEUE as number);
    nix::ioctl_write_ptr_bad!(set_params, sys::SET_PARAMS as number, RawParams);
    nix::ioctl_read_bad!(get_params, sys::GET_PARAMS as number, RawParams);
    nix::ioctl_none_bad!(toggle_block, sys::TOGGLE_BLOCK as number);
    nix::ioctl_write_ptr_bad!(flush_periodic, sys::FLUSH_PERIODIC as number, RawFlush);
    nix::ioctl_write_ptr_bad!(create_new, sys::CREATE_NEW as number, RawCreate);
    nix::ioctl_none_bad!(destroy, sys::DESTROY as number);
    nix::ioctl_readwrite_bad!(dump, sys::DUMP as number, RawDump);
    nix::ioctl_write_ptr_bad!(set_mode, sys::SET_MODE as number, u32);
    nix::ioctl_read_bad!(get_mode, sys::GET_MODE as number, u32);
    nix::ioctl_write_ptr_bad!(attach, sys::ATTACH as number, RawAttach);
    nix::ioctl_write_ptr_bad!(ack, sys::ACK as number, RawAck);
    nix::ioctl_write_ptr_bad!(nack, sys::NACK as number, RawAck);
    nix::ioctl_read_bad!(next_len, libc::FIONREAD, libc::c_int);
    nix::ioctl_write_ptr_bad!(set_nonblocking, libc::FIONBIO, libc::c_int);
}

/// Takes a snapshot of the statistics.
pub(crate) fn get_stats(fd: BorrowedFd<'_>) -> nix::Result<RawStats> {
    let mut stats = RawStats::default();
    // SAFETY: The descriptor is open. The request number encodes the size of this structure, and the kernel
    // writes no more. Any bytes are valid, as all fields are integers.
    unsafe { request::get_stats(fd.as_raw_fd(), &mut stats) }?;
    Ok(stats)
}

/// Discards all queued messages.
pub(crate) fn clear_queue(fd: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: The descriptor is open, and the request takes no argument and accesses no user memory.
    unsafe { request::clear_queue(fd.as_raw_fd()) }?;
    Ok(())
}

/// Changes the parameters of an empty pipe.
pub(crate) fn set_params(fd: BorrowedFd<'_>, params: &RawParams) -> nix::Result<()> {
    // SAFETY: The descriptor is open, and the request reads exactly this structure.
    unsafe { request::set_params(fd.as_raw_fd(), params) }?;
    Ok(())
}

/// Reads the parameters of a pipe.
pub(crate) fn get_params(fd: BorrowedFd<'_>) -> nix::Result<RawParams> {
    let mut params = RawParams::default();
    // SAFETY: The descriptor is open. The request writes exactly this structure, for which any bytes are
    // valid.
    unsafe { request::get_params(fd.as_raw_fd(), &mut params) }?;
    Ok(params)
}

/// Toggles the open file between blocking and non-blocking mode.
pub(crate) fn toggle_block(fd: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: The descriptor is open, and the request takes no argument and accesses no user memory.
    unsafe { request::toggle_block(fd.as_raw_fd()) }?;
    Ok(())
}

/// Enables or disables message expiry.
pub(crate) fn flush_periodic(fd: BorrowedFd<'_>, flush: &RawFlush) -> nix::Result<()> {
    // SAFETY: The descriptor is open, and the request reads exactly this structure.
    unsafe { request::flush_periodic(fd.as_raw_fd(), flush) }?;
    Ok(())
}

/// Creates another pipe and returns its number.
pub(crate) fn create_new(fd: BorrowedFd<'_>, create: &RawCreate) -> nix::Result<u32> {
    // SAFETY: The descriptor is open, and the request reads exactly this structure.
    let id = unsafe { request::create_new(fd.as_raw_fd(), create) }?;
    u32::try_from(id).map_err(|_| Errno::EOVERFLOW)
}

/// Destroys the pipe.
pub(crate) fn destroy(fd: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: The descriptor is open, and the request takes no argument and accesses no user memory.
    unsafe { request::destroy(fd.as_raw_fd()) }?;
    Ok(())
}

/// Copies queued messages into `buffer` and returns the counts.
pub(crate) fn dump(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> nix::Result<RawDump> {
    let mut dump = RawDump {
        buffer: buffer.as_mut_ptr() as u64,
        size: buffer.len() as u64,
        ..Default::default()
    };
    // SAFETY: The descriptor is open. The request reads and writes this structure, for which any bytes are
    // valid, and writes at most `size` bytes at `buffer`, which is mutably borrowed.
    unsafe { request::dump(fd.as_raw_fd(), &mut dump) }?;
    Ok(dump)
}

/// Changes the mode of the open file.
pub(crate) fn set_mode(fd: BorrowedFd<'_>, modes: u32) -> nix::Result<()> {
    // SAFETY: The descriptor is open, and the request reads one integer of 32 bits.
    unsafe { request::set_mode(fd.as_raw_fd(), &modes) }?;
    Ok(())
}

/// Reads the mode of the open file.
pub(crate) fn get_mode(fd: BorrowedFd<'_>) -> nix::Result<u32> {
    let mut modes = 0;
    // SAFETY: The descriptor is open, and the request writes one integer of 32 bits.
    unsafe { request::get_mode(fd.as_raw_fd(), &mut modes) }?;
    Ok(modes)
}

/// Chooses what the open file reads.
pub(crate) fn attach(fd: BorrowedFd<'_>, attach: &RawAttach) -> nix::Result<()> {
    // SAFETY: The descriptor is open, and the request reads exactly this structure.
    unsafe { request::attach(fd.as_raw_fd(), attach) }?;
    Ok(())
}

/// Consumes messages that the open file has on trust.
pub(crate) fn ack(fd: BorrowedFd<'_>, ack: &RawAck) -> nix::Result<()> {
    // SAFETY: The descriptor is open, and the request reads exactly this structure.
    unsafe { request::ack(fd.as_raw_fd(), ack) }?;
    Ok(())
}

/// Gives back messages that the open file has on trust.
pub(crate) fn nack(fd: BorrowedFd<'_>, ack: &RawAck) -> nix::Result<()> {
    // SAFETY: The descriptor is open, and the request reads exactly this structure.
    unsafe { request::nack(fd.as_raw_fd(), ack) }?;
    Ok(())
}

/// Returns the length of the next message; 0 if there is none.
pub(crate) fn next_len(fd: BorrowedFd<'_>) -> nix::Result<u32> {
    let mut len = 0;
    // SAFETY: The descriptor is open, and the request writes one integer.
    unsafe { request::next_len(fd.as_raw_fd(), &mut len) }?;
    u32::try_from(len).map_err(|_| Errno::EOVERFLOW)
}

/// Sets or clears non-blocking mode of the open file.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>, on: bool) -> nix::Result<()> {
    // SAFETY: The descriptor is open, and the request reads one integer.
    unsafe { request::set_nonblocking(fd.as_raw_fd(), &libc::c_int::from(on)) }?;
    Ok(())
}

/// Requests that can be probed without side effects: those that take an argument.
pub(crate) const PROBED: [(&str, u32); 11] = [
    ("KMSGPIPE_GET_STATS", kmsgpipe_sys::GET_STATS),
    ("KMSGPIPE_SET_PARAMS", kmsgpipe_sys::SET_PARAMS),
    ("KMSGPIPE_GET_PARAMS", kmsgpipe_sys::GET_PARAMS),
    ("KMSGPIPE_FLUSH_PERIODIC", kmsgpipe_sys::FLUSH_PERIODIC),
    ("KMSGPIPE_CREATE_NEW", kmsgpipe_sys::CREATE_NEW),
    ("KMSGPIPE_DUMP", kmsgpipe_sys::DUMP),
    ("KMSGPIPE_SET_MODE", kmsgpipe_sys::SET_MODE),
    ("KMSGPIPE_GET_MODE", kmsgpipe_sys::GET_MODE),
    ("KMSGPIPE_ATTACH", kmsgpipe_sys::ATTACH),
    ("KMSGPIPE_ACK", kmsgpipe_sys::ACK),
    ("KMSGPIPE_NACK", kmsgpipe_sys::NACK),
];

/// Returns whether the module supports a request of [`PROBED`]. The caller needs no privilege.
pub(crate) fn is_known(fd: BorrowedFd<'_>, request: u32) -> bool {
    // SAFETY: The descriptor is open. The argument is a null pointer, so a request that accesses its argument
    // fails without side effects.
    let ret = unsafe {
        libc::ioctl(
            fd.as_raw_fd(),
            request as ioctl_num_type,
            ptr::null_mut::<libc::c_void>(),
        )
    };
    Errno::result(ret) != Err(Errno::ENOTTY)
}

/// Reads without blocking, whether or not the file is in non-blocking mode.
pub(crate) fn read_nowait(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> nix::Result<usize> {
    let segment = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: The descriptor is open, and the only segment is exactly `buffer`, which is mutably borrowed. An
    // offset of -1 means the file position, which a pipe does not have.
    let ret = unsafe { libc::preadv2(fd.as_raw_fd(), &segment, 1, -1, libc::RWF_NOWAIT) };
    Errno::result(ret).map(|n| n as usize)
}

/// Writes without blocking, whether or not the file is in non-blocking mode.
pub(crate) fn write_nowait(fd: BorrowedFd<'_>, buffer: &[u8]) -> nix::Result<usize> {
    let segment = libc::iovec {
        iov_base: buffer.as_ptr().cast_mut().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: The descriptor is open, and the only segment is exactly `buffer`, which a write only reads. An
    // offset of -1 means the file position, which a pipe does not have.
    let ret = unsafe { libc::pwritev2(fd.as_raw_fd(), &segment, 1, -1, libc::RWF_NOWAIT) };
    Errno::result(ret).map(|n| n as usize)
}
