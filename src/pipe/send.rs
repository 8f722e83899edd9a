// SPDX-License-Identifier: GPL-2.0

//! Sending a message.

use kernel::{
    current,
    prelude::*,
    sync::Arc,
    task::CurrentTask, //
};

use super::{
    Handle,
    Pipe,
    State,
    FAULTS_ON_TRUST, //
};
use crate::{
    kernel_ext::{
        call::Call,
        clock,
        cred::{
            self,
            Ids,
            Opener, //
        },
        lock::StateGuard,
        nofault::{
            self,
            Source, //
        },
        segment::{
            Segment,
            SEGMENT_SIZE, //
        },
    },
    message::{
        Sender,
        Stamp, //
    },
    mode::Modes,
    store::Place,
    stream::Segments, //
};

/// Adds `count` new segments.
///
/// # Errors
///
/// [`ENOMEM`].
fn allocate(segments: &mut Segments, count: usize) -> Result {
    for _ in 0..count {
        segments.push_back(Segment::new()?);
    }
    Ok(())
}

/// What a message is signed with that `task` sends through a file of `opener`, at a time
/// `monotonic`.
#[inline(always)]
pub(super) fn sign(task: &CurrentTask, opener: &Opener, monotonic: u64) -> (Sender, Stamp) {
    // This calls a function. Ids that were loaded before it would have to be saved across the call.
    let stamp = stamp(monotonic);
    (sender(task, opener), stamp)
}

/// The time `monotonic`, by both clocks.
#[inline(always)]
pub(super) fn stamp(monotonic: u64) -> Stamp {
    Stamp {
        monotonic,
        realtime: clock::monotonic_to_realtime(monotonic),
    }
}

/// The sender of what `task` sends through a file of `opener`.
#[inline(always)]
pub(super) fn sender(task: &CurrentTask, opener: &Opener) -> Sender {
    let Ids {
        uid,
        gid,
        pid,
        privileged,
    } = cred::ids(task, opener);
    Sender {
        uid,
        gid,
        pid,
        privileged,
    }
}

/// A call of which part has succeeded: no program sees what stops it then.
pub(super) struct Partly<'a, C>(pub(super) &'a C);

impl<C: Call> Call for Partly<'_, C> {
    fn is_nonblocking(&self) -> bool {
        self.0.is_nonblocking()
    }

    fn is_attempt(&self) -> bool {
        true
    }

    fn is_partly_done(&self) -> bool {
        true
    }
}

impl State {
    /// Accepts `len` bytes of `source`, which is all of it, sent at a time `now`, if there is room
    /// for them in `place`, in one piece; returns whether it did.
    #[inline(always)]
    fn put_here(
        &mut self,
        len: usize,
        place: Place,
        now: u64,
        source: &mut impl Source,
        opener: &Opener,
        task: &CurrentTask,
    ) -> bool {
        // A dead pipe has no segments, and gets none.
        self.queue.push_here(
            len,
            place,
            now,
            |piece| nofault::fill_all(source, task, piece),
            |monotonic| sign(task, opener, monotonic),
        )
    }
}

impl Pipe {
    /// Sends all of `source` as one message through the file of `handle`, which `opener` has
    /// opened, and returns its length in bytes; of nothing, no message is made. A file in the mode
    /// `LINES` sends each line as a message, and returns the length of those that were accepted.
    /// One in the mode `RECORDS` uses [`Pipe::send_records`].
    ///
    /// # Errors
    ///
    /// The queue is then as if there had been no call.
    ///
    /// - [`ENODEV`]: the pipe is destroyed.
    /// - [`EMSGSIZE`]: it is longer than the pipe takes.
    /// - [`EAGAIN`]: the pipe is full and the call must not wait.
    /// - [`ERESTARTSYS`]: a signal came while it waited.
    /// - [`EFAULT`]: some of the memory cannot be read.
    /// - [`ENOMEM`].
    #[inline]
    pub(crate) fn send<S: Source>(
        this: &Arc<Self>,
        handle: &Handle,
        opener: &Opener,
        mut source: S,
        call: &impl Call,
    ) -> Result<usize> {
        let task = current!();
        let len = source.len();
        // Before the lock is taken, which is held for so much less.
        let now = clock::monotonic();
        let mut state = this.state.lock();
        if state.put_here(len, Place::Last, now, &mut source, opener, task) {
            this.finish_send(state, handle, len);
            return Ok(len);
        }
        this.send_slowly(state, handle, opener, now, source, call)
    }

    /// The slow path: looks after all that the fast path leaves out.
    #[cold]
    #[inline(never)]
    fn send_slowly<'a, S: Source>(
        self: &'a Arc<Self>,
        mut state: StateGuard<'a, State>,
        handle: &Handle,
        opener: &Opener,
        now: u64,
        mut source: S,
        call: &impl Call,
    ) -> Result<usize> {
        let task = current!();
        let len = source.len();
        if state.put_here(len, Place::Spare, now, &mut source, opener, task) {
            self.finish_send(state, handle, len);
            return Ok(len);
        }
        state.alive()?;
        if len == 0 {
            return Ok(0);
        }
        let sender = sender(task, opener);
        if handle.of(&mut state).modes.contains(Modes::LINES) {
            return self.send_lines(state, handle, sender, source, call);
        }
        self.deposit(state, handle, sender, source, call)
    }

    /// Sends all of `source`, which is not empty, as one message from `sender`, and returns its
    /// length in bytes. It waits for a slot, allocates memory and brings the source in.
    pub(super) fn deposit<'a, S: Source>(
        self: &'a Arc<Self>,
        locked: StateGuard<'a, State>,
        handle: &Handle,
        sender: Sender,
        mut source: S,
        call: &impl Call,
    ) -> Result<usize> {
        let task = current!();
        let len = source.len();
        // Memory for the message beyond what the store has. It is declared before the guard, so
        // that it is dropped without the lock wherever this returns. Likewise a copy of the
        // message.
        let mut fresh = Segments::new();
        let mut copy: Option<Segments> = None;
        // Whether this task was woken for a slot that it has not used yet.
        let mut woken = false;
        let mut faults = 0;
        let mut state = locked;
        loop {
            state.alive()?;
            let msg_size = state.queue.limits().msg_size();
            let Some(msg_len) = u32::try_from(len).ok().filter(|len| *len <= msg_size) else {
                let err = state.refuse_size(call);
                self.writers.pass_on(state, woken);
                return Err(err);
            };

            if state.queue.is_full() {
                if state.front_expired() {
                    state = self.freshen(state);
                    continue;
                }
                if call.is_nonblocking() {
                    if !call.is_attempt() {
                        state.refused.full = state.refused.full.wrapping_add(1);
                    }
                    return Err(EAGAIN);
                }
                // A writer gets in line when it has all that its message takes, and the message is
                // at hand as far as one can know: it is to use the slot that it is woken for.
                let missing = state.queue.store_mut().provide_most(&mut fresh, len);
                if missing > 0 || faults == 0 {
                    drop(state);
                    allocate(&mut fresh, missing)?;
                    if faults == 0 {
                        faults = 1;
                        source.fault_in(len)?;
                    }
                    state = self.state.lock();
                    continue;
                }
                (state, woken) = self.writers.sleep(state, task, handle);
                if !woken && state.queue.is_full() && !state.is_dead() {
                    return Err(ERESTARTSYS);
                }
                continue;
            }

            let missing = state.queue.store_mut().provide(&mut fresh, len);
            if missing > 0 {
                self.writers.pass_on(state, woken);
                woken = false;
                allocate(&mut fresh, missing)?;
                state = self.state.lock();
                continue;
            }

            let stamp = stamp(clock::monotonic());
            let accepted = if let Some(copy) = &copy {
                let mut bytes = copy.iter().flatten();
                state
                    .queue
                    .push(msg_len, sender, stamp, &mut fresh, |piece| {
                        for (to, from) in piece.iter_mut().zip(&mut bytes) {
                            *to = *from;
                        }
                        true
                    })
            } else {
                let mut filling = nofault::Fill::new(&mut source, task);
                let accepted = state
                    .queue
                    .push(msg_len, sender, stamp, &mut fresh, |piece| {
                        filling.copy(piece)
                    });
                if accepted {
                    filling.finish();
                }
                accepted
            };
            if accepted {
                self.finish_send_slowly(state, handle, len, woken);
                return Ok(len);
            }

            // Some of the memory is not there.
            self.writers.pass_on(state, woken);
            woken = false;
            if faults < FAULTS_ON_TRUST {
                faults += 1;
                source.fault_in(len)?;
            } else {
                // Somebody keeps taking the memory away: a copy of it stays.
                let mut payload = Segments::new();
                allocate(&mut payload, len.div_ceil(SEGMENT_SIZE))?;
                nofault::fill_patiently(&mut source, len, payload.iter_mut())?;
                copy = Some(payload);
            }
            state = self.state.lock();
        }
    }

    /// Ends the sending of a message of `len` bytes: counts it, releases the lock, and tells of it.
    #[inline(always)]
    pub(super) fn finish_send(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        handle: &Handle,
        len: usize,
    ) {
        handle.of(&mut state).passed.sent.add(len);
        self.announce_messages(state, 1);
    }

    /// Likewise; a writer that was `woken` and leaves room wakes the next for it.
    fn finish_send_slowly(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        handle: &Handle,
        len: usize,
        woken: bool,
    ) {
        let next = (woken && !state.queue.is_full())
            .then(|| self.writers.choose(&mut state))
            .flatten();
        self.finish_send(state, handle, len);
        if let Some(next) = next {
            next.wake_up();
        }
    }
}
