// SPDX-License-Identifier: GPL-2.0

//! Receiving one message: the fast path and the slow path.

use core::mem;
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
    flags::Flags,
    mode::Modes,
    receive_rest::RestMemory,
    waiters::WaitFor,
    Flag,
    Handle,
    Pipe,
    State,
    MAX_FAULT_INS, //
};

use crate::{
    kernel_ext::{
        mm::pieces::part,
        sync::lock::StateGuard,
        uaccess::nofault::{
            self,
            Dest,
            NotPresent, //
        }, //
    },
    log::{
        iter::Run,
        stream::Segments, //
    }, //
};

/// Returns the flags that close the fast paths of reads: the pipe is destroyed, messages expire, a
/// file keeps a rest, a dump is in progress, messages were lost, or some are on trust.
#[inline(always)]
fn not_fast() -> Flags {
    let not_fast = Flag::Dead | Flag::Expires | Flag::Rests | Flag::Dumping;
    not_fast | Flag::Lost | Flag::Leases
}

impl State {
    /// Fast path: receives the oldest message if its payload is in one piece and fits into `dest`,
    /// and if no flag asks for more: none of `others` is set, the pipe is not destroyed, no message
    /// expires, no file keeps a rest, no dump is in progress, no message was lost, and none is on
    /// trust. Returns the length of the message in bytes. The queue is unchanged otherwise.
    #[inline(always)]
    fn try_take_contiguous(
        &mut self,
        others: Flags,
        dest: &mut impl Dest,
        task: &CurrentTask,
    ) -> Option<usize> {
        if self.flags.contains_any(not_fast() | others) {
            return None;
        }
        let len = self.queue.pop_contiguous(|payload| {
            payload.len() <= dest.len() && nofault::deliver_all(dest, task, payload)
        });
        len.map(|len| len as usize)
    }

    /// Fast path for a queue with lanes: receives the next message, as
    /// [`State::try_take_contiguous`] does.
    #[inline(always)]
    fn try_take_in_lane(&mut self, dest: &mut impl Dest, task: &CurrentTask) -> Option<usize> {
        if self.flags.contains_any(not_fast() | Flag::Subscribed) {
            return None;
        }
        let len = self.queue.try_pop_in_lane(|payload| {
            payload.len() <= dest.len() && nofault::deliver_all(dest, task, payload)
        });
        len.map(|len| len as usize)
    }

    /// Fast path for a file that reads from a position of its own: receives its next message if the
    /// payload is in one piece and fits into `dest`, and counts it. Returns the length of the
    /// message in bytes, and the number of slots that are free now. Changes nothing otherwise.
    #[inline(always)]
    fn try_take_own(
        &mut self,
        handle: &Handle,
        dest: &mut impl Dest,
        task: &CurrentTask,
    ) -> Option<(usize, u64)> {
        let not_fast = Flag::Dead | Flag::Expires | Flag::Rests;
        if self.flags.contains_any(not_fast) {
            return None;
        }
        let place = handle.place.as_ref()?;
        let mut ticket = place.access(self).as_ref()?.subscription.ticket();
        if self.flags.contains(Flag::Lost) && !self.queue.has_no_discard(&ticket) {
            return None;
        }
        let payload = self.queue.next_contiguous(&ticket)?;
        let len = payload.len();
        if len > dest.len() || !nofault::deliver_all(dest, task, payload) {
            return None;
        }
        // Load it again: keeping it across the copy takes more instructions.
        ticket = place.access(self).as_ref()?.subscription.ticket();
        let freed = self.queue.pass_contiguous(&mut ticket, len);
        handle.state(self).stats.received.add(len);
        if let Some(listed) = place.access_mut(self) {
            listed.subscription.move_to(&ticket);
        }
        Some((len, freed))
    }
}

/// Faults in the next `len` bytes of `dest`, after `faults` earlier attempts. Must not be called
/// with the lock held.
///
/// # Errors
///
/// - [`EFAULT`]: part of the memory cannot be faulted in, or cannot be written.
/// - [`ERESTARTSYS`]: a signal is pending.
pub(super) fn fault_in_dest(
    dest: &mut impl Dest,
    len: usize,
    faults: u32,
    task: &CurrentTask,
) -> Result {
    if faults < MAX_FAULT_INS {
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

/// A read on the slow path, with the memory that it has obtained.
struct Incoming<D> {
    dest: D,
    /// Memory for the rest that a message may leave.
    memory: RestMemory,
    /// Segments that a rest no longer needs. They are freed without the lock.
    gone: Segments,
    /// Number of attempts to fault in the destination.
    fault_ins: u32,
}

/// Result of an attempt to receive in one critical section.
enum Step {
    /// `len` bytes were received, and `freed` slots are free now.
    Received {
        /// The number of bytes.
        len: usize,
        /// The number of slots.
        freed: u64,
    },
    /// There is no message.
    Empty,
    /// The call must fail with this error. The queue is unchanged.
    Failed(Error),
    /// A rest of this many bytes needs memory. The queue is unchanged.
    NeedsMemory(usize),
    /// Part of the next bytes of the destination, of which there are this many, is not present. The
    /// queue is unchanged.
    NotPresent(usize),
}

impl<D: Dest> Incoming<D> {
    /// Creates a read into `dest`, which has no memory yet.
    fn new(dest: D) -> Self {
        Self {
            dest,
            memory: RestMemory::none(),
            gone: Segments::new(),
            fault_ins: 0,
        }
    }

    /// Receives from the rest that the file of `handle` keeps.
    fn take_rest(&mut self, state: &mut State, handle: &Handle, task: &CurrentTask) -> Step {
        match state.take_rest(handle, &mut self.dest, task, &mut self.gone) {
            Ok(Some((len, freed))) => Step::Received { len, freed },
            Ok(None) => {
                let rest = handle.state(state).rest_len();
                Step::NotPresent(rest.min(self.dest.len()))
            }
            Err(err) => Step::Failed(err),
        }
    }

    /// Receives the next message of the file of `handle`, or its beginning if it is longer than the
    /// destination. The file then keeps the rest, unless its modes make the call fail.
    fn take_next(&mut self, state: &mut State, handle: &Handle, task: &CurrentTask) -> Step {
        let modes = handle.state(state).modes;
        let Some(next) = state.next_of(handle) else {
            return Step::Empty;
        };
        let Some((record, pieces)) = state.queue.next_store().message_at(next.place) else {
            return Step::Failed(EIO);
        };
        let len = record.len as usize;
        let first = len.min(self.dest.len());
        if first < len {
            // The file may have switched to the mode `RECORDS` while this call waited. It then
            // keeps no rest.
            if modes.contains(Modes::WHOLE) || modes.contains(Modes::RECORDS) {
                return Step::Failed(EMSGSIZE);
            }
            if !self.memory.is_enough_for(len - first) {
                return Step::NeedsMemory(len - first);
            }
        }
        // Copy under the lock, however long the message is. If it left the queue first, a failed
        // copy could put it back only out of order, and other readers would miss it in the
        // meantime.
        let delivered = if first == len {
            nofault::deliver(&mut self.dest, task, pieces)
        } else {
            nofault::deliver(&mut self.dest, task, part(pieces, 0..first))
        };
        match delivered {
            Ok(copied) if copied == first => {}
            // The payloads do not hold what the record promises, which is a bug.
            Ok(_) => return Step::Failed(EIO),
            Err(NotPresent) => return Step::NotPresent(first),
        }
        let mut kept = 0;
        if first < len {
            match state.keep_rest(handle, next.place, first, &mut self.memory) {
                Ok(slots) => kept = slots,
                Err(err) => return Step::Failed(err),
            }
        }
        let left = state.consume(handle, Run::one(record.len));
        let freed = left.saturating_sub(kept);
        handle.state(state).stats.received.add(len);
        Step::Received { len: first, freed }
    }

    /// Faults in the next `len` bytes of the destination. Must not be called with the lock held.
    ///
    /// # Errors
    ///
    /// Those of [`fault_in_dest`].
    fn fault_in(&mut self, len: usize, task: &CurrentTask) -> Result {
        fault_in_dest(&mut self.dest, len, self.fault_ins, task)?;
        self.fault_ins = self.fault_ins.saturating_add(1);
        Ok(())
    }
}

impl Pipe {
    /// Receives into `dest` through the file of `handle`, and returns the number of bytes. The file
    /// gets the rest of a message if it keeps one, otherwise the oldest message, and of either as
    /// many bytes as fit. An empty `dest` receives nothing. `nonblocking` returns whether the call
    /// must not wait.
    ///
    /// In the modes `EOF` and `HUP`, zero also means that there is no message. A file in the mode
    /// `RECORDS` uses [`Pipe::receive_records`].
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
    /// - [`EIO`]: an invariant does not hold, which is a bug.
    #[inline]
    pub(crate) fn receive<D: Dest>(
        this: &Arc<Self>,
        handle: &Handle,
        mut dest: D,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize> {
        let task = current!();
        let mut state = this.state.lock();
        if let Some(len) = state.try_take_contiguous(Flags::default(), &mut dest, task) {
            this.finish_receive(state, handle, len, 1);
            return Ok(len);
        }
        this.receive_wait(state, handle, dest, nonblocking, task)
    }

    /// Does the same as [`Pipe::receive`] for a file that reads from a position of its own. Other
    /// files may use it, too.
    #[inline]
    pub(crate) fn receive_own<D: Dest>(
        this: &Arc<Self>,
        handle: &Handle,
        mut dest: D,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize> {
        let task = current!();
        let mut state = this.state.lock();
        if let Some((len, freed)) = state.try_take_own(handle, &mut dest, task) {
            this.announce_room(state, freed);
            return Ok(len);
        }
        this.receive_wait(state, handle, dest, nonblocking, task)
    }

    /// Does the same as [`Pipe::receive`] in a pipe with priorities.
    #[inline]
    pub(crate) fn receive_prioritized<D: Dest>(
        this: &Arc<Self>,
        handle: &Handle,
        mut dest: D,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize> {
        let task = current!();
        let mut state = this.state.lock();
        if let Some(len) = state.try_take_in_lane(&mut dest, task) {
            this.finish_receive(state, handle, len, 1);
            return Ok(len);
        }
        this.receive_wait(state, handle, dest, nonblocking, task)
    }

    /// First slow path. Its usual cause is an empty pipe, whose next message the fast path can
    /// take: this function waits once and retries, without the setup of [`Pipe::receive_slow`].
    #[cold]
    #[inline(never)]
    fn receive_wait<'a, D: Dest>(
        self: &'a Arc<Self>,
        mut state: StateGuard<'a, State>,
        handle: &Handle,
        mut dest: D,
        nonblocking: impl Fn() -> bool,
        task: &CurrentTask,
    ) -> Result<usize> {
        let mut woken = false;
        let must_wait = state.queue.is_empty()
            && !state
                .flags
                .contains_any(Flag::Dead | Flag::Rests | Flag::Subscribed)
            && dest.len() > 0
            && !handle.state(&mut state).modes.has_end();
        if must_wait && !nonblocking() {
            (state, woken) = self.wait_for_message(state, handle, true, task)?;
            // The file may have begun to read from a position of its own.
            let others = Flag::Subscribed.into();
            if let Some(len) = state.try_take_contiguous(others, &mut dest, task) {
                let next = self.next_reader(&mut state, woken);
                self.finish_receive(state, handle, len, 1);
                if let Some(next) = next {
                    next.wake_up();
                }
                return Ok(len);
            }
        }
        self.receive_slow(state, handle, dest, nonblocking, task, woken)
    }

    /// Second slow path: receives rests, removes expired messages, waits for messages, allocates
    /// memory for a rest, and faults in `dest`. The task may have been `woken` for a message that
    /// it has not taken yet.
    #[inline(never)]
    fn receive_slow<'a, D: Dest>(
        self: &'a Arc<Self>,
        locked: StateGuard<'a, State>,
        handle: &Handle,
        dest: D,
        nonblocking: impl Fn() -> bool,
        task: &CurrentTask,
        mut woken: bool,
    ) -> Result<usize> {
        // Declared before the guard: wherever this function returns, the lock is released before
        // the memory of the call is freed.
        let mut incoming = Incoming::new(dest);
        let mut state = locked;
        loop {
            state.alive()?;
            if incoming.dest.len() == 0 {
                return Ok(0);
            }
            let step = if handle.state(&mut state).rest_len() > 0 {
                incoming.take_rest(&mut state, handle, task)
            } else if state.front_expired() {
                state = self.drop_expired(state);
                continue;
            } else {
                incoming.take_next(&mut state, handle, task)
            };
            match step {
                Step::Received { len, freed } => {
                    self.leave_receive(state, handle, freed, woken);
                    return Ok(len);
                }
                Step::Empty if woken && !state.queue.is_empty() => {
                    // The file has begun to browse, and leaves the message to the other readers.
                    self.readers.pass_baton(state, mem::take(&mut woken));
                    state = self.state.lock();
                }
                Step::Empty => {
                    if state.is_at_end(handle) {
                        return Ok(0);
                    }
                    if nonblocking() {
                        return Err(EAGAIN);
                    }
                    (state, woken) = self.wait_for_message(state, handle, true, task)?;
                }
                Step::Failed(err) => {
                    self.readers.pass_baton(state, woken);
                    return Err(err);
                }
                Step::NeedsMemory(len) => {
                    self.readers.pass_baton(state, mem::take(&mut woken));
                    incoming.memory.allocate(len)?;
                    state = self.state.lock();
                }
                Step::NotPresent(len) => {
                    self.readers.pass_baton(state, mem::take(&mut woken));
                    incoming.fault_in(len, task)?;
                    state = self.state.lock();
                }
            }
        }
    }

    /// Waits for a message of the file of `handle`, or for a rest that it keeps. Returns with the
    /// lock held, and whether this task was woken for a message that another task may take if it
    /// does not. The caller checks everything again.
    ///
    /// A caller that cannot take a rest must pass `false` as `takes_rest`: it would not end by a
    /// signal while the file keeps one.
    ///
    /// # Errors
    ///
    /// [`ERESTARTSYS`]: a signal arrived, and there is nothing that the caller can take.
    #[inline(always)]
    pub(super) fn wait_for_message<'a>(
        self: &'a Arc<Self>,
        state: StateGuard<'a, State>,
        handle: &Handle,
        takes_rest: bool,
        task: &CurrentTask,
    ) -> Result<(StateGuard<'a, State>, bool)> {
        if state.flags.contains(Flag::Subscribed) {
            return self.wait_beside_subscribers(state, handle, takes_rest, task);
        }
        let wait_for = WaitFor::message_of(handle, takes_rest);
        let (mut state, woken) = self.readers.sleep(state, task, wait_for);
        if !woken && state.queue.is_empty() && !state.is_dead() {
            let has_rest = takes_rest && handle.state(&mut state).rest_len() > 0;
            if !has_rest {
                return Err(ERESTARTSYS);
            }
        }
        Ok((state, woken))
    }

    /// Does the same as [`Pipe::wait_for_message`] in a pipe with files that read from a position
    /// of their own. The file of `handle` may be one of them.
    #[cold]
    #[inline(never)]
    fn wait_beside_subscribers<'a>(
        self: &'a Arc<Self>,
        mut state: StateGuard<'a, State>,
        handle: &Handle,
        takes_rest: bool,
        task: &CurrentTask,
    ) -> Result<(StateGuard<'a, State>, bool)> {
        let wait_for = WaitFor::message_of(handle, takes_rest);
        let list = self.readers_of(&mut state, handle);
        let (mut state, woken) = list.sleep(state, task, wait_for);
        if !woken && !state.has_message(handle) && !state.is_dead() {
            let has_rest = takes_rest && handle.state(&mut state).rest_len() > 0;
            if !has_rest {
                return Err(ERESTARTSYS);
            }
        }
        // Each message wakes all readers of files with a position of their own.
        let passes_baton = woken && core::ptr::eq(list, &self.readers);
        Ok((state, passes_baton))
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
        handle.state(&mut state).stats.received.add(len);
        self.announce_room(state, freed);
    }

    /// Chooses the next reader to wake, if this one was `woken` and leaves a message. The caller
    /// wakes it after it has released the lock.
    #[inline(always)]
    fn next_reader(&self, state: &mut State, woken: bool) -> Option<ARef<Task>> {
        (woken && !state.queue.is_empty())
            .then(|| self.readers.take_next(state))
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
        let for_rest = (handle.state(&mut state).rest_len() > 0)
            .then(|| {
                let list = self.readers_of(&mut state, handle);
                list.take_next_of(&mut state, handle)
            })
            .flatten();
        let next = self.next_reader(&mut state, woken);
        self.arm_lease_end(&mut state);
        self.announce_room(state, freed);
        for reader in [next, for_rest].into_iter().flatten() {
            reader.wake_up();
        }
    }
}
