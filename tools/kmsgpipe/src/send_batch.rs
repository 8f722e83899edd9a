// SPDX-License-Identifier: MIT OR Apache-2.0

//! A buffer of messages to be sent in one call.

use crate::{
    record::{word, ALIGNMENT},
    sys::RawSend,
};
use std::{mem::offset_of, time::Duration};

/// Length of the header that precedes each payload.
const HEADER: usize = size_of::<RawSend>();

/// How a message is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageOptions {
    /// Priority, less than the number of priorities of the pipe: messages of higher priority are received first.
    pub priority: u32,
    /// Time after which the message expires, if the pipe does not let it expire earlier. A broadcast pipe, and a
    /// pipe that a file browses, refuse messages with a time to live.
    pub ttl: Option<Duration>,
}

impl MessageOptions {
    /// Returns the time to live in nanoseconds, for which 0 stands for none.
    fn ttl_ns(self) -> u64 {
        self.ttl.map_or(0, |ttl| {
            // A time of 0 is the shortest that there is.
            u64::try_from(ttl.as_nanos()).unwrap_or(u64::MAX).max(1)
        })
    }
}

/// Messages to be sent in one call, in a reusable buffer.
///
/// [`RecordPipe::send_batch`](crate::RecordPipe::send_batch) has an example.
#[derive(Clone, Debug, Default)]
pub struct SendBatch {
    /// Messages back to back, each with a header and zero padding.
    bytes: Vec<u8>,
    /// Number of messages.
    len: usize,
    /// Whether a message has no payload.
    has_empty: bool,
}

impl SendBatch {
    /// Creates an empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a message. A message of 0 bytes is invalid: sending a batch that contains one fails until the
    /// batch is cleared.
    pub fn push(&mut self, message: &[u8]) {
        self.push_with(message, MessageOptions::default());
    }

    /// Appends a message as [`SendBatch::push`] does, to be sent as `options` says. Sending fails if the pipe does
    /// not have the priority, or allows no time to live.
    pub fn push_with(&mut self, message: &[u8], options: MessageOptions) {
        // Saturation is safe: no pipe accepts a message of u32::MAX bytes either.
        let len = u32::try_from(message.len()).unwrap_or(u32::MAX);
        let mut header = [0; HEADER];
        let mut put = |at: usize, value: &[u8]| header[at..][..value.len()].copy_from_slice(value);
        put(offset_of!(RawSend, len), &len.to_ne_bytes());
        put(
            offset_of!(RawSend, priority),
            &options.priority.to_ne_bytes(),
        );
        put(offset_of!(RawSend, ttl_ns), &options.ttl_ns().to_ne_bytes());
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(message);
        let end = self.bytes.len().next_multiple_of(ALIGNMENT);
        self.bytes.resize(end, 0);
        self.len += 1;
        self.has_empty |= message.is_empty();
    }

    /// Returns the number of messages that were not sent yet.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether the batch contains no messages.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Removes all messages.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.len = 0;
        self.has_empty = false;
    }

    /// Returns the bytes to be written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns whether a message has no payload.
    pub(crate) fn has_empty(&self) -> bool {
        self.has_empty
    }

    /// Returns the length of the longest message, in bytes.
    pub(crate) fn longest(&self) -> u32 {
        self.ends().map(|(len, _)| len).max().unwrap_or(0)
    }

    /// Removes the messages in the first `written` bytes and returns their number, or `None` if `written` is
    /// not the end of a message.
    pub(crate) fn sent(&mut self, written: usize) -> Option<usize> {
        let sent = match written {
            all if all == self.bytes.len() => self.len,
            _ => self.ends().position(|(_, end)| end == written)? + 1,
        };
        self.bytes.drain(..written);
        self.len -= sent;
        Some(sent)
    }

    /// Iterates over the length and the end offset of each message, in bytes.
    fn ends(&self) -> impl Iterator<Item = (u32, usize)> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            let len = word(self.bytes.get(at..)?, offset_of!(RawSend, len))?;
            at += HEADER + (len as usize).next_multiple_of(ALIGNMENT);
            Some((len, at))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a message in the kernel's format.
    fn message(payload: &[u8], zeroes: usize) -> Vec<u8> {
        let len = payload.len() as u32;
        [&len.to_ne_bytes(), &[0; 20][..], payload, &vec![0; zeroes]].concat()
    }

    #[test]
    fn each_message_has_a_header() {
        let mut batch = SendBatch::new();
        assert_eq!((batch.len(), batch.is_empty()), (0, true));
        for payload in [&b"one"[..], b"12345678", b"three"] {
            batch.push(payload);
        }
        let bytes = [
            message(b"one", 5),
            message(b"12345678", 0),
            message(b"three", 3),
        ];
        assert_eq!(batch.bytes(), bytes.concat());
        assert_eq!((batch.len(), batch.longest()), (3, 8));

        assert_eq!(batch.sent(31), None);
        assert_eq!(batch.sent(0), None);
        assert_eq!(batch.sent(64), Some(2));
        assert_eq!(batch.bytes(), bytes[2]);
        assert_eq!((batch.len(), batch.longest()), (1, 5));
        assert_eq!(batch.sent(32), Some(1));
        assert!(batch.is_empty() && batch.bytes().is_empty());
    }

    #[test]
    fn options_are_in_the_header() {
        let mut batch = SendBatch::new();
        let mut expected = Vec::new();
        for (ttl, ttl_ns) in [
            (None, 0u64),
            (Some(Duration::ZERO), 1),
            (Some(Duration::from_millis(250)), 250_000_000),
            (Some(Duration::MAX), u64::MAX),
        ] {
            batch.push_with(b"12345678", MessageOptions { priority: 5, ttl });
            let mut one = message(b"12345678", 0);
            one[8..16].copy_from_slice(&ttl_ns.to_ne_bytes());
            one[16..20].copy_from_slice(&5u32.to_ne_bytes());
            expected.extend(one);
        }
        assert_eq!(batch.bytes(), expected);
    }

    #[test]
    fn empty_message_is_flagged_until_cleared() {
        let mut batch = SendBatch::new();
        batch.push(b"a");
        assert!(!batch.has_empty());
        batch.push(b"");
        assert!(batch.has_empty());
        batch.clear();
        assert!(!batch.has_empty());
        assert_eq!((batch.len(), batch.longest()), (0, 0));
    }
}
