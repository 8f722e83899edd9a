// SPDX-License-Identifier: GPL-2.0

//! Receiving records: messages with what is known of each, several at a time.

use kernel::{
    prelude::*,
    sync::Arc,
    task::CurrentTask, //
};

use super::{
    receive::bring_in,
    Handle,
    Pipe,
    State, //
};
use crate::{
    kernel_ext::{
        cred::View,
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
    },
    mode::Modes,
    queue::Queue,
    stats::Tally,
    wire, //
};

/// After how many bytes the lock is released, so that others get on.
const BYTES_AT_ONCE: usize = SEGMENT_SIZE;

/// Records that were copied in one lock section.
struct Batch {
    /// Their messages.
    taken: Tally,
    /// How long they are, in bytes.
    len: usize,
    /// How long their payloads are, each with what it is rounded up by.
    span: usize,
    /// Why there are no more of them.
    end: End,
}

/// Why no more records were copied.
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

impl Batch {
    /// Nothing yet.
    const fn new() -> Self {
        Self {
            taken: Tally::NONE,
            len: 0,
            span: 0,
            end: End::Empty,
        }
    }

    /// Counts the record of a message of `payload` bytes.
    #[inline(always)]
    fn add(&mut self, payload: usize) {
        // Nothing wraps: all are far below the largest number.
        let span = payload.wrapping_add(wire::padding(payload));
        self.taken.add(payload);
        self.span = self.span.wrapping_add(span);
        self.len = self
            .len
            .wrapping_add(wire::record_len(0))
            .wrapping_add(span);
    }
}

/// Puts the records of the oldest messages together in `page`, as many as fit there and into `room`
/// bytes.
#[inline(always)]
fn gather(queue: &Queue, page: &mut Bytes, room: usize, view: &View<'_>) -> Batch {
    let mut batch = Batch::new();
    let mut seq = queue.first_seq();
    let mut left = page.get_mut(..room.min(BYTES_AT_ONCE)).unwrap_or_default();
    let mut walk = queue.store().walk();
    while let Some(record) = walk.record() {
        let payload = record.len as usize;
        let Some((place, more)) = left.split_at_mut_checked(wire::record_len(record.len)) else {
            batch.end = if room < BYTES_AT_ONCE {
                End::Full
            } else {
                End::Enough
            };
            break;
        };
        let Some((header, place)) = place.split_first_chunk_mut::<{ wire::RECORD }>() else {
            break;
        };
        wire::show(view, seq, &record, 1, header);
        if let Some((place, zeroes)) = place.split_at_mut_checked(payload) {
            walk.copy_payload(place);
            if !zeroes.is_empty() {
                zeroes.fill(0);
            }
        }
        left = more;
        seq = seq.wrapping_add(1);
        batch.add(payload);
    }
    batch
}

/// Copies the records of the oldest messages to `dest` one by one.
#[cold]
#[inline(never)]
fn pour(queue: &Queue, dest: &mut impl Dest, task: &CurrentTask, view: &View<'_>) -> Batch {
    let mut batch = Batch::new();
    let mut seq = queue.first_seq();
    let mut walk = queue.store().walk();
    while let Some(record) = walk.record() {
        let payload = record.len as usize;
        let len = wire::record_len(record.len);
        if len > dest.len() {
            batch.end = End::Full;
            break;
        }
        let mut header = [0; wire::RECORD];
        wire::show(view, seq, &record, 1, &mut header);
        let zeroes = wire::padding(payload);
        if pour_record(dest, task, &header, walk.payload(), zeroes).is_err() {
            batch.end = End::NotPresent(len);
            break;
        }
        seq = seq.wrapping_add(1);
        batch.add(payload);
        if batch.len >= BYTES_AT_ONCE {
            batch.end = End::Enough;
            break;
        }
    }
    batch
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
    /// Copies records of the oldest messages, as many as fit into `dest`, and removes these.
    ///
    /// They go through a page of the pipe. What does not fit there, or finds some of the
    /// memory not there, is copied one by one.
    #[inline(always)]
    fn take_records(&mut self, handle: &Handle, dest: &mut impl Dest, task: &CurrentTask) -> Batch {
        let view = View::of(task);
        let mut batch = Batch::new();
        if let Some(page) = &mut self.page {
            batch = gather(&self.queue, page, dest.len(), &view);
            let all = page.get(..batch.len).unwrap_or_default();
            if batch.len > 0 && nofault::deliver(dest, task, Some(all)).is_err() {
                batch = Batch::new();
            }
        }
        if batch.len == 0 {
            batch = pour(&self.queue, dest, task, &view);
        }
        if batch.taken.msgs > 0 {
            self.queue.deliver_all(batch.taken, batch.span);
            handle.of(self).passed.received.merge(batch.taken);
        }
        batch
    }
}

impl Pipe {
    /// Receives into `dest`, which is not empty, through the file of `handle`: the records of the
    /// oldest messages, as many as fit. Returns how long they are, in bytes. Others may receive and
    /// send in between, so that the sequence numbers may have gaps.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::receive`], and [`EMSGSIZE`] if the first record does not fit.
    #[inline(never)]
    pub(super) fn receive_records<'a, D: Dest>(
        self: &'a Arc<Self>,
        locked: StateGuard<'a, State>,
        handle: &Handle,
        mut dest: D,
        nonblocking: impl Fn() -> bool,
        task: &CurrentTask,
    ) -> Result<usize> {
        // Whether this task was woken for a message that it has not taken yet.
        let mut woken = false;
        let mut faults = 0;
        let mut received = 0;
        let mut state = locked;
        loop {
            if let Err(err) = state.alive() {
                return done_or(received, err);
            }
            if dest.len() == 0 {
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

            let batch = state.take_records(handle, &mut dest, task);
            received = batch.len.wrapping_add(received);
            if !woken {
                self.announce_room(state, batch.taken.msgs);
            } else if batch.taken.msgs > 0 {
                self.leave_receive(state, handle, batch.taken.msgs, woken);
            } else {
                self.readers.pass_on(state, woken);
            }
            woken = false;
            match batch.end {
                End::Empty => return Ok(received),
                End::Enough => {}
                End::Full => return done_or(received, EMSGSIZE),
                End::NotPresent(len) => {
                    if batch.taken.msgs > 0 {
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
