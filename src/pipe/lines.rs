// SPDX-License-Identifier: GPL-2.0

//! Writes that are split into lines, each of which is a message.
//!
//! The lines of a write are put together in memory of the kernel, without the lock, and sent one by
//! one. What follows the last newline is kept by the open file: it takes no slot of the queue. One
//! write of lines is in progress a file, as the next one goes on with what is kept.

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
        call::Call,
        lock::StateGuard,
        nofault::{
            self,
            Copied,
            Source, //
        },
        segment::{
            Segment,
            SEGMENT_SIZE, //
        },
    },
    message::Sender,
    stream::Segments, //
};

/// What ends a line, and is part of it.
const NEWLINE: u8 = b'\n';

/// A line that is being put together.
///
/// # Invariants
///
/// `len` bytes are in the segments, from the beginning of the first one on.
#[derive(Default)]
pub(super) struct Line {
    segments: Segments,
    len: usize,
    /// The sender that wrote its beginning.
    sender: Sender,
    /// How long it may become, in bytes.
    longest: usize,
}

impl Line {
    /// Its length, in bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds `bytes` at its end.
    ///
    /// # Errors
    ///
    /// Nothing has changed then.
    ///
    /// - [`EMSGSIZE`]: it would become too long.
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
        // INVARIANT: They were just copied.
        self.len = end;
        Ok(())
    }

    /// Begins anew, with what `sender` writes.
    fn restart(&mut self, sender: Sender) {
        self.truncate(0);
        self.sender = sender;
    }

    /// Forgets all but its first `len` bytes.
    fn truncate(&mut self, len: usize) {
        // INVARIANT: There are fewer.
        self.len = self.len.min(len);
    }

    /// Takes the memory out that it does not need.
    fn trim(&mut self) -> Segments {
        let needed = self.segments.take_front(self.len.div_ceil(SEGMENT_SIZE));
        core::mem::replace(&mut self.segments, needed)
    }

    /// It as a source.
    fn source(&self) -> Copied<'_> {
        Copied::new(&self.segments, self.len)
    }
}

/// The close of a file.
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
    /// Sends each line of `source`, from `sender`, as a message, and keeps what follows the last
    /// newline. Returns the number of bytes that were accepted, which is all of it unless something
    /// stopped it.
    ///
    /// # Errors
    ///
    /// Nothing was accepted then, and what the file has kept is what it was.
    ///
    /// - [`EMSGSIZE`]: the first line is longer than the pipe takes.
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

    /// Waits until no other write of lines to the file is in progress, and begins one. Returns what
    /// the file has kept of a line.
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

    /// Sends `line` with what follows it in `source` up to the next newline, then the lines behind
    /// that, and leaves the beginning of the next one in `line`.
    fn send_each<S: Source>(
        self: &Arc<Self>,
        handle: &Handle,
        line: &mut Line,
        sender: Sender,
        mut source: S,
        call: &impl Call,
    ) -> Result<usize> {
        if line.len > 0 && !line.sender.has_ids_of(&sender) {
            // Another user's words stay its own.
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

    /// Does that, and counts in `accepted` the bytes of the lines that were sent.
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

    /// Sends what a file that is being closed has kept of a line. Where there is no room the
    /// message is discarded, and counted as refused.
    pub(super) fn send_at_close(self: &Arc<Self>, handle: &Handle, line: &Line) {
        if line.len > 0 {
            // There is nobody to tell of an error.
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
