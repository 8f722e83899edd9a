// SPDX-License-Identifier: GPL-2.0

//! Scenarios: a few tasks on one pipe, in every interleaving.
//!
//! Each says what holds once all tasks have ended or sleep, in whatever order they went. What holds
//! in all of them [`Bench::settle`] and [`Bench::finish`] look at.

mod changes;
mod expiry;
mod looking;
mod memory;
mod modes;
mod polling;
mod readers;
mod records;
mod signals;
mod writers;

use crate::{
    kernel_ext::{
        call::Call,
        cred::Opener,
        segment::{self, SEGMENT_SIZE},
    },
    log::{counters::Tally, limits::Limits},
    pipe::{mode::Modes, node::Node, Access, Handle, Pipe, Readers, Snapshot},
};
use kernel::{
    iov::{Behaviour, IovIterDest, IovIterSource},
    model,
    prelude::*,
    sync::Arc,
    workqueue,
};
use std::{
    marker::PhantomData,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// The longest message that these pipes take, in bytes.
const LONGEST: u32 = 256;

/// A file that may be read from and written to.
const BOTH: Access = Access {
    read: true,
    write: true,
    exclusive: false,
};

/// A node, which is none of a pipe's affair.
const NODE: Node = Node {
    mode: 0,
    uid: 0,
    gid: 0,
    name: None,
};

/// Limits of a pipe for so many messages.
fn limits(max_msgs: u32) -> Limits {
    match Limits::new(LONGEST, max_msgs, u64::MAX) {
        Ok(limits) => limits,
        Err(refusal) => panic!("{refusal}"),
    }
}

/// Calls that have begun and not ended.
#[derive(Default)]
struct Calls {
    readers: AtomicUsize,
    writers: AtomicUsize,
    /// Segments that senders keep while they wait.
    segments: AtomicUsize,
}

/// A pipe, and what is known of its users, who share a file.
struct Bench {
    pipe: Arc<Pipe>,
    handle: Arc<Handle>,
    calls: Arc<Calls>,
}

impl Bench {
    /// A pipe for `max_msgs` messages that holds those in `queued`, and memory for `memory` more
    /// segments.
    fn with_memory(max_msgs: u32, queued: &[u8], memory: usize) -> Self {
        segment::reset();
        let pipe = Pipe::new(7, limits(max_msgs), NODE, Modes::NONE).expect("a pipe");
        let handle = pipe.attach(BOTH, Readers::Any).expect("a file");
        // A pipe is idle when no file is open. This one is not counted, so that a pipe can be.
        Pipe::detach(&pipe, &handle);
        let this = Self {
            handle: Arc::new(handle),
            pipe,
            calls: Arc::default(),
        };
        for tag in queued {
            assert_eq!(this.user().send(*tag), Ok(()));
        }
        segment::leave(memory);
        this
    }

    /// A pipe for `max_msgs` messages that holds those in `queued`.
    fn new(max_msgs: u32, queued: &[u8]) -> Self {
        Self::with_memory(max_msgs, queued, usize::MAX)
    }

    /// Somebody who uses the pipe.
    fn user(&self) -> User {
        User {
            pipe: self.pipe.clone(),
            handle: self.handle.clone(),
            calls: self.calls.clone(),
            behaviour: Behaviour::default(),
            nonblocking: false,
            len: 1,
            room: LONGEST as usize,
        }
    }

    /// Starts a task that receives one message.
    fn receiver(&self) -> model::Spawned<Result<u8>> {
        let user = self.user();
        model::spawn(move || user.receive())
    }

    /// Starts a task that sends one message.
    fn sender(&self, tag: u8) -> model::Spawned<Result> {
        let user = self.user();
        model::spawn(move || user.send(tag))
    }

    /// Starts a task that runs what is queued, up to `works` times.
    fn worker(&self, works: usize) {
        model::spawn(move || workqueue::run_pending(works));
    }

    /// Waits until all tasks sleep or have ended, and sees that no wakeup was lost, that those who
    /// sleep are counted, where the messages are, and where the memory is.
    fn settle(&self) -> Snapshot {
        model::settle();
        let view = self.pipe.snapshot();
        self.look(&view);
        let passed = self.pipe.show(&self.handle).stats;
        assert_eq!(
            (passed.sent, passed.received),
            (view.counters.enqueued, view.counters.dequeued),
            "what passed through the file"
        );
        let depth = view.depth.msgs;
        if self.pipe.alive().is_ok() {
            assert!(
                view.waiting_readers == 0 || depth == 0,
                "a reader sleeps, and there is a message"
            );
            let taken = depth + u64::from(view.internals.rests);
            assert!(
                view.waiting_writers == 0 || taken >= view.limits.max_msgs().into(),
                "a writer sleeps, and there is room"
            );
        }
        assert_eq!(
            view.waiting_readers as usize,
            self.calls.readers.load(Relaxed),
            "readers asleep"
        );
        assert_eq!(
            view.waiting_writers as usize,
            self.calls.writers.load(Relaxed),
            "writers asleep"
        );
        assert_eq!(
            view.internals.segments
                + view.internals.spare_segments
                + self.calls.segments.load(Relaxed),
            segment::live(),
            "segments of the store and of sleeping senders"
        );
        view
    }

    /// Sees that no message came from nowhere or went there.
    fn look(&self, view: &Snapshot) {
        let counters = view.counters;
        let mut gone = view.depth;
        for tally in [counters.dequeued, counters.expired, counters.dropped] {
            gone.merge(tally);
        }
        assert_eq!(counters.enqueued, gone, "accounting identity");
    }

    /// Lets the works run until there are none, or time stands in their way. Then no memory is kept
    /// that holds no message.
    fn rest(&self) {
        let trims = || workqueue::pending().contains(&1);
        for _ in 0..8 {
            if trims() {
                workqueue::run_pending(workqueue::pending().len());
            }
        }
        assert!(!trims(), "an idle pipe is trimmed again and again");
        let view = self.settle();
        assert_eq!(view.internals.spare_segments, 0, "spare segments kept");
        if view.depth == Tally::default() {
            assert_eq!(view.internals.segments, 0, "empty segments kept");
        }
    }

    /// Destroys the pipe, and sees that everybody is done and that nothing is left.
    fn finish(self) {
        self.rest();
        Pipe::shutdown(&self.pipe);
        self.dead();
    }

    /// Waits for everybody, and sees that nothing is left of a destroyed pipe.
    fn dead(self) {
        model::join();
        let view = self.pipe.snapshot();
        self.look(&view);
        assert_eq!(view.depth, Tally::default());
        assert_eq!((view.waiting_readers, view.waiting_writers), (0, 0));
        assert_eq!(segment::live(), 0, "segments leaked");
        assert_eq!(workqueue::pending(), [] as [u64; 0], "works left");
        assert_eq!(Arc::strong_count(&self.pipe), 1, "references left");
    }
}

/// Somebody who uses a pipe. A message is a number of bytes that are all the same.
#[derive(Clone)]
struct User {
    pipe: Arc<Pipe>,
    handle: Arc<Handle>,
    calls: Arc<Calls>,
    behaviour: Behaviour,
    nonblocking: bool,
    len: usize,
    room: usize,
}

impl User {
    /// Does not wait.
    fn nonblocking(mut self) -> Self {
        self.nonblocking = true;
        self
    }

    /// Has memory that is absent for `copies` copies.
    fn absent(mut self, copies: u32) -> Self {
        self.behaviour.absent = copies;
        self
    }

    /// Has memory that can be brought in only so often.
    fn breaks_after(mut self, times: u32) -> Self {
        self.behaviour.left = Some(times);
        self
    }

    /// Sends messages that take `segments` segments of payload.
    fn long(mut self, segments: usize) -> Self {
        self.len = segments * SEGMENT_SIZE;
        self
    }

    /// Sends messages of `len` bytes.
    fn bytes(mut self, len: usize) -> Self {
        self.len = len;
        self
    }

    /// Has so much room for messages, in bytes.
    fn room(mut self, room: usize) -> Self {
        self.room = room;
        self
    }

    /// Sends a message.
    fn send(&self, tag: u8) -> Result {
        let message = [tag; LONGEST as usize];
        let mut source = IovIterSource {
            data: &message[..self.len],
            at: 0,
            behaviour: self.behaviour,
        };
        let segments = 1 + self.len.div_ceil(SEGMENT_SIZE);
        self.calls.writers.fetch_add(1, Relaxed);
        self.calls.segments.fetch_add(segments, Relaxed);
        let result = Pipe::send(&self.pipe, &self.handle, &Opener, &mut source, self);
        self.calls.segments.fetch_sub(segments, Relaxed);
        self.calls.writers.fetch_sub(1, Relaxed);
        result.map(|len| assert_eq!(len, self.len))
    }

    /// Receives a message.
    fn receive(&self) -> Result<u8> {
        let mut dest = IovIterDest {
            written: Vec::new(),
            room: self.room,
            behaviour: self.behaviour,
            lifetime: PhantomData,
        };
        self.calls.readers.fetch_add(1, Relaxed);
        let result = Pipe::receive(&self.pipe, &self.handle, &mut dest, || self.nonblocking);
        self.calls.readers.fetch_sub(1, Relaxed);
        result.map(|len| {
            let tag = dest.written[0];
            assert_eq!(dest.written, vec![tag; len]);
            tag
        })
    }
}

impl Call for User {
    fn is_nonblocking(&self) -> bool {
        self.nonblocking
    }

    fn is_attempt(&self) -> bool {
        false
    }
}

/// An open file of its own.
#[derive(Clone)]
struct Opened {
    pipe: Arc<Pipe>,
    handle: Arc<Handle>,
    /// It is in the mode `RECORDS`.
    records: bool,
    behaviour: Behaviour,
}

impl Opened {
    /// One in the mode `modes`.
    fn new(bench: &Bench, modes: Modes) -> Self {
        let pipe = bench.pipe.clone();
        let handle = Arc::new(pipe.attach(BOTH, Readers::Any).expect("a file"));
        assert_eq!(pipe.set_modes(&handle, modes, || ()), Ok(()));
        Self {
            pipe,
            handle,
            records: modes.contains(Modes::RECORDS),
            behaviour: Behaviour::default(),
        }
    }

    /// The same file, used with memory that has to be brought in so many times.
    fn absent(&self, times: u32) -> Self {
        let mut this = self.clone();
        this.behaviour.absent = times;
        this
    }

    /// Reads up to `room` bytes.
    fn read(&self, room: usize) -> Result<Vec<u8>> {
        let mut dest = IovIterDest {
            written: Vec::new(),
            room,
            behaviour: self.behaviour,
            lifetime: PhantomData,
        };
        let len = if self.records {
            Pipe::receive_records(&self.pipe, &self.handle, &mut dest, || false)
        } else {
            Pipe::receive(&self.pipe, &self.handle, &mut dest, || false)
        }?;
        assert_eq!(dest.written.len(), len);
        Ok(dest.written)
    }

    /// Writes `bytes`, for task `user`.
    fn write(&self, bytes: &[u8], user: &User) -> Result<usize> {
        let mut source = IovIterSource {
            data: bytes,
            at: 0,
            behaviour: self.behaviour,
        };
        if self.records {
            Pipe::send_records(&self.pipe, &self.handle, &Opener, &mut source, user)
        } else {
            Pipe::send(&self.pipe, &self.handle, &Opener, &mut source, user)
        }
    }

    /// Closes the file.
    fn close(self) {
        Pipe::detach(&self.pipe, &self.handle);
    }
}

/// How many calls have ended well.
fn done<T>(results: &[Option<Result<T>>]) -> usize {
    results.iter().flatten().filter(|r| r.is_ok()).count()
}
