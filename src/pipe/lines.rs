// SPDX-License-Identifier: GPL-2.0

//! Writes in the mode `LINES`, of which each line is a message.
//!
//! The lines of a write are assembled in kernel memory, without the lock, and sent one by one. The
//! open file keeps the partial line behind the last newline, which occupies no slot of the queue.
//! Writes of lines to one file take turns, as each continues the partial line of the one before.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    handle::{
        Extra,
        Handle, //
    },
    send::Partly,
    Pipe,
    State, //
};

use crate::{
    kernel_ext::{
        mm::segment::{
            Segment,
            SEGMENT_SIZE, //
        },
        sync::lock::StateGuard,
        uaccess::{
            call::Call,
            nofault::{
                self,
                Copied,
                Source, //
            }, //
        }, //
    },
    log::{
        message::Sender,
        stream::Segments, //
    }, //
};

/// Byte that ends a line, and is part of it.
const NEWLINE: u8 = b'\n';

/// A line that is being assembled.
///
/// # Invariants
///
/// The segments hold at least `len` bytes, and the line is the first `len` of them.
#[derive(Default)]
pub(super) struct Line {
    segments: Segments,
    len: usize,
    /// Sender of the beginning of the line.
    sender: Sender,
    /// Maximum length, in bytes.
    longest: usize,
}

impl Line {
    /// Returns the length of the line, in bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends `bytes` to the line.
    ///
    /// # Errors
    ///
    /// On an error the line is unchanged.
    ///
    /// - [`EMSGSIZE`]: the line would become too long.
    /// - [`ENOMEM`].
    fn append(&mut self, bytes: &[u8]) -> Result {
        let end = self.len + bytes.len();
        if end > self.longest {
            return Err(EMSGSIZE);
        }
        while self.segments.len() < end.div_ceil(SEGMENT_SIZE) {
            self.segments.push_back(Segment::new()?);
        }
        let mut at = self.len % SEGMENT_SIZE;
        let mut left = bytes;
        for segment in self.segments.iter_mut().skip(self.len / SEGMENT_SIZE) {
            let (piece, next) = left.split_at(left.len().min(SEGMENT_SIZE - at));
            if let Some(place) = segment.get_mut(at..at + piece.len()) {
                place.copy_from_slice(piece);
            }
            at = 0;
            left = next;
        }
        // INVARIANT: The segments hold the old bytes, and `bytes` was just copied behind them.
        self.len = end;
        Ok(())
    }

    /// Begins a new line, which `sender` writes.
    fn restart(&mut self, sender: Sender) {
        self.truncate(0);
        self.sender = sender;
    }

    /// Shortens the line to its first `len` bytes, if it is longer.
    fn truncate(&mut self, len: usize) {
        // INVARIANT: The line does not grow, and its segments stay.
        self.len = self.len.min(len);
    }

    /// Takes out the segments that the line does not need. The caller frees them.
    fn trim(&mut self) -> Segments {
        let needed = self.segments.take_front(self.len.div_ceil(SEGMENT_SIZE));
        core::mem::replace(&mut self.segments, needed)
    }

    /// Returns a source with the bytes of the line.
    fn source(&self) -> Copied<'_> {
        Copied::new(&self.segments, self.len)
    }
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
    /// - [`ENODEV`], [`EAGAIN`], [`ERESTARTSYS`], [`EFAULT`] and [`ENOMEM`], as for a message.
    pub(super) fn send_lines<'a, S: Source>(
        self: &'a Arc<Self>,
        state: StateGuard<'a, State>,
        handle: &Handle,
        sender: Sender,
        source: S,
        call: &impl Call,
    ) -> Result<usize> {
        let mut line = self.begin_lines(state, handle, call)?;
        let result = self.send_each(handle, &mut line, sender, source, call);
        let surplus = line.trim();

        let mut state = self.state.lock();
        let kept = handle.of(&mut state);
        kept.writing_lines = false;
        if let Some(extra) = &mut kept.extra {
            extra.line = line;
        }
        drop(state);
        drop(surplus);
        self.turns.notify_all();
        result
    }

    /// Waits until no other write of lines to the file is in progress, and begins one. Returns the
    /// partial line of the file.
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
    ) -> Result<Line> {
        let mut fresh = None;
        let mut state = locked;
        loop {
            state.alive()?;
            let kept = handle.of(&mut state);
            if kept.extra.is_none() {
                if fresh.is_none() {
                    drop(state);
                    fresh = Some(Extra::new()?);
                    state = self.state.lock();
                    continue;
                }
                kept.extra = fresh.take();
            }
            if !kept.writing_lines {
                break;
            }
            if call.is_nonblocking() {
                return Err(EAGAIN);
            }
            let signalled = self.turns.wait_interruptible(&mut state);
            if signalled && handle.of(&mut state).writing_lines && !state.is_dead() {
                return Err(ERESTARTSYS);
            }
        }
        let longest = state.queue.limits().msg_size() as usize;
        let kept = handle.of(&mut state);
        kept.writing_lines = true;
        let line = kept
            .extra
            .as_mut()
            .map(|extra| core::mem::take(&mut extra.line));
        Ok(Line {
            longest,
            ..line.unwrap_or_default()
        })
    }

    /// Sends the lines of `source`, of which the first continues `line`, and leaves the partial
    /// line behind the last newline in `line`. Returns the number of bytes that were accepted.
    fn send_each<S: Source>(
        self: &Arc<Self>,
        handle: &Handle,
        line: &mut Line,
        sender: Sender,
        mut source: S,
        call: &impl Call,
    ) -> Result<usize> {
        if line.len > 0 && !line.sender.has_ids_of(&sender) {
            // Different senders do not share a message: the partial line becomes a message of its
            // own.
            self.deposit(self.state.lock(), handle, line.sender, line.source(), call)?;
            line.truncate(0);
        }
        if line.len == 0 {
            line.restart(sender);
        }
        let before = line.len;
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
        line: &mut Line,
        sender: Sender,
        source: &mut S,
        call: &impl Call,
        accepted: &mut usize,
    ) -> Result {
        let mut page = Segment::new()?;
        let mut read = 0;
        while source.len() > 0 {
            let len = source.len().min(SEGMENT_SIZE);
            let chunk = page.get_mut(..len).unwrap_or_default();
            nofault::read_patiently(source, chunk)?;
            for piece in chunk.split_inclusive(|byte| *byte == NEWLINE) {
                if let Err(err) = line.append(piece) {
                    if err == EMSGSIZE && *accepted == 0 {
                        return Err(self.state.lock().refuse_size(call));
                    }
                    return Err(err);
                }
                read += piece.len();
                if piece.ends_with(&[NEWLINE]) {
                    let state = self.state.lock();
                    if *accepted == 0 {
                        self.deposit(state, handle, line.sender, line.source(), call)?;
                    } else {
                        self.deposit(state, handle, line.sender, line.source(), &Partly(call))?;
                    }
                    *accepted = read;
                    line.restart(sender);
                }
            }
        }
        Ok(())
    }

    /// Sends the partial line of a file that is being closed. If the pipe is full, the message is
    /// discarded and counted as refused.
    pub(super) fn send_at_close(self: &Arc<Self>, handle: &Handle, line: &Line) {
        if line.len > 0 {
            // No caller is left to report an error to.
            let _ = self.deposit(
                self.state.lock(),
                handle,
                line.sender,
                line.source(),
                &Close,
            );
        }
    }
}
