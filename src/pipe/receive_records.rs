// SPDX-License-Identifier: GPL-2.0

//! Receiving records: several messages a call, each with a header.

use core::mem;
use kernel::{
    current,
    prelude::*,
    sync::Arc,
    task::CurrentTask, //
};

use super::{
    partial_call::done_or,
    receive::fault_in_dest,
    subscription::Next,
    Flag,
    Handle,
    Pipe,
    State, //
};

use crate::{
    kernel_ext::{
        mm::{
            pieces::prefix_mut,
            segment::{
                Bytes,
                SEGMENT_SIZE, //
            },
            words, //
        },
        sync::lock::StateGuard,
        uaccess::nofault::{
            self,
            Dest,
            NofaultWriter,
            NotPresent, //
        },
        view::View, //
    },
    log::{
        iter::Run,
        message::{
            Label,
            Record, //
        },
        store::{
            Place,
            Store, //
        },
        wire, //
    }, //
};

/// Number of bytes after which a read releases the lock, to let other tasks proceed.
const BYTES_AT_ONCE: usize = SEGMENT_SIZE;

/// Reason why a critical section copied no more records.
enum Stop {
    /// The queue is empty.
    Empty,
    /// The limit of one critical section is reached.
    Enough,
    /// The next record does not fit into the buffer.
    Full,
    /// Part of the buffer is not present for the next record, which has this many bytes.
    NotPresent(usize),
    /// The payloads do not hold what the next record promises, which is a bug.
    Corrupt,
}

/// A read of records on the slow path, and its progress.
struct IncomingRecords<D> {
    dest: D,
    /// Number of bytes that were received.
    received: usize,
    /// Number of attempts to fault in the destination since the last record.
    fault_ins: u32,
}

impl<D: Dest> IncomingRecords<D> {
    /// Counts the records of `run` as received.
    fn count(&mut self, run: Run) {
        if run.tally.msgs > 0 {
            self.fault_ins = 0;
        }
        self.received = self.received.wrapping_add(len_of(run));
    }

    /// Faults in the `len` bytes of the destination that the next record needs.
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

/// Returns the length of the records of the messages of `run`, in bytes.
#[inline(always)]
fn len_of(run: Run) -> usize {
    // Neither operation wraps: both values are far below the maximum.
    (run.tally.msgs as usize)
        .wrapping_mul(wire::RECORD)
        .wrapping_add(run.span)
}

/// Assembles the records of the messages from `next` on in `page`: as many as fit there and into
/// `room` bytes, and only messages in the same segment. The first record reports what was lost.
/// Returns the messages whose records were assembled.
#[inline(always)]
fn assemble(store: &Store, next: Next, page: &mut Bytes, room: usize, view: &View<'_>) -> Run {
    let mut run = Run::NONE;
    let Next {
        place,
        mut label,
        mut lost,
        deliveries,
        most,
    } = next;
    let mut left = prefix_mut(page, room.min(BYTES_AT_ONCE));
    for (packed, payload) in store.contiguous_messages(place).take(most) {
        let Some((header, behind)) = left.split_first_chunk_mut() else {
            break;
        };
        let Some((padded, behind)) = behind.split_at_mut_checked(payload.len()) else {
            break;
        };
        words::copy(padded, payload);
        // Decode the record after the copy: before, its fields would have to be saved across the
        // copy.
        let record = Record::decode(packed);
        wire::encode_header(view, label, &record, deliveries, lost, header);
        lost = 0;
        if !wire::is_whole(record.len) {
            wire::pad(padded, record.len);
        }
        left = behind;
        label = label.next();
        run.add(record.len as usize, payload.len());
    }
    run
}

/// Slow path: copies the records of the messages from `next` on to `dest` one by one. The first
/// record reports what was lost. Returns the messages whose records were copied, and why there are
/// no more of them.
#[cold]
#[inline(never)]
fn copy_records(
    store: &Store,
    next: Next,
    dest: &mut impl Dest,
    task: &CurrentTask,
    view: &View<'_>,
) -> (Run, Stop) {
    let mut run = Run::NONE;
    let Next {
        place,
        mut label,
        mut lost,
        deliveries,
        most,
    } = next;
    let mut walk = store.walk_at(place);
    while let Some(record) = walk.record() {
        let payload = record.len as usize;
        let len = wire::record_len(record.len);
        if len > dest.len() {
            return (run, Stop::Full);
        }
        let mut header = [0; wire::RECORD];
        wire::encode_header(view, label, &record, deliveries, lost, &mut header);
        let zeroes = wire::zeroes(payload);
        match copy_record(dest, task, &header, walk.payload(), zeroes) {
            Ok(copied) if copied == payload => {}
            Ok(_) => return (run, Stop::Corrupt),
            Err(NotPresent) => return (run, Stop::NotPresent(len)),
        }
        lost = 0;
        label = label.next();
        run.add(payload, payload.wrapping_add(zeroes.len()));
        if len_of(run) >= BYTES_AT_ONCE || run.tally.msgs >= most as u64 {
            return (run, Stop::Enough);
        }
    }
    (run, Stop::Empty)
}

/// Copies a header, a payload, and zeroes to `dest`. Returns the length of the payload, in bytes.
///
/// # Errors
///
/// [`NotPresent`]: part of the memory is not present. The position in `dest` is unchanged.
fn copy_record<'a>(
    dest: &mut impl Dest,
    task: &CurrentTask,
    header: &[u8],
    payload: impl Iterator<Item = &'a [u8]>,
    zeroes: &[u8],
) -> Result<usize, NotPresent> {
    let mut copied = 0;
    let mut writer = NofaultWriter::new(dest, task);
    writer.copy(header)?;
    for piece in payload {
        writer.copy(piece)?;
        copied += piece.len();
    }
    writer.copy(zeroes)?;
    writer.finish();
    Ok(copied)
}

impl State {
    /// Returns whether the fast paths may receive records for `task`: the pipe is not destroyed,
    /// messages do not expire, no dump is in progress, no loss must be reported, no file
    /// reads from a position of its own, no message is on trust, and `task` sees ids and times as
    /// the kernel stores them.
    #[inline(always)]
    fn is_plain_for(&self, task: &CurrentTask) -> bool {
        let not_plain = Flag::Dead | Flag::Expires | Flag::Dumping | Flag::Lost;
        let not_plain = not_plain | Flag::Subscribed | Flag::Leases;
        !self.flags.contains_any(not_plain) && View::is_initial_for(task)
    }

    /// Fast path for one message: receives the only message of the queue if its record fits into
    /// `dest` and its payload is in one piece. Returns the lengths of the payload and of the
    /// record, in bytes. The queue is unchanged otherwise.
    ///
    /// The record is assembled in the page of the pipe and copied from there.
    #[inline(always)]
    fn try_take_record(
        &mut self,
        dest: &mut impl Dest,
        task: &CurrentTask,
    ) -> Option<(u32, usize)> {
        if self.queue.store().depth().msgs != 1 || !self.is_plain_for(task) {
            return None;
        }
        let page = self.pages.reading.as_mut()?;
        let packed = self.queue.store().front_contiguous()?;
        let payload_len = Record::decode_len(packed);
        let len = wire::record_len(payload_len);
        if len > dest.len() {
            return None;
        }
        let all = page.get_mut(..len)?;
        let (header, padded) = all.split_first_chunk_mut()?;
        words::copy(padded, self.queue.store().payload_contiguous(padded.len())?);
        // Decode the record after the copy: before, its fields would have to be saved across the
        // copy.
        let record = Record::decode(packed);
        let label = Label::plain(self.queue.last_seq());
        wire::encode_header(&View::INITIAL, label, &record, 1, 0, header);
        if !wire::is_whole(payload_len) {
            wire::pad(padded, payload_len);
        }
        if !nofault::deliver_all(dest, task, all) {
            return None;
        }
        self.queue.deliver_only();
        Some((payload_len, len))
    }

    /// Fast path for several messages: receives the records of the oldest messages in the first
    /// segment, as many as fit into `dest` and the page of the pipe. Returns the messages that were
    /// received, which may be none.
    #[inline(always)]
    fn try_take_records(&mut self, dest: &mut impl Dest, task: &CurrentTask) -> Run {
        if !self.is_plain_for(task) {
            return Run::NONE;
        }
        let Some(page) = &mut self.pages.reading else {
            return Run::NONE;
        };
        let next = Next {
            place: Place::Front,
            label: Label::plain(self.queue.stored_seq()),
            lost: 0,
            deliveries: 1,
            most: usize::MAX,
        };
        let run = assemble(self.queue.store(), next, page, dest.len(), &View::INITIAL);
        match page.get(..len_of(run)) {
            Some([]) | None => return Run::NONE,
            Some(all) if nofault::deliver(dest, task, [all]).is_err() => return Run::NONE,
            Some(_) => {}
        }
        self.queue.deliver_contiguous(run);
        run
    }

    /// Slow path: receives the records of the next messages of the file of `handle`, as many as fit
    /// into `dest` and one critical section, with ids and times as the namespaces of `task` show
    /// them. Returns the messages that were received, the number of slots that are free now, and
    /// why there are no more messages.
    fn take_records(
        &mut self,
        handle: &Handle,
        dest: &mut impl Dest,
        task: &CurrentTask,
    ) -> (Run, u64, Stop) {
        let view = View::of(task);
        let Some(next) = self.next_of(handle) else {
            return (Run::NONE, 0, Stop::Empty);
        };
        let mut taken = (Run::NONE, Stop::Enough);
        if let Some(page) = &mut self.pages.reading {
            let run = assemble(self.queue.next_store(), next, page, dest.len(), &view);
            let all = page.get(..len_of(run));
            if all.is_some_and(|all| nofault::deliver(dest, task, [all]).is_ok()) {
                taken.0 = run;
            }
        }
        if taken.0 == Run::NONE {
            taken = copy_records(self.queue.next_store(), next, dest, task, &view);
        }
        let (run, end) = taken;
        let mut freed = 0;
        if run != Run::NONE {
            freed = self.consume(handle, run);
        }
        handle.state(self).stats.received.merge(run.tally);
        if self.has_message(handle) {
            (run, freed, end)
        } else {
            (run, freed, Stop::Empty)
        }
    }
}

impl Pipe {
    /// Receives into `dest` through the file of `handle`, in the mode `RECORDS`: the records of as
    /// many messages as fit. Returns their length in bytes. The lock is released in between: other
    /// tasks may send and receive, and the sequence numbers may have gaps. In the modes `EOF` and
    /// `HUP`, zero means that there is no message. `nonblocking` returns whether the call must not
    /// wait.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::receive`]. [`EMSGSIZE`] means that the first record does not fit into
    /// `dest`.
    #[inline]
    pub(crate) fn receive_records<D: Dest>(
        this: &Arc<Self>,
        handle: &Handle,
        mut dest: D,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize> {
        let task = current!();
        let mut state = this.state.lock();
        if let Some((payload, len)) = state.try_take_record(&mut dest, task) {
            this.finish_receive(state, handle, payload as usize, 1);
            return Ok(len);
        }
        this.receive_several(state, handle, dest, nonblocking)
    }

    /// Receives several records by the fast path. If messages and room are left, or if nothing was
    /// received, continues in [`Pipe::receive_more`].
    #[inline(never)]
    fn receive_several<'a, D: Dest>(
        self: &'a Arc<Self>,
        mut state: StateGuard<'a, State>,
        handle: &Handle,
        mut dest: D,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize> {
        let run = state.try_take_records(&mut dest, current!());
        let len = len_of(run);
        if len > 0 {
            let is_all = state.queue.is_empty() || dest.len() == 0;
            handle.state(&mut state).stats.received.merge(run.tally);
            self.announce_room(state, run.tally.msgs);
            if is_all {
                return Ok(len);
            }
            state = self.state.lock();
        }
        self.receive_more(state, handle, dest, nonblocking, len)
    }

    /// Slow path: receives more records, after `received` bytes were received. Removes expired
    /// messages, waits if nothing was received yet, and faults in `dest`.
    #[cold]
    #[inline(never)]
    fn receive_more<'a, D: Dest>(
        self: &'a Arc<Self>,
        state: StateGuard<'a, State>,
        handle: &Handle,
        dest: D,
        nonblocking: impl Fn() -> bool,
        received: usize,
    ) -> Result<usize> {
        let mut incoming = IncomingRecords {
            dest,
            received,
            fault_ins: 0,
        };
        match self.receive_batches(state, handle, &mut incoming, nonblocking, current!()) {
            Ok(()) => Ok(incoming.received),
            Err(err) => done_or(incoming.received, err),
        }
    }

    /// Receives records until the call is done. Releases the lock after each batch, and faults in
    /// the memory that the next record needs.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::receive_records`], also if records were received before.
    fn receive_batches<'a, D: Dest>(
        self: &'a Arc<Self>,
        locked: StateGuard<'a, State>,
        handle: &Handle,
        incoming: &mut IncomingRecords<D>,
        nonblocking: impl Fn() -> bool,
        task: &CurrentTask,
    ) -> Result {
        let mut state = locked;
        while let Some((locked, woken)) =
            self.wait_for_batch(state, handle, incoming, &nonblocking, task)?
        {
            match self.receive_batch(locked, handle, incoming, task, woken) {
                Stop::Empty => break,
                Stop::Enough => {}
                Stop::Full => return Err(EMSGSIZE),
                Stop::Corrupt => return Err(EIO),
                Stop::NotPresent(len) => incoming.fault_in(len, task)?,
            }
            state = self.state.lock();
        }
        Ok(())
    }

    /// Removes expired messages, and waits for a message if nothing was received yet. Returns with
    /// the lock held, and whether this task was woken for a message that it has not taken yet.
    /// Returns [`None`] if the call is done.
    ///
    /// # Errors
    ///
    /// - [`ENODEV`]: the pipe is destroyed.
    /// - [`EAGAIN`]: there is no message and the call must not wait.
    /// - [`ERESTARTSYS`]: a signal arrived while the call waited.
    fn wait_for_batch<'a, D: Dest>(
        self: &'a Arc<Self>,
        locked: StateGuard<'a, State>,
        handle: &Handle,
        incoming: &IncomingRecords<D>,
        nonblocking: impl Fn() -> bool,
        task: &CurrentTask,
    ) -> Result<Option<(StateGuard<'a, State>, bool)>> {
        let mut woken = false;
        let mut state = locked;
        loop {
            state.alive()?;
            if incoming.dest.len() == 0 || incoming.received > 0 && task.signal_pending() {
                return Ok(None);
            }
            if state.front_expired() {
                state = self.drop_expired(state);
                continue;
            }
            if state.has_message(handle) {
                return Ok(Some((state, woken)));
            }
            if woken && !state.queue.is_empty() {
                // The file has begun to browse, and leaves the message to the other readers.
                self.readers.pass_baton(state, mem::take(&mut woken));
                state = self.state.lock();
                continue;
            }
            if incoming.received > 0 || state.is_at_end(handle) {
                return Ok(None);
            }
            if nonblocking() {
                return Err(EAGAIN);
            }
            // In the mode `RECORDS` a file keeps no rest. It may keep one here if its mode was
            // changed during this call, which cannot take it.
            (state, woken) = self.wait_for_message(state, handle, false, task)?;
        }
    }

    /// Receives the records of one critical section, and releases the lock. A task that was `woken`
    /// passes the baton. Returns why there are no more records.
    fn receive_batch<'a, D: Dest>(
        self: &'a Arc<Self>,
        mut state: StateGuard<'a, State>,
        handle: &Handle,
        incoming: &mut IncomingRecords<D>,
        task: &CurrentTask,
        woken: bool,
    ) -> Stop {
        let (run, freed, stop) = state.take_records(handle, &mut incoming.dest, task);
        incoming.count(run);
        self.arm_lease_end(&mut state);
        if !woken {
            self.announce_room(state, freed);
        } else if run.tally.msgs > 0 {
            self.leave_receive(state, handle, freed, woken);
        } else {
            self.readers.pass_baton(state, woken);
        }
        stop
    }
}
