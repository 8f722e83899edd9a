// SPDX-License-Identifier: GPL-2.0

//! Sending and receiving.

use super::world::{File, World};
use crate::{
    memory::{Address, Place},
    model::{err, Body, BLOCKS},
    sys::{self, Part},
    trace::{Checked, Fault, Trace},
};
use nix::libc;

/// A flag of `pwritev2` that the kernel supports only for other kinds of files.
const RWF_ATOMIC: i32 = 0x40;
const RWF_DONTCACHE: i32 = 0x80;

/// Bytes after a message in the reader's memory, which must not change.
const CANARY: [u8; 8] = *b"\xa5canary\x5a";

/// Capacity of a pipe(2).
const PLAIN_SIZE: usize = 65536;

/// How a call is made.
enum Way {
    Plain,
    Vector(i32),
}

impl World {
    /// Returns random flags for a call, usually valid ones.
    fn rwf(&mut self) -> i32 {
        match self.rng.below(24) {
            0 => RWF_ATOMIC,
            1 => RWF_DONTCACHE,
            2 => 1 << 30,
            3 => libc::RWF_HIPRI,
            4 => libc::RWF_DSYNC | libc::RWF_NOWAIT,
            5 => libc::RWF_APPEND,
            6..12 => 0,
            _ => libc::RWF_NOWAIT,
        }
    }

    /// Chooses a plain or a vectored call.
    fn way(&mut self) -> Way {
        if self.rng.once_in(2) {
            Way::Plain
        } else {
            Way::Vector(self.rwf())
        }
    }

    /// Splits memory into the elements of an I/O vector.
    fn parts(&mut self, at: Address, len: usize) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut from = 0;
        let count = self.rng.index(4);
        for _ in 0..count {
            let piece = self.rng.index(len - from + 1);
            parts.push(Part {
                at: at.get().wrapping_add(from),
                len: piece,
            });
            from += piece;
        }
        parts.push(Part {
            at: at.get().wrapping_add(from),
            len: len - from,
        });
        parts
    }

    /// Returns a length around the maximum message size of the pipe of `file`.
    fn length(&mut self, file: File) -> usize {
        let limit = self.pipe_of(file).msg_size as usize;
        match self.rng.below(16) {
            0 => 0,
            1 => 1,
            2 => limit - 1,
            3..5 => limit,
            5 => limit + 1,
            6 => limit + 1 + self.rng.index(5000),
            _ => self.rng.index(limit.min(1 << 10) + 1),
        }
        .min(100_000)
    }

    /// Writes a message.
    pub fn write(&mut self, trace: &Trace) -> Checked {
        let Some(file) = self.file() else {
            return Ok(());
        };
        let len = self.length(file);
        let body = self.body(len as u32);
        let place = self.arena.place(&mut self.rng, len, false);
        let way = self.way();
        if place.user && place.at != Address::NOWHERE {
            let good = place.good.min(len);
            let text = self.bytes[body.key as usize..][..good].to_vec();
            self.arena.store(place.at, &text);
        }
        let (want, flags) = self.send(file, body, place, &way);
        let arguments = [file.fd.into(), len as i64, flags.into(), place.good as i64];
        let parts = self.parts(place.at, len);
        // A call that would block is made with RWF_NOWAIT, which needs a vector.
        if matches!(way, Way::Plain) && flags == 0 {
            self.call(trace, "write", arguments, want, || {
                sys::write(file.fd, place.at, len)
            })?;
        } else {
            self.call(trace, "writev", arguments, want, || {
                sys::writev(file.fd, &parts, flags)
            })?;
        }
        self.sent(file, want);
        Ok(())
    }

    /// Returns the expected result of a write, and the flags to make it with.
    fn send(&mut self, file: File, body: Body, place: Place, way: &Way) -> (i64, i32) {
        let flags = match way {
            Way::Plain => 0,
            Way::Vector(flags) => *flags,
        };
        let open = self.open_of(file);
        let opener = open.opener;
        let nonblocking = open.nonblocking() || flags & libc::RWF_NOWAIT != 0;
        if !open.write {
            return (err(libc::EBADF), flags);
        }
        if !place.user {
            return (err(libc::EFAULT), flags);
        }
        if matches!(way, Way::Vector(_)) {
            if body.len == 0 {
                return (0, flags);
            }
            if flags & (RWF_ATOMIC | RWF_DONTCACHE | (1 << 30)) != 0 {
                return (err(libc::EOPNOTSUPP), flags);
            }
        }
        let user = self.caller();
        let readable = place.good >= body.len as usize;
        let pipe = self.pipe_of(file);
        match pipe.send(body, user, opener, nonblocking, readable, sys::now()) {
            BLOCKS => {
                let ret = pipe.send(body, user, opener, true, readable, 0);
                (ret, flags | libc::RWF_NOWAIT)
            }
            ret => (ret, flags),
        }
    }

    /// Updates the statistics of the file after sending.
    fn sent(&mut self, file: File, len: i64) {
        if len > 0 {
            let sent = &mut self.open_of(file).sent;
            *sent = (sent.0 + 1, sent.1 + len as u64);
            if let Some(message) = self.pipe_of(file).queue.back_mut() {
                message.sent.1 = sys::now();
            }
        }
    }

    /// Updates the statistics of the file after receiving.
    fn received(&mut self, file: File, len: i64) {
        if len > 0 {
            let received = &mut self.open_of(file).received;
            *received = (received.0 + 1, received.1 + len as u64);
        }
    }

    /// Reads a message.
    pub fn read(&mut self, trace: &Trace) -> Checked {
        let Some(file) = self.file() else {
            return Ok(());
        };
        let head = self.pipe_of(file).next_len() as usize;
        let room = match self.rng.below(16) {
            0 => head.saturating_sub(1),
            1..4 => head,
            4 => head + 1,
            5 => 0,
            6 => self.length(file),
            _ => self.pipe_of(file).msg_size as usize,
        };
        let place = self.arena.place(&mut self.rng, room, true);
        let way = self.way();
        let mut flags = match way {
            Way::Plain => 0,
            Way::Vector(flags) => flags,
        };
        let open = self.open_of(file);
        let nonblocking = open.nonblocking() || flags & libc::RWF_NOWAIT != 0;
        let mut body = None;
        let want = if !open.read {
            err(libc::EBADF)
        } else if !place.user {
            err(libc::EFAULT)
        } else if matches!(way, Way::Vector(_)) && room == 0 {
            0
        } else if flags & (RWF_ATOMIC | RWF_DONTCACHE | (1 << 30)) != 0 {
            err(libc::EOPNOTSUPP)
        } else {
            let pipe = self.pipe_of(file);
            let mut result = pipe.receive(room, nonblocking, place.good);
            if result.0 == BLOCKS {
                flags |= libc::RWF_NOWAIT;
                result = pipe.receive(room, true, place.good);
            }
            body = result.1;
            result.0
        };
        let behind = body.map(|body| place.at.plus(body.len as usize));
        let watched =
            body.is_some_and(|body| body.len as usize + CANARY.len() <= place.good.min(room));
        if let (true, Some(behind)) = (watched, behind) {
            self.arena.store(behind, &CANARY);
        }

        let arguments = [file.fd.into(), room as i64, flags.into(), place.good as i64];
        if matches!(way, Way::Plain) && flags == 0 {
            self.call(trace, "read", arguments, want, || {
                sys::read(file.fd, place.at, room)
            })?;
        } else {
            let parts = self.parts(place.at, room);
            self.call(trace, "readv", arguments, want, || {
                sys::readv(file.fd, &parts, flags)
            })?;
        }
        self.received(file, want);
        if let (Some(body), Some(behind)) = (body, behind) {
            if !self.arena.holds(place.at, self.text(body)) {
                return Err(Fault("read: not the oldest message".into()));
            }
            if watched && !self.arena.holds(behind, &CANARY) {
                return Err(Fault(
                    "read: memory after the message was overwritten".into(),
                ));
            }
        }
        Ok(())
    }

    /// Reads or writes with an invalid vector.
    pub fn hostile_vector(&mut self, trace: &Trace) -> Checked {
        let Some(file) = self.file() else {
            return Ok(());
        };
        let write = self.rng.once_in(2);
        let open = self.open_of(file);
        let may = if write { open.write } else { open.read };
        // Too many elements; an inaccessible vector; no vector; an element of negative length.
        let at = self.arena.at(0);
        self.arena.store(at, &[0; 16]);
        let (at, count, want) = match self.rng.below(4) {
            0 => (at, 1025, err(libc::EINVAL)),
            1 => (Address::NOWHERE, 1 + self.rng.index(8), err(libc::EFAULT)),
            2 => (at, 0, 0),
            _ => {
                self.arena.store(at.plus(8), &(-1i64).to_ne_bytes());
                (at, 1, err(libc::EINVAL))
            }
        };
        let want = if may { want } else { err(libc::EBADF) };
        let arguments = [file.fd.into(), write.into(), count as i64, 0];
        self.call(trace, "hostile vector", arguments, want, || {
            sys::vector(file.fd, at, count, write)
        })?;
        Ok(())
    }

    /// Splices a message in.
    pub fn splice_in(&mut self, trace: &Trace) -> Checked {
        let Some(file) = self.file() else {
            return Ok(());
        };
        let len = self.length(file).clamp(1, PLAIN_SIZE);
        let body = self.body(len as u32);
        let user = self.caller();
        let open = self.open_of(file);
        let opener = open.opener;
        let nonblocking = open.nonblocking();
        let want = if open.write {
            self.pipe_of(file)
                .send(body, user, opener, nonblocking, true, sys::now())
        } else {
            err(libc::EBADF)
        };
        if want == BLOCKS {
            return Ok(());
        }
        let (from, to) = self.plain;
        let text = self.text(body).to_vec();
        if sys::write_of(to, &text) != len as i64 {
            return Err(Fault("a pipe(2) rejects 64 KiB".into()));
        }
        self.call(
            trace,
            "splice to",
            [file.fd.into(), len as i64, 0, 0],
            want,
            || sys::splice(from, file.fd, len),
        )?;
        self.sent(file, want);
        if want < 0 {
            let mut rest = vec![0; PLAIN_SIZE];
            if sys::read_into(from, &mut rest) != len as i64 {
                return Err(Fault("splice: a failed call consumed data".into()));
            }
        }
        Ok(())
    }

    /// Splices a message out.
    pub fn splice_out(&mut self, trace: &Trace) -> Checked {
        let Some(file) = self.file() else {
            return Ok(());
        };
        let head = self.pipe_of(file).next_len() as usize;
        let len = match self.rng.below(4) {
            0 => head.saturating_sub(1),
            1 => head,
            2 => self.pipe_of(file).msg_size as usize,
            _ => 2 * PLAIN_SIZE,
        };
        let open = self.open_of(file);
        let nonblocking = open.nonblocking();
        let (want, body) = if len == 0 {
            (0, None)
        } else if open.read {
            self.pipe_of(file)
                .receive(len.min(PLAIN_SIZE), nonblocking, usize::MAX)
        } else {
            (err(libc::EBADF), None)
        };
        if want == BLOCKS {
            return Ok(());
        }
        let (from, to) = self.plain;
        self.call(
            trace,
            "splice from",
            [file.fd.into(), len as i64, 0, 0],
            want,
            || sys::splice(file.fd, to, len),
        )?;
        self.received(file, want);
        if let Some(body) = body {
            let mut text = vec![0; PLAIN_SIZE];
            let len = sys::read_into(from, &mut text);
            if len != i64::from(body.len) || !text.starts_with(self.text(body)) {
                return Err(Fault("splice: not the oldest message".into()));
            }
        }
        Ok(())
    }
}
