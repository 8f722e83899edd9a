// SPDX-License-Identifier: GPL-2.0

//! Sending a message.

use kernel::{
    current,
    prelude::*,
    sync::{
        Arc,
        MutexGuard, //
    },
    task::CurrentTask, //
};

use super::{
    Flag,
    Pipe,
    State,
    Traffic,
    FAULTS_ON_TRUST, //
};
use crate::{
    kernel_ext::{
        clock, cred,
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

/// What a message sent by `task` is signed with.
#[inline]
fn sign(task: &CurrentTask) -> (Sender, Stamp) {
    let (uid, gid, pid) = cred::ids(task);
    let monotonic = clock::monotonic();
    let stamp = Stamp {
        monotonic,
        realtime: clock::monotonic_to_realtime(monotonic),
    };
    (Sender { uid, gid, pid }, stamp)
}

impl State {
    /// Accepts `len` bytes of `source`, which is all of it, if there is room for them, in one
    /// piece; returns whether it did.
    #[inline]
    fn put_here(&mut self, len: usize, source: &mut impl Source, task: &CurrentTask) -> bool {
        !self.is_dead()
            && self.queue.push_here(
                len,
                |piece| nofault::fill_all(source, task, piece),
                || sign(task),
            )
    }
}

impl Pipe {
    /// Sends all of `source` as one message, counts it in `traffic`, and returns its length in
    /// bytes; of nothing, no message is made.
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
        traffic: &Traffic,
        mut source: S,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize> {
        let task = current!();
        let len = source.len();
        let mut state = this.state.lock();
        if state.put_here(len, &mut source, task) {
            this.finish_send(state, traffic, len);
            return Ok(len);
        }
        this.send_slowly(state, traffic, source, nonblocking, task)
    }

    /// Likewise, with all that may come between.
    #[cold]
    #[inline(never)]
    fn send_slowly<'a, S: Source>(
        self: &'a Arc<Self>,
        locked: MutexGuard<'a, State>,
        traffic: &Traffic,
        mut source: S,
        nonblocking: impl Fn() -> bool,
        task: &CurrentTask,
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
        let mut state = locked;
        loop {
            state.alive()?;
            if len == 0 {
                return Ok(0);
            }
            let msg_size = state.queue.limits().msg_size();
            let Some(msg_len) = u32::try_from(len).ok().filter(|len| *len <= msg_size) else {
                state.refused.size = state.refused.size.wrapping_add(1);
                self.pass_room_on(state, woken);
                return Err(EMSGSIZE);
            };

            if state.queue.is_full() {
                if state.front_expired() {
                    state = self.freshen(state);
                    continue;
                }
                if nonblocking() {
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
                        source.fault_in(len)?;
                    }
                    state = self.state.lock();
                    continue;
                }
                (state, woken) = self.await_room(state, task);
                if !woken && state.queue.is_full() && !state.is_dead() {
                    return Err(ERESTARTSYS);
                }
                continue;
            }

            let missing = state.queue.store_mut().provide(&mut fresh, len);
            if missing > 0 {
                self.pass_room_on(state, woken);
                woken = false;
                allocate(&mut fresh, missing)?;
                state = self.state.lock();
                continue;
            }

            let (sender, stamp) = sign(task);
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
                self.finish_send(state, traffic, len);
                return Ok(len);
            }

            // Some of the memory is not there.
            self.pass_room_on(state, woken);
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
    #[inline]
    fn finish_send(
        self: &Arc<Self>,
        mut state: MutexGuard<'_, State>,
        traffic: &Traffic,
        len: usize,
    ) {
        traffic.of(&mut state).sent.add(len);
        self.announce_message(state);
    }

    /// Sleeps until it is woken for room, and returns that it was, or has a signal.
    fn await_room<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        task: &CurrentTask,
    ) -> (MutexGuard<'a, State>, bool) {
        state.population.waiting_writers += 1;
        state.flags |= Flag::WritersSleep;
        let (mut state, woken) = self.writers.sleep(state, task);
        state.population.waiting_writers -= 1;
        (state, woken)
    }

    /// Releases the lock; a writer that was `woken` and leaves room wakes the next for it.
    fn pass_room_on(&self, mut state: MutexGuard<'_, State>, woken: bool) {
        let next = woken.then(|| self.choose_writer(&mut state)).flatten();
        drop(state);
        if let Some(next) = next {
            next.wake_up();
        }
    }
}
