// SPDX-License-Identifier: GPL-2.0

//! Receiving a message.

use kernel::{
    current,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
    task::{
        CurrentTask,
        Task, //
    }, //
};

use super::{
    rest::Memory,
    Flag,
    Handle,
    Pipe,
    State,
    FAULTS_ON_TRUST, //
};
use crate::{
    kernel_ext::{
        lock::StateGuard,
        nofault::{
            self,
            Dest, //
        },
        pieces::part,
    },
    mode::Modes,
    stream::Segments, //
};

impl State {
    /// Receives the oldest message if it is there in one piece, fits into `dest`, cannot have
    /// expired, and need not be kept for a copy of all; returns its length in bytes.
    #[inline(always)]
    fn take_here(&mut self, dest: &mut impl Dest, task: &CurrentTask) -> Option<usize> {
        let not_here = Flag::Dead | Flag::Expires | Flag::Rests | Flag::Dumping;
        if self.flags.contains_any(not_here) {
            return None;
        }
        let len = self.queue.pop_here(|payload| {
            payload.len() <= dest.len() && nofault::deliver_all(dest, task, payload)
        });
        len.map(|len| len as usize)
    }

    /// Whether a task that was woken by a signal alone finds nothing to return to its caller, to
    /// which the end of the pipe would be something.
    pub(super) fn has_nothing_for(&mut self, handle: &Handle) -> bool {
        self.queue.is_empty() && handle.of(self).rest_len() == 0 && !self.is_dead()
    }
}

/// Brings in the memory of the next `len` bytes of `dest`, for the `faults`th time: not for use
/// with a lock held.
///
/// # Errors
///
/// - [`EFAULT`]: some of it cannot be brought in, or not be written to.
/// - [`ERESTARTSYS`]: a signal came.
pub(super) fn bring_in(
    dest: &mut impl Dest,
    len: usize,
    faults: u32,
    task: &CurrentTask,
) -> Result {
    if faults < FAULTS_ON_TRUST {
        return dest.fault_in(len);
    }
    // Another task keeps taking the memory away; or it can be brought in but not written to, which
    // only a write shows. That keeps this task busy until a signal comes.
    if task.signal_pending() {
        return Err(ERESTARTSYS);
    }
    nofault::overwrite(dest, len)
}

impl Pipe {
    /// Receives into `dest`, through the file of `handle`, and returns the number of bytes: those
    /// of the oldest message, as many of them as fit, or of what is left of the message that the
    /// file has begun to receive. Into no bytes, nothing is received.
    ///
    /// Zero also means that there is no message, if the file is in the mode `EOF`. A file in the
    /// mode `RECORDS` uses [`Pipe::receive_records`].
    ///
    /// # Errors
    ///
    /// The queue is then as if there had been no call.
    ///
    /// - [`ENODEV`]: the pipe is destroyed.
    /// - [`EMSGSIZE`]: the message does not fit into `dest`, and the file is in the mode `WHOLE`.
    /// - [`EAGAIN`]: there is no message and the call must not wait.
    /// - [`ERESTARTSYS`]: a signal came while it waited.
    /// - [`EFAULT`]: some of the memory cannot be written.
    /// - [`ENOMEM`]: there is no memory for what would be left of the message.
    #[inline]
    pub(crate) fn receive<D: Dest>(
        this: &Arc<Self>,
        handle: &Handle,
        mut dest: D,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize> {
        let task = current!();
        let mut state = this.state.lock();
        if let Some(len) = state.take_here(&mut dest, task) {
            this.finish_receive(state, handle, len, 1);
            return Ok(len);
        }
        this.receive_slowly(state, handle, dest, nonblocking, task)
    }

    /// The slow path. The usual reason to be here is an empty pipe, whose next message can be
    /// received as the fast path does; it sets up nothing for the others.
    #[cold]
    #[inline(never)]
    fn receive_slowly<'a, D: Dest>(
        self: &'a Arc<Self>,
        mut state: StateGuard<'a, State>,
        handle: &Handle,
        mut dest: D,
        nonblocking: impl Fn() -> bool,
        task: &CurrentTask,
    ) -> Result<usize> {
        let mut woken = false;
        let must_wait = state.queue.is_empty()
            && !state.flags.contains_any(Flag::Dead | Flag::Rests)
            && dest.len() > 0
            && !handle.of(&mut state).modes.contains(Modes::EOF);
        if must_wait && !nonblocking() {
            (state, woken) = self.readers.sleep(state, task, handle);
            if let Some(len) = state.take_here(&mut dest, task) {
                let next = self.next_reader(&mut state, woken);
                self.finish_receive(state, handle, len, 1);
                if let Some(next) = next {
                    next.wake_up();
                }
                return Ok(len);
            }
            if !woken && state.has_nothing_for(handle) {
                return Err(ERESTARTSYS);
            }
        }
        self.receive_patiently(state, handle, dest, nonblocking, task, woken)
    }

    /// Looks after all that may come between. The task may have been `woken` for a message that it
    /// has not taken yet.
    #[inline(never)]
    fn receive_patiently<'a, D: Dest>(
        self: &'a Arc<Self>,
        locked: StateGuard<'a, State>,
        handle: &Handle,
        mut dest: D,
        nonblocking: impl Fn() -> bool,
        task: &CurrentTask,
        mut woken: bool,
    ) -> Result<usize> {
        // Memory for the rest of a message, and memory that a rest has no use for any more. It is
        // declared before the guard, so that it is dropped without the lock wherever this returns.
        let mut memory = Memory::none();
        let mut gone = Segments::new();
        let mut faults = 0;
        let mut state = locked;
        loop {
            state.alive()?;
            if dest.len() == 0 {
                return Ok(0);
            }
            let kept = handle.of(&mut state);
            let modes = kept.modes;
            let rest = kept.rest_len();
            let wanted = if rest > 0 {
                if let Ok((len, was_last)) = state.take_rest(handle, &mut dest, task, &mut gone) {
                    self.leave_receive(state, handle, was_last.into(), woken);
                    return Ok(len);
                }
                rest.min(dest.len())
            } else {
                if state.front_expired() {
                    state = self.freshen(state);
                    continue;
                }
                let Some((record, pieces)) = state.queue.store().front_message() else {
                    if modes.contains(Modes::EOF) {
                        return Ok(0);
                    }
                    if nonblocking() {
                        return Err(EAGAIN);
                    }
                    (state, woken) = self.readers.sleep(state, task, handle);
                    if !woken && state.has_nothing_for(handle) {
                        return Err(ERESTARTSYS);
                    }
                    continue;
                };

                let len = record.len as usize;
                let first = len.min(dest.len());
                if first < len {
                    // A file that has begun to use records while this waited keeps no rest.
                    if modes.contains(Modes::WHOLE) || modes.contains(Modes::RECORDS) {
                        self.readers.pass_on(state, woken);
                        return Err(EMSGSIZE);
                    }
                    if !memory.is_enough_for(len - first) {
                        self.readers.pass_on(state, woken);
                        woken = false;
                        memory.allocate(len - first)?;
                        state = self.state.lock();
                        continue;
                    }
                }
                // However long it is: a message that was taken off the queue first could come back
                // only out of order, and would be missed by others meanwhile.
                let delivered = if first == len {
                    nofault::deliver(&mut dest, task, pieces)
                } else {
                    nofault::deliver(&mut dest, task, part(pieces, 0..first))
                };
                if delivered.is_ok() {
                    let mut freed = 1;
                    if first < len {
                        state.keep_rest(handle, first, &mut memory);
                        freed = 0;
                    }
                    state.queue.deliver(record.len);
                    handle.of(&mut state).passed.received.add(len);
                    self.leave_receive(state, handle, freed, woken);
                    return Ok(first);
                }
                first
            };

            self.readers.pass_on(state, woken);
            woken = false;
            bring_in(&mut dest, wanted, faults, task)?;
            faults = faults.saturating_add(1);
            state = self.state.lock();
        }
    }

    /// Ends the receiving of a message of `len` bytes: counts it, releases the lock, and tells of
    /// the `freed` slots.
    #[inline(always)]
    pub(super) fn finish_receive(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        handle: &Handle,
        len: usize,
        freed: u64,
    ) {
        handle.of(&mut state).passed.received.add(len);
        self.announce_room(state, freed);
    }

    /// Chooses the next reader to be woken if this one was `woken` and leaves a message.
    #[inline(always)]
    fn next_reader(&self, state: &mut State, woken: bool) -> Option<ARef<Task>> {
        (woken && !state.queue.is_empty())
            .then(|| self.readers.choose(state))
            .flatten()
    }

    /// Releases the lock, tells of the `freed` slots, and wakes the next reader if this one was
    /// `woken` and leaves a message, and one of the same file if it leaves a rest.
    pub(super) fn leave_receive(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        handle: &Handle,
        freed: u64,
        woken: bool,
    ) {
        let heir = (handle.of(&mut state).rest_len() > 0)
            .then(|| self.readers.choose_of(&mut state, handle))
            .flatten();
        let next = self.next_reader(&mut state, woken);
        self.announce_room(state, freed);
        for reader in [next, heir].into_iter().flatten() {
            reader.wake_up();
        }
    }
}
