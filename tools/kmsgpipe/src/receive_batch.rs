// SPDX-License-Identifier: MIT OR Apache-2.0

//! Messages that are received together.

use crate::{
    error::Result,
    record::{now_ns, record_len, Record, Records, ALIGNMENT},
};
use std::iter::FusedIterator;

/// Room for so many bytes is made unless somebody says otherwise: a batch of messages is worth its call then.
const ROOM: usize = 64 * 1024;

/// The largest room that two records never fit into, in bytes.
pub(crate) const ONE: usize = 2 * record_len(1) - ALIGNMENT;

/// Messages that were received together, and memory for them that is used again and again.
///
/// [`RecordPipe::receive_batch`](crate::RecordPipe::receive_batch) shows how it is used.
#[derive(Clone, Debug)]
pub struct ReceiveBatch {
    /// Records, one behind the other, and what there was before.
    bytes: Vec<u8>,
    /// Where the records begin that were not handed out yet.
    begin: usize,
    /// Where they end.
    end: usize,
    /// How many they are.
    len: usize,
    /// The monotonic clock when they were received, in nanoseconds.
    now_ns: u64,
    /// How many bytes of records are received together.
    room: usize,
}

impl Default for ReceiveBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl ReceiveBatch {
    /// Makes one that has no messages, with room for 64 KiB of records.
    pub fn new() -> Self {
        Self::with_room(ROOM)
    }

    /// Makes one that has no messages, with room for `bytes` of records: each message takes
    /// [`ReceiveBatch::room_for`] of them. Room for one message is made when there is too little for it.
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

    /// How many bytes of records are made of `messages` that have a length of `len` bytes each.
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

    /// How many messages there are that were not handed out yet.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether all messages were handed out.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Hands out messages, oldest first. What was handed out is not there any more; what the iterator was not
    /// asked for stays.
    pub fn records(&mut self) -> Received<'_> {
        let bytes = self.bytes.get(self.begin..self.end).unwrap_or_default();
        Received {
            records: Records::new(bytes, self.now_ns),
            begin: &mut self.begin,
            left: &mut self.len,
        }
    }

    /// How many bytes of records are received together.
    pub(crate) fn room(&self) -> usize {
        self.room
    }

    /// Receives records with `read` into `room` bytes, and returns how many they are, or none if what was read
    /// is something else. `read` returns the number of bytes, or none if the first record did not fit; then
    /// `grow` says which room is needed instead of that it is given.
    ///
    /// There must be no messages that were not handed out.
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
            match read(self.bytes.get_mut(..room).unwrap_or_default())? {
                Some(end) => break end,
                None => room = grow(room)?,
            }
        };
        self.now_ns = now_ns();
        let mut records = Records::new(self.bytes.get(..end).unwrap_or_default(), self.now_ns);
        let len = records.by_ref().count();
        if records.rest_len() > 0 {
            return Ok(None);
        }
        (self.begin, self.end, self.len) = (0, end, len);
        Ok(Some(len))
    }
}

/// Hands out the messages of a [`ReceiveBatch`].
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

    /// What the kernel does of a queue of records.
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

    /// A queue of messages of these lengths.
    fn queue(lengths: &[usize]) -> RefCell<VecDeque<Vec<u8>>> {
        let records = lengths.iter().zip(1..);
        let records = records.map(|(len, seq)| record(seq, &vec![seq as u8; *len]));
        RefCell::new(records.collect())
    }

    /// The sequence numbers that are handed out.
    fn seqs(batch: &mut ReceiveBatch) -> Vec<u64> {
        batch.records().map(|record| record.seq).collect()
    }

    #[test]
    fn a_batch_is_handed_out_fully() {
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
        // One that was not asked for everything leaves the rest to the next one.
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
    fn one_at_a_time_is_received_whatever_its_length() {
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
    fn what_comes_in_the_place_of_a_long_message_is_not_lost() {
        let queue = queue(&[1000, 1, 2, 3, 2000]);
        let mut batch = ReceiveBatch::new();
        let read = |bytes: &mut [u8]| read(&mut queue.borrow_mut(), bytes);
        // Another reader receives the message whose length was just told.
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
    fn what_is_no_record_is_told() {
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
