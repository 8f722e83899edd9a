// SPDX-License-Identifier: GPL-2.0

//! Receiving a message.

use kernel::{
    iov::IovIterDest,
    prelude::*,
    sync::{
        Arc,
        MutexGuard, //
    }, //
};

use super::{
    Pipe,
    State,
    FAULTS_ON_TRUST, //
};
use crate::kernel_ext::iov;

impl Pipe {
    /// Receives the oldest message into `dest` and returns its length in bytes.
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
    pub(crate) fn receive(
        this: &Arc<Self>,
        dest: &mut IovIterDest<'_>,
        nonblocking: bool,
    ) -> Result<usize> {
        // Whether this task was woken for a message that it has not taken yet.
        let mut woken = false;
        let mut faults = 0;
        let mut state = this.state.lock();
        loop {
            state.alive()?;
            if state.front_expired() {
                drop(state);
                state = this.lock_fresh();
                continue;
            }
            let Some((record, pieces)) = state.queue.store().front_message() else {
                if nonblocking {
                    return Err(EAGAIN);
                }
                state.population.waiting_readers += 1;
                let signal = this.readers.wait_interruptible(&mut state);
                state.population.waiting_readers -= 1;
                if signal && state.queue.is_empty() && !state.dead {
                    return Err(ERESTARTSYS);
                }
                woken = true;
                continue;
            };

            let len = record.len as usize;
            if len > dest.len() {
                this.pass_message_on(state, woken);
                return Err(EMSGSIZE);
            }
            // However long it is: a message that was taken off the queue first could come back only
            // out of order, and would be missed by others meanwhile.
            if iov::deliver_nofault(dest, pieces).is_ok() {
                state.queue.deliver(record.len);
                this.announce_room(state, 1);
                return Ok(len);
            }

            this.pass_message_on(state, woken);
            woken = false;
            if faults < FAULTS_ON_TRUST {
                faults += 1;
                iov::fault_in_writeable(dest, len)?;
            } else {
                // Somebody keeps taking the memory away; or it can be brought in but not written
                // to, which only writing to it tells. That keeps this task busy, until a signal
                // comes.
                if kernel::current!().signal_pending() {
                    return Err(ERESTARTSYS);
                }
                iov::overwrite(dest, len)?;
            }
            state = this.state.lock();
        }
    }

    /// Releases the lock; a reader that was `woken` and leaves a message wakes the next for it.
    fn pass_message_on(&self, state: MutexGuard<'_, State>, woken: bool) {
        let next = woken && state.population.waiting_readers > 0;
        drop(state);
        if next {
            self.readers.notify_one();
        }
    }
}
