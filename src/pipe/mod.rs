// SPDX-License-Identifier: GPL-2.0

//! One pipe: its lock, and who waits for it.
//!
//! # Rules
//!
//! - With the lock held nothing is allocated or freed, nothing is logged, and no page fault
//!   happens: user memory is copied with page faults disabled, or without the lock.
//! - Whoever adds a message or frees a slot wakes one sleeper, if there is one and none is on his
//!   way already.
//! - Whoever was woken and leaves a message or room when he is done, for whatever reason, wakes the
//!   next. So as many sleepers come as there is work for, and nearly never one for nothing: while
//!   one is on his way, there may be many more messages or slots.

mod announce;
mod dump;
mod expiry;
mod fast;
mod flags;
mod handle;
mod lines;
mod pages;
mod receive;
mod receive_records;
mod rest;
mod send;
mod send_records;
mod side;
mod trim;

pub(crate) use self::{
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
    pages::Pages,
    side::Side, //
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
    device::Access,
    kernel_ext::{
        call::Call,
        clock,
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
    limits::Limits,
    message::Record,
    mode::Modes,
    node::Node,
    queue::Queue,
    stats::{
        Account,
        Refused,
        Tally, //
    },
    stream::Segments,
    wire, //
};

/// How often a task brings its memory in on trust. It nearly always has to once at most.
const FAULTS_ON_TRUST: u32 = 4;

/// Who uses a pipe.
#[derive(Clone, Copy, Default)]
pub(crate) struct Population {
    /// Open files that may read.
    pub(crate) readers: u32,
    /// Open files that may write.
    pub(crate) writers: u32,
    /// Open files that may read, and beside which no other file may.
    pub(crate) exclusive: u32,
}

impl Population {
    /// Counts a newly opened file in, or a closed one out.
    fn count(&mut self, access: Access, by: i32) {
        // The kernel bounds open files far below four billion.
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

    /// Whether a file may not be opened for `access` beside those that are open.
    fn excludes(&self, access: Access) -> bool {
        access.read && (self.exclusive > 0 || access.exclusive && self.readers > 0)
    }

    /// Whether no file is open.
    fn is_empty(&self) -> bool {
        self.readers == 0 && self.writers == 0
    }
}

/// What the lock protects.
struct State {
    flags: Flags,
    queue: Queue,
    refused: Refused,
    population: Population,
    /// Open files whose calls are not for the fast paths.
    slow: Slow,
    /// Memory for calls in the mode `RECORDS`.
    pages: Pages,
    /// How newly opened files read and write.
    default_modes: Modes,
    /// Whether and when messages expire.
    expiry: Expiry,
    /// The sweeper is queued, or about to be.
    sweeping: bool,
    /// Messages that have expired and that the log does not tell of yet.
    untold: u64,
    /// How many messages had come and gone when memory was given back last.
    passed_at_trim: u64,
}

impl State {
    /// Fails once the pipe is destroyed.
    fn alive(&self) -> Result {
        if self.is_dead() {
            Err(ENODEV)
        } else {
            Ok(())
        }
    }

    /// Counts `call` as refused for its length, unless part of it has succeeded. Returns its error.
    fn refuse_size(&mut self, call: &impl Call) -> Error {
        if !call.is_partly_done() {
            self.refused.size = self.refused.size.wrapping_add(1);
        }
        EMSGSIZE
    }

    /// Takes all memory out that holds nothing, to be freed without the lock.
    fn take_spare(&mut self) -> Segments {
        let mut spare = self.queue.store_mut().trim(true);
        spare.append(&mut self.pages.take());
        spare
    }

    /// Whether the pipe is destroyed.
    #[inline]
    fn is_dead(&self) -> bool {
        self.flags.contains(Flag::Dead)
    }
}

/// A consistent view of a pipe: all of it was true at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Snapshot {
    /// Number of the pipe.
    pub(crate) id: u32,
    /// What it may hold.
    pub(crate) limits: Limits,
    /// What is queued.
    pub(crate) depth: Tally,
    /// Where its messages have gone.
    pub(crate) account: Account,
    /// Writes that were refused.
    pub(crate) refused: Refused,
    /// Who uses it.
    pub(crate) population: Population,
    /// Tasks asleep because there is no message.
    pub(crate) waiting_readers: u32,
    /// Tasks asleep because there is no room.
    pub(crate) waiting_writers: u32,
    /// Whether and when messages expire.
    pub(crate) expiry: Expiry,
    /// The oldest message.
    pub(crate) head: Option<Record>,
    /// Sequence number of the oldest message, or of the next one if there is none.
    pub(crate) first_seq: u64,
    /// When this was so: nanoseconds of `CLOCK_MONOTONIC`.
    pub(crate) now: u64,
    /// What its developers want to know.
    pub(crate) internals: Internals,
}

/// What only those want to know who look for an error in this module.
#[derive(Clone, Copy)]
pub(crate) struct Internals {
    /// Sequence number of the message that was accepted last.
    pub(crate) last_seq: u64,
    /// Segments of memory that hold messages.
    pub(crate) segments: usize,
    /// Segments that hold none.
    pub(crate) spare_segments: usize,
    /// Changes are announced to pollers and processes that asked for signals.
    pub(crate) watched: bool,
    /// The sweeper is queued.
    pub(crate) sweeping: bool,
    /// Somebody copies the messages.
    pub(crate) dumping: bool,
    /// Open files that keep the rest of a message, and a slot with it.
    pub(crate) rests: u32,
}

/// One pipe.
///
/// Its place in the registry and each open file have a reference of their own, and so has each of
/// its works while it is queued; the last one to go frees the messages that are left and then the
/// pipe.
#[pin_data]
pub(crate) struct Pipe {
    id: u32,
    node: Node,
    #[pin]
    state: StateLock<State>,
    readers: Side,
    writers: Side,
    /// Tasks that sleep until another one has copied the messages, or has ended its write of lines.
    #[pin]
    turns: CondVar,
    /// Pollers and processes that want signals. Apart from the sleepers: an exclusive poller that
    /// is woken and then does not read must not have taken a sleeper's wakeup.
    #[pin]
    notifier: Notifier,
    #[pin]
    sweeper: DelayedWork<Self, { work_id::SWEEP }>,
    #[pin]
    trimmer: DelayedWork<Self, { work_id::TRIM }>,
}

/// Which work is which.
mod work_id {
    /// Removes messages that grew too old.
    pub(super) const SWEEP: u64 = 0;
    /// Gives memory back that is not needed any more.
    pub(super) const TRIM: u64 = 1;
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self, { work_id::SWEEP }> for Pipe { self.sweeper }
    impl HasDelayedWork<Self, { work_id::TRIM }> for Pipe { self.trimmer }
}

impl Pipe {
    /// Makes an empty pipe.
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
                        population: Population::default(),
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
                readers: Side::new(&state, Flag::ReadersSleep),
                writers: Side::new(&state, Flag::WritersSleep),
                turns <- new_condvar!("Pipe::turns"),
                notifier <- Notifier::new(c"Pipe::notifier", static_lock_class!()),
                sweeper <- new_delayed_work!("Pipe::sweeper"),
                trimmer <- new_delayed_work!("Pipe::trimmer"),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// What its node is like.
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// What pollers register with.
    pub(crate) fn notifier(&self) -> &Notifier {
        &self.notifier
    }

    /// Destroys the pipe: drops its messages, wakes everybody who waits for it, lets every later
    /// call fail, and waits until its works are done for good.
    ///
    /// Must not be called by one of them.
    pub(crate) fn kill(this: &Arc<Self>) {
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

    /// Drops every queued message.
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

    /// What the pipe may hold.
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn limits(&self) -> Result<Limits> {
        let state = self.state.lock();
        state.alive()?;
        Ok(state.queue.limits())
    }

    /// Changes what the pipe may hold.
    ///
    /// # Errors
    ///
    /// - [`EBUSY`]: there are messages.
    /// - [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn set_limits(self: &Arc<Self>, limits: Limits) -> Result {
        let mut state = self.lock_fresh();
        state.alive()?;
        if !state.queue.is_empty() {
            return Err(EBUSY);
        }
        // No message will leave to make room, but rests of messages may have all slots.
        let was_full = state.queue.is_full();
        state.queue.set_limits(limits);
        if was_full && !state.queue.is_full() {
            self.announce_room(state, limits.max_msgs().into());
        }
        Ok(())
    }

    /// Answers `poll` for the file of `handle`.
    pub(crate) fn poll(self: &Arc<Self>, handle: &Handle) -> u32 {
        let access = handle.access();
        let mut state = self.lock_fresh();
        // A change before this section is seen here, one after it is announced.
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

    /// Announces every change by signals from now on if a file wants them, and none otherwise. A
    /// file is registered, or unregistered, before this call, so that the last call finds them all.
    pub(crate) fn signals_changed(&self) {
        let mut state = self.state.lock();
        let wanted = !self.notifier.is_unsignalled();
        state.flags.set(Flag::Signalled, wanted);
    }

    /// The number of bytes that the next read of the file of `handle` can get at most: what is left
    /// of a message, or else all of the next one, or all records in the mode `RECORDS`. Zero if
    /// there is none.
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

    /// The number of bytes without which the next read of the file of `handle` fails, if it is in
    /// a mode in which that can be; otherwise as [`Pipe::next_len`].
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn needed_len(self: &Arc<Self>, handle: &Handle) -> Result<usize> {
        self.len_of_next(handle, |queue| {
            queue.front().map_or(0, |front| wire::record_len(front.len))
        })
    }

    /// The length of what a file reads next, where `records` says that of records.
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

    /// Takes a consistent view.
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn snapshot_alive(&self) -> Result<Snapshot> {
        let state = self.state.lock();
        state.alive()?;
        Ok(self.snapshot_of(&state))
    }

    /// Takes a consistent view, also of a destroyed pipe.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.snapshot_of(&self.state.lock())
    }

    /// Says what the view of `state` is.
    fn snapshot_of(&self, state: &State) -> Snapshot {
        Snapshot {
            id: self.id,
            limits: state.queue.limits(),
            depth: state.queue.depth(),
            account: state.queue.account(),
            refused: state.refused,
            population: state.population,
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

    /// Whether the pipe is destroyed.
    pub(crate) fn alive(&self) -> Result {
        self.state.lock().alive()
    }
}
