// SPDX-License-Identifier: GPL-2.0

//! A pipe of this module with `KMSGPIPE_MODE_RECORDS`, one or several messages per call.

use super::{
    ends::{self, Call, ReadCall, WriteCall},
    kmsgpipe::{ends as open, End},
    message::Message,
    Channel, Receiver, Sender, Shape,
};
use crate::mechanism::Mechanism;
use ::kmsgpipe::Modes;
use anyhow::Result;
use kmsgpipe_sys::raw::{kmsgpipe_record, kmsgpipe_send};
use std::{mem::offset_of, os::fd::AsRawFd, sync::Arc};

/// Number of messages per call in the batched case.
const BATCH: usize = 32;

/// An end for `N` messages per call, each preceded by a header.
pub struct RecordsEnd<const N: usize, const HEADER: usize> {
    file: Arc<End>,
    fd: i32,
    /// All messages of a call.
    buffer: Message,
    size: usize,
    /// Whether the first message has changed and must be copied to the others.
    changed: bool,
}

/// The sending end.
pub type RecordsSender<const N: usize> = RecordsEnd<N, { size_of::<kmsgpipe_send>() }>;
/// The receiving end.
pub type RecordsReceiver<const N: usize> = RecordsEnd<N, { size_of::<kmsgpipe_record>() }>;

impl<const N: usize, const HEADER: usize> RecordsEnd<N, HEADER> {
    /// Returns the size of a message of `size` bytes with its header.
    const fn stride(size: usize) -> usize {
        HEADER + size.next_multiple_of(8)
    }

    /// Creates an end that shares its file, for messages of `size` bytes.
    pub fn new(file: Arc<End>, size: usize) -> Self {
        Self {
            fd: file.as_raw_fd(),
            file,
            buffer: Message::new(N * Self::stride(size)),
            size,
            changed: true,
        }
    }

    /// Transfers the whole buffer in one call, and returns whether it did.
    #[inline(always)]
    fn go<C: Call>(&mut self) -> bool {
        let len = self.buffer.len();
        // SAFETY: The pointer and length are those of the buffer, which is mutably borrowed.
        let ret = unsafe { C::call(self.fd, self.buffer.at_mut(), len) };
        ret == len as isize
    }
}

impl<const N: usize> RecordsSender<N> {
    /// Copies the first message and its header to the others.
    #[cold]
    fn spread(&mut self) {
        let (size, stride) = (self.size, Self::stride(self.size));
        let bytes = self.buffer.bytes_mut();
        let header = size_of::<kmsgpipe_send>();
        bytes[..header].fill(0);
        bytes[..4].copy_from_slice(&(size as u32).to_ne_bytes());
        bytes[header + size..stride].fill(0);
        for i in 1..N {
            bytes.copy_within(..stride, i * stride);
        }
        self.changed = false;
    }
}

impl RecordsSender<1> {
    /// Sends with a priority. Returns whether the message was sent.
    #[inline(always)]
    pub fn send_prioritized(&mut self, priority: u32) -> bool {
        if self.changed {
            self.spread();
        }
        let at = offset_of!(kmsgpipe_send, priority);
        self.buffer.bytes_mut()[at..at + 4].copy_from_slice(&priority.to_ne_bytes());
        self.go::<WriteCall>()
    }
}

impl<const N: usize> Sender for RecordsSender<N> {
    fn message(&mut self) -> &mut [u8] {
        self.changed = true;
        let begin = size_of::<kmsgpipe_send>();
        &mut self.buffer.bytes_mut()[begin..begin + self.size]
    }

    #[inline(always)]
    fn send(&mut self) -> bool {
        if self.changed {
            self.spread();
        }
        self.go::<WriteCall>()
    }

    fn twin(&self) -> Self {
        Self::new(Arc::clone(&self.file), self.size)
    }
}

impl<const N: usize> Receiver for RecordsReceiver<N> {
    fn message(&self) -> &[u8] {
        let begin = (N - 1) * Self::stride(self.size) + size_of::<kmsgpipe_record>();
        &self.buffer.bytes()[begin..begin + self.size]
    }

    #[inline(always)]
    fn receive(&mut self) -> bool {
        self.go::<ReadCall>()
    }

    fn twin(&self) -> Self {
        Self::new(Arc::clone(&self.file), self.size)
    }
}

/// Creates a pipe and opens both ends.
fn open_ends<const N: usize>(shape: Shape) -> Result<(RecordsSender<N>, RecordsReceiver<N>)> {
    let (writer, reader) = open(shape)?;
    for end in [&writer, &reader] {
        end.set_mode(Modes::RECORDS)?;
    }
    Ok((
        RecordsEnd::new(Arc::new(writer), shape.size),
        RecordsEnd::new(Arc::new(reader), shape.size),
    ))
}

/// One message per call.
pub struct Records;

impl Channel for Records {
    const MECHANISM: Mechanism = Mechanism::Records;
    type Sender = RecordsSender<1>;
    type Receiver = RecordsReceiver<1>;

    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
        open_ends(shape)
    }
}

/// Sent without a header, received as a record, one message per call.
pub struct RecordsRead;

impl Channel for RecordsRead {
    const MECHANISM: Mechanism = Mechanism::RecordsRead;
    type Sender = ends::FileSender<End>;
    type Receiver = RecordsReceiver<1>;

    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
        let (writer, reader) = open(shape)?;
        reader.set_mode(Modes::RECORDS)?;
        Ok((
            ends::FileSender::new(writer, shape.size),
            RecordsEnd::new(Arc::new(reader), shape.size),
        ))
    }
}

/// Several messages per call.
pub struct RecordsBatch;

impl Channel for RecordsBatch {
    const MECHANISM: Mechanism = Mechanism::RecordsBatch;
    const BATCH: usize = BATCH;
    type Sender = RecordsSender<BATCH>;
    type Receiver = RecordsReceiver<BATCH>;

    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
        open_ends(shape)
    }
}
