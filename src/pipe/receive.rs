// SPDX-License-Identifier: GPL-2.0

//! Receiving a message.

use kernel::{
    current,
    prelude::*,
    sync::Arc,
    task::CurrentTask, //
};

use super::{
    Flag,
    Pipe,
    State,
    Traffic,
    FAULTS_ON_TRUST, //
};
use crate::kernel_ext::{
    lock::StateGuard,
    nofault::{
        self,
        Dest, //
    },
};

impl State {
    /// Receives the oldest message if it is there in one piece, fits into `dest`, and cannot have
    /// expired; returns its length in bytes.
    #[inline(always)]
    fn take_here(&mut self, dest: &mut impl Dest, task: &CurrentTask) -> Option<usize> {
        if self.flags.contains_any(Flag::Dead | Flag::Expires) {
            return None;
        }
        let len = self.queue.pop_here(|payload| {
            payload.len() <= dest.len() && nofault::deliver_all(dest, task, payload)
        });
        len.map(|len| len as usize)
    }
}

impl Pipe {
    /// Receives the oldest message into `dest`, counts it in `traffic`, and returns its length in
    /// bytes; into no bytes, none is received.
    ///
    /// # Errors
    ///
    /// The queue is then as if there had been no call.
    ///
    /// - [`ENODEV`]: the pipe is destroyed.
    /// - [`EMSGSIZE`]: the message does not fit into `dest`.
    /// - [`EAGAIN`]: there is no message and the call must not wait.
    /// - [`ERESTARTSYS`]: a signal came while it waited.
    /// - [`EFAULT`]: some of the memory cannot be written.
    #[inline]
    pub(crate) fn receive<D: Dest>(
        this: &Arc<Self>,
        traffic: &Traffic,
        mut dest: D,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize> {
        let task = current!();
        let mut state = this.state.lock();
        if let Some(len) = state.take_here(&mut dest, task) {
            this.finish_receive(state, traffic, len);
            return Ok(len);
        }
        this.receive_slowly(state, traffic, dest, nonblocking, task)
    }

    /// Likewise, with all that may come between.
    #[cold]
    #[inline(never)]
    fn receive_slowly<'a, D: Dest>(
        self: &'a Arc<Self>,
        mut state: StateGuard<'a, State>,
        traffic: &Traffic,
        mut dest: D,
        nonblocking: impl Fn() -> bool,
        task: &CurrentTask,
    ) -> Result<usize> {
        // Whether this task was woken for a message that it has not taken yet.
        let mut woken = false;
        let mut faults = 0;
        loop {
            state.alive()?;
            if dest.len() == 0 {
                return Ok(0);
            }
            if state.front_expired() {
                state = self.freshen(state);
                continue;
            }
            let Some((record, pieces)) = state.queue.store().front_message() else {
                if nonblocking() {
                    return Err(EAGAIN);
                }
                (state, woken) = self.readers.sleep(state, task);
                if let Some(len) = state.take_here(&mut dest, task) {
                    self.finish_receive_slowly(state, traffic, len, woken);
                    return Ok(len);
                }
                if !woken && state.queue.is_empty() && !state.is_dead() {
                    return Err(ERESTARTSYS);
                }
                continue;
            };

            let len = record.len as usize;
            if len > dest.len() {
                self.readers.pass_on(state, woken);
                return Err(EMSGSIZE);
            }
            // However long it is: a message that was taken off the queue first could come back only
            // out of order, and would be missed by others meanwhile.
            if nofault::deliver(&mut dest, task, pieces).is_ok() {
                state.queue.deliver(record.len);
                self.finish_receive_slowly(state, traffic, len, woken);
                return Ok(len);
            }

            self.readers.pass_on(state, woken);
            woken = false;
            if faults < FAULTS_ON_TRUST {
                faults += 1;
                dest.fault_in(len)?;
            } else {
                // Somebody keeps taking the memory away; or it can be brought in but not written
                // to, which only writing to it tells. That keeps this task busy, until a signal
                // comes.
                if task.signal_pending() {
                    return Err(ERESTARTSYS);
                }
                nofault::overwrite(&mut dest, len)?;
            }
            state = self.state.lock();
        }
    }

    /// Ends the receiving of a message of `len` bytes: counts it, releases the lock, and tells of
    /// the room.
    #[inline(always)]
    fn finish_receive(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        traffic: &Traffic,
        len: usize,
    ) {
        traffic.of(&mut state).received.add(len);
        self.announce_room(state, 1);
    }

    /// Likewise; a reader that was `woken` and leaves a message wakes the next for it.
    fn finish_receive_slowly(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        traffic: &Traffic,
        len: usize,
        woken: bool,
    ) {
        let next = (woken && !state.queue.is_empty())
            .then(|| self.readers.choose(&mut state))
            .flatten();
        self.finish_receive(state, traffic, len);
        if let Some(next) = next {
            next.wake_up();
        }
    }
}
