// SPDX-License-Identifier: GPL-2.0

//! A pipe of this module with `KMSGPIPE_MODE_RECORDS`, one message a call or many.

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
use std::{os::fd::AsRawFd, sync::Arc};

/// How many messages a call sends or receives, where it is many.
const BATCH: usize = 32;

/// One end, for `N` messages a call, each behind a header of so many bytes.
pub struct RecordsEnd<const N: usize, const HEADER: usize> {
    file: Arc<End>,
    fd: i32,
    /// All that a call sends or receives.
    buffer: Message,
    size: usize,
    /// The first message has changed, and the others are to be like it.
    changed: bool,
}

/// Sends.
pub type RecordsSender<const N: usize> = RecordsEnd<N, { size_of::<kmsgpipe_send>() }>;
/// Receives.
pub type RecordsReceiver<const N: usize> = RecordsEnd<N, { size_of::<kmsgpipe_record>() }>;

impl<const N: usize, const HEADER: usize> RecordsEnd<N, HEADER> {
    /// What one message of `size` bytes takes.
    const fn stride(size: usize) -> usize {
        HEADER + size.next_multiple_of(8)
    }

    /// One of a file that others may have, too, for messages of `size` bytes.
    fn new(file: Arc<End>, size: usize) -> Self {
        Self {
            fd: file.as_raw_fd(),
            file,
            buffer: Message::new(N * Self::stride(size)),
            size,
            changed: true,
        }
    }

    /// Makes a call that moves all of the buffer; whether it did.
    #[inline(always)]
    fn go<C: Call>(&mut self) -> bool {
        let len = self.buffer.len();
        // SAFETY: The buffer is as long as is said, and borrowed mutably.
        let ret = unsafe { C::call(self.fd, self.buffer.at_mut(), len) };
        ret == len as isize
    }
}

impl<const N: usize> RecordsSender<N> {
    /// Makes all messages like the first one, each behind its header.
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

/// Makes a pipe and opens both ends of it.
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

/// One message a call.
pub struct Records;

impl Channel for Records {
    const MECHANISM: Mechanism = Mechanism::Records;
    type Sender = RecordsSender<1>;
    type Receiver = RecordsReceiver<1>;

    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
        open_ends(shape)
    }
}

/// Sent without a header, and received as a record, one a call.
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

/// Many messages a call.
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
