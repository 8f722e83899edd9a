// SPDX-License-Identifier: GPL-2.0

//! Sending records: several messages a call, each behind a header.
//!
//! All headers are checked before the first message is accepted. A write that fits into a page is
//! copied there as a whole, so nothing changes between the check and the sending. The headers of a
//! longer write are read twice: if the program changes them in between, the call ends there.

use core::ops::Range;
use kernel::{
    current,
    prelude::*,
    sync::Arc,
    task::CurrentTask, //
};

use super::{
    pages::Pages,
    partial_call::done_or,
    send::{
        sender,
        sign,
        stamp, //
    },
    Handle,
    Pipe,
    State, //
};

use crate::{
    kernel_ext::{
        clock,
        mm::{
            pieces::prefix_mut,
            segment::{
                Segment,
                SEGMENT_SIZE, //
            },
            words, //
        },
        sync::lock::StateGuard,
        uaccess::{
            call::Call,
            nofault::{
                self,
                KernelSource,
                Source,
                Take, //
            }, //
        }, //
    },
    log::{
        counters::Tally,
        iter::Run,
        message::{
            padding,
            Class,
            Record,
            Sender,
            Stamp,
            Terms, //
        },
        queue::Queue,
        store::Placement,
        stream::Segments,
        wire::{
            self,
            Message,
            Messages,
            SendHeader, //
        }, //
    }, //
};

/// Reads the header of the next message of `source` and moves to its payload. Waits for page
/// faults: must not be called with the lock held.
///
/// # Errors
///
/// - [`EINVAL`], [`EMSGSIZE`]: those of [`SendHeader::parse`].
/// - [`EINVAL`]: the message is truncated.
/// - [`EFAULT`]: part of the memory cannot be read.
fn read_header(source: &mut impl Source, terms: Terms) -> Result<SendHeader> {
    let mut header = [0; SendHeader::HEADER];
    if source.len() < header.len() {
        return Err(EINVAL);
    }
    nofault::read_faulting(source, &mut header)?;
    let request = SendHeader::parse(&header, terms)?;
    if request.span() <= source.len() {
        Ok(request)
    } else {
        Err(EINVAL)
    }
}

/// Reads the zeroes behind a payload of `len` bytes. Waits for page faults: must not be called with
/// the lock held.
///
/// # Errors
///
/// - [`EINVAL`]: a byte is not zero.
/// - [`EFAULT`]: part of the memory cannot be read.
fn read_zeroes(source: &mut impl Source, len: usize) -> Result {
    let mut zeroes = wire::ZEROES;
    let zeroes = prefix_mut(&mut zeroes, padding(len));
    nofault::read_faulting(source, zeroes)?;
    if wire::is_zero(zeroes) {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

/// Returns the length of the messages of `run` with their headers, in bytes.
#[inline(always)]
fn len_of(run: Run) -> usize {
    // Neither operation wraps: both values are far below the maximum.
    (run.tally.msgs as usize)
        .wrapping_mul(SendHeader::HEADER)
        .wrapping_add(run.span)
}

/// Writes the messages in `bytes` behind those of `queue`, without accepting them. Stops at the
/// first message that cannot be sent, has no slot, or does not fit into the last segment in one
/// piece.
#[inline(always)]
fn stage(queue: &mut Queue, bytes: &[u8], sender: Sender, stamp: Stamp) -> Run {
    let messages = Messages::new(bytes, queue.limits().msg_size());
    queue.stage(
        sender,
        stamp,
        messages.map(|message| (message.len, message.padded)),
    )
}

/// Result of [`State::try_put_record`].
enum FastSend {
    /// The page does not hold the write.
    Absent,
    /// The write was one message with this payload length in bytes, and was accepted.
    One(usize),
    /// The page holds the whole write of this many bytes. Nothing was accepted.
    InPage(usize),
}

impl State {
    /// Fast path: copies all of `source` to the page of the pipe. Accepts it, as sent at the time
    /// `now`, if it is one message for which there is a slot and which fits into the last segment
    /// in one piece.
    #[inline(always)]
    fn try_put_record(
        &mut self,
        now: u64,
        source: &mut impl Source,
        handle: &Handle,
        task: &CurrentTask,
    ) -> FastSend {
        let Some(bytes) = copy_to_page(&mut self.pages, source, task) else {
            return FastSend::Absent;
        };
        let len = bytes.len();
        let msg_size = self.queue.limits().msg_size();
        let Some(message) = Message::only(bytes, msg_size) else {
            return FastSend::InPage(len);
        };
        let time = self.queue.monotonic_time(now);
        let Some((packed, place)) = self.queue.reserve(message.padded.len()) else {
            return FastSend::InPage(len);
        };
        words::copy(place, message.padded);
        let (sender, stamp) = sign(task, handle, time);
        let record = Record {
            stamp,
            len: message.len,
            sender,
        };
        *packed = record.encode();
        self.queue.commit(Run::one(message.len), time);
        FastSend::One(message.len as usize)
    }

    /// Fast path for a pipe with priorities: does the same as [`State::try_put_record`], with the
    /// last segments of the lane of the message.
    #[inline(always)]
    fn try_put_in_lane(
        &mut self,
        now: u64,
        source: &mut impl Source,
        handle: &Handle,
        task: &CurrentTask,
    ) -> FastSend {
        let Some(bytes) = copy_to_page(&mut self.pages, source, task) else {
            return FastSend::Absent;
        };
        let len = bytes.len();
        // A priority that the pipe lacks has no lane, so it is left to the slow path.
        let terms = Terms {
            msg_size: self.queue.limits().msg_size(),
            ..Terms::ANY
        };
        let Ok(message) = Message::first_untimed(bytes, terms) else {
            return FastSend::InPage(len);
        };
        let time = self.queue.monotonic_time(now);
        let signed = sign(task, handle, time);
        let (priority, payload) = (message.class.priority, message.len);
        let put = message.behind.is_empty()
            && self
                .queue
                .try_push_in_lane(priority, payload, message.padded, signed);
        if put {
            FastSend::One(payload as usize)
        } else {
            FastSend::InPage(len)
        }
    }
}

/// Copies all of `source` to the page for writes and returns it, if it fits and its memory is
/// present.
#[inline(always)]
fn copy_to_page<'a>(
    pages: &'a mut Pages,
    source: &mut impl Source,
    task: &CurrentTask,
) -> Option<&'a mut [u8]> {
    let len = source.len();
    if len.wrapping_sub(1) >= SEGMENT_SIZE {
        return None;
    }
    // No check for a destroyed pipe: it has no page, and gets none.
    let bytes = pages.writing.as_mut()?.get_mut(..len)?;
    nofault::fill_all(source, task, bytes).then_some(bytes)
}

/// Accepts messages from `bytes`, which were checked: those of `run`, which [`stage`] has written,
/// and then as many as need neither new memory nor a wait. Returns what was accepted, and the
/// offset of the next message.
fn accept_records(
    queue: &mut Queue,
    bytes: &[u8],
    run: Run,
    sender: Sender,
    stamp: Stamp,
) -> (Tally, usize) {
    let mut accepted = Run::NONE;
    let mut run = run;
    loop {
        if run != Run::NONE {
            queue.commit(run, stamp.monotonic);
            accepted.merge(run);
        }
        // The next message did not fit into the last segment, or has no slot. Try a spare segment.
        let left = bytes.get(len_of(accepted)..);
        let Some(Ok(next)) = left.map(|left| Message::first(left, Terms::ANY)) else {
            break;
        };
        if next.class != Class::PLAIN {
            break;
        }
        let put = queue.try_push_contiguous(
            next.len as usize,
            Placement::Spare,
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
        run = stage(queue, next.behind, sender, stamp);
    }
    (accepted.tally, len_of(accepted))
}

impl Pipe {
    /// Sends all messages of `source` through the file of `handle`, in the mode `RECORDS`. Returns
    /// the number of bytes that were accepted, headers included, which is less than the length of
    /// `source` if an error stopped the call.
    ///
    /// # Errors
    ///
    /// On an error nothing was accepted.
    ///
    /// - [`EINVAL`]: `source` is not a sequence of messages with headers.
    /// - [`EMSGSIZE`]: a message is longer than the pipe allows.
    /// - [`ENODEV`], [`EAGAIN`], [`ERESTARTSYS`], [`EFAULT`], [`ENOMEM`] and [`EIO`], as for a
    ///   message.
    #[inline]
    pub(crate) fn send_records<S: Source>(
        this: &Arc<Self>,
        handle: &Handle,
        mut source: S,
        call: &impl Call,
    ) -> Result<usize> {
        let task = current!();
        let len = source.len();
        // Read the clock without the lock, to keep the critical section short.
        let now = clock::monotonic();
        let mut state = this.state.lock();
        match state.try_put_record(now, &mut source, handle, task) {
            FastSend::One(payload) => {
                this.finish_send(state, handle, payload);
                Ok(len)
            }
            other => this.send_several(state, handle, other, source, call),
        }
    }

    /// Does the same as [`Pipe::send_records`] in a pipe with priorities.
    #[inline]
    pub(crate) fn send_prioritized<S: Source>(
        this: &Arc<Self>,
        handle: &Handle,
        mut source: S,
        call: &impl Call,
    ) -> Result<usize> {
        let task = current!();
        let len = source.len();
        // Read the clock without the lock, to keep the critical section short.
        let now = clock::monotonic();
        let mut state = this.state.lock();
        match state.try_put_in_lane(now, &mut source, handle, task) {
            FastSend::One(payload) => {
                this.finish_send(state, handle, payload);
                Ok(len)
            }
            other => this.send_several(state, handle, other, source, call),
        }
    }

    /// Sends a write of which nothing was accepted yet.
    #[inline(never)]
    fn send_several<S: Source>(
        self: &Arc<Self>,
        state: StateGuard<'_, State>,
        handle: &Handle,
        put: FastSend,
        source: S,
        call: &impl Call,
    ) -> Result<usize> {
        if let FastSend::InPage(len) = put {
            self.send_page(state, handle, len, call)
        } else {
            self.send_records_slow(state, handle, source, call)
        }
    }

    /// Sends the messages in the first `len` bytes of the page.
    #[inline]
    fn send_page(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        handle: &Handle,
        len: usize,
        call: &impl Call,
    ) -> Result<usize> {
        if state.queue.has_lanes() {
            return self.send_page_in_lanes(state, handle, len, call);
        }
        let terms = state.terms();
        let this = &mut *state;
        let stamp = stamp(this.queue.monotonic_time(clock::monotonic()));
        let sender = sender(current!(), handle);
        let page = this.pages.writing.as_ref();
        let bytes = page.and_then(|page| page.get(..len)).ok_or(EIO)?;
        let run = stage(&mut this.queue, bytes, sender, stamp);
        if len_of(run) == len {
            this.queue.commit(run, stamp.monotonic);
            self.finish_records(state, handle, run.tally);
            return Ok(len);
        }

        if let Err(err) = wire::check(bytes, terms) {
            return refuse(state, err, call);
        }
        let (accepted, at) = accept_records(&mut this.queue, bytes, run, sender, stamp);
        self.finish_page(state, handle, sender, (accepted, at..len), call)
    }

    /// Sends the messages in the first `len` bytes of the page to the lanes of the queue.
    #[inline(never)]
    fn send_page_in_lanes(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        handle: &Handle,
        len: usize,
        call: &impl Call,
    ) -> Result<usize> {
        let this = &mut *state;
        let terms = this.terms();
        let page = this.pages.writing.as_ref();
        let bytes = page.and_then(|page| page.get(..len)).ok_or(EIO)?;
        let checked = match Message::first(bytes, terms) {
            Ok(first) => wire::check(first.behind, terms),
            Err(err) => Err(err),
        };
        if let Err(err) = checked {
            return refuse(state, err, call);
        }
        let stamp = stamp(this.queue.monotonic_time(clock::monotonic()));
        let sender = sender(current!(), handle);
        let mut accepted = Tally::NONE;
        let mut left = bytes;
        while let Ok(next) = Message::first(left, terms) {
            // Both are left to the slow path, as is the first message of a lane.
            if next.class.ttl_ns > 0 || !this.queue.is_in_lanes() {
                break;
            }
            let (priority, signed) = (next.class.priority, (sender, stamp));
            if !this
                .queue
                .try_push_in_lane(priority, next.len, next.padded, signed)
            {
                break;
            }
            accepted.add(next.len as usize);
            left = next.behind;
        }
        let at = len - left.len();
        self.finish_page(state, handle, sender, (accepted, at..len), call)
    }

    /// Announces the messages of the page that were accepted, and sends the others, which are in
    /// the given range of the page.
    #[inline]
    fn finish_page(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        handle: &Handle,
        sender: Sender,
        (accepted, rest): (Tally, Range<usize>),
        call: &impl Call,
    ) -> Result<usize> {
        if rest.is_empty() {
            self.finish_records(state, handle, accepted);
            return Ok(rest.end);
        }
        let page = state.pages.writing.take();
        if accepted.msgs > 0 {
            self.finish_records(state, handle, accepted);
        } else {
            drop(state);
        }
        self.send_rest(handle, sender, page, rest, call)
    }

    /// Slow path: sends all messages of `source`, which the page does not hold. Copies a short
    /// write to a page first, and sends a long one message by message.
    #[cold]
    #[inline(never)]
    fn send_records_slow<S: Source>(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        handle: &Handle,
        source: S,
        call: &impl Call,
    ) -> Result<usize> {
        state.alive()?;
        let len = source.len();
        if len == 0 {
            return Ok(0);
        }
        let sender = sender(current!(), handle);
        if len > SEGMENT_SIZE {
            drop(state);
            return self.send_long(handle, sender, source, call);
        }
        let page = state.pages.writing.take();
        drop(state);
        self.send_copied(handle, sender, page, source, call)
    }

    /// Counts the accepted messages, releases the lock, and announces them.
    #[inline]
    fn finish_records(
        self: &Arc<Self>,
        mut state: StateGuard<'_, State>,
        handle: &Handle,
        accepted: Tally,
    ) {
        handle.state(&mut state).stats.sent.merge(accepted);
        self.announce_messages(state, accepted.msgs);
    }

    /// Sends the messages of `source`, which is at most a page long. Copies them to `page`, or to a
    /// new one if that is [`None`], and waits for page faults.
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
        let bytes = page.get_mut(..len).ok_or(EIO)?;
        let read = nofault::read_faulting(&mut source, bytes);
        let state = self.state.lock();
        let terms = state.terms();
        if let Err(err) = read.and_then(|()| wire::check(bytes, terms)) {
            let result = refuse(state, err, call);
            self.return_page(Some(page));
            return result;
        }
        drop(state);
        self.send_rest(handle, sender, Some(page), 0..len, call)
    }

    /// Sends the messages in `range` of `page`, which were checked, one by one, and waits for
    /// slots. The messages before the range were accepted. The page goes back to the pipe.
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
            result = bytes
                .ok_or(EIO)
                .and_then(|bytes| Message::first(bytes, Terms::ANY))
                .and_then(|message| {
                    let begin = at + SendHeader::HEADER;
                    let payload =
                        KernelSource::part(&chain, begin..begin + message.payload().len());
                    let sent_as = (sender, message.class);
                    self.send_one_of_several(handle, sent_as, payload, call, at > 0)?;
                    at = begin + message.padded.len();
                    Ok(())
                });
        }

        self.return_page(chain.pop_front());
        result.map_or_else(|err| done_or(at, err), |()| Ok(at))
    }

    /// Gives the page for writes back to the pipe. Frees it if the pipe has one or is destroyed.
    fn return_page(&self, writing: Option<Segment>) {
        let mut pages = Pages {
            writing,
            ..Pages::default()
        };
        // The guard is dropped at the end of this statement, before the remaining page is freed.
        self.state.lock().keep_pages(&mut pages);
    }

    /// Sends the messages of `source`, which is longer than a page, one by one, and waits for
    /// slots.
    #[cold]
    #[inline(never)]
    fn send_long<S: Source>(
        self: &Arc<Self>,
        handle: &Handle,
        sender: Sender,
        mut source: S,
        call: &impl Call,
    ) -> Result<usize> {
        let terms = self.terms()?;
        let checked = nofault::peek(&mut source, |source| {
            while source.len() > 0 {
                // A source may hold very many messages: let a signal end the check.
                if !call.is_attempt() && current!().signal_pending() {
                    return Err(ERESTARTSYS);
                }
                let len = read_header(source, terms)?.payload();
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
                Err(err) => return done_or(accepted, err),
            }
        }
        Ok(accepted)
    }

    /// Sends the next message of `source` and moves behind it. `accepted` is the number of bytes
    /// that were accepted before. Returns the number of bytes that the message takes with its
    /// header.
    fn send_next<S: Source>(
        self: &Arc<Self>,
        handle: &Handle,
        sender: Sender,
        source: &mut S,
        accepted: usize,
        call: &impl Call,
    ) -> Result<usize> {
        let request = read_header(source, Terms::ANY)?;
        let len = request.payload();
        let behind = source.len() - len;
        let payload = Take::new(source, len);
        let sent_as = (sender, request.class);
        self.send_one_of_several(handle, sent_as, payload, call, accepted > 0)?;
        source.advance(source.len() - behind);
        // Skip the zeroes: the check has read them. A later change does not affect the message.
        source.advance(padding(len));
        Ok(SendHeader::HEADER + request.span())
    }
}

/// Returns `err`, and counts the call as refused if the error is [`EMSGSIZE`].
fn refuse<T>(mut state: StateGuard<'_, State>, err: Error, call: &impl Call) -> Result<T> {
    Err(if err == EMSGSIZE {
        state.refuse_size(call)
    } else {
        err
    })
}
