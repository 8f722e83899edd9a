// SPDX-License-Identifier: GPL-2.0

//! Sending a message.

use kernel::{
    iov::IovIterSource,
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
use crate::{
    kernel_ext::{
        clock, cred, iov,
        segment::{
            Segment,
            SEGMENT_SIZE, //
        },
    },
    message::{
        Sender,
        Stamp, //
    },
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

impl Pipe {
    /// Sends all of `source` as one message and returns its length in bytes; of nothing, no message
    /// is made.
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
    pub(crate) fn send(
        this: &Arc<Self>,
        source: &mut IovIterSource<'_>,
        nonblocking: bool,
    ) -> Result<usize> {
        let len = source.len();
        // Memory for the message beyond what the store has. It is declared before the guard, so
        // that it is dropped without the lock wherever this returns. Likewise a copy of the
        // message.
        let mut fresh = Segments::new();
        let mut copy: Option<Segments> = None;
        // Whether this task was woken for a slot that it has not used yet.
        let mut woken = false;
        let mut faults = 0;

        let mut state = this.state.lock();
        loop {
            state.alive()?;
            if len == 0 {
                return Ok(0);
            }
            let msg_size = state.queue.limits().msg_size();
            let Some(msg_len) = u32::try_from(len).ok().filter(|len| *len <= msg_size) else {
                state.refused.size = state.refused.size.wrapping_add(1);
                this.pass_room_on(state, woken);
                return Err(EMSGSIZE);
            };

            if state.queue.is_full() {
                if state.front_expired() {
                    drop(state);
                    state = this.lock_fresh();
                    continue;
                }
                if nonblocking {
                    state.refused.full = state.refused.full.wrapping_add(1);
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
                        iov::fault_in_readable(source, len)?;
                    }
                    state = this.state.lock();
                    continue;
                }
                state.population.waiting_writers += 1;
                let signal = this.writers.wait_interruptible(&mut state);
                state.population.waiting_writers -= 1;
                if signal && state.queue.is_full() && !state.dead {
                    return Err(ERESTARTSYS);
                }
                woken = true;
                continue;
            }

            let missing = state.queue.store_mut().provide(&mut fresh, len);
            if missing > 0 {
                this.pass_room_on(state, woken);
                woken = false;
                allocate(&mut fresh, missing)?;
                state = this.state.lock();
                continue;
            }

            let (uid, gid, pid) = cred::current_ids();
            let sender = Sender { uid, gid, pid };
            let monotonic = clock::monotonic();
            let stamp = Stamp {
                monotonic,
                realtime: clock::monotonic_to_realtime(monotonic),
            };
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
                let mut filling = iov::FillNoFault::new(source);
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
                this.finish_send(state);
                return Ok(len);
            }

            // Some of the memory is not there.
            this.pass_room_on(state, woken);
            woken = false;
            if faults < FAULTS_ON_TRUST {
                faults += 1;
                iov::fault_in_readable(source, len)?;
            } else {
                // Somebody keeps taking the memory away: a copy of it stays.
                let mut payload = Segments::new();
                allocate(&mut payload, len.div_ceil(SEGMENT_SIZE))?;
                iov::fill(source, len, payload.iter_mut())?;
                copy = Some(payload);
            }
            state = this.state.lock();
        }
    }

    /// Ends a sending: sees to it that the message expires and that memory is given back when the
    /// time comes, releases the lock, and tells of the message.
    fn finish_send(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        self.arm_sweeper(&mut state);
        self.arm_trimmer(&mut state);
        self.announce_message(state);
    }

    /// Releases the lock; a writer that was `woken` and leaves room wakes the next for it.
    fn pass_room_on(&self, state: MutexGuard<'_, State>, woken: bool) {
        let next = woken && state.population.waiting_writers > 0;
        drop(state);
        if next {
            self.writers.notify_one();
        }
    }
}
