// SPDX-License-Identifier: GPL-2.0

//! Files in procfs, sysfs and debugfs.

use super::{
    control::EXPIRY_MIN,
    world::{File, Member, World},
};
use crate::{
    model::{err, limits_are_valid, Flush, POLICIES},
    sys,
    trace::{self, Checked, Fault, Trace},
};
use kmsgpipe_sys as uapi;
use nix::libc;

/// The sysfs class directory.
const CLASS: &str = "/sys/class/kmsgpipe";

/// Strings that are not valid numbers.
const NO_NUMBERS: [&str; 8] = ["+1", "", "4294967296", "1 ", " 1", "-1", "0x1", "1\n\n"];

/// Reads a file completely, or returns a negative errno.
fn read_all(path: &str) -> Result<String, i64> {
    let fd = sys::open(path, libc::O_RDONLY);
    if fd < 0 {
        return Err(fd);
    }
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    let ret = loop {
        match sys::read_into(fd as i32, &mut buffer) {
            n @ 1.. => text.extend_from_slice(&buffer[..n as usize]),
            ret => break ret,
        }
    };
    sys::close(fd as i32);
    if ret < 0 {
        return Err(ret);
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Writes a file in one call. Returns the result, or the negative errno of opening it.
fn write_all(path: &str, text: &[u8]) -> i64 {
    let fd = sys::open(path, libc::O_WRONLY);
    if fd < 0 {
        return fd;
    }
    let ret = sys::write_of(fd as i32, text);
    sys::close(fd as i32);
    ret
}

impl World {
    /// Returns the text of a file, which must be readable.
    fn text_of(&mut self, trace: &Trace, name: &'static str, path: &str) -> Checked<String> {
        let mut result = Ok(String::new());
        self.call(trace, name, [0; 4], 0, || {
            result = read_all(path);
            result.as_ref().err().copied().unwrap_or(0)
        })?;
        result.map_err(|ret| Fault(trace::result(ret)))
    }

    /// `/proc/kmsgpipe_stats`.
    pub fn proc_file(&mut self, trace: &Trace) -> Checked {
        let mut pipes: Vec<_> = self.alive();
        pipes.sort_by_key(|key| self.pipes[key].model.id);
        let line = |key| {
            let pipe = &self.pipes[key].model;
            format!(
                "pipe{}: msgs={}, drops={}, expired={}, writers={}, readers={}\n",
                pipe.id,
                pipe.queue.len(),
                pipe.dropped.msgs,
                pipe.expired.msgs,
                pipe.writers,
                pipe.readers
            )
        };
        let want: String = pipes.iter().map(line).collect();
        let got = self.text_of(trace, "/proc/kmsgpipe_stats", "/proc/kmsgpipe_stats")?;
        trace::same("/proc/kmsgpipe_stats", &want, &got)
    }

    /// Reads an attribute in sysfs.
    pub fn sysfs_value(&mut self, trace: &Trace) -> Checked {
        let key = self.any_alive();
        let Member { model, node, .. } = &self.pipes[&key];
        let stats = model.stats(false);
        let values = [
            ("msg_size", stats.msg_size.into()),
            ("max_msgs", stats.max_msgs.into()),
            ("readers", stats.readers.into()),
            ("writers", stats.writers.into()),
            ("waiting_readers", 0),
            ("waiting_writers", 0),
            ("depth_msgs", stats.depth_msgs),
            ("depth_bytes", stats.depth_bytes),
            ("peak_msgs", stats.peak_msgs),
            ("peak_bytes", stats.peak_bytes),
            ("enqueued_msgs", stats.enqueued_msgs),
            ("enqueued_bytes", stats.enqueued_bytes),
            ("dequeued_msgs", stats.dequeued_msgs),
            ("dequeued_bytes", stats.dequeued_bytes),
            ("expired_msgs", stats.expired_msgs),
            ("expired_bytes", stats.expired_bytes),
            ("dropped_msgs", stats.dropped_msgs),
            ("dropped_bytes", stats.dropped_bytes),
            ("refused_full", stats.refused_full),
            ("refused_size", stats.refused_size),
            ("flush_enable", model.flush.enabled.into()),
            ("flush_interval_ms", model.flush.interval_ms.into()),
            ("flush_expiry_ms", model.flush.expiry_ms.into()),
        ];
        let id = model.id;
        let path = node.path.clone();
        let policy = POLICIES[model.overflow as usize];
        let index = self.rng.index(values.len() + 2);
        let (name, want) = match values.get(index) {
            Some((name, value)) => (*name, format!("{value}\n")),
            None if index == values.len() => ("overflow", format!("{policy}\n")),
            None => ("node", format!("{path}\n")),
        };
        let got = self.text_of(trace, name, &format!("{CLASS}/pipe{id}/{name}"))?;
        trace::same(name, &want, &got)
    }

    /// `kmsgpipe/pipes` in debugfs, as far as the model knows its contents.
    pub fn debug_file(&mut self, trace: &Trace) -> Checked {
        const PATH: &str = "/sys/kernel/debug/kmsgpipe/pipes";
        if self.caller().uid != 0 {
            let want = err(libc::EACCES);
            self.call(trace, "debugfs", [0; 4], want, || {
                sys::open(PATH, libc::O_RDONLY)
            })?;
            return Ok(());
        }
        let text = self.text_of(trace, "debugfs", PATH)?;
        let mut pipes: Vec<_> = self.alive();
        pipes.sort_by_key(|key| self.pipes[key].model.id);
        trace::same("lines in debugfs", &pipes.len(), &text.lines().count())?;
        for (line, key) in text.lines().zip(pipes) {
            let pipe = &self.pipes[&key].model;
            let head = pipe.queue.front().map_or(0, |message| message.seq);
            let tail = pipe.queue.back().map_or(0, |message| message.seq);
            let want = format!(
                "pipe{}: waiting_readers=0 waiting_writers=0 depth_msgs={} head_seq={head} tail_seq={tail} ",
                pipe.id,
                pipe.queue.len()
            );
            if !line.starts_with(&want) || !line.contains(" dumping=0 ") {
                return Err(Fault(format!("debugfs: expected {want}..., got {line}")));
            }
        }
        Ok(())
    }

    /// Reads the fdinfo of a descriptor in `/proc`.
    pub fn fdinfo(&mut self, trace: &Trace, file: File) -> Checked {
        if self.caller().uid != 0 {
            return Ok(());
        }
        let id = self.pipe_of(file).id;
        let open = self.open_of(file);
        let mode = match (open.read, open.write) {
            (true, true) => "rw",
            (true, false) => "r",
            (false, true) => "w",
            (false, false) => "-",
        };
        let reads = if open.read { "queue" } else { "nothing" };
        let want = format!(
            "kmsgpipe-id:\t{id}\nkmsgpipe-mode:\t{mode}\n\
             kmsgpipe-sent-msgs:\t{}\nkmsgpipe-sent-bytes:\t{}\n\
             kmsgpipe-received-msgs:\t{}\nkmsgpipe-received-bytes:\t{}\n\
             kmsgpipe-modes:\twhole\nkmsgpipe-rest-bytes:\t0\nkmsgpipe-line-bytes:\t0\n\
             kmsgpipe-reads:\t{reads}\n",
            open.sent.0, open.sent.1, open.received.0, open.received.1
        );
        let text = self.text_of(trace, "fdinfo", &format!("/proc/self/fdinfo/{}", file.fd))?;
        let at = text.find("kmsgpipe-id").unwrap_or(text.len());
        trace::same("fdinfo", &want.as_str(), &&text[at..])
    }

    /// Writes an attribute in sysfs.
    fn sysfs_write(
        &mut self,
        trace: &Trace,
        name: &'static str,
        path: &str,
        text: &str,
        want: i64,
    ) -> Checked {
        let mut text = text.as_bytes().to_vec();
        if text.is_empty() || self.rng.once_in(2) {
            text.push(b'\n');
        }
        let want = if want < 0 { want } else { text.len() as i64 };
        self.call(trace, name, [0; 4], want, || write_all(path, &text))?;
        Ok(())
    }

    /// Returns the error for a caller that may not write attributes of the administrator, 0 for others.
    fn sysfs_refusal(&self) -> i64 {
        match (self.caller().uid, self.caller().admin) {
            (_, true) => 0,
            (0, _) => err(libc::EPERM),
            _ => err(libc::EACCES),
        }
    }

    /// Writes the overflow policy in sysfs.
    pub fn sysfs_overflow(&mut self, trace: &Trace) -> Checked {
        let key = self.any_alive();
        let id = self.pipes[&key].model.id;
        let mut want = self.sysfs_refusal();
        let policy = self.rng.index(POLICIES.len());
        let mut text = POLICIES[policy];
        if self.rng.once_in(6) {
            text = self
                .rng
                .one_of(&["drop", "0", "Block", "block drop-oldest", "none"]);
            want = if want == 0 { err(libc::EINVAL) } else { want };
        }
        if want == 0 {
            let model = &mut self.pipes.get_mut(&key).expect("a pipe").model;
            model.overflow = policy as u32;
        }
        let path = format!("{CLASS}/pipe{id}/overflow");
        self.sysfs_write(trace, "overflow", &path, text, want)
    }

    /// Returns settings for the file `create`, each after a space, and enters the valid ones in `create`. Returns
    /// `None` instead of the latter if the settings are invalid.
    fn settings(
        &mut self,
        mut create: uapi::raw::kmsgpipe_create,
    ) -> (String, Option<uapi::raw::kmsgpipe_create>) {
        const BAD: [&str; 10] = [
            " uid=-1",
            " mode=1000",
            " mode=9",
            " color=1",
            " gid",
            " =1",
            " msg_size=0",
            " overflow=1",
            "  uid=1",
            " max_msgs=1 max_msgs=1",
        ];
        let mut words = String::new();
        // Each key at most once, and from a random one on.
        let first = self.rng.index(6);
        for key in (0..6).map(|at| (first + at) % 6) {
            if self.rng.once_in(2) {
                continue;
            }
            let value: u32;
            let word = match key {
                0 => {
                    value = self.rng.one_of(&[1, 8, 64, 1000, 4096]);
                    create.msg_size = value;
                    format!(" msg_size={value}")
                }
                1 => {
                    value = self.rng.one_of(&[1, 2, 3, 8, 65536]);
                    create.max_msgs = value;
                    format!(" max_msgs={value}")
                }
                2 => {
                    value = self.rng.one_of(&[0, 0o600, 0o666, 0o222, 0o777]);
                    create.mode = value;
                    format!(" mode={value:o}")
                }
                3 => {
                    value = self.rng.one_of(&[0, 1001, 1002]);
                    create.uid = value;
                    format!(" uid={value}")
                }
                4 => {
                    value = self.rng.one_of(&[0, 2001, 2002]);
                    create.gid = value;
                    format!(" gid={value}")
                }
                _ => {
                    value = self.rng.below(3) as u32;
                    create.overflow = value;
                    format!(" overflow={}", POLICIES[value as usize])
                }
            };
            words.push_str(&word);
        }
        let mut right = limits_are_valid(create.msg_size, create.max_msgs);
        if self.rng.once_in(5) {
            words.push_str(self.rng.one_of(&BAD));
            right = false;
        }
        (words, right.then_some(create))
    }

    /// Writes an expiry attribute in sysfs, or a counter, which is read-only.
    pub fn sysfs_setting(&mut self, trace: &Trace) -> Checked {
        let key = self.any_alive();
        let id = self.pipes[&key].model.id;
        let mut want = self.sysfs_refusal();
        let admin = want == 0;
        let bad = self.rng.once_in(4);
        let mut text = self.rng.one_of(&NO_NUMBERS).to_string();
        if bad && admin {
            want = err(libc::EINVAL);
        }
        let name = match self.rng.below(4) {
            0 => {
                want = err(libc::EACCES);
                "dropped_msgs"
            }
            1 => {
                let enable = self.rng.one_of(&[0, 0, 1, 1, 2]);
                if !bad {
                    text = enable.to_string();
                }
                let flush = &mut self.pipes.get_mut(&key).expect("a pipe").model.flush;
                if enable == 1 && flush.expiry_ms < EXPIRY_MIN {
                    return Ok(());
                }
                if want == 0 && enable > 1 {
                    want = err(libc::EINVAL);
                }
                if want == 0 {
                    flush.enabled = enable == 1;
                }
                "flush_enable"
            }
            which => {
                let interval = which == 2;
                let value = if interval {
                    self.rng.one_of(&[0, 1, 77, u32::MAX])
                } else {
                    self.rng.one_of(&[EXPIRY_MIN, u32::MAX])
                };
                if !bad {
                    text = value.to_string();
                }
                let flush: &mut Flush = &mut self.pipes.get_mut(&key).expect("a pipe").model.flush;
                match (want, interval, value) {
                    (0, true, 0) => flush.interval_ms = uapi::FLUSH_INTERVAL_DEFAULT,
                    (0, true, _) => flush.interval_ms = value,
                    (0, false, _) => flush.expiry_ms = value,
                    _ => {}
                }
                if interval {
                    "flush_interval_ms"
                } else {
                    "flush_expiry_ms"
                }
            }
        };
        let path = format!("{CLASS}/pipe{id}/{name}");
        self.sysfs_write(trace, name, &path, &text, want)
    }

    /// Creates or destroys a pipe through sysfs.
    pub fn sysfs_command(&mut self, trace: &Trace) -> Checked {
        let mut want = self.sysfs_refusal();
        if self.rng.once_in(2) {
            let crowded = self.alive().len() >= 5;
            let text = if crowded || self.rng.once_in(4) {
                self.rng.one_of(&[
                    "a/b",
                    "",
                    "a b",
                    "..",
                    "a.peer",
                    "abcdefghijklmnopqrstuvwxyz012345",
                ])
            } else {
                self.rng.one_of(&["a", "b-1", "x.y_Z"])
            };
            let bad = text.len() > 31 || text.is_empty() || text.contains(['/', ' ']);
            if want == 0 && (bad || text == ".." || text.ends_with(".peer")) {
                want = err(libc::EINVAL);
            }
            let (settings, create) = self.settings(uapi::raw::kmsgpipe_create {
                msg_size: uapi::MSG_SIZE_DEFAULT,
                max_msgs: uapi::MAX_MSGS_DEFAULT,
                ..Default::default()
            });
            want = match create {
                _ if want != 0 => want,
                None => err(libc::EINVAL),
                Some(_) if self.by_name(text).is_some() => err(libc::EEXIST),
                Some(create) => {
                    self.add_pipe(&create, Some(text.into()));
                    0
                }
            };
            let line = format!("{text}{settings}");
            return self.sysfs_write(trace, "create", &format!("{CLASS}/create"), &line, want);
        }

        let key = self.any_alive();
        let Member { model, name, .. } = &self.pipes[&key];
        let id = model.id;
        let mut texts = vec![
            format!("{id}"),
            format!("pipe{id}"),
            format!("kmsgpipe{id}"),
        ];
        if let Some(name) = name {
            texts.push(name.clone());
            texts.push(format!("kmsgpipe/{name}"));
        }
        let mut text = texts.swap_remove(self.rng.index(texts.len()));
        if self.rng.once_in(4) {
            text = format!("pipe{}", self.next_id());
            want = if want == 0 { err(libc::ENODEV) } else { want };
        }
        if want == 0 {
            let member = self.pipes.get_mut(&key).expect("a pipe");
            want = member.model.destroy();
            if want == 0 && member.opens == 0 {
                self.pipes.remove(&key);
            }
        }
        self.sysfs_write(trace, "destroy", &format!("{CLASS}/destroy"), &text, want)
    }
}
