// SPDX-License-Identifier: GPL-2.0

//! A message: a payload buffer and the record of its sender.

use kernel::prelude::*;

use crate::kernel_ext::chain::{
    Chain,
    Node, //
};

/// A box that holds a message, fit to be chained.
pub(crate) type MessageBox = KBox<Node<Message>>;

/// A chain of messages.
pub(crate) type Messages = Chain<Message>;

/// Who sent a message: the kernel's own ids, which each reader sees translated for its namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sender {
    /// Effective user id.
    pub(crate) uid: u32,
    /// Effective group id.
    pub(crate) gid: u32,
    /// Process id (of the thread group) in the initial pid namespace.
    pub(crate) pid: i32,
}

/// When a message was enqueued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    pub(crate) monotonic: i64,
    /// Nanoseconds of `CLOCK_REALTIME`.
    pub(crate) realtime: i64,
}

/// What is known of a message beside its payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// Place in the order of all messages ever sent through the pipe; the first has 1.
    pub(crate) seq: u64,
    /// Who sent it.
    pub(crate) sender: Sender,
    /// When it was enqueued.
    pub(crate) stamp: Stamp,
}

/// A message, or the memory for one.
///
/// # Invariants
///
/// `len` is at most the length of `buffer`.
pub(crate) struct Message {
    /// What is known of the message.
    pub(crate) record: Record,
    len: u32,
    buffer: KVVec<u8>,
}

// What a message costs beside its payload, as the documentation has it: one object of the kernel's
// cache for 96 bytes.
kernel::static_assert!(size_of::<Node<Message>>() <= 96);

impl Message {
    /// Allocates room for a message of up to `capacity` bytes, accounted to the task that asks.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(crate) fn with_capacity(capacity: usize) -> Result<MessageBox> {
        // Initialised once, here, so that it can be lent out as plain bytes ever after.
        let buffer = KVVec::from_elem(0, capacity, GFP_KERNEL_ACCOUNT)?;
        let message = Self {
            record: Record::default(),
            // INVARIANT: Zero is at most any length.
            len: 0,
            buffer,
        };
        Ok(Node::new(message, GFP_KERNEL_ACCOUNT)?)
    }

    /// The length of the longest payload that fits, in bytes.
    pub(crate) fn capacity(&self) -> usize {
        self.buffer.len()
    }

    /// The length of the payload, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    /// The payload.
    pub(crate) fn payload(&self) -> &[u8] {
        self.buffer.get(..self.len()).unwrap_or_default()
    }

    /// Makes the payload `len` bytes long and lets `copy` write it; returns whether it fits and `copy`
    /// says that it did so.
    ///
    /// The payload is empty if not.
    pub(crate) fn fill(&mut self, len: usize, copy: impl FnOnce(&mut [u8]) -> bool) -> bool {
        // INVARIANT: Zero is at most any length.
        self.len = 0;
        let (Some(payload), Ok(new_len)) = (self.buffer.get_mut(..len), u32::try_from(len)) else {
            return false;
        };
        if !copy(payload) {
            return false;
        }
        // INVARIANT: `len` bytes were just found to lie within the buffer.
        self.len = new_len;
        true
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_message)]
mod tests {
    use super::*;

    /// Lets the payload be `bytes`.
    fn fill(message: &mut Message, bytes: &[u8]) -> bool {
        message.fill(bytes.len(), |payload| {
            payload.copy_from_slice(bytes);
            true
        })
    }

    #[test]
    fn payload_keeps_to_its_length() -> Result {
        let mut message = Message::with_capacity(8)?;
        assert_eq!((message.capacity(), message.len()), (8, 0));
        assert_eq!(message.payload(), b"");

        assert!(fill(&mut message, b"hello"));
        assert_eq!((message.capacity(), message.len()), (8, 5));
        assert_eq!(message.payload(), b"hello");

        assert!(fill(&mut message, b"farewell"));
        assert_eq!(message.payload(), b"farewell");

        assert!(!fill(&mut message, b"too long!"));
        assert_eq!(message.payload(), b"");
        Ok(())
    }

    #[test]
    fn a_failed_copy_leaves_no_payload() -> Result {
        let mut message = Message::with_capacity(8)?;
        assert!(fill(&mut message, b"hello"));
        assert!(!message.fill(3, |payload| payload.len() != 3));
        assert_eq!(message.payload(), b"");
        Ok(())
    }

    #[test]
    fn record_starts_empty() -> Result {
        let message = Message::with_capacity(1)?;
        assert_eq!(message.record, Record::default());
        assert_eq!(message.record.seq, 0);
        Ok(())
    }
}
