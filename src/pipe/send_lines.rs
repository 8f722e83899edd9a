// SPDX-License-Identifier: GPL-2.0

//! Writes in the mode `LINES`, of which each line is a message.
//!
//! The lines of a write are assembled in kernel memory, without the lock, and sent one by one. The
//! open file keeps the partial line behind the last newline, which occupies no slot of the queue.
//! Writes of lines to one file take turns, as each continues the partial line of the one before.

use core::mem;
use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    handle::{
        Extra,
        Handle, //
    },
    mode::Modes,
    partial_line::PartialLine,
    Pipe,
    State, //
};

use crate::{
    kernel_ext::{
        mm::{
            pieces::prefix_mut,
            segment::Segment, //
        },
        sync::lock::StateGuard,
        uaccess::{
            call::Call,
            nofault::{
                self,
                Source, //
            }, //
        }, //
    },
    log::message::{
        Class,
        Sender, //
    }, //
};

/// Byte that ends a line, and is part of it.
const NEWLINE: u8 = b'\n';

/// Result of [`Pipe::begin_lines`].
enum Turn<'a> {
    /// The write of lines has begun, with the partial line of the file.
    Lines(PartialLine),
    /// The file is not in the mode `LINES` any more: the write is one message.
    Message(StateGuard<'a, State>),
}

/// The close of a file, as a call: it does not wait, and a failure is counted.
struct Close;

impl Call for Close {
    fn is_nonblocking(&self) -> bool {
        true
    }

    fn is_attempt(&self) -> bool {
        false
    }
}

impl Pipe {
    /// Sends each line of `source` as a message from `sender`, and keeps the partial line behind
    /// the last newline. Returns the number of bytes that were accepted, which is less than the
    /// length of `source` if an error stopped the call.
    ///
    /// # Errors
    ///
    /// No byte of `source` was accepted. The file keeps the partial line that it had, unless that
    /// is of another sender and was sent as a message.
    ///
    /// - [`EMSGSIZE`]: the first line is longer than the pipe allows.
    /// - [`ENODEV`], [`EAGAIN`], [`ERESTARTSYS`], [`EFAULT`], [`ENOMEM`] and [`EIO`], as for a
    ///   message.
    pub(super) fn send_lines<'a, S: Source>(
        self: &'a Arc<Self>,
        state: StateGuard<'a, State>,
        handle: &Handle,
        sender: Sender,
        source: S,
        call: &impl Call,
    ) -> Result<usize> {
        let mut line = match self.begin_lines(state, handle, call)? {
            Turn::Lines(line) => line,
            Turn::Message(state) => {
                return self.send_one_slow(state, handle, (sender, Class::PLAIN), source, call);
            }
        };
        let result = self.send_each(handle, &mut line, sender, source, call);
        let surplus = line.trim();

        let mut state = self.state.lock();
        let file = handle.state(&mut state);
        file.writing_lines = false;
        // The file keeps its memory until it is closed.
        let kept = match &mut file.extra {
            Some(extra) => {
                mem::swap(&mut extra.line, &mut line);
                Ok(())
            }
            None => Err(EIO),
        };
        drop(state);
        drop(surplus);
        self.turns.notify_all();
        kept.and(result)
    }

    /// Waits until no other write of lines to the file is in progress, and begins one, unless the
    /// file has left the mode `LINES` meanwhile.
    ///
    /// # Errors
    ///
    /// - [`ENODEV`]: the pipe is destroyed.
    /// - [`EAGAIN`]: another write is in progress and the call must not wait.
    /// - [`ERESTARTSYS`]: a signal arrived while the call waited.
    /// - [`ENOMEM`].
    fn begin_lines<'a>(
        self: &'a Arc<Self>,
        locked: StateGuard<'a, State>,
        handle: &Handle,
        call: &impl Call,
    ) -> Result<Turn<'a>> {
        let mut fresh = None;
        let mut state = locked;
        loop {
            state.alive()?;
            let longest = state.queue.limits().msg_size() as usize;
            let file = handle.state(&mut state);
            if !file.modes.contains(Modes::LINES) {
                // A partial line would stay in a file that no longer sends it.
                return Ok(Turn::Message(state));
            }
            let Some(extra) = &mut file.extra else {
                if fresh.is_some() {
                    file.extra = fresh.take();
                } else {
                    drop(state);
                    fresh = Some(Extra::new()?);
                    state = self.state.lock();
                }
                continue;
            };
            if !file.writing_lines {
                file.writing_lines = true;
                let line = mem::take(&mut extra.line);
                return Ok(Turn::Lines(line.with_longest(longest)));
            }
            if call.is_nonblocking() {
                return Err(EAGAIN);
            }
            let signalled = self.turns.wait_interruptible(&mut state);
            if signalled && handle.state(&mut state).writing_lines && !state.is_dead() {
                return Err(ERESTARTSYS);
            }
        }
    }

    /// Sends the lines of `source`, of which the first continues `line`, and leaves the partial
    /// line behind the last newline in `line`. Returns the number of bytes that were accepted.
    fn send_each<S: Source>(
        self: &Arc<Self>,
        handle: &Handle,
        line: &mut PartialLine,
        sender: Sender,
        mut source: S,
        call: &impl Call,
    ) -> Result<usize> {
        if line.len() > 0 && !line.sender().has_same_ids(&sender) {
            // Different senders do not share a message: the partial line becomes a message of its
            // own.
            self.send_line(handle, line, call, false)?;
            line.truncate(0);
        }
        if line.len() == 0 {
            line.restart(sender);
        }
        let before = line.len();
        let len = source.len();
        let mut accepted = 0;
        let result = self.split(handle, line, sender, &mut source, call, &mut accepted);
        match result {
            Ok(()) => Ok(len),
            Err(err) if accepted == 0 => {
                line.truncate(before);
                Err(err)
            }
            Err(_) => {
                line.truncate(0);
                Ok(accepted)
            }
        }
    }

    /// Splits `source` into lines and sends them; the first one continues `line`. Sets `accepted`
    /// to the number of bytes of `source` up to the end of the last line that was sent.
    fn split<S: Source>(
        self: &Arc<Self>,
        handle: &Handle,
        line: &mut PartialLine,
        sender: Sender,
        source: &mut S,
        call: &impl Call,
        accepted: &mut usize,
    ) -> Result {
        let mut page = Segment::new()?;
        let mut read = 0;
        while source.len() > 0 {
            let chunk = prefix_mut(&mut page[..], source.len());
            nofault::read_faulting(source, chunk)?;
            for piece in chunk.split_inclusive(|byte| *byte == NEWLINE) {
                if let Err(err) = line.append(piece) {
                    if err == EMSGSIZE && *accepted == 0 {
                        return Err(self.state.lock().refuse_size(call));
                    }
                    return Err(err);
                }
                read += piece.len();
                if piece.ends_with(&[NEWLINE]) {
                    self.send_line(handle, line, call, *accepted > 0)?;
                    *accepted = read;
                    line.restart(sender);
                }
            }
        }
        Ok(())
    }

    /// Sends `line` as a message. `partly_done` tells whether the call has sent one before.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::send_one_of_several`].
    fn send_line(
        self: &Arc<Self>,
        handle: &Handle,
        line: &PartialLine,
        call: &impl Call,
        partly_done: bool,
    ) -> Result {
        let sent_as = (line.sender(), Class::PLAIN);
        self.send_one_of_several(handle, sent_as, line.source(), call, partly_done)?;
        Ok(())
    }

    /// Sends the partial line of a file that is being closed. If the pipe is full, the message is
    /// discarded and counted as refused.
    pub(super) fn send_at_close(self: &Arc<Self>, handle: &Handle, line: &PartialLine) {
        if line.len() > 0 {
            // No caller is left to report an error to.
            let _ = self.send_line(handle, line, &Close, false);
        }
    }
}
