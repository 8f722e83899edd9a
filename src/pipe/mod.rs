// SPDX-License-Identifier: GPL-2.0

//! One pipe: its state, the lock that protects it, and the tasks that wait for messages or slots.
//!
//! # Rules
//!
//! - With the lock held, nothing is allocated, freed or logged, and no page fault happens: user
//!   memory is copied with page faults disabled, or without the lock.
//! - A task that adds a message wakes one waiting reader, and a task that frees a slot wakes one
//!   waiting writer, unless a wakeup of that wait list is in flight and no task began to wait
//!   since.
//! - A woken task passes the baton: if it leaves a message or a slot, for whatever reason, it wakes
//!   the next waiter. Until the woken task runs, more messages or slots may arrive, and it may use
//!   them all: more wakeups in flight would mostly be spurious.

mod access;
mod announce;
mod dump;
mod expiry;
mod fast;
mod flags;
mod handle;
mod lines;
pub(crate) mod mode;
pub(crate) mod name;
pub(crate) mod node;
mod pages;
mod receive;
mod receive_records;
mod rest;
mod send;
mod send_records;
mod trim;
mod waiters;

pub(crate) use self::{
    access::Access,
    dump::Progress,
    expiry::Expiry,
    handle::{
        Handle,
        Readers, //
    }, //
};
use self::{
    fast::Slow,
    flags::{
        Flag,
        Flags, //
    },
    mode::Modes,
    node::Node,
    pages::Pages,
    waiters::Waiters, //
};

use core::mem;
use kernel::{
    prelude::*,
    static_lock_class,
    sync::{
        new_condvar,
        Arc,
        CondVar, //
    },
    workqueue::{
        impl_has_delayed_work,
        new_delayed_work,
        DelayedWork, //
    },
};

use crate::{
    kernel_ext::{
        clock,
        sync::{
            lock::{
                new_state_lock,
                StateLock, //
            },
            notify::{
                events,
                Notifier, //
            },
            work, //
        },
        uaccess::call::Call, //
    },
    log::{
        counters::{
            Counters,
            Refused,
            Tally, //
        },
        limits::Limits,
        message::Record,
        queue::Queue,
        stream::Segments,
        wire, //
    }, //
};

/// Maximum number of fault-in attempts per message before a fallback: a sender copies the message
/// to a bounce buffer, a reader checks that its buffer is writable. One attempt nearly always
/// suffices.
const FAULTS_ON_TRUST: u32 = 4;

/// Numbers of open files of a pipe.
#[derive(Clone, Copy, Default)]
pub(crate) struct OpenCounts {
    /// Files open for reading.
    pub(crate) readers: u32,
    /// Files open for writing.
    pub(crate) writers: u32,
    /// Files open for exclusive reading.
    pub(crate) exclusive: u32,
}

impl OpenCounts {
    /// Adds `by` to the counts of the rights in `access`: 1 when a file is opened, -1 when it is
    /// closed.
    fn count(&mut self, access: Access, by: i32) {
        // No count wraps: the kernel limits the number of open files to far fewer than 2^32.
        if access.read {
            self.readers = self.readers.wrapping_add_signed(by);
        }
        if access.write {
            self.writers = self.writers.wrapping_add_signed(by);
        }
        if access.exclusive {
            self.exclusive = self.exclusive.wrapping_add_signed(by);
        }
    }

    /// Returns whether opening a file for `access` conflicts with the files that are open. An
    /// exclusive reader and another reader exclude each other.
    fn excludes(&self, access: Access) -> bool {
        access.read && (self.exclusive > 0 || access.exclusive && self.readers > 0)
    }

    /// Returns whether no file is open for reading or writing.
    fn is_empty(&self) -> bool {
        self.readers == 0 && self.writers == 0
    }
}

/// State of a pipe, which its lock protects.
struct State {
    flags: Flags,
    queue: Queue,
    refused: Refused,
    open_counts: OpenCounts,
    /// Open files that close the fast paths.
    slow: Slow,
    /// Preallocated pages for calls in the mode `RECORDS`.
    pages: Pages,
    /// Modes of newly opened files.
    default_modes: Modes,
    /// Expiry settings.
    expiry: Expiry,
    /// The sweeper is queued, or runs and has yet to decide whether to queue itself again.
    sweeping: bool,
    /// Number of expired messages that are not logged yet.
    untold: u64,
    /// Number of messages accepted plus number of messages removed, at the last run of the trimmer.
    passed_at_trim: u64,
}

impl State {
    /// Returns the error [`ENODEV`] if the pipe is destroyed.
    fn alive(&self) -> Result {
        if self.is_dead() {
            Err(ENODEV)
        } else {
            Ok(())
        }
    }

    /// Returns [`EMSGSIZE`] for `call`, and counts it as refused. A call that is partly done is not
    /// counted: it returns its progress instead of the error.
    fn refuse_size(&mut self, call: &impl Call) -> Error {
        if !call.is_partly_done() {
            self.refused.size = self.refused.size.wrapping_add(1);
        }
        EMSGSIZE
    }

    /// Takes out all memory that holds no message. The caller frees it without the lock.
    fn take_spare(&mut self) -> Segments {
        let mut spare = self.queue.store_mut().trim(true);
        spare.append(&mut self.pages.take());
        spare
    }

    /// Returns whether the pipe is destroyed.
    #[inline]
    fn is_dead(&self) -> bool {
        self.flags.contains(Flag::Dead)
    }
}

/// Snapshot of a pipe, taken in one critical section.
#[derive(Clone, Copy)]
pub(crate) struct Snapshot {
    /// Number of the pipe.
    pub(crate) id: u32,
    /// Limits of the queue.
    pub(crate) limits: Limits,
    /// Queued messages and their bytes.
    pub(crate) depth: Tally,
    /// Counters of accepted, delivered, expired and dropped messages.
    pub(crate) counters: Counters,
    /// Counts of refused writes.
    pub(crate) refused: Refused,
    /// Numbers of open files.
    pub(crate) open_counts: OpenCounts,
    /// Number of readers that wait for a message.
    pub(crate) waiting_readers: u32,
    /// Number of writers that wait for a slot.
    pub(crate) waiting_writers: u32,
    /// Expiry settings.
    pub(crate) expiry: Expiry,
    /// Record of the oldest message.
    pub(crate) head: Option<Record>,
    /// Sequence number of the oldest message, or of the next one if the queue is empty.
    pub(crate) first_seq: u64,
    /// Time of the snapshot: nanoseconds of `CLOCK_MONOTONIC`.
    pub(crate) now: u64,
    /// Debug state.
    pub(crate) internals: Internals,
}

/// Debug state, shown in debugfs.
#[derive(Clone, Copy)]
pub(crate) struct Internals {
    /// Sequence number of the newest message that was accepted.
    pub(crate) last_seq: u64,
    /// Number of segments in use by the two streams of the store.
    pub(crate) segments: usize,
    /// Number of spare segments, including the pages for the mode `RECORDS`.
    pub(crate) spare_segments: usize,
    /// Changes are announced to pollers, or by signals.
    pub(crate) watched: bool,
    /// The sweeper is queued or running.
    pub(crate) sweeping: bool,
    /// A dump is in progress.
    pub(crate) dumping: bool,
    /// Number of open files that keep the rest of a message, and a slot with it.
    pub(crate) rests: u32,
}

/// One pipe.
///
/// It is reference counted: its entry in the registry, its device, each open file, and each of its
/// works while it is queued hold a reference. Dropping the last one frees the pipe with its
/// messages.
#[pin_data]
pub(crate) struct Pipe {
    id: u32,
    node: Node,
    #[pin]
    state: StateLock<State>,
    readers: Waiters,
    writers: Waiters,
    /// Tasks that wait for the end of a dump, or of a write of lines to the same file.
    #[pin]
    turns: CondVar,
    /// Pollers, and files that want signals. They are apart from the wait lists: an exclusive
    /// poller that is woken and then does not read must not use up the wakeup of a waiter.
    #[pin]
    notifier: Notifier,
    #[pin]
    sweeper: DelayedWork<Self, { work_id::SWEEP }>,
    #[pin]
    trimmer: DelayedWork<Self, { work_id::TRIM }>,
}

/// Ids of the two works of a pipe.
mod work_id {
    /// The sweeper, which removes expired messages.
    pub(super) const SWEEP: u64 = 0;
    /// The trimmer, which frees memory that is no longer needed.
    pub(super) const TRIM: u64 = 1;
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self, { work_id::SWEEP }> for Pipe { self.sweeper }
    impl HasDelayedWork<Self, { work_id::TRIM }> for Pipe { self.trimmer }
}

impl Pipe {
    /// Creates an empty pipe.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(crate) fn new(
        id: u32,
        limits: Limits,
        node: Node,
        default_modes: Modes,
    ) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                id,
                node,
                state <- new_state_lock!(
                    State {
                        flags: Flag::Untrimmed.into(),
                        queue: Queue::new(limits),
                        refused: Refused::default(),
                        open_counts: OpenCounts::default(),
                        slow: Slow::default(),
                        pages: Pages::default(),
                        default_modes,
                        expiry: Expiry::off(),
                        sweeping: false,
                        untold: 0,
                        passed_at_trim: 0,
                    },
                    "Pipe::state"
                ),
                readers: Waiters::new(&state, Flag::ReadersSleep),
                writers: Waiters::new(&state, Flag::WritersSleep),
                turns <- new_condvar!("Pipe::turns"),
                notifier <- Notifier::new(c"Pipe::notifier", static_lock_class!()),
                sweeper <- new_delayed_work!("Pipe::sweeper"),
                trimmer <- new_delayed_work!("Pipe::trimmer"),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Returns the number of the pipe.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Returns the properties of the device node.
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// Returns the notifier, which pollers and files that want signals register with.
    pub(crate) fn notifier(&self) -> &Notifier {
        &self.notifier
    }

    /// Destroys the pipe: drops its messages, wakes all waiters, makes every later call fail,
    /// disables both works, and waits for them if they run.
    ///
    /// Must not be called from one of the works: it would wait for itself.
    pub(crate) fn shutdown(this: &Arc<Self>) {
        let mut state = this.state.lock();
        state.flags |= Flag::Dead;
        let gone = state.queue.clear();
        let spare = state.take_spare();
        let untold = mem::take(&mut state.untold);
        drop(state);
        drop(gone);
        drop(spare);

        this.tell_expired(untold);
        this.announce_end();
        work::disable::<Self, { work_id::SWEEP }>(this);
        work::disable::<Self, { work_id::TRIM }>(this);
    }

    /// Drops all queued messages.
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn clear(self: &Arc<Self>) -> Result {
        let mut state = self.state.lock();
        state.alive()?;
        let freed = state.queue.depth().msgs;
        let gone = state.queue.clear();
        self.announce_room(state, freed);
        drop(gone);
        Ok(())
    }

    /// Returns the limits of the queue.
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn limits(&self) -> Result<Limits> {
        let state = self.state.lock();
        state.alive()?;
        Ok(state.queue.limits())
    }

    /// Changes the limits of the queue.
    ///
    /// # Errors
    ///
    /// - [`EBUSY`]: the queue is not empty.
    /// - [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn set_limits(self: &Arc<Self>, limits: Limits) -> Result {
        let mut state = self.lock_fresh();
        state.alive()?;
        if !state.queue.is_empty() {
            return Err(EBUSY);
        }
        // No message leaves to make room, but rests of messages may hold all slots.
        let was_full = state.queue.is_full();
        state.queue.set_limits(limits);
        if was_full && !state.queue.is_full() {
            self.announce_room(state, limits.max_msgs().into());
        }
        Ok(())
    }

    /// Returns the [`events`] that `poll` reports for the file of `handle`.
    pub(crate) fn poll(self: &Arc<Self>, handle: &Handle) -> u32 {
        let access = handle.access();
        let mut state = self.lock_fresh();
        // The poller has registered before this call. A change before this critical section is seen
        // below, and a change after it finds the flag set and notifies the poller.
        state.flags |= Flag::Polled;
        if state.is_dead() {
            return events::GONE | events::IN | events::OUT;
        }
        let mut answer = 0;
        let kept = handle.of(&mut state);
        let readable = kept.rest_len() > 0 || kept.modes.contains(Modes::EOF);
        if access.read && (readable || !state.queue.is_empty()) {
            answer |= events::IN;
        }
        if state.queue.is_full() {
            state.flags |= Flag::WasFull;
        } else if access.write {
            answer |= events::OUT;
        }
        answer
    }

    /// Enables signals if any file is registered for them, and disables them otherwise. Must be
    /// called after each registration and removal: of concurrent callers, the last one sees all
    /// changes.
    pub(crate) fn signals_changed(&self) {
        let mut state = self.state.lock();
        let wanted = !self.notifier.is_unsignalled();
        state.flags.set(Flag::Signalled, wanted);
    }

    /// Returns the maximum number of bytes that the next read of the file of `handle` can get: the
    /// length of the rest that it keeps, otherwise of the oldest message, or, in the mode
    /// `RECORDS`, of all records. Returns zero if there is nothing to read.
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn next_len(self: &Arc<Self>, handle: &Handle) -> Result<usize> {
        self.len_of_next(handle, |queue| {
            let headers = queue.depth().msgs as usize * wire::record_len(0);
            headers + queue.store().payload_span()
        })
    }

    /// Returns the number of bytes that the next read of the file of `handle` needs so as not to
    /// fail with [`EMSGSIZE`] in the modes `WHOLE` and `RECORDS`. In the mode `RECORDS` that is the
    /// length of the first record, otherwise the result of [`Pipe::next_len`].
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn needed_len(self: &Arc<Self>, handle: &Handle) -> Result<usize> {
        self.len_of_next(handle, |queue| {
            queue.front().map_or(0, |front| wire::record_len(front.len))
        })
    }

    /// Returns the length of what the file of `handle` reads next. `records` computes it for the
    /// mode `RECORDS`.
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: the pipe is destroyed.
    fn len_of_next(
        self: &Arc<Self>,
        handle: &Handle,
        records: impl Fn(&Queue) -> usize,
    ) -> Result<usize> {
        let mut state = self.lock_fresh();
        state.alive()?;
        let kept = handle.of(&mut state);
        let rest = kept.rest_len();
        if rest > 0 {
            return Ok(rest);
        }
        if kept.modes.contains(Modes::RECORDS) {
            return Ok(records(&state.queue));
        }
        Ok(state.queue.front().map_or(0, |record| record.len as usize))
    }

    /// Takes a snapshot.
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn snapshot_alive(&self) -> Result<Snapshot> {
        let state = self.state.lock();
        state.alive()?;
        Ok(self.snapshot_of(&state))
    }

    /// Takes a snapshot, also of a destroyed pipe.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.snapshot_of(&self.state.lock())
    }

    /// Takes a snapshot of `state`, the locked state of this pipe.
    fn snapshot_of(&self, state: &State) -> Snapshot {
        Snapshot {
            id: self.id,
            limits: state.queue.limits(),
            depth: state.queue.depth(),
            counters: state.queue.counters(),
            refused: state.refused,
            open_counts: state.open_counts,
            waiting_readers: self.readers.len(state),
            waiting_writers: self.writers.len(state),
            expiry: state.expiry,
            head: state.queue.front(),
            first_seq: state.queue.first_seq(),
            now: clock::monotonic(),
            internals: Internals {
                last_seq: state.queue.last_seq(),
                segments: state.queue.store().segments(),
                spare_segments: state.queue.store().spare_segments() + state.pages.len(),
                watched: state.flags.contains_any(Flag::Polled | Flag::Signalled),
                sweeping: state.sweeping,
                dumping: state.flags.contains(Flag::Dumping),
                rests: state.slow.rests(),
            },
        }
    }

    /// Returns the error [`ENODEV`] if the pipe is destroyed.
    pub(crate) fn alive(&self) -> Result {
        self.state.lock().alive()
    }
}
