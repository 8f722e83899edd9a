// SPDX-License-Identifier: GPL-2.0

//! Calls on files: opening and closing, flags, polling, and unsupported calls.

use super::world::{File, World};
use crate::{
    memory::Address,
    model::err,
    sys,
    trace::{self, expect, Checked, Fault, Trace},
};
use nix::libc::{self, epoll_event, pollfd};

/// File flags that are compared.
const SHOWN: i32 = libc::O_ACCMODE | libc::O_NONBLOCK | libc::O_ASYNC;

/// Events to poll for.
const EVENTS: [i16; 5] = [
    0,
    libc::POLLIN,
    libc::POLLOUT,
    libc::POLLIN | libc::POLLOUT,
    0x7ff,
];

impl World {
    /// Opens a pipe, or a path without one.
    pub fn open(&mut self, trace: &Trace) -> Checked {
        if self.is_crowded() {
            return self.close(trace);
        }
        if self.rng.once_in(16) {
            let path = format!("/dev/kmsgpipe{}", self.next_id());
            let want = err(libc::ENOENT);
            self.call(trace, "open nothing", [0; 4], want, || {
                sys::open(&path, libc::O_RDWR)
            })?;
            return Ok(());
        }
        let key = self.any_alive();
        let access = self.rng.one_of(&[
            libc::O_RDONLY,
            libc::O_WRONLY,
            libc::O_RDWR,
            libc::O_RDWR,
            3,
        ]);
        let mut flags = self.rng.one_of(&[0, libc::O_NONBLOCK]);
        let direct = self.rng.once_in(20);
        if direct {
            flags |= libc::O_DIRECT;
        }
        let node = self.pipes[&key].node.clone();
        let arguments = [key as i64, (access | flags).into(), 0, 0];
        let fd = trace.call(self.user, "open", arguments, || {
            sys::open_pipe(&node.path, access | flags)
        });
        if !node.may_open(self.user, access) {
            return expect("open", err(libc::EACCES), fd);
        }
        if direct {
            return expect("open", err(libc::EINVAL), fd);
        }
        if fd < 0 {
            return expect("open", 0, fd);
        }
        self.add_open(key, fd as i32, access, flags);
        Ok(())
    }

    /// Closes a descriptor.
    pub fn close(&mut self, trace: &Trace) -> Checked {
        let count = self.files.len();
        if count == 0 {
            return Ok(());
        }
        let index = self.rng.index(count);
        let fd = self.files[index].fd;
        self.call(trace, "close", [fd.into(), 0, 0, 0], 0, || sys::close(fd))?;
        self.remove(index);
        Ok(())
    }

    /// Duplicates a descriptor.
    pub fn dup(&mut self, trace: &Trace, file: File) -> Checked {
        if self.is_crowded() {
            return self.close(trace);
        }
        let fd = trace.call(self.user, "dup", [file.fd.into(), 0, 0, 0], || {
            sys::dup(file.fd)
        });
        if fd < 0 {
            return expect("dup", 0, fd);
        }
        self.open_of(file).descriptors += 1;
        self.files.push(File {
            fd: fd as i32,
            open: file.open,
        });
        Ok(())
    }

    /// Changes file flags with `fcntl` or an ioctl.
    pub fn set_flags(&mut self, trace: &Trace, file: File) -> Checked {
        let on = self.rng.once_in(2);
        let bit = self
            .rng
            .one_of(&[libc::O_NONBLOCK, libc::O_NONBLOCK, libc::O_ASYNC]);
        let old = self.open_of(file).flags;
        let new = if on { old | bit } else { old & !bit };
        let arguments = [file.fd.into(), new.into(), 0, 0];
        match self.rng.below(6) {
            0..3 => {
                self.call(trace, "F_SETFL", arguments, 0, || {
                    sys::fcntl(file.fd, libc::F_SETFL, new.into())
                })?;
            }
            3 => {
                let direct = (new | libc::O_DIRECT).into();
                let want = err(libc::EINVAL);
                self.call(trace, "F_SETFL O_DIRECT", arguments, want, || {
                    sys::fcntl(file.fd, libc::F_SETFL, direct)
                })?;
                return Ok(());
            }
            _ => {
                let request = if bit == libc::O_ASYNC {
                    libc::FIOASYNC
                } else {
                    libc::FIONBIO
                };
                let place = self.arena.place(&mut self.rng, 4, false);
                if place.good > 0 {
                    self.arena.put(place.at, &i32::from(on), place.good);
                }
                let want = if place.good < 4 { err(libc::EFAULT) } else { 0 };
                self.call(trace, "FIONBIO or FIOASYNC", arguments, want, || {
                    sys::ioctl(file.fd, request as u32, place.at)
                })?;
                if want < 0 {
                    return Ok(());
                }
            }
        }
        self.open_of(file).flags = new;
        Ok(())
    }

    /// Reads file flags.
    pub fn get_flags(&mut self, trace: &Trace, file: File) -> Checked {
        let got = trace.call(self.user, "F_GETFL", [file.fd.into(), 0, 0, 0], || {
            sys::fcntl(file.fd, libc::F_GETFL, 0)
        });
        let open = self.open_of(file);
        let access = match (open.read, open.write) {
            (true, true) => libc::O_RDWR,
            (true, false) => libc::O_RDONLY,
            (false, true) => libc::O_WRONLY,
            (false, false) => 3,
        };
        let want = access | open.flags;
        expect("F_GETFL", want.into(), got & i64::from(SHOWN))
    }

    /// Returns the events that a poll for `events` reports.
    fn readiness(&mut self, file: File, events: i16) -> i16 {
        let open = self.open_of(file);
        let (read, write) = (open.read, open.write);
        self.pipe_of(file).poll(read, write) & (events | libc::POLLERR | libc::POLLHUP)
    }

    /// Polls some descriptors without waiting.
    pub fn poll(&mut self, trace: &Trace) -> Checked {
        let mut files = Vec::new();
        let mut want = Vec::new();
        for _ in 0..=self.rng.below(3) {
            let Some(file) = self.file() else {
                return Ok(());
            };
            let events = self.rng.one_of(&EVENTS);
            files.push(pollfd {
                fd: file.fd,
                events,
                revents: 0,
            });
            want.push(self.readiness(file, events));
        }
        let count = want.iter().filter(|revents| **revents != 0).count();
        let arguments = [files[0].fd.into(), files.len() as i64, 0, 0];
        self.call(trace, "poll", arguments, count as i64, || {
            sys::poll(&mut files, 0)
        })?;
        let got: Vec<_> = files.iter().map(|file| file.revents).collect();
        trace::same("poll", &want, &got)
    }

    /// Polls some descriptors with epoll.
    pub fn epoll(&mut self, trace: &Trace) -> Checked {
        let epoll = sys::epoll();
        if epoll < 0 {
            return expect("epoll_create1", 0, epoll);
        }
        let epoll = epoll as i32;
        let mut want = Vec::new();
        let mut seen = Vec::new();
        for _ in 0..=self.rng.below(3) {
            let Some(file) = self.file() else {
                break;
            };
            let events = self.rng.one_of(&EVENTS);
            let again = seen.contains(&file.fd);
            let ret = if again { err(libc::EEXIST) } else { 0 };
            let arguments = [file.fd.into(), events.into(), 0, 0];
            self.call(trace, "epoll_ctl", arguments, ret, || {
                sys::epoll_add(epoll, file.fd, events as u32)
            })?;
            if again {
                continue;
            }
            seen.push(file.fd);
            let ready = self.readiness(file, events);
            if ready != 0 {
                want.push((file.fd as u64, ready as u32));
            }
        }
        let mut events = [epoll_event { events: 0, u64: 0 }; 8];
        let arguments = [epoll.into(), 0, 0, 0];
        self.call(trace, "epoll_wait", arguments, want.len() as i64, || {
            sys::epoll_wait(epoll, &mut events)
        })?;
        let mut got: Vec<_> = events[..want.len()]
            .iter()
            .map(|event| (event.u64, event.events))
            .collect();
        got.sort_unstable();
        want.sort_unstable();
        sys::close(epoll);
        trace::same("epoll_wait", &want, &got)
    }

    /// Makes a call that a file without position and pages rejects.
    pub fn refused(&mut self, trace: &Trace, file: File) -> Checked {
        let fd = file.fd;
        let at = self.arena.at(0);
        let open = self.open_of(file);
        let (read, write) = (open.read, open.write);
        let offset = self.rng.one_of(&[-1, 0, 1, i64::MAX]);
        let seek = if offset < 0 {
            err(libc::EINVAL)
        } else {
            err(libc::ESPIPE)
        };
        let arguments = [fd.into(), offset, 0, 0];
        let (name, want, got): (_, i64, Box<dyn FnOnce() -> i64>) = match self.rng.below(8) {
            0 => {
                let whence = self.rng.below(7) as i32;
                let want = if whence > 4 {
                    libc::EINVAL
                } else {
                    libc::ESPIPE
                };
                let call = move || sys::lseek(fd, offset, whence);
                ("lseek", err(want), Box::new(call))
            }
            1 => (
                "pread",
                seek,
                Box::new(move || sys::pread(fd, at, 16, offset)),
            ),
            2 => (
                "pwrite",
                seek,
                Box::new(move || sys::pwrite(fd, at, 16, offset)),
            ),
            3 => {
                let protection = self
                    .rng
                    .one_of(&[libc::PROT_READ, libc::PROT_READ | libc::PROT_WRITE]);
                let flags = self.rng.one_of(&[libc::MAP_SHARED, libc::MAP_PRIVATE]);
                let writes = flags == libc::MAP_SHARED && protection & libc::PROT_WRITE != 0;
                let want = if !read || writes && !write {
                    libc::EACCES
                } else {
                    libc::ENODEV
                };
                (
                    "mmap",
                    err(want),
                    Box::new(move || sys::mmap(fd, protection, flags)),
                )
            }
            4 => ("fsync", err(libc::EINVAL), Box::new(move || sys::fsync(fd))),
            5 => (
                "ftruncate",
                err(libc::EINVAL),
                Box::new(move || sys::ftruncate(fd, offset)),
            ),
            6 => {
                let want = if offset < 0 {
                    libc::EINVAL
                } else if write {
                    libc::ENODEV
                } else {
                    libc::EBADF
                };
                let call = move || sys::fallocate(fd, offset, 1);
                ("fallocate", err(want), Box::new(call))
            }
            _ => {
                let call = move || sys::getdents(fd, at, 64);
                ("getdents", err(libc::ENOTDIR), Box::new(call))
            }
        };
        self.call(trace, name, arguments, want, got)?;
        Ok(())
    }

    /// Makes a call on a closed descriptor.
    pub fn closed(&mut self, trace: &Trace) -> Checked {
        let fd = self.rng.one_of(&[-1, 4000, i32::MAX, i32::MIN]);
        let at = self.rng.one_of(&[Address::NOWHERE, self.arena.at(0)]);
        let which = self.rng.below(4);
        let arguments = [fd.into(), which as i64, 0, 0];
        self.call(
            trace,
            "no descriptor",
            arguments,
            err(libc::EBADF),
            || match which {
                0 => sys::read(fd, at, 8),
                1 => sys::write(fd, at, 8),
                2 => sys::ioctl(fd, kmsgpipe_sys::GET_STATS, at),
                _ => sys::close(fd),
            },
        )?;
        Ok(())
    }

    /// Closes all descriptors.
    pub fn close_all(&mut self) -> Checked {
        while let Some(file) = self.files.last() {
            if sys::close(file.fd) != 0 {
                return Err(Fault(format!("close({}) failed", file.fd)));
            }
            self.remove(self.files.len() - 1);
        }
        Ok(())
    }
}
