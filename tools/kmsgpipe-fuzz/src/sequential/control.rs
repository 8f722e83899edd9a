// SPDX-License-Identifier: GPL-2.0

//! Ioctls.

use super::world::{File, Member, World};
use crate::{
    memory::{Address, Place},
    model::{err, limits_are_valid, Flush, Pipe, Stats},
    sys,
    trace::{self, Checked, Fault, Trace},
    user::Node,
};
use kmsgpipe_sys::{self as uapi, raw};
use nix::libc;

/// Maximum number of pipes at a time.
const PIPES_MAX: usize = 5;

/// Minimum expiry time in milliseconds, so long that nothing expires during a run.
pub const EXPIRY_MIN: u32 = 200_000_000;

/// Valid names of pipes.
const NAMES: [&[u8]; 4] = [b"a", b"b-1", b"x.y_Z", b"abcdefghijklmnopqrstuvwxyz01234"];
const NO_NAMES: [&[u8]; 7] = [
    b".",
    b"..",
    b"a.peer",
    b"a/b",
    b"a\0b",
    b"abcdefghijklmnopqrstuvwxyz012345",
    b"\xff",
];

impl World {
    /// Stores an argument at a random place, as much of it as is accessible there.
    fn argument<T: crate::memory::Plain>(&mut self, value: &T, written: bool) -> Place {
        let place = self.arena.place(&mut self.rng, size_of::<T>(), written);
        if place.good > 0 {
            self.arena.put(place.at, value, place.good);
        }
        place
    }

    /// Returns the error of an ioctl before its argument is evaluated, including a fault when copying it.
    fn verdict(&mut self, file: File, admin: bool, size: usize, place: Place) -> i64 {
        if admin && !self.caller().admin {
            err(libc::EPERM)
        } else if self.pipe_of(file).dead {
            err(libc::ENODEV)
        } else if place.good < size {
            err(libc::EFAULT)
        } else {
            0
        }
    }

    /// Makes an ioctl on `file`.
    fn request(
        &mut self,
        trace: &Trace,
        name: &'static str,
        file: File,
        request: u32,
        place: Place,
        want: i64,
    ) -> Checked {
        let arguments = [file.fd.into(), request.into(), place.good as i64, 0];
        self.call(trace, name, arguments, want, || {
            sys::ioctl(file.fd, request, place.at)
        })?;
        Ok(())
    }

    /// `GET_STATS`, and compares all statistics.
    pub fn get_stats(&mut self, trace: &Trace, file: File) -> Checked {
        let place = self.argument(&Stats::default(), true);
        let want = self.verdict(file, false, size_of::<Stats>(), place);
        let before = sys::now();
        self.request(trace, "GET_STATS", file, uapi::GET_STATS, place, want)?;
        let after = sys::now();
        if want < 0 {
            return Ok(());
        }
        let mut got: Stats = self.arena.get(place.at);
        let read = self.open_of(file).read;
        let pipe = self.pipe_of(file);
        if let (true, Some(head)) = (read, pipe.queue.front()) {
            let least = before.saturating_sub(head.sent.1);
            let most = after - head.sent.0;
            if !(least..=most).contains(&got.head_age_ns) {
                let text = format!(
                    "head_age_ns is {}, expected {least} to {most}",
                    got.head_age_ns
                );
                return Err(Fault(text));
            }
            got.head_age_ns = 0;
        }
        trace::same("GET_STATS", &pipe.stats(read), &got)
    }

    /// `FIONREAD`.
    pub fn next_len(&mut self, trace: &Trace, file: File) -> Checked {
        let place = self.argument(&0i32, true);
        let mut want = self.verdict(file, false, 4, place);
        if !self.open_of(file).read && want != err(libc::ENODEV) {
            want = err(libc::EBADF);
        }
        self.request(trace, "FIONREAD", file, libc::FIONREAD as u32, place, want)?;
        if want < 0 {
            return Ok(());
        }
        let len = self.pipe_of(file).next_len() as i32;
        trace::same("FIONREAD", &len, &self.arena.get(place.at))
    }

    /// `GET_PARAMS`.
    pub fn get_params(&mut self, trace: &Trace, file: File) -> Checked {
        let dirt = raw::kmsgpipe_params {
            msg_size: 1,
            max_msgs: 2,
            reserved: [3, 4],
        };
        let place = self.argument(&dirt, true);
        let want = self.verdict(file, false, size_of_val(&dirt), place);
        self.request(trace, "GET_PARAMS", file, uapi::GET_PARAMS, place, want)?;
        if want < 0 {
            return Ok(());
        }
        let pipe = self.pipe_of(file);
        let params = raw::kmsgpipe_params {
            msg_size: pipe.msg_size,
            max_msgs: pipe.max_msgs,
            reserved: [0; 2],
        };
        trace::same("GET_PARAMS", &params, &self.arena.get(place.at))
    }

    /// Returns random limits, usually valid ones.
    fn limits(&mut self) -> (u32, u32) {
        if self.rng.once_in(6) {
            let hostile = [
                0,
                1,
                1 << 20,
                (1 << 20) + 1,
                65536,
                65537,
                1 << 31,
                u32::MAX,
            ];
            (self.rng.one_of(&hostile), self.rng.one_of(&hostile))
        } else {
            let msg_size = self
                .rng
                .one_of(&[1, 2, 7, 8, 16, 64, 256, 256, 1000, 4096, 9000, 70000]);
            (msg_size, self.rng.one_of(&[1, 1, 2, 3, 4, 8, 24]))
        }
    }

    /// `SET_PARAMS`.
    pub fn set_params(&mut self, trace: &Trace, file: File) -> Checked {
        let (msg_size, max_msgs) = self.limits();
        let mut params = raw::kmsgpipe_params {
            msg_size,
            max_msgs,
            reserved: [0; 2],
        };
        let reserved = self.rng.once_in(10);
        if reserved {
            params.reserved[self.rng.index(2)] = 1 << self.rng.below(32);
        }
        let place = self.argument(&params, false);
        let mut want = self.verdict(file, true, size_of_val(&params), place);
        if want == 0 {
            want = if reserved {
                err(libc::EINVAL)
            } else {
                self.pipe_of(file).set_params(msg_size, max_msgs)
            };
        }
        self.request(trace, "SET_PARAMS", file, uapi::SET_PARAMS, place, want)
    }

    /// `FLUSH_PERIODIC`, with times so long that nothing expires.
    pub fn flush_periodic(&mut self, trace: &Trace, file: File) -> Checked {
        let enable = self.rng.one_of(&[0, 0, 1, 1, 1, 2, u32::MAX]);
        let mut flush = raw::kmsgpipe_flush {
            enable,
            interval_ms: self.rng.one_of(&[0, 1, 5000, u32::MAX]),
            expiry_ms: self.rng.one_of(&[EXPIRY_MIN, EXPIRY_MIN + 1, u32::MAX]),
            reserved: u32::from(self.rng.once_in(10)),
        };
        if enable == 0 && !self.rng.once_in(4) {
            (flush.interval_ms, flush.expiry_ms) = (0, 0);
        }
        let place = self.argument(&flush, false);
        let mut want = self.verdict(file, true, size_of_val(&flush), place);
        if want == 0 {
            let times = flush.interval_ms | flush.expiry_ms;
            if flush.reserved != 0 || enable > 1 || enable == 0 && times != 0 {
                want = err(libc::EINVAL);
            } else {
                self.pipe_of(file)
                    .set_flush(enable == 1, flush.interval_ms, flush.expiry_ms);
            }
        }
        self.request(
            trace,
            "FLUSH_PERIODIC",
            file,
            uapi::FLUSH_PERIODIC,
            place,
            want,
        )
    }

    /// Returns a random argument for an ioctl that ignores it.
    fn ignored_argument(&mut self) -> Place {
        let at = self
            .rng
            .one_of(&[self.arena.at(0), Address::NOWHERE, Address::KERNEL]);
        Place {
            at,
            good: 0,
            user: true,
        }
    }

    /// `TOGGLE_BLOCK`.
    pub fn toggle_block(&mut self, trace: &Trace, file: File) -> Checked {
        let place = self.ignored_argument();
        let want = self.verdict(file, false, 0, place);
        if want == 0 {
            self.open_of(file).flags ^= libc::O_NONBLOCK;
        }
        self.request(trace, "TOGGLE_BLOCK", file, uapi::TOGGLE_BLOCK, place, want)
    }

    /// `CLEAR_QUEUE`.
    pub fn clear_queue(&mut self, trace: &Trace, file: File) -> Checked {
        let place = self.ignored_argument();
        let want = self.verdict(file, true, 0, place);
        if want == 0 {
            self.pipe_of(file).clear();
        }
        self.request(trace, "CLEAR_QUEUE", file, uapi::CLEAR_QUEUE, place, want)
    }

    /// `DESTROY`.
    pub fn destroy(&mut self, trace: &Trace, file: File) -> Checked {
        let place = self.ignored_argument();
        let mut want = self.verdict(file, true, 0, place);
        if want == 0 {
            want = self.pipe_of(file).destroy();
        }
        self.request(trace, "DESTROY", file, uapi::DESTROY, place, want)
    }

    /// `CREATE_NEW`.
    pub fn create_new(&mut self, trace: &Trace, file: File) -> Checked {
        let (msg_size, max_msgs) = self.limits();
        let mut create = raw::kmsgpipe_create {
            msg_size,
            max_msgs,
            mode: self
                .rng
                .one_of(&[0, 0o600, 0o666, 0o640, 0o220, 0o444, 0o007, 0o777]),
            uid: self.rng.one_of(&[0, 1001, 1002]),
            gid: self.rng.one_of(&[0, 2001, 2002]),
            overflow: self.rng.below(3) as u32,
            ..Default::default()
        };
        let mut name = &b""[..];
        let mut right = limits_are_valid(msg_size, max_msgs);
        if self.rng.once_in(2) {
            name = self.rng.one_of(&NAMES);
        }
        if self.rng.once_in(3) || self.alive().len() >= PIPES_MAX {
            right = false;
            match self.rng.below(7) {
                0 => create.mode |= 1 << (9 + self.rng.below(23)),
                1 => create.uid = u32::MAX,
                2 => create.gid = u32::MAX,
                3 => create.flags = 1 << self.rng.below(32),
                4 => create.reserved[self.rng.index(2)] = 1 << self.rng.below(32),
                5 => create.overflow = self.rng.one_of(&[3, 4, 1 << 31, u32::MAX]),
                _ => name = self.rng.one_of(&NO_NAMES),
            }
        }
        for (to, from) in create.name.iter_mut().zip(name) {
            *to = *from as _;
        }
        let place = self.argument(&create, false);
        let mut want = self.verdict(file, true, size_of_val(&create), place);
        if want == 0 {
            let name = String::from_utf8_lossy(name).into_owned();
            want = match (right, self.by_name(&name)) {
                (false, _) => err(libc::EINVAL),
                (true, Some(_)) => err(libc::EEXIST),
                _ => self.add_pipe(&create, Some(name).filter(|name| !name.is_empty())),
            };
        }
        self.request(trace, "CREATE_NEW", file, uapi::CREATE_NEW, place, want)
    }

    /// Returns the pipe with this name.
    pub fn by_name(&self, name: &str) -> Option<u64> {
        let named = |member: &Member| !member.model.dead && member.name.as_deref() == Some(name);
        self.pipes
            .iter()
            .find_map(|(key, member)| named(member).then_some(*key))
    }

    /// Adds a created pipe, and returns its number.
    pub fn add_pipe(&mut self, create: &raw::kmsgpipe_create, name: Option<String>) -> i64 {
        let id = self.take_id();
        let path = match &name {
            Some(name) => format!("/dev/kmsgpipe/{name}"),
            None => format!("/dev/kmsgpipe{id}"),
        };
        let member = Member {
            model: Pipe {
                overflow: create.overflow,
                ..Pipe::new(id, create.msg_size, create.max_msgs)
            },
            node: Node {
                path,
                mode: if create.mode == 0 { 0o600 } else { create.mode },
                uid: create.uid,
                gid: create.gid,
            },
            name,
            opens: 0,
        };
        let key = self.key();
        self.pipes.insert(key, member);
        id.into()
    }

    /// `DUMP`, and compares its whole result.
    pub fn dump(&mut self, trace: &Trace, file: File) -> Checked {
        let whole = self.pipe_of(file).dump(u64::MAX).0;
        let size = match self.rng.below(8) {
            0 => 0,
            1 => whole.saturating_sub(1),
            2 => whole,
            3 => self.rng.below(whole + 1),
            4 => u64::MAX,
            _ => 128 << 10,
        };
        let (mut used, mut records) = self.pipe_of(file).dump(size);
        // A buffer larger than the memory.
        let buffer = if used > 128 << 10 {
            (used, records) = (0, 0);
            Place {
                at: Address::NOWHERE,
                good: 0,
                user: true,
            }
        } else {
            self.arena.place(&mut self.rng, used as usize, true)
        };
        let size = if buffer.at == Address::NOWHERE && used == 0 {
            0
        } else {
            size
        };
        let request = raw::kmsgpipe_dump {
            buffer: buffer.at.get() as u64,
            size,
            used: self.rng.any(),
            records: 7,
            missing: 8,
            reserved: [0, u64::from(self.rng.once_in(12))],
        };
        // A place after the dump.
        let at = self.arena.at(300 << 10);
        let bad = self.rng.once_in(12);
        let place = Place {
            at: if bad { Address::NOWHERE } else { at },
            good: if bad { 0 } else { size_of_val(&request) },
            user: true,
        };
        if !bad {
            self.arena.put(at, &request, usize::MAX);
        }
        let mut want = self.verdict(file, true, size_of_val(&request), place);
        if want == 0 && request.reserved[1] != 0 {
            want = err(libc::EINVAL);
        }
        if want == 0 && (used as usize > buffer.good) {
            want = err(libc::EFAULT);
        }
        self.request(trace, "DUMP", file, uapi::DUMP, place, want)?;
        if want < 0 {
            return Ok(());
        }
        let missing = self.pipe_of(file).queue.len() as u32 - records;
        let said = raw::kmsgpipe_dump {
            used,
            records,
            missing,
            ..request
        };
        trace::same("DUMP", &said, &self.arena.get(at))?;
        self.check_records(file, buffer.at, records)
    }

    /// Compares the records of a dump.
    fn check_records(&mut self, file: File, mut at: Address, records: u32) -> Checked {
        let queue: Vec<_> = self.pipe_of(file).queue.iter().copied().collect();
        for message in queue.into_iter().take(records as usize) {
            let mut got: raw::kmsgpipe_record = self.arena.get(at);
            let (first, last) = message.sent;
            if !(first..=last).contains(&got.monotonic_ns) || got.realtime_ns == 0 {
                let text = format!(
                    "DUMP: sent at {}, expected {first} to {last}",
                    got.monotonic_ns
                );
                return Err(Fault(text));
            }
            (got.monotonic_ns, got.realtime_ns) = (0, 0);
            let want = raw::kmsgpipe_record {
                seq: message.seq,
                len: message.body.len,
                uid: message.uid,
                gid: message.gid,
                pid: std::process::id(),
                flags: if message.privileged {
                    raw::KMSGPIPE_RECORD_PRIVILEGED
                } else {
                    0
                },
                ..Default::default()
            };
            trace::same("DUMP", &want, &got)?;
            let mut payload = self.text(message.body).to_vec();
            payload.resize(payload.len().next_multiple_of(8), 0);
            at = at.plus(size_of_val(&got));
            if !self.arena.holds(at, &payload) {
                return Err(Fault(format!("DUMP: wrong payload of {want:?}")));
            }
            at = at.plus(payload.len());
        }
        Ok(())
    }

    /// An unknown ioctl: similar to a known one, or random.
    pub fn unknown_request(&mut self, trace: &Trace, file: File) -> Checked {
        const KNOWN: [u32; 9] = [
            uapi::GET_STATS,
            uapi::CLEAR_QUEUE,
            uapi::SET_PARAMS,
            uapi::GET_PARAMS,
            uapi::TOGGLE_BLOCK,
            uapi::FLUSH_PERIODIC,
            uapi::CREATE_NEW,
            uapi::DESTROY,
            uapi::DUMP,
        ];
        let mut request = self.rng.one_of(&KNOWN);
        match self.rng.below(4) {
            // Change size, direction or type.
            0 => request ^= 1 << (8 + self.rng.below(24)),
            // Change the number.
            1 => request = request & !0xff | (9 + self.rng.below(247)) as u32,
            2 => request = self.rng.one_of(&[0, 1, u32::MAX, 0x5401, 1 << 31]),
            _ => request = (self.rng.any() as u32) & 0xffff_00ff | 0x5900,
        }
        if KNOWN.contains(&request) {
            return Ok(());
        }
        let place = self.ignored_argument();
        self.request(
            trace,
            "unknown request",
            file,
            request,
            place,
            err(libc::ENOTTY),
        )
    }
}

impl Pipe {
    /// Changes expiry; 0 selects the default.
    pub fn set_flush(&mut self, enabled: bool, interval_ms: u32, expiry_ms: u32) {
        self.flush.enabled = enabled;
        if enabled {
            let or = |value, default| if value == 0 { default } else { value };
            self.flush = Flush {
                enabled,
                interval_ms: or(interval_ms, uapi::FLUSH_INTERVAL_DEFAULT),
                expiry_ms: or(expiry_ms, uapi::FLUSH_EXPIRY_DEFAULT),
            };
        }
    }
}
