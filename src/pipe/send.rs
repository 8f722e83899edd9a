// SPDX-License-Identifier: GPL-2.0

//! Sending one message: the fast path and the slow path.

use kernel::{
    current,
    prelude::*,
    sync::Arc,
    task::CurrentTask, //
};

use super::{
    mode::Modes,
    Handle,
    Pipe,
    State,
    FAULTS_ON_TRUST, //
};

use crate::{
    kernel_ext::{
        clock,
        cred::{
            self,
            Ids,
            Opener, //
        },
        mm::segment::{
            Segment,
            SEGMENT_SIZE, //
        },
        sync::lock::StateGuard,
        uaccess::{
            call::Call,
            nofault::{
                self,
                Source, //
            }, //
        }, //
    },
    log::{
        message::{
            Sender,
            Stamp, //
        },
        store::Placement,
        stream::Segments, //
    }, //
};

/// Appends `count` new segments to `segments`. Must not be called with the lock held.
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

/// Returns the sender and the timestamps of a message that `task` sends through a file of `opener`
/// at the time `monotonic`, in nanoseconds of `CLOCK_MONOTONIC`.
#[inline(always)]
pub(super) fn sign(task: &CurrentTask, opener: &Opener, monotonic: u64) -> (Sender, Stamp) {
    // Computed first because it calls a function: ids that are loaded before would have to be saved
    // across the call.
    let stamp = stamp(monotonic);
    (sender(task, opener), stamp)
}

/// Returns the time `monotonic`, in nanoseconds of `CLOCK_MONOTONIC`, by both clocks.
#[inline(always)]
pub(super) fn stamp(monotonic: u64) -> Stamp {
    Stamp {
        monotonic,
        realtime: clock::monotonic_to_realtime(monotonic),
    }
}

/// Returns the sender of a message that `task` sends through a file of `opener`.
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

/// A call that is partly done: it returns its progress instead of the error that ends it.
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
    /// Fast path: accepts a message sent at the time `now` if there is a slot and its payload fits
    /// into `place` in one piece. `len` is the length of `source`, all of which becomes the
    /// payload.
    ///
    /// Returns whether the message was accepted. The queue is unchanged otherwise.
    #[inline(always)]
    fn try_put_contiguous(
        &mut self,
        len: usize,
        place: Placement,
        now: u64,
        source: &mut impl Source,
        opener: &Opener,
        task: &CurrentTask,
    ) -> bool {
        // No check for a destroyed pipe: it has no segments and gets none, which makes the push
        // fail.
        self.queue.try_push_contiguous(
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
    /// opened, and returns its length in bytes. An empty source makes no message. A file in the
    /// mode `LINES` sends each line as a message, and returns the number of bytes that were
    /// accepted. A file in the mode `RECORDS` uses [`Pipe::send_records`].
    ///
    /// # Errors
    ///
    /// On an error the queue is as if the call had not been made.
    ///
    /// - [`ENODEV`]: the pipe is destroyed.
    /// - [`EMSGSIZE`]: the message is longer than the pipe allows.
    /// - [`EAGAIN`]: the pipe is full and the call must not wait.
    /// - [`ERESTARTSYS`]: a signal arrived while the call waited.
    /// - [`EFAULT`]: part of the source cannot be read.
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
        // Read the clock without the lock, to keep the critical section short. If another sender
        // overtakes this one, the message gets the time of the one before it.
        let now = clock::monotonic();
        let mut state = this.state.lock();
        if state.try_put_contiguous(len, Placement::Last, now, &mut source, opener, task) {
            this.finish_send(state, handle, len);
            return Ok(len);
        }
        this.send_slow(state, handle, opener, now, source, call)
    }

    /// Slow path: begins a spare segment, fails on a destroyed pipe, sends the lines of a file in
    /// the mode `LINES`, or continues in [`Pipe::deposit`].
    #[cold]
    #[inline(never)]
    fn send_slow<'a, S: Source>(
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
        if state.try_put_contiguous(len, Placement::Spare, now, &mut source, opener, task) {
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

    /// Sends all of `source`, which must not be empty, as one message from `sender`, and returns
    /// its length in bytes. Waits for a slot, allocates segments, and faults in the source.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::send`].
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
        // Segments for the message beyond those of the store, and the bounce buffer. They are
        // declared before the guard: wherever this function returns, the lock is released before
        // they are freed.
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
                    state = self.drop_expired(state);
                    continue;
                }
                if call.is_nonblocking() {
                    if !call.is_attempt() {
                        state.refused.full = state.refused.full.wrapping_add(1);
                    }
                    return Err(EAGAIN);
                }
                // Preallocate and prefault before queueing, so that a woken writer can use its slot
                // at once.
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
                self.finish_send_slow(state, handle, len, woken);
                return Ok(len);
            }

            // Part of the source is not present. Pass the baton before the fault-in, which can take
            // arbitrarily long.
            self.writers.pass_on(state, woken);
            woken = false;
            if faults < FAULTS_ON_TRUST {
                faults += 1;
                source.fault_in(len)?;
            } else {
                // Another task removes the pages of the source again and again. Copy it to a bounce
                // buffer without the lock.
                let mut payload = Segments::new();
                allocate(&mut payload, len.div_ceil(SEGMENT_SIZE))?;
                nofault::fill_patiently(&mut source, len, payload.iter_mut())?;
                copy = Some(payload);
            }
            state = self.state.lock();
        }
    }

    /// Counts a sent message of `len` bytes, releases the lock, and announces the message.
    #[inline(always)]
    pub(super) fn finish_send(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        handle: &Handle,
        len: usize,
    ) {
        handle.of(&mut state).stats.sent.add(len);
        self.announce_messages(state, 1);
    }

    /// Counts a sent message of `len` bytes, releases the lock, and announces the message. A writer
    /// that was `woken` and leaves a slot passes the baton.
    fn finish_send_slow(
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
