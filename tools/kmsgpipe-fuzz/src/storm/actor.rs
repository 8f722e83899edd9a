// SPDX-License-Identifier: GPL-2.0

//! A thread of the storm, which makes random calls concurrently with the others.

use super::{
    payload::{self, Received},
    Slots, NODES, PIPES, SLOTS,
};
use crate::{
    memory::{Address, Arena, Plain},
    model::POLICIES,
    rng::Rng,
    sys::{self, Part},
    trace::result,
    user::become_one,
};
use kmsgpipe_sys::{self as uapi, raw};
use nix::libc::{self, *};

/// Size of the message buffer in the arena.
const ROOM: usize = 8192;

/// Results of a thread.
#[derive(Default)]
pub struct Done {
    /// Messages that it received.
    pub received: Received,
    /// Number of messages that it sent to pipe 0.
    pub sent: u64,
    /// Number of calls.
    pub calls: u64,
    /// Number of its last message.
    pub count: u64,
}

/// A thread.
pub struct Actor<'a> {
    /// Number of the thread.
    pub number: u32,
    /// Random number generator.
    pub rng: Rng,
    /// Descriptors that all threads share.
    pub slots: &'a Slots,
    /// Epoll instance that all threads share.
    pub epoll: i32,
    /// Results so far.
    pub done: Done,
    arena: Arena,
    plain: (i32, i32),
}

/// A violated invariant, if there is one.
type Verdict = Result<(), String>;

/// Fails if a call failed with another errno than these.
fn only(what: &str, ret: i64, errnos: &[i32]) -> Verdict {
    if ret >= 0 || errnos.iter().any(|errno| ret == -i64::from(*errno)) {
        Ok(())
    } else {
        Err(format!("{what} failed with {}", result(ret)))
    }
}

impl<'a> Actor<'a> {
    /// Creates the thread's state, and changes the credentials of the calling thread.
    pub fn new(
        user: usize,
        number: u32,
        seed: u64,
        slots: &'a Slots,
        epoll: i32,
        count: u64,
    ) -> Self {
        become_one(user);
        Self {
            number,
            rng: Rng::new(seed),
            slots,
            epoll,
            done: Done {
                count,
                ..Done::default()
            },
            arena: Arena::new(),
            plain: sys::pipe(),
        }
    }

    /// Makes `calls` calls.
    pub fn run(mut self, calls: u64) -> Result<Done, String> {
        while self.done.calls < calls {
            self.done.calls += 1;
            self.any()?;
        }
        sys::close(self.plain.0);
        sys::close(self.plain.1);
        self.done.received.in_order()?;
        Ok(self.done)
    }

    /// Returns a descriptor, which may be closed, and the pipe that it refers to while open.
    fn slot(&mut self) -> (i32, usize) {
        let slot = self.rng.index(SLOTS);
        (self.slots.fd(slot), slot % PIPES)
    }

    /// Makes a random call.
    fn any(&mut self) -> Verdict {
        let (fd, pipe) = self.slot();
        match self.rng.below(100) {
            0..28 => self.write(fd, pipe),
            28..58 => self.read(fd, pipe),
            58..62 => self.splice(fd, pipe),
            62..67 => self.poll(fd),
            67..70 => self.epoll(fd),
            70..74 => self.flags(fd),
            74..84 => self.open_or_close(fd, pipe),
            84..97 => self.request(fd),
            97 => self.views(),
            98 => self.commands(),
            _ => self.refused(fd),
        }
    }

    /// Writes a message, or invalid data.
    fn write(&mut self, fd: i32, pipe: usize) -> Verdict {
        const ERRNOS: [i32; 6] = [EBADF, EAGAIN, EINTR, EMSGSIZE, ENODEV, EFAULT];
        self.done.count += 1;
        let len = self
            .rng
            .one_of(&[16, 16, 17, 24, 40, 64, 65, 256, 257, 5000]);
        let text = payload::text(self.number, self.done.count, len);
        let place = self.arena.place(&mut self.rng, len, false);
        if place.user && place.good > 0 {
            self.arena.store(place.at, &text[..len.min(place.good)]);
        }
        let flags = self.rng.one_of(&[0, RWF_NOWAIT, RWF_NOWAIT]);
        let half = self.rng.index(len);
        let parts = [
            Part {
                at: place.at.get(),
                len: half,
            },
            Part {
                at: place.at.plus(half).get(),
                len: len - half,
            },
        ];
        let ret = if self.rng.once_in(3) {
            sys::write(fd, place.at, len)
        } else {
            sys::writev(fd, &parts, flags)
        };
        only("write", ret, &ERRNOS)?;
        if ret < 0 {
            return Ok(());
        }
        self.done.sent += u64::from(pipe == 0);
        if ret != len as i64 || place.good < len {
            return Err(format!(
                "{ret} of {len} bytes were written, of which {} are accessible",
                place.good
            ));
        }
        Ok(())
    }

    /// Reads a message.
    fn read(&mut self, fd: i32, pipe: usize) -> Verdict {
        let room = self
            .rng
            .one_of(&[0, 15, 16, 64, 300, ROOM, ROOM, ROOM, ROOM]);
        let place = self.arena.place(&mut self.rng, room, true);
        let ret = if self.rng.once_in(3) {
            sys::read(fd, place.at, room)
        } else {
            let flags = self.rng.one_of(&[0, RWF_NOWAIT, RWF_NOWAIT]);
            let part = Part {
                at: place.at.get(),
                len: room,
            };
            sys::readv(fd, &[part], flags)
        };
        only(
            "read",
            ret,
            &[EBADF, EAGAIN, EINTR, EMSGSIZE, ENODEV, EFAULT],
        )?;
        if ret <= 0 {
            return match (ret, room) {
                (0, 1..) => Err("read returned an empty message".into()),
                _ => Ok(()),
            };
        }
        let len = ret as usize;
        if len > room.min(place.good) {
            return Err(format!(
                "{len} bytes were read into {room}, of which {} are accessible",
                place.good
            ));
        }
        let text = self.arena.bytes(place.at, len);
        self.done.received.note(pipe, &text)
    }

    /// Splices into or out of the pipe.
    fn splice(&mut self, fd: i32, pipe: usize) -> Verdict {
        const ERRNOS: [i32; 5] = [EBADF, EAGAIN, EINTR, EMSGSIZE, ENODEV];
        let (from, to) = self.plain;
        let mut rest = vec![0; 65536];
        if self.rng.once_in(2) {
            let ret = sys::splice(fd, to, 65536);
            only("splice", ret, &ERRNOS)?;
            if ret > 0 {
                let len = sys::read_into(from, &mut rest).max(0) as usize;
                return self.done.received.note(pipe, &rest[..len]);
            }
            return Ok(());
        }
        self.done.count += 1;
        let len = self.rng.one_of(&[16, 30, 256, 257]);
        let text = payload::text(self.number, self.done.count, len);
        if sys::write_of(to, &text) != len as i64 {
            return Err("a pipe(2) rejects a message".into());
        }
        let ret = sys::splice(from, fd, len);
        if ret > 0 {
            self.done.sent += u64::from(pipe == 0);
        } else {
            sys::read_into(from, &mut rest);
        }
        only("splice", ret, &ERRNOS)
    }

    fn poll(&mut self, fd: i32) -> Verdict {
        let events = self.rng.one_of(&[POLLIN, POLLOUT, POLLIN | POLLOUT]);
        let mut files = [pollfd {
            fd,
            events,
            revents: 0,
        }];
        let timeout = self.rng.one_of(&[0, 0, 1]);
        only("poll", sys::poll(&mut files, timeout), &[EINTR])
    }

    fn epoll(&mut self, fd: i32) -> Verdict {
        if self.rng.once_in(2) {
            let events = self.rng.one_of(&[
                EPOLLIN,
                EPOLLOUT,
                EPOLLIN | EPOLLET,
                EPOLLOUT | EPOLLONESHOT,
            ]);
            let ret = sys::epoll_add(self.epoll, fd, events as u32);
            return only("epoll_ctl", ret, &[EEXIST, EBADF]);
        }
        let mut events = [epoll_event { events: 0, u64: 0 }; 8];
        only(
            "epoll_wait",
            sys::epoll_wait(self.epoll, &mut events),
            &[EINTR],
        )
    }

    fn flags(&mut self, fd: i32) -> Verdict {
        let flags = self
            .rng
            .one_of(&[0, O_NONBLOCK, O_ASYNC, O_NONBLOCK | O_ASYNC]);
        let ret = match self.rng.below(4) {
            0 => sys::fcntl(fd, F_SETOWN, std::process::id().into()),
            1 => sys::fcntl(fd, F_GETFL, 0),
            _ => sys::fcntl(fd, F_SETFL, flags.into()),
        };
        only("fcntl", ret, &[EBADF])
    }

    /// Reopens a descriptor of a pipe, or closes one.
    fn open_or_close(&mut self, fd: i32, pipe: usize) -> Verdict {
        if self.rng.once_in(4) {
            return only("close", sys::close(fd), &[EBADF]);
        }
        let access = self
            .rng
            .one_of(&[O_RDONLY, O_WRONLY, O_RDWR, O_RDWR, O_RDWR, 3]);
        let flags = self.rng.one_of(&[0, O_NONBLOCK]);
        let new = sys::open_pipe(NODES[pipe], access | flags);
        // The node may belong to a pipe that is being destroyed or created: devtmpfs creates a node before it
        // sets the permissions.
        only("open", new, &[ENOENT, ENXIO, ENODEV, EACCES])?;
        if new >= 0 {
            let ret = sys::dup_to(new as i32, fd);
            sys::close(new as i32);
            only("dup3", ret, &[EBUSY])?;
        }
        Ok(())
    }

    /// Stores an argument, usually at a valid address.
    fn argument<T: Plain>(&mut self, value: &T) -> Address {
        let place = self.arena.place(&mut self.rng, size_of::<T>(), true);
        if place.good > 0 {
            self.arena.put(place.at, value, place.good);
        }
        place.at
    }

    /// Makes an ioctl.
    fn request(&mut self, fd: i32) -> Verdict {
        const ERRNOS: [i32; 9] = [
            EBADF, EPERM, ENODEV, EFAULT, EINVAL, EBUSY, EEXIST, EINTR, ENOTTY,
        ];
        let any = self.rng.any() as u32;
        let one = u32::from(self.rng.once_in(2));
        let (request, at) = match self.rng.below(24) {
            0..6 => (
                uapi::GET_STATS,
                self.argument(&raw::kmsgpipe_stats::default()),
            ),
            6 => (uapi::CLEAR_QUEUE, Address::NOWHERE),
            7..9 => {
                let params = raw::kmsgpipe_params {
                    msg_size: self.rng.one_of(&[16, 64, 256, 256, 5000, any]),
                    max_msgs: self.rng.one_of(&[1, 2, 3, 16, 100]),
                    ..Default::default()
                };
                (uapi::SET_PARAMS, self.argument(&params))
            }
            9 => (
                uapi::GET_PARAMS,
                self.argument(&raw::kmsgpipe_params::default()),
            ),
            10 => (uapi::TOGGLE_BLOCK, Address::KERNEL),
            11..13 => {
                let flush = raw::kmsgpipe_flush {
                    enable: one,
                    interval_ms: one,
                    expiry_ms: self.rng.one_of(&[one, one * 50]),
                    ..Default::default()
                };
                (uapi::FLUSH_PERIODIC, self.argument(&flush))
            }
            13 | 14 => {
                let mut create = raw::kmsgpipe_create {
                    msg_size: 64,
                    max_msgs: 4,
                    mode: 0o666,
                    overflow: self.rng.below(3) as u32,
                    ..Default::default()
                };
                let name = NODES[1 + one as usize].trim_start_matches("/dev/kmsgpipe/");
                for (to, from) in create.name.iter_mut().zip(name.bytes()) {
                    *to = from as _;
                }
                (uapi::CREATE_NEW, self.argument(&create))
            }
            15 => (uapi::DESTROY, Address::KERNEL),
            16..20 => {
                let dump = raw::kmsgpipe_dump {
                    buffer: self.rng.one_of(&[
                        self.arena.at(ROOM).get(),
                        self.arena.end().get() - 1000,
                        Address::NOWHERE.get(),
                        Address::KERNEL.get(),
                        usize::MAX,
                    ]) as u64,
                    size: self.rng.one_of(&[0, 500, 128 << 10, u64::MAX]),
                    ..Default::default()
                };
                // A size beyond the buffer ends in the inaccessible memory after it.
                (uapi::DUMP, self.argument(&dump))
            }
            20..22 => (libc::FIONREAD as u32, self.argument(&0)),
            _ => (any & !0xff00 | 0x5900, Address::NOWHERE),
        };
        only("ioctl", sys::ioctl(fd, request, at), &ERRNOS)
    }

    /// Returns the number of a pipe that existed recently.
    fn any_id(&mut self) -> u32 {
        let (fd, _) = self.slot();
        let mut stats = raw::kmsgpipe_stats::default();
        sys::ioctl_of(fd, uapi::GET_STATS, &mut stats);
        stats.id
    }

    /// Reads procfs, sysfs and debugfs files.
    fn views(&mut self) -> Verdict {
        let pipe = format!("/sys/class/kmsgpipe/pipe{}", self.any_id());
        let (peak, node) = (pipe.clone() + "/peak_msgs", pipe + "/node");
        let path = self.rng.one_of(&[
            "/proc/kmsgpipe_stats",
            "/proc/kmsgpipe_subscriptions",
            "/sys/kernel/debug/kmsgpipe/pipes",
            "/sys/class/kmsgpipe/pipe0/depth_bytes",
            &peak,
            &node,
        ]);
        let fd = sys::open(path, O_RDONLY);
        // sysfs returns ENODEV for an attribute that is being removed.
        only(path, fd, &[ENOENT, EACCES, ENODEV])?;
        if fd >= 0 {
            let mut text = [0; 4096];
            let ret = sys::read_into(fd as i32, &mut text);
            sys::close(fd as i32);
            only(path, ret, &[ENODEV, EINTR])?;
        }
        Ok(())
    }

    /// Writes sysfs attributes of the administrator.
    fn commands(&mut self) -> Verdict {
        let id = self.any_id().to_string();
        let interval = format!("/sys/class/kmsgpipe/pipe{id}/flush_interval_ms");
        let overflow = format!("/sys/class/kmsgpipe/pipe{id}/overflow");
        let policy = self.rng.one_of(&POLICIES);
        let (path, text) = self.rng.one_of(&[
            (overflow.as_str(), policy),
            ("/sys/class/kmsgpipe/create", NODES[1]),
            ("/sys/class/kmsgpipe/destroy", &id),
            ("/sys/class/kmsgpipe/destroy", "pipe0"),
            ("/sys/class/kmsgpipe/pipe0/flush_enable", "0"),
            (&interval, "1"),
        ]);
        let fd = sys::open(path, O_WRONLY);
        // sysfs returns ENODEV for an attribute that is being removed.
        only(path, fd, &[ENOENT, EACCES, ENODEV])?;
        if fd >= 0 {
            let ret = sys::write_of(fd as i32, text.as_bytes());
            sys::close(fd as i32);
            only(path, ret, &[ENODEV, EPERM, EINVAL, EEXIST, EBUSY, EINTR])?;
        }
        Ok(())
    }

    /// Makes calls that a pipe does not support.
    fn refused(&mut self, fd: i32) -> Verdict {
        let at = self.arena.at(0);
        let ret = match self.rng.below(5) {
            0 => sys::lseek(fd, 0, 0),
            1 => sys::pread(fd, at, 64, 0),
            2 => sys::pwrite(fd, at, 64, 0),
            3 => sys::mmap(fd, PROT_READ, MAP_SHARED),
            _ => sys::fsync(fd),
        };
        if ret >= 0 {
            return Err("a pipe supports lseek or mmap".into());
        }
        only(
            "an unsupported call",
            ret,
            &[EBADF, ESPIPE, EACCES, ENODEV, EINVAL],
        )
    }
}
