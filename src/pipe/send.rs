// SPDX-License-Identifier: GPL-2.0

//! Sending one message: the fast path and the slow path.

use core::mem;
use kernel::{
    current,
    prelude::*,
    sync::Arc,
    task::CurrentTask, //
};

use super::{
    loss::Admission,
    mode::Modes,
    partial_call::PartlyDone,
    waiters::WaitFor,
    Flag,
    Handle,
    Pipe,
    State,
    MAX_FAULT_INS, //
};

use crate::{
    kernel_ext::{
        clock,
        cred::{
            self,
            Ids, //
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
                KernelSource,
                Source, //
            }, //
        }, //
    },
    log::{
        lane::Lane,
        lanes::Lanes,
        message::{
            Class,
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

/// Returns the sender and the timestamps of a message that `task` sends through the file of
/// `handle` at the time `monotonic`, in nanoseconds of `CLOCK_MONOTONIC`.
#[inline(always)]
pub(super) fn sign(task: &CurrentTask, handle: &Handle, monotonic: u64) -> (Sender, Stamp) {
    // Computed first because it calls a function: ids that are loaded before would have to be saved
    // across the call.
    let stamp = stamp(monotonic);
    (sender(task, handle), stamp)
}

/// Returns the time `monotonic`, in nanoseconds of `CLOCK_MONOTONIC`, by both clocks.
#[inline(always)]
pub(super) fn stamp(monotonic: u64) -> Stamp {
    Stamp {
        monotonic,
        realtime: clock::monotonic_to_realtime(monotonic),
    }
}

/// Returns the sender of a message that `task` sends through the file of `handle`.
#[inline(always)]
pub(super) fn sender(task: &CurrentTask, handle: &Handle) -> Sender {
    let Ids {
        uid,
        gid,
        pid,
        privileged,
    } = cred::ids(task, &handle.opener);
    Sender {
        uid,
        gid,
        pid,
        privileged,
    }
}

/// A message that the slow path sends, with the memory that it has obtained.
struct Outgoing<S> {
    sender: Sender,
    class: Class,
    source: S,
    /// Segments for the message beyond those of the store.
    fresh: Segments,
    /// Lanes for its time to live, and a lane for its priority, until the queue has them.
    lanes: Option<KBox<Lanes>>,
    lane: Option<KBox<Lane>>,
    /// Bounce buffer with a copy of the payload, if fault-ins of the source were not enough.
    bounced: Option<Segments>,
    /// Number of attempts to fault in the source.
    fault_ins: u32,
    /// Whether this task was woken for a slot that it has not used yet.
    woken: bool,
}

impl<S: Source> Outgoing<S> {
    /// Creates a message from `sender` with the payload `source`, which has no memory yet.
    fn new(sender: Sender, class: Class, source: S) -> Self {
        Self {
            sender,
            class,
            source,
            fresh: Segments::new(),
            lanes: None,
            lane: None,
            bounced: None,
            fault_ins: 0,
            woken: false,
        }
    }

    /// Takes the segments that the message needs now from the spare ones of the store, or returns
    /// surplus ones. Returns the number of segments that are missing.
    fn take_segments(&mut self, state: &mut State) -> usize {
        let len = self.source.len();
        let priority = self.class.priority;
        state.queue.provide(&mut self.fresh, priority, len)
    }

    /// Gives the queue the lane that the message needs. Returns whether it is still missing.
    fn lacks_lane(&mut self, state: &mut State) -> bool {
        let priority = self.class.priority;
        if state.queue.lacks_lanes(self.class) {
            let Some(lanes) = self.lanes.take() else {
                return true;
            };
            state.queue.set_lanes(lanes);
            state.flags |= Flag::Expires;
        }
        if state.queue.lacks_lane(priority) {
            let Some(lane) = self.lane.take() else {
                return true;
            };
            self.lane = state.queue.add_lane(priority, lane);
        }
        false
    }

    /// Allocates the `missing` segments, and a lane if it is missing. Must not be called with the
    /// lock held.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    fn allocate(&mut self, missing: usize, lacks_lane: bool) -> Result {
        if lacks_lane && self.lane.is_none() {
            self.lane = Some(Lane::new()?);
        }
        if lacks_lane && self.lanes.is_none() && self.class.ttl_ns > 0 {
            self.lanes = Some(Lanes::new(1)?);
        }
        allocate(&mut self.fresh, missing)
    }

    /// Takes the segments that the message needs at most from the spare ones of the store. Returns
    /// the number of segments that are missing.
    fn take_most_segments(&mut self, state: &mut State) -> usize {
        let len = self.source.len();
        state.queue.preallocate(&mut self.fresh, len)
    }

    /// Queues the message, of `len` bytes. With `over_oldest`, it takes the slot of the oldest
    /// message, which is dropped. Returns false, and leaves the queue unchanged, if part of the
    /// source is not present.
    fn push(&mut self, state: &mut State, len: u32, over_oldest: bool) -> bool {
        let signed = (self.sender, stamp(clock::monotonic()));
        let class = self.class;
        let (queue, fresh) = (&mut state.queue, &mut self.fresh);
        if let Some(bounced) = &self.bounced {
            let mut payload = KernelSource::new(bounced, len as usize);
            let copy = |piece: &mut [u8]| payload.copy(piece) == piece.len();
            return queue.push_prioritized(class, len, signed, over_oldest, fresh, copy);
        }
        let task = current!();
        let mut reader = nofault::NofaultReader::new(&mut self.source, task);
        let copy = |piece: &mut [u8]| reader.copy(piece);
        let accepted = queue.push_prioritized(class, len, signed, over_oldest, fresh, copy);
        if accepted {
            reader.finish();
        }
        accepted
    }

    /// Faults in the source. Must not be called with the lock held.
    ///
    /// # Errors
    ///
    /// [`EFAULT`].
    fn fault_in(&mut self) -> Result {
        self.fault_ins = self.fault_ins.saturating_add(1);
        self.source.fault_in(self.source.len())
    }

    /// Copies the source to a bounce buffer. Must not be called with the lock held.
    ///
    /// # Errors
    ///
    /// [`EFAULT`], [`ENOMEM`].
    fn bounce(&mut self) -> Result {
        let len = self.source.len();
        let mut payload = Segments::new();
        allocate(&mut payload, len.div_ceil(SEGMENT_SIZE))?;
        nofault::fill_faulting(&mut self.source, len, payload.iter_mut())?;
        self.bounced = Some(payload);
        Ok(())
    }
}

impl State {
    /// Returns `len`, the length of a message in bytes, if the pipe allows a message so long.
    fn accepted_len(&self, len: usize) -> Option<u32> {
        let msg_size = self.queue.limits().msg_size();
        u32::try_from(len).ok().filter(|len| *len <= msg_size)
    }

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
        handle: &Handle,
        task: &CurrentTask,
    ) -> bool {
        // No check for a destroyed pipe: it has no segments and gets none, which makes the push
        // fail.
        self.queue.try_push_contiguous(
            len,
            place,
            now,
            |piece| nofault::fill_all(source, task, piece),
            |monotonic| sign(task, handle, monotonic),
        )
    }
}

impl Pipe {
    /// Sends all of `source` as one message through the file of `handle`, and returns its length in
    /// bytes. An empty source makes no message. A file in the mode `LINES` sends each line as a
    /// message, and returns the number of bytes that were accepted. A file in the mode `RECORDS`
    /// uses [`Pipe::send_records`].
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
    /// - [`EINVAL`]: the pipe does not take the priority of the message, or that it has a time to
    ///   live.
    /// - [`ENOMEM`].
    /// - [`EIO`]: an invariant does not hold, which is a bug.
    #[inline]
    pub(crate) fn send<S: Source>(
        this: &Arc<Self>,
        handle: &Handle,
        mut source: S,
        call: &impl Call,
    ) -> Result<usize> {
        let task = current!();
        let len = source.len();
        // Read the clock without the lock, to keep the critical section short. If another sender
        // overtakes this one, the message gets the time of the one before it.
        let now = clock::monotonic();
        let mut state = this.state.lock();
        if state.try_put_contiguous(len, Placement::Last, now, &mut source, handle, task) {
            this.finish_send(state, handle, len);
            return Ok(len);
        }
        this.send_slow(state, handle, now, source, call)
    }

    /// Slow path: begins a spare segment, fails on a destroyed pipe, sends the lines of a file in
    /// the mode `LINES`, or continues in [`Pipe::send_one_slow`].
    #[cold]
    #[inline(never)]
    fn send_slow<'a, S: Source>(
        self: &'a Arc<Self>,
        mut state: StateGuard<'a, State>,
        handle: &Handle,
        now: u64,
        mut source: S,
        call: &impl Call,
    ) -> Result<usize> {
        let task = current!();
        let len = source.len();
        if state.try_put_contiguous(len, Placement::Spare, now, &mut source, handle, task) {
            self.finish_send(state, handle, len);
            return Ok(len);
        }
        state.alive()?;
        if len == 0 {
            return Ok(0);
        }
        let sender = sender(task, handle);
        if handle.state(&mut state).modes.contains(Modes::LINES) {
            return self.send_lines(state, handle, sender, source, call);
        }
        self.send_one_slow(state, handle, (sender, Class::PLAIN), source, call)
    }

    /// Slow path: sends all of `source`, which must not be empty, as one message from `sender` of
    /// this class, and returns its length in bytes. Waits for a slot, allocates segments, and
    /// faults in the source.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::send`].
    pub(super) fn send_one_slow<'a, S: Source>(
        self: &'a Arc<Self>,
        locked: StateGuard<'a, State>,
        handle: &Handle,
        (sender, class): (Sender, Class),
        source: S,
        call: &impl Call,
    ) -> Result<usize> {
        // Declared before the guard: wherever this function returns, the lock is released before
        // the memory of the message is freed.
        let mut message = Outgoing::new(sender, class, source);
        let mut state = locked;
        loop {
            state.alive()?;
            let Some(len) = state.accepted_len(message.source.len()) else {
                let err = state.refuse_size(call);
                self.writers.pass_baton(state, message.woken);
                return Err(err);
            };
            // The pipe may have changed since the message was checked, and so may the header of a
            // message that is not in a page.
            let terms = state.terms();
            if class.priority >= terms.priorities || class.ttl_ns > 0 && !terms.allows_ttl {
                self.writers.pass_baton(state, message.woken);
                return Err(EINVAL);
            }
            if state.queue.is_full() && state.front_expired() {
                state = self.drop_expired(state);
                continue;
            }
            let admission = state.admission(class.priority);
            state = match admission {
                Admission::Waits => self.wait_for_slot(state, &mut message, call)?,
                Admission::Discarded if message.fault_ins == 0 => {
                    // As for any other write, an unreadable source is an error.
                    self.fault_in_source(state, &mut message)?
                }
                Admission::Discarded => {
                    state.queue.discard(len);
                    message.source.advance(len as usize);
                    self.finish_discard(state, handle, len as usize, message.woken);
                    return Ok(len as usize);
                }
                Admission::Slot | Admission::SlotOfOldest => {
                    let over_oldest = admission == Admission::SlotOfOldest;
                    let lacks_lane = message.lacks_lane(&mut state);
                    let missing = message.take_segments(&mut state);
                    if missing > 0 || lacks_lane {
                        self.provide_memory(state, &mut message, missing, lacks_lane)?
                    } else if message.push(&mut state, len, over_oldest) {
                        let tell = over_oldest && state.lose();
                        if class.ttl_ns > 0 {
                            state.flags |= Flag::Expires;
                        }
                        self.finish_send_slow(state, handle, len as usize, message.woken);
                        if class.ttl_ns > 0 {
                            self.hasten_sweeper();
                        }
                        if tell {
                            self.notifier.lost();
                        }
                        return Ok(len as usize);
                    } else {
                        self.fault_in_source(state, &mut message)?
                    }
                }
            };
        }
    }

    /// Slow path: sends one of the messages of a call that sends several, as
    /// [`Pipe::send_one_slow`] does. `partly_done` tells whether the call has sent one before.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::send`].
    pub(super) fn send_one_of_several<S: Source>(
        self: &Arc<Self>,
        handle: &Handle,
        sent_as: (Sender, Class),
        source: S,
        call: &impl Call,
        partly_done: bool,
    ) -> Result<usize> {
        let state = self.state.lock();
        if partly_done {
            self.send_one_slow(state, handle, sent_as, source, &PartlyDone(call))
        } else {
            self.send_one_slow(state, handle, sent_as, source, call)
        }
    }

    /// Prepares `message` for the wait for a slot, or waits. Returns with the lock held, after
    /// which the caller checks everything again.
    ///
    /// # Errors
    ///
    /// - [`EAGAIN`]: the call must not wait.
    /// - [`ERESTARTSYS`]: a signal arrived while the call waited.
    /// - [`EFAULT`]: part of the source cannot be read.
    /// - [`ENOMEM`].
    fn wait_for_slot<'a, S: Source>(
        self: &'a Arc<Self>,
        mut state: StateGuard<'a, State>,
        message: &mut Outgoing<S>,
        call: &impl Call,
    ) -> Result<StateGuard<'a, State>> {
        if call.is_nonblocking() {
            if !call.is_attempt() {
                state.refused.full = state.refused.full.wrapping_add(1);
            }
            return Err(EAGAIN);
        }
        // Preallocate and prefault before queueing, so that a woken writer can use its slot at
        // once.
        let lacks_lane = message.lacks_lane(&mut state);
        let missing = message.take_most_segments(&mut state);
        if missing > 0 || lacks_lane || message.fault_ins == 0 {
            drop(state);
            message.allocate(missing, lacks_lane)?;
            if message.fault_ins == 0 {
                message.fault_in()?;
            }
            return Ok(self.state.lock());
        }
        (state, message.woken) = self.writers.sleep(state, current!(), WaitFor::Slot);
        if !message.woken && state.must_wait() && !state.is_dead() {
            return Err(ERESTARTSYS);
        }
        Ok(state)
    }

    /// Passes the baton, and allocates the `missing` segments of `message`, and a lane if it is
    /// missing, without the lock.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    fn provide_memory<'a, S: Source>(
        self: &'a Arc<Self>,
        state: StateGuard<'a, State>,
        message: &mut Outgoing<S>,
        missing: usize,
        lacks_lane: bool,
    ) -> Result<StateGuard<'a, State>> {
        self.writers
            .pass_baton(state, mem::take(&mut message.woken));
        message.allocate(missing, lacks_lane)?;
        Ok(self.state.lock())
    }

    /// Passes the baton, and makes the payload of `message` readable with page faults disabled:
    /// faults in its source, or copies it to a bounce buffer. Both can take arbitrarily long.
    ///
    /// # Errors
    ///
    /// - [`EFAULT`]: part of the source cannot be read.
    /// - [`ENOMEM`].
    /// - [`EIO`]: the bounce buffer could not be copied either, which is a bug.
    fn fault_in_source<'a, S: Source>(
        self: &'a Arc<Self>,
        state: StateGuard<'a, State>,
        message: &mut Outgoing<S>,
    ) -> Result<StateGuard<'a, State>> {
        self.writers
            .pass_baton(state, mem::take(&mut message.woken));
        if message.bounced.is_some() {
            return Err(EIO);
        }
        if message.fault_ins < MAX_FAULT_INS {
            message.fault_in()?;
        } else {
            // Another task removes the pages of the source again and again.
            message.bounce()?;
        }
        Ok(self.state.lock())
    }

    /// Counts a sent message of `len` bytes, releases the lock, and announces the message.
    #[inline(always)]
    pub(super) fn finish_send(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        handle: &Handle,
        len: usize,
    ) {
        handle.state(&mut state).stats.sent.add(len);
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
        let next = (woken && !state.must_wait())
            .then(|| self.writers.take_next(&mut state))
            .flatten();
        self.finish_send(state, handle, len);
        if let Some(next) = next {
            next.wake_up();
        }
    }

    /// Counts a sent message of `len` bytes that was discarded, releases the lock, and tells
    /// pollers of the loss. A writer that was `woken` passes the baton: no writer has to wait.
    fn finish_discard(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        handle: &Handle,
        len: usize,
        woken: bool,
    ) {
        handle.state(&mut state).stats.sent.add(len);
        let tell = state.lose();
        self.writers.pass_baton(state, woken);
        if tell {
            self.notifier.lost();
        }
    }
}
