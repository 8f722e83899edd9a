// SPDX-License-Identifier: GPL-2.0

//! Raw system calls with any arguments. Each returns the kernel's result: a return value, or a negative errno.
//!
//! All are safe, because no Rust object is at an [`Address`].

use crate::memory::Address;
use nix::libc::{self, c_long};
use std::ffi::CString;

/// Makes a system call.
macro_rules! call {
    ($number:ident $(, $argument:expr)*) => {{
        // SAFETY: Memory that the kernel reads is valid during the call; memory that it writes is at an
        // `Address`, or mutably borrowed.
        let ret = unsafe { libc::syscall(libc::$number $(, $argument as c_long)*) };
        if ret < 0 {
            -i64::from(nix::errno::Errno::last_raw())
        } else {
            ret as i64
        }
    }};
}

/// Opens a file.
pub fn open(path: &str, flags: i32) -> i64 {
    let path = CString::new(path).expect("a path");
    call!(
        SYS_openat,
        libc::AT_FDCWD,
        path.as_ptr(),
        flags | libc::O_CLOEXEC,
        0
    )
}

/// Opens a pipe in the mode `whole`, which the model assumes: a read into a short buffer fails.
pub fn open_pipe(path: &str, flags: i32) -> i64 {
    let fd = open(path, flags);
    if fd >= 0 {
        // Fails if the pipe was destroyed meanwhile, in which case every read fails as well.
        let mut mode = kmsgpipe_sys::MODE_WHOLE;
        ioctl_of(fd as i32, kmsgpipe_sys::SET_MODE, &mut mode);
    }
    fd
}

/// Closes a descriptor.
pub fn close(fd: i32) -> i64 {
    call!(SYS_close, fd)
}

/// Duplicates a descriptor.
pub fn dup(fd: i32) -> i64 {
    call!(SYS_dup, fd)
}

/// Duplicates a descriptor to the number `to`, which is closed first.
pub fn dup_to(fd: i32, to: i32) -> i64 {
    call!(SYS_dup3, fd, to, libc::O_CLOEXEC)
}

/// `read`.
pub fn read(fd: i32, at: Address, len: usize) -> i64 {
    call!(SYS_read, fd, at.get(), len)
}

/// `write`.
pub fn write(fd: i32, at: Address, len: usize) -> i64 {
    call!(SYS_write, fd, at.get(), len)
}

/// `read` into a borrowed buffer.
pub fn read_into(fd: i32, buffer: &mut [u8]) -> i64 {
    call!(SYS_read, fd, buffer.as_mut_ptr(), buffer.len())
}

/// `write` from a borrowed buffer.
pub fn write_of(fd: i32, bytes: &[u8]) -> i64 {
    call!(SYS_write, fd, bytes.as_ptr(), bytes.len())
}

/// An element of an I/O vector, in the kernel's format.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Start address.
    pub at: usize,
    /// Length in bytes.
    pub len: usize,
}

/// `preadv2` without an offset; with no flags, it is the same as `readv`.
pub fn readv(fd: i32, parts: &[Part], flags: i32) -> i64 {
    call!(SYS_preadv2, fd, parts.as_ptr(), parts.len(), -1, -1, flags)
}

/// `pwritev2` without an offset; with no flags, it is the same as `writev`.
pub fn writev(fd: i32, parts: &[Part], flags: i32) -> i64 {
    call!(SYS_pwritev2, fd, parts.as_ptr(), parts.len(), -1, -1, flags)
}

/// `readv` or `writev` with a vector at any address.
pub fn vector(fd: i32, parts: Address, count: usize, write: bool) -> i64 {
    if write {
        call!(SYS_writev, fd, parts.get(), count)
    } else {
        call!(SYS_readv, fd, parts.get(), count)
    }
}

/// Reads without blocking into a borrowed buffer.
pub fn read_nowait(fd: i32, buffer: &mut [u8]) -> i64 {
    let part = Part {
        at: buffer.as_mut_ptr() as usize,
        len: buffer.len(),
    };
    readv(fd, &[part], libc::RWF_NOWAIT)
}

/// Writes without blocking from a borrowed buffer.
pub fn write_nowait(fd: i32, bytes: &[u8]) -> i64 {
    let part = Part {
        at: bytes.as_ptr() as usize,
        len: bytes.len(),
    };
    writev(fd, &[part], libc::RWF_NOWAIT)
}

/// `pread64`.
pub fn pread(fd: i32, at: Address, len: usize, offset: i64) -> i64 {
    call!(SYS_pread64, fd, at.get(), len, offset)
}

/// `pwrite64`.
pub fn pwrite(fd: i32, at: Address, len: usize, offset: i64) -> i64 {
    call!(SYS_pwrite64, fd, at.get(), len, offset)
}

/// `lseek`.
pub fn lseek(fd: i32, offset: i64, whence: i32) -> i64 {
    call!(SYS_lseek, fd, offset, whence)
}

/// `mmap` of a page.
pub fn mmap(fd: i32, protection: i32, flags: i32) -> i64 {
    call!(SYS_mmap, 0, 4096, protection, flags, fd, 0)
}

/// `fsync`.
pub fn fsync(fd: i32) -> i64 {
    call!(SYS_fsync, fd)
}

/// `ftruncate`.
pub fn ftruncate(fd: i32, len: i64) -> i64 {
    call!(SYS_ftruncate, fd, len)
}

/// `fallocate`.
pub fn fallocate(fd: i32, offset: i64, len: i64) -> i64 {
    call!(SYS_fallocate, fd, 0, offset, len)
}

/// `getdents64`.
pub fn getdents(fd: i32, at: Address, len: usize) -> i64 {
    call!(SYS_getdents64, fd, at.get(), len)
}

/// `fcntl`.
pub fn fcntl(fd: i32, command: i32, argument: i64) -> i64 {
    call!(SYS_fcntl, fd, command, argument)
}

/// `ioctl`.
pub fn ioctl(fd: i32, request: u32, argument: Address) -> i64 {
    call!(SYS_ioctl, fd, request, argument.get())
}

/// `ioctl` with a borrowed structure.
pub fn ioctl_of<T: crate::memory::Plain>(fd: i32, request: u32, argument: &mut T) -> i64 {
    debug_assert!((request >> 16) as usize & 0x3fff <= size_of::<T>());
    call!(SYS_ioctl, fd, request, std::ptr::from_mut(argument))
}

/// `KMSGPIPE_DUMP` into a borrowed buffer.
pub fn dump(fd: i32, buffer: &mut [u8]) -> (i64, kmsgpipe_sys::raw::kmsgpipe_dump) {
    let mut dump = kmsgpipe_sys::raw::kmsgpipe_dump {
        buffer: buffer.as_mut_ptr() as u64,
        size: buffer.len() as u64,
        ..Default::default()
    };
    (ioctl_of(fd, kmsgpipe_sys::DUMP, &mut dump), dump)
}

/// `poll` with a timeout in milliseconds.
pub fn poll(files: &mut [libc::pollfd], timeout: i32) -> i64 {
    call!(SYS_poll, files.as_mut_ptr(), files.len(), timeout)
}

/// `epoll_create1`.
pub fn epoll() -> i64 {
    call!(SYS_epoll_create1, libc::EPOLL_CLOEXEC)
}

/// Adds a file to an epoll instance, identified by its descriptor.
pub fn epoll_add(epoll: i32, fd: i32, events: u32) -> i64 {
    let mut event = libc::epoll_event {
        events,
        u64: fd as u64,
    };
    call!(
        SYS_epoll_ctl,
        epoll,
        libc::EPOLL_CTL_ADD,
        fd,
        &raw mut event
    )
}

/// Returns the events of an epoll instance, without waiting.
pub fn epoll_wait(epoll: i32, events: &mut [libc::epoll_event]) -> i64 {
    call!(SYS_epoll_wait, epoll, events.as_mut_ptr(), events.len(), 0)
}

/// `pipe2` in non-blocking mode; returns the read end and the write end.
///
/// # Panics
///
/// The call fails.
pub fn pipe() -> (i32, i32) {
    let mut ends = [0i32; 2];
    let ret = call!(
        SYS_pipe2,
        ends.as_mut_ptr(),
        libc::O_CLOEXEC | libc::O_NONBLOCK
    );
    assert_eq!(ret, 0, "pipe2");
    (ends[0], ends[1])
}

/// `splice` of up to `len` bytes, without blocking on the pipe(2).
pub fn splice(from: i32, to: i32, len: usize) -> i64 {
    call!(SYS_splice, from, 0, to, 0, len, libc::SPLICE_F_NONBLOCK)
}

/// Returns the ID of this thread.
pub fn gettid() -> i32 {
    call!(SYS_gettid) as i32
}

/// Sends `SIGUSR1` to a thread of this process.
pub fn kick(tid: i32) -> i64 {
    call!(SYS_tgkill, std::process::id(), tid, libc::SIGUSR1)
}

/// Yields the processor.
pub fn sched_yield() -> i64 {
    call!(SYS_sched_yield)
}

/// Returns `CLOCK_MONOTONIC` in nanoseconds.
pub fn now() -> u64 {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).map_or(0, |time| {
        time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
    })
}

/// Installs an empty handler for `SIGUSR1`, without `SA_RESTART`, and ignores `SIGIO`.
pub fn expect_signals() {
    use nix::sys::signal::{sigaction, SaFlags, SigAction, SigHandler, SigSet, Signal};
    extern "C" fn nothing(_: i32) {}
    let handler = SigAction::new(
        SigHandler::Handler(nothing),
        SaFlags::empty(),
        SigSet::empty(),
    );
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: The handler is async-signal-safe, because it is empty.
    unsafe {
        let _ = sigaction(Signal::SIGUSR1, &handler);
        let _ = sigaction(Signal::SIGIO, &ignore);
    }
}

/// Changes the credentials of this thread to `uid` and `gid`, with at most one supplementary group.
pub fn become_user(uid: u32, gid: u32, group: Option<u32>) -> i64 {
    let count = usize::from(group.is_some());
    let groups = [group.unwrap_or(0)];
    let mut ret = call!(SYS_setgroups, count, groups.as_ptr());
    if ret == 0 {
        ret = call!(SYS_setresgid, gid, gid, gid);
    }
    if ret == 0 {
        ret = call!(SYS_setresuid, uid, uid, uid);
    }
    ret
}

/// Drops `CAP_SYS_ADMIN` in this thread.
pub fn drop_admin() -> i64 {
    const VERSION_3: u32 = 0x2008_0522;
    const SYS_ADMIN: u32 = 21;
    let header = [VERSION_3, 0];
    // Effective, permitted and inheritable sets, for the lower and the upper 32 capabilities.
    let mut sets = [[0u32; 3]; 2];
    let ret = call!(SYS_capget, header.as_ptr(), sets.as_mut_ptr());
    if ret < 0 {
        return ret;
    }
    for set in &mut sets[0] {
        *set &= !(1 << SYS_ADMIN);
    }
    call!(SYS_capset, header.as_ptr(), sets.as_ptr())
}
