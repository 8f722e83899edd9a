// SPDX-License-Identifier: GPL-2.0

//! Copying all messages, as of one moment, without keeping anybody from sending and receiving.
//!
//! The store keeps what leaves the queue until the copy has got it. So there is one copy at a time,
//! and each lock section copies no more than the caller's buffer takes.

use kernel::{
    current,
    prelude::*,
    sync::Arc, //
};

use super::{
    Flag,
    Pipe, //
};
use crate::{
    kernel_ext::view::View,
    wire, //
};

/// A copy of all messages that is being made.
pub(crate) struct Dump<'a> {
    pipe: &'a Arc<Pipe>,
    /// Sequence number of the next message.
    seq: u64,
    /// How many messages there are.
    messages: u32,
    /// Zeroes that must still be written behind the current message, in bytes.
    padding: usize,
}

/// How far a copy has got.
pub(crate) enum Progress {
    /// The buffer has this many bytes now, and there is more.
    More(usize),
    /// The buffer has this many bytes now, and that was all that fits.
    Done {
        /// Bytes in the buffer.
        bytes: usize,
        /// Messages that were copied.
        copied: u32,
        /// Messages that did not fit.
        missing: u32,
    },
}

impl Pipe {
    /// Begins to copy all messages that are queued now, once nobody else does so.
    ///
    /// # Errors
    ///
    /// - [`ENODEV`]: the pipe is destroyed.
    /// - [`ERESTARTSYS`]: a signal came while it waited.
    pub(crate) fn dump(self: &Arc<Self>) -> Result<Dump<'_>> {
        let mut state = self.lock_fresh();
        loop {
            state.alive()?;
            if !state.flags.contains(Flag::Dumping) {
                break;
            }
            let signalled = self.turns.wait_interruptible(&mut state);
            if signalled && state.flags.contains(Flag::Dumping) && !state.is_dead() {
                return Err(ERESTARTSYS);
            }
            // What has expired meanwhile is not to be shown.
            drop(state);
            state = self.lock_fresh();
        }
        state.flags |= Flag::Dumping;
        state.queue.store_mut().survey_begin();
        Ok(Dump {
            pipe: self,
            seq: state.queue.first_seq(),
            messages: state.queue.store().survey_left(),
            padding: 0,
        })
    }
}

impl Dump<'_> {
    /// Goes on copying, to `out`, which must have room for a header. All that is copied from here
    /// on may take `room` bytes: a message that does not fit into them as a whole ends the copy,
    /// and `room` is reduced by those that do.
    pub(crate) fn fill(&mut self, out: &mut [u8], room: &mut u64) -> Progress {
        let task = current!();
        let view = View::of(task);
        let mut state = self.pipe.state.lock();
        let store = state.queue.store_mut();
        let mut filled = 0;
        loop {
            // The rest of the current message, and the zeroes behind it.
            let free = out.get_mut(filled..).unwrap_or_default();
            let before = store.survey_payload(&mut []);
            let left = store.survey_payload(free);
            filled += before - left;
            if left > 0 {
                return Progress::More(filled);
            }
            let free = out.get_mut(filled..).unwrap_or_default();
            let padding = self.padding.min(free.len());
            free.iter_mut().take(padding).for_each(|byte| *byte = 0);
            self.padding -= padding;
            filled += padding;
            if self.padding > 0 {
                return Progress::More(filled);
            }

            let done = |copied_not: u32| Progress::Done {
                bytes: filled,
                copied: self.messages - copied_not,
                missing: copied_not,
            };
            let size = wire::RECORD;
            if store.survey_left() > 0 && out.len() - filled < size {
                return Progress::More(filled);
            }
            let Some(record) = store.survey_next() else {
                return done(0);
            };
            let whole = wire::record_len(record.len);
            if *room < whole as u64 {
                return done(store.survey_left().saturating_add(1));
            }
            let header = out
                .get_mut(filled..)
                .and_then(|free| free.first_chunk_mut());
            if let Some(header) = header {
                // It delivers nothing.
                wire::show(&view, self.seq, &record, 0, header);
            }
            filled += size;
            *room -= whole as u64;
            self.seq = self.seq.wrapping_add(1);
            self.padding = wire::padding(record.len as usize);
        }
    }
}

impl Drop for Dump<'_> {
    fn drop(&mut self) {
        let mut state = self.pipe.state.lock();
        let kept = state.queue.store_mut().survey_end();
        state.flags.set(Flag::Dumping, false);
        self.pipe.arm_trimmer(&mut state);
        drop(state);
        drop(kept);
        self.pipe.turns.notify_all();
    }
}
