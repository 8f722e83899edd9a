// SPDX-License-Identifier: MIT OR Apache-2.0

//! A buffer of messages that were received in one call.

use crate::{
    error::Result,
    record::{now_ns, record_len, Record, Records, ALIGNMENT},
};
use std::iter::FusedIterator;

/// Default capacity in bytes: enough messages to amortize the system call.
const ROOM: usize = 64 * 1024;

/// The largest read size that cannot return two records, in bytes.
pub(crate) const ONE: usize = 2 * record_len(1) - ALIGNMENT;

/// Messages that were received in one call, in a reusable buffer.
///
/// [`RecordPipe::receive_batch`](crate::RecordPipe::receive_batch) has an example.
#[derive(Clone, Debug)]
pub struct ReceiveBatch {
    /// The buffer: records back to back, then stale bytes.
    bytes: Vec<u8>,
    /// Start of the first record that was not returned yet.
    begin: usize,
    /// End of the last record.
    end: usize,
    /// Number of records that were not returned yet.
    len: usize,
    /// `CLOCK_MONOTONIC` when the records were received, in nanoseconds.
    now_ns: u64,
    /// Read size in bytes.
    room: usize,
}

impl Default for ReceiveBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl ReceiveBatch {
    /// Creates an empty batch that receives up to 64 KiB of records.
    pub fn new() -> Self {
        Self::with_room(ROOM)
    }

    /// Creates an empty batch that receives up to `bytes` of records; [`ReceiveBatch::room_for`] returns how
    /// many bytes messages take. A longer message is received nevertheless, alone.
    pub fn with_room(bytes: usize) -> Self {
        Self {
            bytes: Vec::new(),
            begin: 0,
            end: 0,
            len: 0,
            now_ns: 0,
            room: bytes,
        }
    }

    /// Returns how many bytes the records of `messages` messages of `len` bytes take.
    ///
    /// ```
    /// use kmsgpipe::ReceiveBatch;
    ///
    /// assert_eq!(ReceiveBatch::room_for(1, 8), 72);
    /// assert_eq!(ReceiveBatch::room_for(100, 9), 8_000);
    /// ```
    pub const fn room_for(messages: usize, len: u32) -> usize {
        messages.saturating_mul(record_len(len))
    }

    /// Returns the number of messages that were not returned yet.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether all messages were returned.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Iterates over the messages, oldest first, and removes each from the batch as it is returned. Messages
    /// that the iterator did not return stay.
    pub fn records(&mut self) -> Received<'_> {
        let bytes = &self.bytes[self.begin..self.end];
        Received {
            records: Records::new(bytes, self.now_ns),
            begin: &mut self.begin,
            left: &mut self.len,
        }
    }

    /// Returns the read size in bytes.
    pub(crate) fn room(&self) -> usize {
        self.room
    }

    /// Receives records through `read` into `room` bytes. Returns their number, or `None` if the data is not
    /// a sequence of records. `read` returns the number of bytes, or `None` if the first record did not fit;
    /// `grow` then maps the size that was too small to a new one.
    ///
    /// The batch must be empty.
    pub(crate) fn fill(
        &mut self,
        mut room: usize,
        mut read: impl FnMut(&mut [u8]) -> Result<Option<usize>>,
        mut grow: impl FnMut(usize) -> Result<usize>,
    ) -> Result<Option<usize>> {
        debug_assert!(self.is_empty());
        let end = loop {
            if self.bytes.len() < room {
                self.bytes.resize(room, 0);
            }
            match read(&mut self.bytes[..room])? {
                Some(end) => break end,
                None => room = grow(room)?,
            }
        };
        self.now_ns = now_ns();
        let mut records = Records::new(&self.bytes[..end], self.now_ns);
        let len = records.by_ref().count();
        if records.rest_len() > 0 {
            return Ok(None);
        }
        (self.begin, self.end, self.len) = (0, end, len);
        Ok(Some(len))
    }
}

/// Iterator over the messages of a [`ReceiveBatch`].
#[derive(Debug)]
pub struct Received<'a> {
    records: Records<'a>,
    begin: &'a mut usize,
    left: &'a mut usize,
}

impl<'a> Iterator for Received<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let before = self.records.rest_len();
        let record = self.records.next()?;
        *self.begin += before - self.records.rest_len();
        *self.left -= 1;
        Some(record)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (*self.left, Some(*self.left))
    }
}

impl ExactSizeIterator for Received<'_> {}

impl FusedIterator for Received<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;
    use std::{cell::RefCell, collections::VecDeque};

    /// Reads records from a queue as the kernel does.
    fn read(queue: &mut VecDeque<Vec<u8>>, bytes: &mut [u8]) -> Result<Option<usize>> {
        let mut end = 0;
        while let Some(first) = queue.front() {
            let Some(place) = bytes.get_mut(end..end + first.len()) else {
                return Ok((end > 0).then_some(end));
            };
            place.copy_from_slice(first);
            end += first.len();
            queue.pop_front();
        }
        Ok(Some(end))
    }

    /// Creates a queue of messages with these lengths.
    fn queue(lengths: &[usize]) -> RefCell<VecDeque<Vec<u8>>> {
        let records = lengths.iter().zip(1..);
        let records = records.map(|(len, seq)| record(seq, &vec![seq as u8; *len]));
        RefCell::new(records.collect())
    }

    /// Returns the sequence numbers of the remaining messages.
    fn seqs(batch: &mut ReceiveBatch) -> Vec<u64> {
        batch.records().map(|record| record.seq).collect()
    }

    #[test]
    fn batch_returns_each_record_once() {
        let queue = queue(&[1, 2, 3, 4, 5]);
        let mut batch = ReceiveBatch::with_room(4 * 72);
        let room = batch.room();
        let fill = |batch: &mut ReceiveBatch| {
            let read = |bytes: &mut [u8]| read(&mut queue.borrow_mut(), bytes);
            batch.fill(room, read, |_| unreachable!())
        };
        assert_eq!(fill(&mut batch), Ok(Some(4)));
        assert_eq!((batch.len(), batch.is_empty()), (4, false));
        let mut records = batch.records();
        assert_eq!(records.len(), 4);
        let first = records.next().unwrap();
        assert_eq!((first.seq, first.payload), (1, &[1][..]));
        assert_eq!(records.next().map(|record| record.seq), Some(2));
        assert_eq!(records.len(), 2);
        // An iterator that is dropped early leaves the rest to the next one.
        assert_eq!(batch.len(), 2);
        assert_eq!(seqs(&mut batch), [3, 4]);
        assert_eq!((batch.len(), batch.is_empty()), (0, true));
        assert_eq!(seqs(&mut batch), [0; 0]);
        assert_eq!(fill(&mut batch), Ok(Some(1)));
        assert_eq!(seqs(&mut batch), [5]);
        assert_eq!(fill(&mut batch), Ok(Some(0)));
        assert!(batch.is_empty());
    }

    #[test]
    fn reads_of_one_record_grow_as_needed() {
        let lengths = [72, 1, 1, 73, 1, 2, 500, 1, 64, 8, 80];
        let queue = queue(&lengths);
        let mut batch = ReceiveBatch::new();
        for seq in 1..=lengths.len() as u64 {
            let read = |bytes: &mut [u8]| read(&mut queue.borrow_mut(), bytes);
            let grow = |room| {
                assert_eq!(room, ONE);
                Ok(queue.borrow().front().map_or(ONE, Vec::len))
            };
            assert_eq!(batch.fill(ONE, read, grow), Ok(Some(1)), "{seq}");
            assert_eq!(seqs(&mut batch), [seq]);
        }
        assert!(queue.borrow().is_empty());
    }

    #[test]
    fn records_in_place_of_a_long_message_are_kept() {
        let queue = queue(&[1000, 1, 2, 3, 2000]);
        let mut batch = ReceiveBatch::new();
        let read = |bytes: &mut [u8]| read(&mut queue.borrow_mut(), bytes);
        // Another reader takes the message after its length was read.
        let grow = |_| {
            Ok(queue
                .borrow_mut()
                .pop_front()
                .map_or(ONE, |first| first.len()))
        };
        assert_eq!(batch.fill(ONE, read, grow), Ok(Some(3)));
        assert_eq!(seqs(&mut batch), [2, 3, 4]);
        assert_eq!(queue.borrow().len(), 1);
    }

    #[test]
    fn truncated_record_is_reported() {
        let mut bytes = [record(1, b"one"), record(2, b"two")].concat();
        bytes.pop();
        let mut batch = ReceiveBatch::new();
        let read = |memory: &mut [u8]| {
            memory[..bytes.len()].copy_from_slice(&bytes);
            Ok(Some(bytes.len()))
        };
        assert_eq!(batch.fill(ROOM, read, |_| unreachable!()), Ok(None));
        assert!(batch.is_empty());
        assert_eq!(seqs(&mut batch), [0; 0]);
    }
}
