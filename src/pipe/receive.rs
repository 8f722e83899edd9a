// SPDX-License-Identifier: GPL-2.0

//! Receiving one message: the fast path and the slow path.

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
    mode::Modes,
    rest::Memory,
    Flag,
    Handle,
    Pipe,
    State,
    FAULTS_ON_TRUST, //
};

use crate::{
    kernel_ext::{
        mm::pieces::part,
        sync::lock::StateGuard,
        uaccess::nofault::{
            self,
            Dest, //
        }, //
    },
    log::stream::Segments, //
};

impl State {
    /// Fast path: receives the oldest message if its payload is in one piece and fits into `dest`,
    /// and if no flag asks for more: the pipe is not destroyed, messages do not expire, no file
    /// keeps a rest, and no dump is in progress. Returns the length of the message in bytes. The
    /// queue is unchanged otherwise.
    #[inline(always)]
    fn try_take_contiguous(&mut self, dest: &mut impl Dest, task: &CurrentTask) -> Option<usize> {
        let not_fast = Flag::Dead | Flag::Expires | Flag::Rests | Flag::Dumping;
        if self.flags.contains_any(not_fast) {
            return None;
        }
        let len = self.queue.pop_contiguous(|payload| {
            payload.len() <= dest.len() && nofault::deliver_all(dest, task, payload)
        });
        len.map(|len| len as usize)
    }

    /// Returns whether a task that only a signal has woken must return [`ERESTARTSYS`]: there is no
    /// message, its file keeps no rest, and the pipe is not destroyed.
    pub(super) fn has_nothing_for(&mut self, handle: &Handle) -> bool {
        self.queue.is_empty() && handle.of(self).rest_len() == 0 && !self.is_dead()
    }
}

/// Faults in the next `len` bytes of `dest`, after `faults` earlier attempts. Must not be called
/// with the lock held.
///
/// # Errors
///
/// - [`EFAULT`]: part of the memory cannot be faulted in, or cannot be written.
/// - [`ERESTARTSYS`]: a signal is pending.
pub(super) fn bring_in(
    dest: &mut impl Dest,
    len: usize,
    faults: u32,
    task: &CurrentTask,
) -> Result {
    if faults < FAULTS_ON_TRUST {
        return dest.fault_in(len);
    }
    // Either another task removes the pages of the buffer again and again, or the buffer can be
    // faulted in but not written, which only a write detects. The former keeps this task busy until
    // a signal arrives.
    if task.signal_pending() {
        return Err(ERESTARTSYS);
    }
    nofault::overwrite(dest, len)
}

impl Pipe {
    /// Receives into `dest` through the file of `handle`, and returns the number of bytes. The file
    /// gets the rest of a message if it keeps one, otherwise the oldest message, and of either as
    /// many bytes as fit. An empty `dest` receives nothing. `nonblocking` returns whether the call
    /// must not wait.
    ///
    /// In the mode `EOF`, zero also means that there is no message. A file in the mode `RECORDS`
    /// uses [`Pipe::receive_records`].
    ///
    /// # Errors
    ///
    /// On an error the queue is as if the call had not been made.
    ///
    /// - [`ENODEV`]: the pipe is destroyed.
    /// - [`EMSGSIZE`]: the message does not fit into `dest`, and the file is in the mode `WHOLE`.
    /// - [`EAGAIN`]: there is no message and the call must not wait.
    /// - [`ERESTARTSYS`]: a signal arrived while the call waited.
    /// - [`EFAULT`]: part of `dest` cannot be written.
    /// - [`ENOMEM`]: there is no memory for the rest of the message.
    #[inline]
    pub(crate) fn receive<D: Dest>(
        this: &Arc<Self>,
        handle: &Handle,
        mut dest: D,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize> {
        let task = current!();
        let mut state = this.state.lock();
        if let Some(len) = state.try_take_contiguous(&mut dest, task) {
            this.finish_receive(state, handle, len, 1);
            return Ok(len);
        }
        this.receive_slow(state, handle, dest, nonblocking, task)
    }

    /// First slow path. Its usual cause is an empty pipe, whose next message the fast path can
    /// take: this function waits once and retries, without the setup of
    /// [`Pipe::receive_patiently`].
    #[cold]
    #[inline(never)]
    fn receive_slow<'a, D: Dest>(
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
            if let Some(len) = state.try_take_contiguous(&mut dest, task) {
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

    /// Second slow path: receives rests, removes expired messages, waits for messages, allocates
    /// memory for a rest, and faults in `dest`. The task may have been `woken` for a message that
    /// it has not taken yet.
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
        // Memory for a new rest, and segments that a rest no longer needs. They are declared before
        // the guard: wherever this function returns, the lock is released before they are freed.
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
                    state = self.drop_expired(state);
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
                    // The file may have switched to the mode `RECORDS` while this call waited. It
                    // then keeps no rest.
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
                // Copy under the lock, however long the message is. If it left the queue first, a
                // failed copy could put it back only out of order, and other readers would miss it
                // in the meantime.
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
                    handle.of(&mut state).stats.received.add(len);
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

    /// Counts a received message of `len` bytes, releases the lock, and announces `freed` slots.
    #[inline(always)]
    pub(super) fn finish_receive(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        handle: &Handle,
        len: usize,
        freed: u64,
    ) {
        handle.of(&mut state).stats.received.add(len);
        self.announce_room(state, freed);
    }

    /// Chooses the next reader to wake, if this one was `woken` and leaves a message. The caller
    /// wakes it after it has released the lock.
    #[inline(always)]
    fn next_reader(&self, state: &mut State, woken: bool) -> Option<ARef<Task>> {
        (woken && !state.queue.is_empty())
            .then(|| self.readers.choose(state))
            .flatten()
    }

    /// Releases the lock and announces `freed` slots. A reader that was `woken` and leaves a
    /// message passes the baton. If the file of `handle` keeps a rest, another reader of that file
    /// is woken for it.
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
