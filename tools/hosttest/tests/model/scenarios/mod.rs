// SPDX-License-Identifier: GPL-2.0

//! Scenarios: a few tasks on one pipe, in every interleaving.
//!
//! Each scenario checks the state in which all tasks have ended or sleep, whatever their order was.
//! [`Bench::settle`] and [`Bench::finish`] check what holds in all scenarios.

mod broadcast;
mod browse;
mod changes;
mod expiry;
mod hang_up;
mod leases;
mod memory;
mod modes;
mod overflow;
mod polling;
mod positions;
mod priorities;
mod readers;
mod records;
mod signals;
mod snapshots;
mod writers;

use crate::{
    kernel_ext::{cred::Opener, mm::segment::SEGMENT_SIZE, uaccess::call::Call},
    log::{counters::Tally, limits::Limits, subscription::Start},
    page,
    pipe::{
        kind::Kind, mode::Modes, node::Node, overflow::Overflow, Access, Exclusivity, Handle, Pipe,
        Reads, Snapshot, Spec,
    },
};
use kernel::{
    iov::{Behaviour, IovIterDest, IovIterSource},
    model,
    prelude::*,
    sync::Arc,
    workqueue,
};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// Maximum length of a message in bytes.
const LONGEST: u32 = 256;

/// Access of a file that is open for reading and writing.
const BOTH: Access = Access {
    read: true,
    write: true,
    exclusive: false,
};

/// Device node of a pipe, which does not matter here.
const NODE: Node = Node {
    mode: 0,
    uid: 0,
    gid: 0,
    name: None,
};

/// Returns the limits of a pipe for `max_msgs` messages.
fn limits(max_msgs: u32) -> Limits {
    match Limits::new(LONGEST, max_msgs, u64::MAX) {
        Ok(limits) => limits,
        Err(refusal) => panic!("{refusal}"),
    }
}

/// Returns the properties of a pipe for `max_msgs` messages.
fn spec(kind: Kind, max_msgs: u32) -> Spec {
    Spec {
        limits: limits(max_msgs),
        kind,
        priorities: 1,
        default_modes: Modes::NONE,
        overflow: Overflow::Block,
        node: NODE,
    }
}

/// Number of calls that have begun and not ended.
#[derive(Default)]
struct Calls {
    readers: AtomicUsize,
    writers: AtomicUsize,
    /// Number of segments that these senders preallocate.
    segments: AtomicUsize,
}

/// A pipe, a file that all its users share, and the calls in progress.
struct Bench {
    pipe: Arc<Pipe>,
    handle: Arc<Handle>,
    calls: Arc<Calls>,
}

impl Bench {
    /// Starts a task that polls the file of this bench for these events.
    fn poller(&self, wanted: u32) -> model::Spawned<u32> {
        poller(&self.pipe, &self.handle, wanted)
    }

    /// Makes an empty pipe of this kind for `max_msgs` messages.
    fn of_kind(kind: Kind, max_msgs: u32) -> Self {
        Self::of(&spec(kind, max_msgs))
    }

    /// Makes an empty pipe with these properties.
    fn of(spec: &Spec) -> Self {
        page::reset();
        let pipe = Pipe::new(7, spec).expect("a pipe");
        let handle = pipe
            .attach(BOTH, Opener, Exclusivity::Ignored)
            .expect("a file");
        // The shared file must not count as open, or the pipe would never be idle.
        Pipe::detach(&pipe, &handle);
        Self {
            handle: Arc::new(handle),
            pipe,
            calls: Arc::default(),
        }
    }

    /// Makes a queue for `max_msgs` messages that holds one for each tag in `queued`, and leaves
    /// memory for `memory` more segments.
    fn with_memory(max_msgs: u32, queued: &[u8], memory: usize) -> Self {
        let this = Self::of_kind(Kind::Queue, max_msgs);
        for tag in queued {
            assert_eq!(this.user().send(*tag), Ok(()));
        }
        page::leave(memory);
        this
    }

    /// Makes a queue for `max_msgs` messages that holds one for each tag in `queued`.
    fn new(max_msgs: u32, queued: &[u8]) -> Self {
        Self::with_memory(max_msgs, queued, usize::MAX)
    }

    /// Makes a user of the pipe.
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

    /// Starts a task that runs queued works, up to `works` of them.
    fn worker(&self, works: usize) {
        model::spawn(move || workqueue::run_pending(works));
    }

    /// Waits until all tasks sleep or have ended. Checks that no wakeup was lost, and that waiters,
    /// messages and segments are counted.
    fn settle(&self) -> Snapshot {
        model::settle();
        let view = self.pipe.snapshot();
        self.check_accounting(&view);
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
                "a reader waits, and there is a message"
            );
            let taken = depth + u64::from(view.debug.rests);
            assert!(
                view.waiting_writers == 0 || taken >= view.limits.max_msgs().into(),
                "a writer waits, and there is room"
            );
        }
        assert_eq!(
            view.waiting_readers as usize,
            self.calls.readers.load(Relaxed),
            "waiting readers"
        );
        assert_eq!(
            view.waiting_writers as usize,
            self.calls.writers.load(Relaxed),
            "waiting writers"
        );
        assert_eq!(
            view.debug.segments + view.debug.spare_segments + self.calls.segments.load(Relaxed),
            page::live(),
            "segments of the store and of waiting senders"
        );
        view
    }

    /// Checks that each message that was sent is queued, received, expired or dropped.
    fn check_accounting(&self, view: &Snapshot) {
        let counters = view.counters;
        let mut gone = view.depth;
        for tally in [counters.dequeued, counters.expired, counters.dropped] {
            gone.merge(tally);
        }
        assert_eq!(counters.enqueued, gone, "accounting identity");
    }

    /// Runs the works until the trimmer is no longer queued. Checks that no memory is kept that
    /// holds no message.
    fn rest(&self) {
        let trims = || workqueue::pending().contains(&1);
        for _ in 0..8 {
            if trims() {
                workqueue::run_pending(workqueue::pending().len());
            }
        }
        assert!(!trims(), "an idle pipe is trimmed again and again");
        let view = self.settle();
        assert_eq!(view.debug.spare_segments, 0, "spare segments kept");
        if view.depth == Tally::default() {
            assert_eq!(view.debug.segments, 0, "empty segments kept");
        }
    }

    /// Destroys the pipe, and checks that all tasks end and that nothing is left.
    fn finish(self) {
        self.rest();
        Pipe::shutdown(&self.pipe);
        self.dead();
    }

    /// Waits for all tasks, and checks that nothing is left of a destroyed pipe.
    fn dead(self) {
        model::join();
        let view = self.pipe.snapshot();
        self.check_accounting(&view);
        assert_eq!(view.depth, Tally::default());
        assert_eq!((view.waiting_readers, view.waiting_writers), (0, 0));
        assert_eq!(page::live(), 0, "segments leaked");
        assert_eq!(workqueue::pending(), [] as [u64; 0], "works left");
        assert_eq!(Arc::strong_count(&self.pipe), 1, "references left");
    }
}

/// User of a pipe. All bytes of a message are its tag.
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
    /// Makes calls that do not wait.
    fn nonblocking(mut self) -> Self {
        self.nonblocking = true;
        self
    }

    /// Makes the memory absent for the next `copies` copies.
    fn absent(mut self, copies: u32) -> Self {
        self.behaviour.absent = copies;
        self
    }

    /// Limits how often the memory can be faulted in.
    fn breaks_after(mut self, times: u32) -> Self {
        self.behaviour.left = Some(times);
        self
    }

    /// Sets the length of messages to `segments` segments.
    fn long(mut self, segments: usize) -> Self {
        self.len = segments * SEGMENT_SIZE;
        self
    }

    /// Sets the length of messages to `len` bytes.
    fn bytes(mut self, len: usize) -> Self {
        self.len = len;
        self
    }

    /// Sets the size of the buffer for messages, in bytes.
    fn room(mut self, room: usize) -> Self {
        self.room = room;
        self
    }

    /// Sends a message of bytes `tag`.
    fn send(&self, tag: u8) -> Result {
        let message = [tag; LONGEST as usize];
        let mut source = IovIterSource::new(&message[..self.len], self.behaviour);
        let segments = 1 + self.len.div_ceil(SEGMENT_SIZE);
        self.calls.writers.fetch_add(1, Relaxed);
        self.calls.segments.fetch_add(segments, Relaxed);
        let result = Pipe::send(&self.pipe, &self.handle, &mut source, self);
        self.calls.segments.fetch_sub(segments, Relaxed);
        self.calls.writers.fetch_sub(1, Relaxed);
        result.map(|len| assert_eq!(len, self.len))
    }

    /// Receives a message, and returns its tag.
    fn receive(&self) -> Result<u8> {
        let mut dest = IovIterDest::new(self.room, self.behaviour);
        self.calls.readers.fetch_add(1, Relaxed);
        let result = Pipe::receive(&self.pipe, &self.handle, &mut dest, || self.nonblocking);
        self.calls.readers.fetch_sub(1, Relaxed);
        result.map(|len| {
            let tag = dest.written()[0];
            assert_eq!(dest.written(), vec![tag; len]);
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

/// Starts a task that polls the file of `handle` for these events.
fn poller(pipe: &Arc<Pipe>, handle: &Arc<Handle>, wanted: u32) -> model::Spawned<u32> {
    let (pipe, handle) = (pipe.clone(), handle.clone());
    model::spawn(move || pipe.notifier().poll(wanted, || pipe.poll(&handle)))
}

/// A file that is not shared with [`Bench`].
#[derive(Clone)]
struct Opened {
    pipe: Arc<Pipe>,
    handle: Arc<Handle>,
    /// The file is in the mode `RECORDS`.
    records: bool,
    /// The file reads from a position of its own.
    own: Arc<AtomicBool>,
    behaviour: Behaviour,
}

impl Opened {
    /// Opens a file, and sets its modes.
    fn new(bench: &Bench, modes: Modes) -> Self {
        Self::of_pipe(bench.pipe.clone(), modes)
    }

    /// Opens a file of `pipe` for reading and writing, and sets its modes.
    fn of_pipe(pipe: Arc<Pipe>, modes: Modes) -> Self {
        Self::with_access(pipe, BOTH, modes)
    }

    /// Opens a file of `pipe` with these rights, and sets its modes.
    fn with_access(pipe: Arc<Pipe>, access: Access, modes: Modes) -> Self {
        let handle = Arc::new(
            pipe.attach(access, Opener, Exclusivity::Ignored)
                .expect("a file"),
        );
        assert_eq!(pipe.set_modes(&handle, modes, |_| ()), Ok(()));
        let own = pipe.show(&handle).subscription.is_some();
        Self {
            own: Arc::new(own.into()),
            pipe,
            handle,
            records: modes.contains(Modes::RECORDS),
            behaviour: Behaviour::default(),
        }
    }

    /// Starts a task that polls the file for these events.
    fn poller(&self, wanted: u32) -> model::Spawned<u32> {
        poller(&self.pipe, &self.handle, wanted)
    }

    /// Returns the same file, used with memory that is absent for the next `times` copies.
    fn absent(&self, times: u32) -> Self {
        let mut this = self.clone();
        this.behaviour.absent = times;
        this
    }

    /// Makes the file read from `start` on as `reads` says.
    fn attach(&self, reads: Reads, start: Start) -> Result {
        Pipe::read_from(&self.pipe, &self.handle, reads, start, |file| {
            self.own.store(file.subscription.is_some(), Relaxed);
        })
    }

    /// Reads up to `room` bytes.
    fn read(&self, room: usize) -> Result<Vec<u8>> {
        let mut dest = IovIterDest::new(room, self.behaviour);
        let len = if self.records {
            Pipe::receive_records(&self.pipe, &self.handle, &mut dest, || false)
        } else if self.pipe.priorities() > 1 {
            Pipe::receive_prioritized(&self.pipe, &self.handle, &mut dest, || false)
        } else if self.own.load(Relaxed) {
            Pipe::receive_own(&self.pipe, &self.handle, &mut dest, || false)
        } else {
            Pipe::receive(&self.pipe, &self.handle, &mut dest, || false)
        }?;
        assert_eq!(dest.written().len(), len);
        Ok(dest.written().to_vec())
    }

    /// Writes `bytes`, with the call properties of `user`.
    fn write(&self, bytes: &[u8], user: &User) -> Result<usize> {
        let mut source = IovIterSource::new(bytes, self.behaviour);
        if self.records && self.pipe.priorities() > 1 {
            Pipe::send_prioritized(&self.pipe, &self.handle, &mut source, user)
        } else if self.records {
            Pipe::send_records(&self.pipe, &self.handle, &mut source, user)
        } else {
            Pipe::send(&self.pipe, &self.handle, &mut source, user)
        }
    }

    /// Closes the file.
    fn close(self) {
        Pipe::detach(&self.pipe, &self.handle);
    }
}

/// Returns the number of calls that have succeeded.
fn done<T>(results: &[Option<Result<T>>]) -> usize {
    results.iter().flatten().filter(|r| r.is_ok()).count()
}
