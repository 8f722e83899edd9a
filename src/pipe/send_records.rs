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
    sync::Arc, //
};

use super::{
    send::{
        sender,
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
    },
    message::Sender,
    queue::Queue,
    stats::Tally,
    store::Place,
    stream::Segments,
    wire::{
        self,
        Request, //
    },
};

/// The first message in `bytes`.
///
/// # Errors
///
/// Those of [`Request::parse`], and [`EINVAL`]: what is to be zero is not.
#[inline]
fn first_in(bytes: &[u8], msg_size: u32) -> Result<Request> {
    let (header, behind) = bytes.split_first_chunk().ok_or(EINVAL)?;
    let request = Request::parse(header, behind.len(), msg_size)?;
    let zeroes = bytes.get(Request::HEADER + request.payload()..request.len_in_all());
    if zeroes.is_some_and(wire::is_zero) {
        Ok(request)
    } else {
        Err(EINVAL)
    }
}

/// Checks all messages in `bytes`.
///
/// # Errors
///
/// Those of [`first_in`].
#[inline]
fn check_all(bytes: &[u8], msg_size: u32) -> Result {
    let mut left = bytes;
    while !left.is_empty() {
        let request = first_in(left, msg_size)?;
        left = left.get(request.len_in_all()..).unwrap_or_default();
    }
    Ok(())
}

/// Reads the next message of `source` but for its payload, waiting for page faults, and goes on
/// to that: not for use with a lock held.
///
/// # Errors
///
/// Those of [`Request::parse`], and [`EFAULT`]: some of the memory cannot be read.
fn read_header(source: &mut impl Source, msg_size: u32) -> Result<Request> {
    let mut header = [0; Request::HEADER];
    if source.len() < header.len() {
        return Err(EINVAL);
    }
    nofault::read_patiently(source, &mut header)?;
    Request::parse(&header, source.len(), msg_size)
}

/// Reads the zeroes behind a payload of `len` bytes, likewise.
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

/// The payloads of the messages in `bytes`, which were checked.
struct Payloads<'a> {
    bytes: &'a [u8],
    /// Where the next message begins.
    at: usize,
}

impl<'a> Iterator for Payloads<'a> {
    type Item = &'a [u8];

    #[inline(always)]
    fn next(&mut self) -> Option<&'a [u8]> {
        let left = self.bytes.get(self.at..)?;
        let len = u32::from_ne_bytes(*left.first_chunk()?) as usize;
        let begin = Request::HEADER;
        let payload = left.get(begin..begin.wrapping_add(len))?;
        self.at = self
            .at
            .wrapping_add(begin)
            .wrapping_add(len)
            .wrapping_add(wire::padding(len));
        Some(payload)
    }
}

/// Accepts messages of `bytes`, which were checked, sent at a time `now`, from the first one
/// on, as long as each only has to be written down; returns what was accepted, and the number
/// of bytes behind which the next one begins.
#[inline(always)]
fn put_records(queue: &mut Queue, bytes: &[u8], sender: Sender, now: u64) -> (Tally, usize) {
    let stamp = stamp(queue.time(now));
    let mut accepted = Tally::NONE;
    let mut at = 0;
    loop {
        let all = Payloads { bytes, at };
        let (some, span) = queue.push_all_here(sender, stamp, all);
        accepted.merge(some);
        let headers = (some.msgs as usize).wrapping_mul(Request::HEADER);
        at = at.wrapping_add(headers).wrapping_add(span);
        if at == bytes.len() {
            break;
        }
        // The last segment is full.
        let Some(payload) = (Payloads { bytes, at }).next() else {
            break;
        };
        let put = queue.push_here(
            payload.len(),
            Place::Spare,
            stamp.monotonic,
            |piece| {
                piece.copy_from_slice(payload);
                true
            },
            |_| (sender, stamp),
        );
        if !put {
            break;
        }
        accepted.add(payload.len());
        at = at
            .wrapping_add(Request::HEADER)
            .wrapping_add(payload.len())
            .wrapping_add(wire::padding(payload.len()));
    }
    (accepted, at)
}

impl Pipe {
    /// Sends all messages of `source`, from what `task` is through a file of `opener`, and returns
    /// the number of bytes of those that were accepted, which is all unless something stopped it.
    ///
    /// # Errors
    ///
    /// Nothing was accepted then.
    ///
    /// - [`EINVAL`]: it is not one message after the other, each behind its header.
    /// - [`EMSGSIZE`]: one is longer than the pipe takes.
    /// - [`ENODEV`], [`EAGAIN`], [`ERESTARTSYS`], [`EFAULT`] and [`ENOMEM`], as for a message.
    #[inline(never)]
    pub(super) fn send_records<'a, S: Source>(
        self: &'a Arc<Self>,
        mut state: StateGuard<'a, State>,
        handle: &Handle,
        opener: &Opener,
        now: u64,
        mut source: S,
        call: &impl Call,
    ) -> Result<usize> {
        let task = current!();
        let len = source.len();
        state.alive()?;
        if len == 0 {
            return Ok(0);
        }
        let sender = sender(task, opener);
        if len > SEGMENT_SIZE {
            drop(state);
            return self.send_long(handle, sender, source, call);
        }

        let this = &mut *state;
        let bytes = this.page.as_mut().and_then(|page| page.get_mut(..len));
        let filled =
            bytes.and_then(|bytes| nofault::fill_all(&mut source, task, bytes).then_some(&*bytes));
        let Some(bytes) = filled else {
            let page = this.page.take();
            drop(state);
            return self.send_page(handle, sender, page, source, call);
        };
        if let Err(err) = check_all(bytes, this.queue.limits().msg_size()) {
            return refuse(state, err);
        }
        let (accepted, at) = put_records(&mut this.queue, bytes, sender, now);
        if at == len {
            self.finish_records(state, handle, accepted);
            return Ok(len);
        }
        let page = this.page.take();
        self.finish_records(state, handle, accepted);
        self.send_rest(handle, sender, page, at..len, call)
    }

    /// Ends the acceptance of messages: counts them, releases the lock, and tells of them.
    #[inline]
    fn finish_records(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        handle: &Handle,
        accepted: Tally,
    ) {
        if accepted.msgs > 0 {
            handle.of(&mut state).passed.sent.merge(accepted);
            self.announce_messages(state, accepted.msgs);
        }
    }

    /// Sends the messages of `source`, which has no more than a page. They are copied to `page`,
    /// which is allocated unless there is one, waiting for page faults.
    #[cold]
    #[inline(never)]
    fn send_page<S: Source>(
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
        nofault::read_patiently(&mut source, bytes)?;
        let state = self.state.lock();
        if let Err(err) = check_all(bytes, state.queue.limits().msg_size()) {
            return refuse(state, err);
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
            result = first_in(bytes.unwrap_or_default(), u32::MAX).and_then(|request| {
                let begin = at + Request::HEADER;
                let payload = Copied::part(&chain, begin..begin + request.payload());
                let state = self.state.lock();
                if at == 0 {
                    self.deposit(state, handle, sender, payload, call)?;
                } else {
                    self.deposit(state, handle, sender, payload, &Partly(call))?;
                }
                at += request.len_in_all();
                Ok(())
            });
        }

        let mut page = chain.pop_front();
        let mut state = self.state.lock();
        state.keep_page(&mut page);
        drop(state);
        // If another write has left its own.
        drop(page);
        accepted_or(at, result)
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
                let len = read_header(source, msg_size)?.payload();
                source.advance(len);
                read_zeroes(source, len)?;
            }
            Ok(())
        });
        if let Err(err) = checked {
            return refuse(self.state.lock(), err);
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
        let request = read_header(source, u32::MAX)?;
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
        Ok(request.len_in_all())
    }
}

/// Counts a call that is refused because of `err`, if that is to be counted.
fn refuse<T>(mut state: StateGuard<'_, State>, err: Error) -> Result<T> {
    if err == EMSGSIZE {
        state.refused.size = state.refused.size.wrapping_add(1);
    }
    Err(err)
}

/// What a call returns of which so many bytes were accepted when it ended with `result`.
fn accepted_or(accepted: usize, result: Result) -> Result<usize> {
    match result {
        Err(err) if accepted == 0 => Err(err),
        _ => Ok(accepted),
    }
}
