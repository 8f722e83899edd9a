// SPDX-License-Identifier: MIT OR Apache-2.0

//! Messages that are sent together.

use crate::{
    record::{word, ALIGNMENT},
    sys::RawSend,
};
use std::mem::offset_of;

/// The length of a message to be sent without its payload.
const HEADER: usize = size_of::<RawSend>();

/// Messages to be sent together, and memory for them that is used again and again.
///
/// [`RecordPipe::send_batch`](crate::RecordPipe::send_batch) shows how it is used.
#[derive(Clone, Debug, Default)]
pub struct SendBatch {
    /// Messages, each behind its header, with zeroes behind it.
    bytes: Vec<u8>,
    /// How many they are.
    len: usize,
    /// Whether one of them has no bytes.
    has_empty: bool,
}

impl SendBatch {
    /// Makes one that has no messages.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a message at the end. The kernel makes no message of 0 bytes: with such a one, the batch cannot
    /// be sent: it has to be cleared.
    pub fn push(&mut self, message: &[u8]) {
        // A pipe takes no message that is longer: it says so of this number, too.
        let len = u32::try_from(message.len()).unwrap_or(u32::MAX);
        let mut header = [0; HEADER];
        if let Some(place) = header[offset_of!(RawSend, len)..].first_chunk_mut() {
            *place = len.to_ne_bytes();
        }
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(message);
        let end = self.bytes.len().next_multiple_of(ALIGNMENT);
        self.bytes.resize(end, 0);
        self.len += 1;
        self.has_empty |= message.is_empty();
    }

    /// How many messages there are that were not sent yet.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no message in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes all messages out of it.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.len = 0;
        self.has_empty = false;
    }

    /// What is to be written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether one of the messages has no bytes.
    pub(crate) fn has_empty(&self) -> bool {
        self.has_empty
    }

    /// The length of the longest message, in bytes.
    pub(crate) fn longest(&self) -> u32 {
        self.ends().map(|(len, _)| len).max().unwrap_or(0)
    }

    /// Takes out the messages that make up the first `written` bytes, and returns how many they are; none if
    /// these are not whole messages.
    pub(crate) fn sent(&mut self, written: usize) -> Option<usize> {
        let sent = match written {
            all if all == self.bytes.len() => self.len,
            _ => self.ends().position(|(_, end)| end == written)? + 1,
        };
        self.bytes.drain(..written);
        self.len -= sent;
        Some(sent)
    }

    /// The length of each message, and where it ends, both in bytes.
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

    /// A message to be sent as the kernel wants it.
    fn message(payload: &[u8], zeroes: usize) -> Vec<u8> {
        let len = payload.len() as u32;
        [&len.to_ne_bytes(), &[0; 20][..], payload, &vec![0; zeroes]].concat()
    }

    #[test]
    fn messages_to_be_sent_have_headers() {
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
    fn an_empty_message_is_noticed_until_it_is_gone() {
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
