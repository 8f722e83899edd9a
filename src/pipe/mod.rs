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
mod fast_path;
mod flags;
mod handle;
mod hang_up;
pub(crate) mod kind;
mod lease;
mod loss;
pub(crate) mod mode;
pub(crate) mod name;
pub(crate) mod node;
pub(crate) mod overflow;
mod pages;
mod partial_call;
mod partial_line;
mod receive;
mod receive_records;
mod receive_rest;
mod rest;
mod roster;
mod send;
mod send_lines;
mod send_records;
mod snapshot;
mod spec;
mod state;
mod subscription;
mod trim;
mod waiters;

pub(crate) use self::{
    access::Access,
    dump::Progress,
    expiry::Expiry,
    handle::{
        Exclusivity,
        FileSnapshot,
        Handle, //
    },
    lease::LeaseTerms,
    roster::SubscriptionSnapshot,
    snapshot::Snapshot,
    spec::Spec,
    subscription::Reads, //
};
use self::{
    flags::Flag,
    kind::Kind,
    mode::Modes,
    node::Node,
    state::State,
    subscription::LogMemory,
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
    kernel_ext::sync::{
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
    log::{
        lanes::Lanes,
        limits::Limits,
        message::Terms,
        wire, //
    }, //
};

/// Maximum number of fault-in attempts per message before a fallback: a sender copies the message
/// to a bounce buffer, a reader checks that its buffer is writable. One attempt nearly always
/// suffices.
const MAX_FAULT_INS: u32 = 4;

/// One pipe.
///
/// It is reference counted: its entry in the registry, its device, each open file, and each of its
/// works while it is queued hold a reference. Dropping the last one frees the pipe with its
/// messages.
#[pin_data]
pub(crate) struct Pipe {
    id: u32,
    kind: Kind,
    priorities: u32,
    node: Node,
    #[pin]
    state: StateLock<State>,
    readers: Waiters,
    /// Readers of files that read from a position of their own.
    subscribers: Waiters,
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
    pub(crate) fn new(id: u32, spec: &Spec) -> Result<Arc<Self>> {
        let memory = LogMemory::of_kind(spec.kind, spec.limits)?;
        let lanes = match spec.priorities {
            ..=1 => None,
            priorities => Some(Lanes::new(priorities)?),
        };
        Arc::pin_init(
            pin_init!(Self {
                id,
                kind: spec.kind,
                priorities: spec.priorities,
                node: spec.node,
                state <- new_state_lock!(State::new(spec, memory, lanes), "Pipe::state"),
                readers: Waiters::new(&state, Flag::ReadersWait),
                subscribers: Waiters::new(&state, Flag::SubscribersWait),
                writers: Waiters::new(&state, Flag::WritersWait),
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

    /// Returns the kind of the pipe.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the number of priorities.
    pub(crate) fn priorities(&self) -> u32 {
        self.priorities
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
        let unlogged = mem::take(&mut state.unlogged);
        drop(state);
        drop(gone);
        drop(spare);

        this.log_expired(unlogged);
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
        // The messages are lost for files that read from a position of their own.
        let tell = state.flags.contains(Flag::Subscribed) && state.flags.contains(Flag::Polled);
        self.announce_room(state, freed);
        drop(gone);
        if tell {
            self.notifier.lost();
        }
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

    /// Returns what the pipe takes of messages to send.
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: the pipe is destroyed.
    fn terms(&self) -> Result<Terms> {
        let state = self.state.lock();
        state.alive()?;
        Ok(state.terms())
    }

    /// Changes the limits of the queue.
    ///
    /// # Errors
    ///
    /// - [`EBUSY`]: the queue is not empty.
    /// - [`EINVAL`]: the history of the pipe does not fit.
    /// - [`ENOMEM`].
    /// - [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn set_limits(self: &Arc<Self>, limits: Limits) -> Result {
        let (mut state, memory) = loop {
            let memory = self.log_memory_for(limits)?;
            let state = self.lock_unexpired();
            state.alive()?;
            if state.queue.depth().msgs > 0 {
                return Err(EBUSY);
            }
            // A file may have begun to browse the queue or to receive with a lease in the meantime.
            if LogMemory::suits(memory.as_ref(), &state) {
                break (state, memory);
            }
        };
        let history = state.take_history();
        let old = memory.map(|memory| state.keep_log_memory(memory));
        // No message leaves to make room, but rests of messages may hold all slots.
        let was_full = state.queue.is_full();
        state.queue.set_limits(limits);
        if was_full && !state.queue.is_full() {
            self.announce_room(state, limits.max_msgs().into());
        } else {
            drop(state);
        }
        drop(old);
        drop(history);
        Ok(())
    }

    /// Returns the [`events`] that `poll` reports for the file of `handle`.
    pub(crate) fn poll(self: &Arc<Self>, handle: &Handle) -> u32 {
        let access = handle.access();
        let mut state = self.lock_unexpired();
        // The poller has registered before this call. A change before this critical section is seen
        // below, and a change after it finds the flag set and notifies the poller.
        state.flags |= Flag::Polled;
        if state.is_dead() {
            return events::GONE | events::IN | events::OUT;
        }
        let mut answer = 0;
        let file = handle.state(&mut state);
        let readable = file.rest_len() > 0 || file.modes.contains(Modes::EOF);
        if state.is_hung_up(handle) {
            answer |= events::HUNG_UP;
        }
        let (has_message, has_lost) = state.pending(handle);
        if access.read && (readable || has_message) {
            answer |= events::IN;
        }
        if access.read && has_lost {
            answer |= events::LOST;
        }
        if state.must_wait() {
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
        self.len_of_next(handle, |state| state.span_of(handle, wire::RECORD))
    }

    /// Returns the number of bytes that the next read of the file of `handle` needs so as not to
    /// fail with [`EMSGSIZE`] in the modes `WHOLE` and `RECORDS`. In the mode `RECORDS` that is the
    /// length of the first record, otherwise the result of [`Pipe::next_len`].
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn needed_len(self: &Arc<Self>, handle: &Handle) -> Result<usize> {
        self.len_of_next(handle, |state| {
            let next = state.next_record(handle);
            next.map_or(0, |record| wire::record_len(record.len))
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
        records: impl Fn(&mut State) -> usize,
    ) -> Result<usize> {
        let mut state = self.lock_unexpired();
        state.alive()?;
        let file = handle.state(&mut state);
        let rest = file.rest_len();
        if rest > 0 {
            return Ok(rest);
        }
        if file.modes.contains(Modes::RECORDS) {
            return Ok(records(&mut state));
        }
        let next = state.next_record(handle);
        Ok(next.map_or(0, |record| record.len as usize))
    }

    /// Returns the error [`ENODEV`] if the pipe is destroyed.
    pub(crate) fn alive(&self) -> Result {
        self.state.lock().alive()
    }
}
