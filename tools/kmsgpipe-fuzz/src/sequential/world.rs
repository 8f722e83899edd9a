// SPDX-License-Identifier: GPL-2.0

//! The state of a run: pipes, open files, descriptors, and memory for calls.

use crate::{
    memory::Arena,
    model::{Body, Pipe, User},
    rng::Rng,
    trace::{self, Checked, Trace},
    user::{Node, USERS},
};
use nix::libc;
use std::collections::BTreeMap;

/// Number of possible pipe numbers.
const NUMBERS: u32 = 65536;

/// Maximum number of descriptors at a time.
const FILES_MAX: usize = 24;

/// A pipe that exists, or is destroyed but still open.
pub struct Member {
    /// Model of the pipe.
    pub model: Pipe,
    /// Its node.
    pub node: Node,
    /// Its name.
    pub name: Option<String>,
    /// Number of open files.
    pub opens: usize,
}

/// An open file.
pub struct Open {
    /// Key of its pipe.
    pub pipe: u64,
    /// The user that opened it.
    pub opener: User,
    /// Whether it has read access.
    pub read: bool,
    /// Whether it has write access.
    pub write: bool,
    /// `O_NONBLOCK` and `O_ASYNC`.
    pub flags: i32,
    /// Messages and bytes sent through the file.
    pub sent: (u64, u64),
    /// Messages and bytes received through the file.
    pub received: (u64, u64),
    /// Number of descriptors.
    pub descriptors: usize,
}

impl Open {
    /// Returns whether calls do not block.
    pub fn nonblocking(&self) -> bool {
        self.flags & libc::O_NONBLOCK != 0
    }
}

/// A descriptor.
#[derive(Clone, Copy)]
pub struct File {
    /// Its number.
    pub fd: i32,
    /// Key of its open file.
    pub open: u64,
}

/// The state of a run.
pub struct World {
    /// Random number generator.
    pub rng: Rng,
    /// Memory for the arguments of calls.
    pub arena: Arena,
    /// Bytes from which payloads are taken.
    pub bytes: Vec<u8>,
    /// Pipes, including destroyed ones that are still open.
    pub pipes: BTreeMap<u64, Member>,
    /// Open files.
    pub opens: BTreeMap<u64, Open>,
    /// Descriptors.
    pub files: Vec<File>,
    /// Number after that of the most recently created pipe.
    pub after_last_id: u32,
    /// Key for the next pipe or open file.
    pub next_key: u64,
    /// The calling user.
    pub user: usize,
    /// The ends of a pipe(2).
    pub plain: (i32, i32),
}

impl World {
    /// Creates the state with an empty pipe 0, after the pipe `last_id` was created and destroyed.
    pub fn new(seed: u64, pipe0: Pipe, node: Node, last_id: u32) -> Self {
        let mut rng = Rng::new(seed);
        let bytes = (0..1 << 18).map(|_| rng.any() as u8).collect();
        let member = Member {
            model: pipe0,
            node,
            name: None,
            opens: 0,
        };
        Self {
            rng,
            arena: Arena::new(),
            bytes,
            pipes: BTreeMap::from([(0, member)]),
            opens: BTreeMap::new(),
            files: Vec::new(),
            after_last_id: (last_id + 1) % NUMBERS,
            next_key: 1,
            user: 0,
            plain: crate::sys::pipe(),
        }
    }

    /// Returns the calling user.
    pub fn caller(&self) -> User {
        USERS[self.user]
    }

    /// Returns a new key.
    pub fn key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }

    /// Returns whether the maximum number of descriptors is open.
    pub fn is_crowded(&self) -> bool {
        self.files.len() >= FILES_MAX
    }

    /// Returns a random descriptor.
    pub fn file(&mut self) -> Option<File> {
        let count = self.files.len();
        (count > 0).then(|| self.files[self.rng.index(count)])
    }

    /// Returns the open file of a descriptor.
    pub fn open_of(&mut self, file: File) -> &mut Open {
        self.opens.get_mut(&file.open).expect("an open file")
    }

    /// Returns the pipe of a descriptor.
    pub fn pipe_of(&mut self, file: File) -> &mut Pipe {
        let pipe = self.opens[&file.open].pipe;
        &mut self.pipes.get_mut(&pipe).expect("a pipe").model
    }

    /// Returns the keys of the pipes that exist.
    pub fn alive(&self) -> Vec<u64> {
        let alive = |(key, member): (&u64, &Member)| (!member.model.dead).then_some(*key);
        self.pipes.iter().filter_map(alive).collect()
    }

    /// Returns a random pipe that exists.
    pub fn any_alive(&mut self) -> u64 {
        let alive = self.alive();
        self.rng.one_of(&alive)
    }

    /// Returns the number of the next pipe. Numbers increase, and wrap around after the last one.
    pub fn next_id(&self) -> u32 {
        let used = |id| {
            self.pipes
                .values()
                .any(|member| !member.model.dead && member.model.id == id)
        };
        let mut behind = (0..NUMBERS).map(|count| (self.after_last_id + count) % NUMBERS);
        behind.find(|id| !used(*id)).expect("a number")
    }

    /// Takes the number of the next pipe.
    pub fn take_id(&mut self) -> u32 {
        let id = self.next_id();
        self.after_last_id = (id + 1) % NUMBERS;
        id
    }

    /// Adds an open file of a pipe with its first descriptor.
    pub fn add_open(&mut self, pipe: u64, fd: i32, access: i32, flags: i32) {
        let key = self.key();
        let read = matches!(access, libc::O_RDONLY | libc::O_RDWR);
        let write = matches!(access, libc::O_WRONLY | libc::O_RDWR);
        let opener = self.caller();
        let member = self.pipes.get_mut(&pipe).expect("a pipe");
        member.opens += 1;
        member.model.readers += u32::from(read);
        member.model.writers += u32::from(write);
        self.opens.insert(
            key,
            Open {
                pipe,
                opener,
                read,
                write,
                flags,
                sent: (0, 0),
                received: (0, 0),
                descriptors: 1,
            },
        );
        self.files.push(File { fd, open: key });
    }

    /// Removes a descriptor, and its open file and pipe if it was the last reference.
    pub fn remove(&mut self, index: usize) {
        let file = self.files.swap_remove(index);
        let open = self.open_of(file);
        open.descriptors -= 1;
        if open.descriptors > 0 {
            return;
        }
        let open = self.opens.remove(&file.open).expect("an open file");
        let member = self.pipes.get_mut(&open.pipe).expect("a pipe");
        member.opens -= 1;
        member.model.readers -= u32::from(open.read);
        member.model.writers -= u32::from(open.write);
        if member.model.dead && member.opens == 0 {
            self.pipes.remove(&open.pipe);
        }
    }

    /// Returns the bytes of a message.
    pub fn text(&self, body: Body) -> &[u8] {
        &self.bytes[body.key as usize..][..body.len as usize]
    }

    /// Returns a message of `len` bytes.
    pub fn body(&mut self, len: u32) -> Body {
        let bound = self.bytes.len() as u64 - u64::from(len);
        Body {
            key: self.rng.below(bound) as u32,
            len,
        }
    }

    /// Makes a call that is expected to return `want`.
    pub fn call(
        &mut self,
        trace: &Trace,
        name: &'static str,
        arguments: [i64; 4],
        want: i64,
        call: impl FnOnce() -> i64,
    ) -> Checked<i64> {
        let got = trace.call(self.user, name, arguments, call);
        trace::expect(name, want, got)?;
        Ok(got)
    }
}
