// SPDX-License-Identifier: GPL-2.0

//! Receiving records: messages with what is known of each, several at a time.

use kernel::{
    current,
    prelude::*,
    sync::Arc,
    task::CurrentTask, //
};

use super::{
    receive::bring_in,
    Flag,
    Handle,
    Pipe,
    State, //
};
use crate::{
    kernel_ext::{
        lock::StateGuard,
        nofault::{
            self,
            Dest,
            NotPresent,
            Pour, //
        },
        segment::{
            Bytes,
            SEGMENT_SIZE, //
        },
        view::View,
        words, //
    },
    message::Record,
    mode::Modes,
    queue::Queue,
    walk::Run,
    wire, //
};

/// After how many bytes the lock is released, so that others get on.
const BYTES_AT_ONCE: usize = SEGMENT_SIZE;

/// Why no more records were copied in a lock section.
enum End {
    /// There are no more messages.
    Empty,
    /// These are enough for one lock section.
    Enough,
    /// There is not enough room for the next one.
    Full,
    /// Some of the memory is not there for the next one, which has so many bytes.
    NotPresent(usize),
}

/// How long the records of the messages of `run` are, in bytes.
#[inline(always)]
fn len_of(run: Run) -> usize {
    // Neither wraps: both are far below the largest number.
    (run.tally.msgs as usize)
        .wrapping_mul(wire::RECORD)
        .wrapping_add(run.span)
}

/// Puts the records of the oldest messages together in `page`, as many as fit there and into `room`
/// bytes, and as are in the first segment. Returns those that it has put there.
#[inline(always)]
fn gather(queue: &Queue, page: &mut Bytes, room: usize, view: &View<'_>) -> Run {
    let mut run = Run::NONE;
    let mut seq = queue.first_seq();
    let mut left = page.get_mut(..room.min(BYTES_AT_ONCE)).unwrap_or_default();
    for (packed, payload) in queue.store().look() {
        let Some((header, behind)) = left.split_first_chunk_mut() else {
            break;
        };
        let Some((padded, behind)) = behind.split_at_mut_checked(payload.len()) else {
            break;
        };
        words::copy(padded, payload);
        // It is unpacked here, so that nothing of it is in the way of the copy.
        let record = Record::decode(packed);
        wire::show(view, seq, &record, 1, header);
        if !wire::is_whole(record.len) {
            wire::pad(padded, record.len);
        }
        left = behind;
        seq = seq.wrapping_add(1);
        run.add(record.len as usize, payload.len());
    }
    run
}

/// Copies the records of the oldest messages to `dest` one by one. Returns those that it has
/// copied, and why there are no more of them.
#[cold]
#[inline(never)]
fn pour(queue: &Queue, dest: &mut impl Dest, task: &CurrentTask, view: &View<'_>) -> (Run, End) {
    let mut run = Run::NONE;
    let mut seq = queue.first_seq();
    let mut walk = queue.store().walk();
    while let Some(record) = walk.record() {
        let payload = record.len as usize;
        let len = wire::record_len(record.len);
        if len > dest.len() {
            return (run, End::Full);
        }
        let mut header = [0; wire::RECORD];
        wire::show(view, seq, &record, 1, &mut header);
        let zeroes = wire::padding(payload);
        if pour_record(dest, task, &header, walk.payload(), zeroes).is_err() {
            return (run, End::NotPresent(len));
        }
        seq = seq.wrapping_add(1);
        run.add(payload, payload.wrapping_add(zeroes));
        if len_of(run) >= BYTES_AT_ONCE {
            return (run, End::Enough);
        }
    }
    (run, End::Empty)
}

/// Copies a header, a payload, and so many zeroes to `dest`.
///
/// # Errors
///
/// [`NotPresent`]: some of the memory is not there. What is left of it is what was.
fn pour_record<'a>(
    dest: &mut impl Dest,
    task: &CurrentTask,
    header: &[u8],
    payload: impl Iterator<Item = &'a [u8]>,
    zeroes: usize,
) -> Result<(), NotPresent> {
    let mut pour = Pour::new(dest, task);
    pour.copy(header)?;
    for piece in payload {
        pour.copy(piece)?;
    }
    pour.copy(wire::ZEROES.get(..zeroes).unwrap_or_default())?;
    pour.finish();
    Ok(())
}

impl State {
    /// Whether a record can be received without anything to be looked after, by a task that sees
    /// ids and times as the kernel does.
    #[inline(always)]
    fn is_plain_for(&self, task: &CurrentTask) -> bool {
        let not_plain = Flag::Dead | Flag::Expires | Flag::Dumping;
        !self.flags.contains_any(not_plain) && View::is_initial_for(task)
    }

    /// Receives the record of the only message if that is plain, fits into `dest`, and is there in
    /// one piece; returns the length of the payload, and that of the record, in bytes.
    ///
    /// It is put together in the page of the pipe, and copied from there.
    #[inline(always)]
    fn take_record_here(
        &mut self,
        dest: &mut impl Dest,
        task: &CurrentTask,
    ) -> Option<(u32, usize)> {
        if self.queue.depth().msgs != 1 || !self.is_plain_for(task) {
            return None;
        }
        let page = self.pages.reading.as_mut()?;
        let packed = self.queue.store().front_here()?;
        let payload_len = Record::decode_len(packed);
        let len = wire::record_len(payload_len);
        if len > dest.len() {
            return None;
        }
        let all = page.get_mut(..len)?;
        let (header, padded) = all.split_first_chunk_mut()?;
        words::copy(padded, self.queue.store().payload_here(padded.len())?);
        // It is unpacked here, so that nothing of it is in the way of the copy.
        let record = Record::decode(packed);
        wire::show(&View::INITIAL, self.queue.last_seq(), &record, 1, header);
        if !wire::is_whole(payload_len) {
            wire::pad(padded, payload_len);
        }
        if !nofault::deliver_all(dest, task, all) {
            return None;
        }
        self.queue.deliver_only();
        Some((payload_len, len))
    }

    /// Receives records of the oldest messages, as many as fit into `dest`, if that is plain, and
    /// as are there in one piece; returns which messages they are of, and goes on behind them.
    /// There may be none.
    #[inline(always)]
    fn take_records_here(&mut self, dest: &mut impl Dest, task: &CurrentTask) -> Run {
        if !self.is_plain_for(task) {
            return Run::NONE;
        }
        let Some(page) = &mut self.pages.reading else {
            return Run::NONE;
        };
        let run = gather(&self.queue, page, dest.len(), &View::INITIAL);
        let all = page.get(..len_of(run)).unwrap_or_default();
        if all.is_empty() || nofault::deliver(dest, task, [all]).is_err() {
            return Run::NONE;
        }
        self.queue.deliver_seen(run);
        run
    }

    /// Receives records of the oldest messages, as many as fit into `dest`, whatever is to be
    /// looked after; returns which messages they are of, and why there are no more, and goes on
    /// behind them.
    fn take_records(
        &mut self,
        handle: &Handle,
        dest: &mut impl Dest,
        task: &CurrentTask,
    ) -> (Run, End) {
        let view = View::of(task);
        let mut taken = (Run::NONE, End::Enough);
        if let Some(page) = &mut self.pages.reading {
            let run = gather(&self.queue, page, dest.len(), &view);
            let all = page.get(..len_of(run)).unwrap_or_default();
            if nofault::deliver(dest, task, [all]).is_ok() {
                taken.0 = run;
            }
        }
        if taken.0 == Run::NONE {
            taken = pour(&self.queue, dest, task, &view);
        }
        let (run, end) = taken;
        self.queue.deliver_all(run);
        handle.of(self).passed.received.merge(run.tally);
        if self.queue.is_empty() {
            (run, End::Empty)
        } else {
            (run, end)
        }
    }
}

impl Pipe {
    /// Receives into `dest` through the file of `handle`, in the mode `RECORDS`: as many messages
    /// as fit, each behind what is known of it. Returns how long they are, in bytes. Others may
    /// receive and send in between, so that the sequence numbers may have gaps. Zero means what it
    /// does for [`Pipe::receive`].
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::receive`], and [`EMSGSIZE`] if the first record does not fit.
    #[inline]
    pub(crate) fn receive_records<D: Dest>(
        this: &Arc<Self>,
        handle: &Handle,
        mut dest: D,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize> {
        let task = current!();
        let mut state = this.state.lock();
        if let Some((payload, len)) = state.take_record_here(&mut dest, task) {
            this.finish_receive(state, handle, payload as usize, 1);
            return Ok(len);
        }
        this.receive_several(state, handle, dest, nonblocking)
    }

    /// Receives several, as far as that is plain.
    #[inline(never)]
    fn receive_several<'a, D: Dest>(
        self: &'a Arc<Self>,
        mut state: StateGuard<'a, State>,
        handle: &Handle,
        mut dest: D,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize> {
        let run = state.take_records_here(&mut dest, current!());
        let len = len_of(run);
        if len > 0 {
            let is_all = state.queue.is_empty() || dest.len() == 0;
            handle.of(&mut state).passed.received.merge(run.tally);
            self.announce_room(state, run.tally.msgs);
            if is_all {
                return Ok(len);
            }
            state = self.state.lock();
        }
        self.receive_more(state, handle, dest, nonblocking, len)
    }

    /// Goes on behind so many bytes that were received, and looks after all that may come between.
    #[cold]
    #[inline(never)]
    fn receive_more<'a, D: Dest>(
        self: &'a Arc<Self>,
        locked: StateGuard<'a, State>,
        handle: &Handle,
        mut dest: D,
        nonblocking: impl Fn() -> bool,
        received: usize,
    ) -> Result<usize> {
        let task = current!();
        // Whether this task was woken for a message that it has not taken yet.
        let mut woken = false;
        let mut faults = 0;
        let mut received = received;
        let mut state = locked;
        loop {
            if let Err(err) = state.alive() {
                return done_or(received, err);
            }
            if dest.len() == 0 || received > 0 && task.signal_pending() {
                return Ok(received);
            }
            if state.front_expired() {
                state = self.freshen(state);
                continue;
            }
            if state.queue.is_empty() {
                if received > 0 || handle.of(&mut state).modes.contains(Modes::EOF) {
                    return Ok(received);
                }
                if nonblocking() {
                    return Err(EAGAIN);
                }
                (state, woken) = self.readers.sleep(state, task, handle);
                if !woken && state.has_nothing_for(handle) {
                    return Err(ERESTARTSYS);
                }
                continue;
            }

            let (run, end) = state.take_records(handle, &mut dest, task);
            let msgs = run.tally.msgs;
            received = received.wrapping_add(len_of(run));
            if !woken {
                self.announce_room(state, msgs);
            } else if msgs > 0 {
                self.leave_receive(state, handle, msgs, woken);
            } else {
                self.readers.pass_on(state, woken);
            }
            woken = false;
            match end {
                End::Empty => return Ok(received),
                End::Enough => {}
                End::Full => return done_or(received, EMSGSIZE),
                End::NotPresent(len) => {
                    if msgs > 0 {
                        faults = 0;
                    }
                    if let Err(err) = bring_in(&mut dest, len, faults, task) {
                        return done_or(received, err);
                    }
                    faults = faults.saturating_add(1);
                }
            }
            state = self.state.lock();
        }
    }
}

/// What a call returns that has received so many bytes when `err` ended it.
fn done_or(received: usize, err: Error) -> Result<usize> {
    if received > 0 {
        Ok(received)
    } else {
        Err(err)
    }
}
