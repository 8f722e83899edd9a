// SPDX-License-Identifier: GPL-2.0

//! Copying a snapshot of all messages while other tasks send and receive.
//!
//! A dump reads through a cursor of each store: segments that leave the queue are kept until the
//! cursor has passed them. A store has one cursor, and a pipe therefore one dump at a time. A
//! critical section copies at most as much as the caller's buffer holds.

use kernel::{
    current,
    prelude::*,
    sync::Arc, //
};

use super::{
    Flag,
    Pipe,
    State, //
};

use crate::{
    kernel_ext::{
        mm::pieces::prefix_mut,
        view::View, //
    },
    log::{
        dump::DumpMemory,
        message::{
            padding,
            Label, //
        },
        wire, //
    }, //
};

/// A dump in progress.
pub(crate) struct Dump<'a> {
    pipe: &'a Arc<Pipe>,
    memory: DumpMemory,
    /// Sequence number of the next message.
    seq: u64,
    /// Number of messages in the dump.
    messages: u32,
    /// Number of zeroes that are still to be written behind the current message.
    padding: usize,
}

/// Progress of a dump.
pub(crate) enum Progress {
    /// The buffer holds this many bytes, and there is more to copy.
    More(usize),
    /// The dump is complete, or the next message does not fit.
    Done {
        /// Bytes in the buffer.
        bytes: usize,
        /// Number of messages that were copied.
        copied: u32,
        /// Number of messages that did not fit.
        missing: u32,
    },
}

impl Pipe {
    /// Begins a dump of all messages that are queued now. Waits for the end of another task's dump.
    ///
    /// # Errors
    ///
    /// - [`ENODEV`]: the pipe is destroyed.
    /// - [`ERESTARTSYS`]: a signal arrived while the call waited.
    /// - [`ENOMEM`].
    pub(crate) fn dump(self: &Arc<Self>) -> Result<Dump<'_>> {
        let mut memory = DumpMemory::new(1)?;
        let mut state = self.lock_swept();
        loop {
            state.alive()?;
            if !state.flags.contains(Flag::Dumping) {
                let stores = state.queue.stores_to_dump();
                if memory.is_enough_for(stores) {
                    break;
                }
                drop(state);
                memory = DumpMemory::new(stores)?;
                state = self.lock_swept();
                continue;
            }
            let signalled = self.turns.wait_interruptible(&mut state);
            if signalled && state.flags.contains(Flag::Dumping) && !state.is_dead() {
                return Err(ERESTARTSYS);
            }
            // Messages may have expired during the wait. A dump does not show them.
            drop(state);
            state = self.lock_swept();
        }
        state.flags |= Flag::Dumping;
        state.queue.dump_begin(&mut memory);
        Ok(Dump {
            pipe: self,
            memory,
            seq: state.dump_seq(),
            messages: state.queue.dump_left(),
            padding: 0,
        })
    }
}

impl State {
    /// Returns the sequence number of the first message of a dump that is in the store.
    fn dump_seq(&self) -> u64 {
        if self.queue.has_lanes() {
            self.queue.seq_in_store()
        } else {
            self.queue.stored_seq()
        }
    }
}

impl Dump<'_> {
    /// Copies the next part of the dump to `out`, which must have room for a header. `room` is the
    /// number of bytes that the rest of the dump may take, and is reduced by each message that is
    /// begun. A message that does not fit into `room` as a whole ends the dump.
    ///
    /// # Errors
    ///
    /// [`EIO`]: the memory of the pipe does not hold what its records promise, which is a bug.
    pub(crate) fn fill(&mut self, out: &mut [u8], room: &mut u64) -> Result<Progress> {
        let task = current!();
        let view = View::of(task);
        let mut state = self.pipe.state.lock();
        let queue = &mut state.queue;
        let mut filled = 0;
        loop {
            // The rest of the current message, and the zeroes behind it.
            let free = out.get_mut(filled..).ok_or(EIO)?;
            let copied = queue.dump_payload(free).ok_or(EIO)?;
            filled += copied;
            if queue.dump_payload_left() > 0 {
                return Ok(Progress::More(filled));
            }
            let free = out.get_mut(filled..).ok_or(EIO)?;
            let zeroes = prefix_mut(free, self.padding);
            zeroes.fill(0);
            self.padding -= zeroes.len();
            filled += zeroes.len();
            if self.padding > 0 {
                return Ok(Progress::More(filled));
            }

            let messages = self.messages;
            let done = |missing: u32| {
                Ok(Progress::Done {
                    bytes: filled,
                    copied: messages - missing,
                    missing,
                })
            };
            if queue.dump_left() == 0 {
                return done(0);
            }
            let free = out.get_mut(filled..).ok_or(EIO)?;
            let Some(header) = free.first_chunk_mut() else {
                return Ok(Progress::More(filled));
            };
            let Some(next) = queue.dump_next().ok_or(EIO)? else {
                return Ok(Progress::More(filled));
            };
            let (record, seq) = (next.record, next.seq.unwrap_or(self.seq));
            let whole = wire::record_len(record.len);
            if *room < whole as u64 {
                return done(queue.dump_left().saturating_add(1));
            }
            // A dump is no delivery, so the number of deliveries is zero, and so are the losses.
            let label = Label {
                seq,
                priority: next.priority,
            };
            wire::encode_header(&view, label, &record, 0, 0, header);
            filled += header.len();
            *room -= whole as u64;
            self.seq = self.seq.wrapping_add(1);
            self.padding = padding(record.len as usize);
        }
    }
}

impl Drop for Dump<'_> {
    fn drop(&mut self) {
        let mut state = self.pipe.state.lock();
        let kept = state.queue.dump_end(&mut self.memory);
        state.flags.set(Flag::Dumping, false);
        self.pipe.arm_trimmer(&mut state);
        drop(state);
        drop(kept);
        self.pipe.turns.notify_all();
    }
}
