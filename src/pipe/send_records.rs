// SPDX-License-Identifier: GPL-2.0

//! Sending several messages at a time, each behind a header.
//!
//! All headers are checked before the first message is accepted. What fits into a page is copied
//! there as a whole, so that nothing changes between the check and the sending. Of what is longer,
//! the headers are read twice: if a program changes them meanwhile, its call ends there.

use core::ops::Range;
use kernel::{
    current,
    prelude::*,
    sync::Arc,
    task::CurrentTask, //
};

use super::{
    pages::Pages,
    send::{
        sender,
        sign,
        stamp,
        Partly, //
    },
    Handle,
    Pipe,
    State, //
};
use crate::{
    kernel_ext::{
        call::Call,
        clock,
        cred::Opener,
        lock::StateGuard,
        nofault::{
            self,
            Copied,
            First,
            Source, //
        },
        segment::{
            Segment,
            SEGMENT_SIZE, //
        },
        words, //
    },
    message::{
        Record,
        Sender,
        Stamp, //
    },
    queue::Queue,
    stats::Tally,
    store::Place,
    stream::Segments,
    uapi,
    walk::Run,
    wire::{
        self,
        Message,
        Messages,
        Request, //
    },
};

/// Reads the next message of `source` but for its payload, waiting for page faults, and goes on
/// to that: not for use with a lock held.
///
/// # Errors
///
/// Those of [`Request::parse`], [`EINVAL`] if the message is cut off, and [`EFAULT`]: some of the
/// memory cannot be read.
fn read_header(source: &mut impl Source, msg_size: u32) -> Result<Request> {
    let mut header = [0; Request::HEADER];
    if source.len() < header.len() {
        return Err(EINVAL);
    }
    nofault::read_patiently(source, &mut header)?;
    let request = Request::parse(&header, msg_size)?;
    if request.span() <= source.len() {
        Ok(request)
    } else {
        Err(EINVAL)
    }
}

/// Reads the zeroes behind a payload of `len` bytes, waiting for page faults: not for use with a
/// lock held.
///
/// # Errors
///
/// - [`EINVAL`]: they are not zero.
/// - [`EFAULT`]: some of the memory cannot be read.
fn read_zeroes(source: &mut impl Source, len: usize) -> Result {
    let mut zeroes = wire::ZEROES;
    let zeroes = zeroes.get_mut(..wire::padding(len)).unwrap_or_default();
    nofault::read_patiently(source, zeroes)?;
    if wire::is_zero(zeroes) {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

/// The bytes that the messages of `run` take.
#[inline(always)]
fn len_of(run: Run) -> usize {
    // Neither wraps: both are far below the largest number.
    (run.tally.msgs as usize)
        .wrapping_mul(Request::HEADER)
        .wrapping_add(run.span)
}

/// Writes the messages in `bytes` down behind those of `queue`, as far as they can be sent and each
/// only has to be written down.
#[inline(always)]
fn write_down(queue: &mut Queue, bytes: &[u8], sender: Sender, stamp: Stamp) -> Run {
    let messages = Messages::new(bytes, queue.limits().msg_size());
    queue.write_down(
        sender,
        stamp,
        messages.map(|message| (message.len, message.padded)),
    )
}

/// What has become of a write of records that fits into the page.
enum Put {
    /// It is not in the page.
    Absent,
    /// It was one message, of so many bytes, and was accepted.
    One(usize),
    /// It is in the page, all of so many bytes, and nothing was accepted.
    InPage(usize),
}

impl State {
    /// Reads all of `source` to the page of the pipe, and accepts it, sent at a time `now`, if it
    /// is one message that only has to be written down.
    #[inline(always)]
    fn put_record_here(
        &mut self,
        now: u64,
        source: &mut impl Source,
        opener: &Opener,
        task: &CurrentTask,
    ) -> Put {
        let len = source.len();
        if len.wrapping_sub(1) >= SEGMENT_SIZE {
            return Put::Absent;
        }
        // A dead pipe has no page, and gets none.
        let Some(bytes) = self
            .pages
            .writing
            .as_mut()
            .and_then(|page| page.get_mut(..len))
        else {
            return Put::Absent;
        };
        if !nofault::fill_all(source, task, bytes) {
            return Put::Absent;
        }
        let msg_size = self.queue.limits().msg_size();
        let Some(message) = Message::only(bytes, msg_size) else {
            return Put::InPage(len);
        };
        let time = self.queue.time(now);
        let Some((packed, place)) = self.queue.place(message.padded.len()) else {
            return Put::InPage(len);
        };
        words::copy(place, message.padded);
        let (sender, stamp) = sign(task, opener, time);
        let record = Record {
            stamp,
            len: message.len,
            sender,
        };
        *packed = record.encode();
        self.queue.accept(Run::one(message.len), time);
        Put::One(message.len as usize)
    }

    /// Accepts the messages in the first `len` bytes of the page, which were checked, as long as
    /// each only has to be written down. Those of `run` are. Returns what was accepted, and the
    /// number of bytes behind which the next one begins.
    fn accept_records(
        &mut self,
        run: Run,
        len: usize,
        sender: Sender,
        stamp: Stamp,
    ) -> (Tally, usize) {
        let bytes = self.pages.writing.as_ref().and_then(|page| page.get(..len));
        let bytes = bytes.unwrap_or_default();
        let mut accepted = Run::NONE;
        let mut run = run;
        loop {
            if run != Run::NONE {
                self.queue.accept(run, stamp.monotonic);
                accepted.merge(run);
            }
            // If there are more, the last segment is full.
            let left = bytes.get(len_of(accepted)..).unwrap_or_default();
            let Ok(next) = Message::first(left, uapi::MSG_SIZE_MAX) else {
                break;
            };
            let put = self.queue.push_here(
                next.len as usize,
                Place::Spare,
                stamp.monotonic,
                |piece| {
                    piece.copy_from_slice(next.payload());
                    true
                },
                |_| (sender, stamp),
            );
            if !put {
                break;
            }
            accepted.add(next.len as usize, next.padded.len());
            run = write_down(&mut self.queue, next.behind, sender, stamp);
        }
        (accepted.tally, len_of(accepted))
    }
}

impl Pipe {
    /// Sends all messages of `source` through the file of `handle`, which `opener` has opened, in
    /// the mode `RECORDS`, and returns the number of bytes of those that were accepted, which is
    /// all unless something stopped it.
    ///
    /// # Errors
    ///
    /// Nothing was accepted then.
    ///
    /// - [`EINVAL`]: it is not one message after the other, each behind its header.
    /// - [`EMSGSIZE`]: one is longer than the pipe takes.
    /// - [`ENODEV`], [`EAGAIN`], [`ERESTARTSYS`], [`EFAULT`] and [`ENOMEM`], as for a message.
    #[inline]
    pub(crate) fn send_records<S: Source>(
        this: &Arc<Self>,
        handle: &Handle,
        opener: &Opener,
        mut source: S,
        call: &impl Call,
    ) -> Result<usize> {
        let task = current!();
        let len = source.len();
        // Before the lock is taken, which is held for so much less.
        let now = clock::monotonic();
        let mut state = this.state.lock();
        match state.put_record_here(now, &mut source, opener, task) {
            Put::One(payload) => {
                this.finish_send(state, handle, payload);
                Ok(len)
            }
            other => this.send_several(state, handle, opener, other, source, call),
        }
    }

    /// Goes on with a write of which nothing was accepted yet.
    #[inline(never)]
    fn send_several<S: Source>(
        self: &Arc<Self>,
        state: StateGuard<'_, State>,
        handle: &Handle,
        opener: &Opener,
        put: Put,
        source: S,
        call: &impl Call,
    ) -> Result<usize> {
        if let Put::InPage(len) = put {
            self.send_page(state, handle, opener, len, call)
        } else {
            self.send_patiently(state, handle, opener, source, call)
        }
    }

    /// Sends the messages that are in the first `len` bytes of the page.
    #[inline]
    fn send_page(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        handle: &Handle,
        opener: &Opener,
        len: usize,
        call: &impl Call,
    ) -> Result<usize> {
        let this = &mut *state;
        let stamp = stamp(this.queue.time(clock::monotonic()));
        let sender = sender(current!(), opener);
        let bytes = this.pages.writing.as_ref().and_then(|page| page.get(..len));
        let bytes = bytes.unwrap_or_default();
        let run = write_down(&mut this.queue, bytes, sender, stamp);
        if len_of(run) == len {
            this.queue.accept(run, stamp.monotonic);
            self.finish_records(state, handle, run.tally);
            return Ok(len);
        }

        let msg_size = this.queue.limits().msg_size();
        if let Err(err) = Messages::new(bytes, msg_size).check() {
            return refuse(state, err, call);
        }
        let (accepted, at) = this.accept_records(run, len, sender, stamp);
        if at == len {
            self.finish_records(state, handle, accepted);
            return Ok(len);
        }
        let page = this.pages.writing.take();
        if accepted.msgs > 0 {
            self.finish_records(state, handle, accepted);
        } else {
            drop(state);
        }
        self.send_rest(handle, sender, page, at..len, call)
    }

    /// Sends all messages of `source`, waiting for what is not there.
    #[cold]
    #[inline(never)]
    fn send_patiently<S: Source>(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        handle: &Handle,
        opener: &Opener,
        source: S,
        call: &impl Call,
    ) -> Result<usize> {
        state.alive()?;
        let len = source.len();
        if len == 0 {
            return Ok(0);
        }
        let sender = sender(current!(), opener);
        if len > SEGMENT_SIZE {
            drop(state);
            return self.send_long(handle, sender, source, call);
        }
        let page = state.pages.writing.take();
        drop(state);
        self.send_copied(handle, sender, page, source, call)
    }

    /// Ends the acceptance of messages: counts them, releases the lock, and tells of them.
    #[inline]
    fn finish_records(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        handle: &Handle,
        accepted: Tally,
    ) {
        handle.of(&mut state).passed.sent.merge(accepted);
        self.announce_messages(state, accepted.msgs);
    }

    /// Sends the messages of `source`, which has no more than a page. They are copied to `page`,
    /// which is allocated unless there is one, waiting for page faults.
    #[cold]
    #[inline(never)]
    fn send_copied<S: Source>(
        self: &Arc<Self>,
        handle: &Handle,
        sender: Sender,
        page: Option<Segment>,
        mut source: S,
        call: &impl Call,
    ) -> Result<usize> {
        let len = source.len();
        let mut page = match page {
            Some(page) => page,
            None => Segment::new()?,
        };
        let bytes = page.get_mut(..len).unwrap_or_default();
        let read = nofault::read_patiently(&mut source, bytes);
        let state = self.state.lock();
        let msg_size = state.queue.limits().msg_size();
        if let Err(err) = read.and_then(|()| Messages::new(bytes, msg_size).check()) {
            let result = refuse(state, err, call);
            self.give_back(Some(page));
            return result;
        }
        drop(state);
        self.send_rest(handle, sender, Some(page), 0..len, call)
    }

    /// Sends the messages in `range` of `page`, which were checked, one by one, waiting for room;
    /// those before it were accepted. The pipe keeps the page.
    #[cold]
    #[inline(never)]
    fn send_rest(
        self: &Arc<Self>,
        handle: &Handle,
        sender: Sender,
        page: Option<Segment>,
        range: Range<usize>,
        call: &impl Call,
    ) -> Result<usize> {
        let mut chain = Segments::new();
        if let Some(page) = page {
            chain.push_back(page);
        }
        let mut at = range.start;
        let mut result = Ok(());
        while at < range.end && result.is_ok() {
            let bytes = chain.front().and_then(|page| page.get(at..range.end));
            result =
                Message::first(bytes.unwrap_or_default(), uapi::MSG_SIZE_MAX).and_then(|message| {
                    let begin = at + Request::HEADER;
                    let payload = Copied::part(&chain, begin..begin + message.payload().len());
                    let state = self.state.lock();
                    if at == 0 {
                        self.deposit(state, handle, sender, payload, call)?;
                    } else {
                        self.deposit(state, handle, sender, payload, &Partly(call))?;
                    }
                    at = begin + message.padded.len();
                    Ok(())
                });
        }

        self.give_back(chain.pop_front());
        accepted_or(at, result)
    }

    /// Gives the pipe a page for writing back, or frees it if another write has left its own.
    fn give_back(&self, writing: Option<Segment>) {
        let mut pages = Pages {
            writing,
            ..Pages::default()
        };
        // The lock is released before what it leaves is freed.
        self.state.lock().keep_pages(&mut pages);
    }

    /// Sends the messages of `source`, which has more than a page, one by one, waiting for room.
    #[cold]
    #[inline(never)]
    fn send_long<S: Source>(
        self: &Arc<Self>,
        handle: &Handle,
        sender: Sender,
        mut source: S,
        call: &impl Call,
    ) -> Result<usize> {
        let msg_size = self.limits()?.msg_size();
        let checked = nofault::look_ahead(&mut source, |source| {
            while source.len() > 0 {
                // There may be very many.
                if !call.is_attempt() && current!().signal_pending() {
                    return Err(ERESTARTSYS);
                }
                let len = read_header(source, msg_size)?.payload();
                source.advance(len);
                read_zeroes(source, len)?;
            }
            Ok(())
        });
        if let Err(err) = checked {
            return refuse(self.state.lock(), err, call);
        }

        let mut accepted = 0;
        while source.len() > 0 {
            let result = self.send_next(handle, sender, &mut source, accepted, call);
            match result {
                Ok(len) => accepted += len,
                Err(err) => return accepted_or(accepted, Err(err)),
            }
        }
        Ok(accepted)
    }

    /// Sends the next message of `source`, behind others of so many bytes that were `accepted`, and
    /// goes on behind it. Returns the number of bytes that it takes.
    fn send_next<S: Source>(
        self: &Arc<Self>,
        handle: &Handle,
        sender: Sender,
        source: &mut S,
        accepted: usize,
        call: &impl Call,
    ) -> Result<usize> {
        let request = read_header(source, uapi::MSG_SIZE_MAX)?;
        let len = request.payload();
        let behind = source.len() - len;
        let payload = First::new(source, len);
        let state = self.state.lock();
        if accepted == 0 {
            self.deposit(state, handle, sender, payload, call)?;
        } else {
            self.deposit(state, handle, sender, payload, &Partly(call))?;
        }
        source.advance(source.len() - behind);
        // They were checked. If the program has changed them, it has its message nevertheless.
        source.advance(wire::padding(len));
        Ok(Request::HEADER + request.span())
    }
}

/// Counts a call that is refused because of `err`, if that is to be counted.
fn refuse<T>(mut state: StateGuard<'_, State>, err: Error, call: &impl Call) -> Result<T> {
    Err(if err == EMSGSIZE {
        state.refuse_size(call)
    } else {
        err
    })
}

/// What a call returns of which so many bytes were accepted when it ended with `result`.
fn accepted_or(accepted: usize, result: Result) -> Result<usize> {
    match result {
        Err(err) if accepted == 0 => Err(err),
        _ => Ok(accepted),
    }
}
