// SPDX-License-Identifier: GPL-2.0

//! What the model knows of: pipes, open files and their descriptors, and the memory for calls.

use crate::{
    memory::Arena,
    model::{Body, Pipe, User},
    rng::Rng,
    trace::{self, Checked, Trace},
    user::{Node, USERS},
};
use nix::libc;
use std::collections::BTreeMap;

/// How many numbers pipes can have.
const NUMBERS: u32 = 65536;

/// The most descriptors there are at once.
const FILES_MAX: usize = 24;

/// A pipe, alive or still open.
pub struct Member {
    /// What it does.
    pub model: Pipe,
    /// Where it is opened.
    pub node: Node,
    /// Its name.
    pub name: Option<String>,
    /// Open files of it.
    pub opens: usize,
}

/// An open file.
pub struct Open {
    /// Its pipe.
    pub pipe: u64,
    /// Who opened it.
    pub opener: User,
    /// It may read.
    pub read: bool,
    /// It may write.
    pub write: bool,
    /// `O_NONBLOCK` and `O_ASYNC`.
    pub flags: i32,
    /// Messages and bytes sent through it.
    pub sent: (u64, u64),
    /// Messages and bytes received through it.
    pub received: (u64, u64),
    /// Descriptors of it.
    pub descriptors: usize,
}

impl Open {
    /// Whether calls must not wait.
    pub fn nonblocking(&self) -> bool {
        self.flags & libc::O_NONBLOCK != 0
    }
}

/// A descriptor.
#[derive(Clone, Copy)]
pub struct File {
    /// Its number.
    pub fd: i32,
    /// Its open file.
    pub open: u64,
}

/// All of it.
pub struct World {
    /// Where random numbers come from.
    pub rng: Rng,
    /// Memory that calls may be given.
    pub arena: Arena,
    /// Bytes that messages are parts of.
    pub bytes: Vec<u8>,
    /// Pipes, those that are destroyed and still open among them.
    pub pipes: BTreeMap<u64, Member>,
    /// Open files.
    pub opens: BTreeMap<u64, Open>,
    /// Descriptors.
    pub files: Vec<File>,
    /// The number behind that of the pipe that was made last.
    pub after_last_id: u32,
    /// The key of the next pipe or open file.
    pub next_key: u64,
    /// Who makes the call.
    pub user: usize,
    /// The ends of a pipe(2).
    pub plain: (i32, i32),
}

impl World {
    /// One with pipe 0, which is empty, after the pipe `last_id` was made and destroyed.
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

    /// Who makes the call.
    pub fn caller(&self) -> User {
        USERS[self.user]
    }

    /// A new key.
    pub fn key(&mut self) -> u64 {
        self.next_key += 1;
        self.next_key
    }

    /// Whether there are enough descriptors.
    pub fn is_crowded(&self) -> bool {
        self.files.len() >= FILES_MAX
    }

    /// Any descriptor.
    pub fn file(&mut self) -> Option<File> {
        let count = self.files.len();
        (count > 0).then(|| self.files[self.rng.index(count)])
    }

    /// An open file.
    pub fn open_of(&mut self, file: File) -> &mut Open {
        self.opens.get_mut(&file.open).expect("an open file")
    }

    /// The pipe of an open file.
    pub fn pipe_of(&mut self, file: File) -> &mut Pipe {
        let pipe = self.opens[&file.open].pipe;
        &mut self.pipes.get_mut(&pipe).expect("a pipe").model
    }

    /// The keys of the pipes that are there.
    pub fn alive(&self) -> Vec<u64> {
        let alive = |(key, member): (&u64, &Member)| (!member.model.dead).then_some(*key);
        self.pipes.iter().filter_map(alive).collect()
    }

    /// Any pipe that is there.
    pub fn any_alive(&mut self) -> u64 {
        let alive = self.alive();
        self.rng.one_of(&alive)
    }

    /// The number that the next pipe gets: they go up, and are used again when all others were.
    pub fn next_id(&self) -> u32 {
        let used = |id| {
            self.pipes
                .values()
                .any(|member| !member.model.dead && member.model.id == id)
        };
        let mut behind = (0..NUMBERS).map(|count| (self.after_last_id + count) % NUMBERS);
        behind.find(|id| !used(*id)).expect("a number")
    }

    /// Takes the number that the next pipe gets.
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

    /// Removes a descriptor, with it perhaps its open file, with that perhaps its pipe.
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

    /// The bytes of a message.
    pub fn text(&self, body: Body) -> &[u8] {
        &self.bytes[body.key as usize..][..body.len as usize]
    }

    /// A message of `len` bytes.
    pub fn body(&mut self, len: u32) -> Body {
        let bound = self.bytes.len() as u64 - u64::from(len);
        Body {
            key: self.rng.below(bound) as u32,
            len,
        }
    }

    /// Makes a call that should have the result `want`.
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
