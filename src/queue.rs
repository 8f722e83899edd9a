// SPDX-License-Identifier: GPL-2.0

//! The bounded queue of a pipe and its accounting.
//!
//! Pure data: nothing here sleeps, allocates or frees, so that all of it may be called with the
//! pipe's lock held. What is to be freed is handed to the caller.

use crate::{
    limits::Limits,
    message::{
        Message,
        MessageBox,
        Messages,
        Stamp, //
    },
    stats::Account, //
};

/// A bounded first-in-first-out queue of messages.
pub(crate) struct Queue {
    limits: Limits,
    /// Oldest first, ordered by sequence number.
    messages: Messages,
    account: Account,
    /// Sequence number of the message that was accepted last.
    last_seq: u64,
}

impl Queue {
    /// Makes an empty queue.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            messages: Messages::new(),
            account: Account::default(),
            last_seq: 0,
        }
    }

    /// What the queue may hold.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Where the messages have gone.
    pub(crate) fn account(&self) -> Account {
        self.account
    }

    /// Returns whether no message can be accepted.
    pub(crate) fn is_full(&self) -> bool {
        self.account.depth.msgs >= u64::from(self.limits.max_msgs())
    }

    /// Returns whether no message can be delivered.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The message to be delivered next.
    pub(crate) fn front(&self) -> Option<&Message> {
        self.messages.front()
    }

    /// Accepts a message at `stamp`, gives it its sequence number, and puts it at the end.
    ///
    /// The message comes back if the queue is full.
    pub(crate) fn push(&mut self, mut message: MessageBox, stamp: Stamp) -> Result<(), MessageBox> {
        if self.is_full() {
            return Err(message);
        }
        // Takes five centuries to wrap at a message a nanosecond.
        self.last_seq = self.last_seq.wrapping_add(1);
        message.record.seq = self.last_seq;
        message.record.stamp = stamp;
        self.account.arrive(message.len());
        self.messages.push_back(message);
        Ok(())
    }

    /// Delivers the oldest message.
    pub(crate) fn pop(&mut self) -> Option<MessageBox> {
        let message = self.messages.pop_front()?;
        self.account.deliver(message.len());
        Some(message)
    }

    /// Drops every queued message.
    pub(crate) fn clear(&mut self) -> Messages {
        self.account.drop_all();
        self.messages.take()
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_queue)]
mod tests {
    use super::*;
    use crate::stats::Tally;
    use kernel::prelude::*;

    fn queue(max_msgs: u32) -> Result<Queue> {
        let limits = Limits::new(16, max_msgs, u64::MAX).map_err(|_| EINVAL)?;
        Ok(Queue::new(limits))
    }

    fn message(payload: &[u8]) -> Result<MessageBox> {
        let mut message = Message::with_capacity(16)?;
        message.fill(payload.len(), |bytes| {
            bytes.copy_from_slice(payload);
            true
        });
        Ok(message)
    }

    fn push(queue: &mut Queue, payload: &[u8]) -> Result {
        queue
            .push(message(payload)?, Stamp::default())
            .map_err(|_| EAGAIN)
    }

    fn tally(msgs: u64, bytes: u64) -> Tally {
        Tally { msgs, bytes }
    }

    /// The identity that holds whenever the queue can be seen from outside.
    fn check(queue: &Queue) {
        let account = queue.account();
        let mut gone = account.depth;
        gone.merge(account.dequeued);
        gone.merge(account.dropped);
        assert_eq!(account.enqueued, gone);
    }

    #[test]
    fn delivers_in_order() -> Result {
        let mut queue = queue(3)?;
        assert!(queue.is_empty());
        push(&mut queue, b"one")?;
        push(&mut queue, b"three")?;
        assert_eq!(queue.front().map(Message::payload), Some(&b"one"[..]));
        assert_eq!(queue.account().depth, tally(2, 8));
        check(&queue);

        let first = queue.pop().ok_or(ENOENT)?;
        assert_eq!((first.payload(), first.record.seq), (&b"one"[..], 1));
        let second = queue.pop().ok_or(ENOENT)?;
        assert_eq!((second.payload(), second.record.seq), (&b"three"[..], 2));
        assert!(queue.pop().is_none());
        assert_eq!(queue.account().dequeued, tally(2, 8));
        assert_eq!(queue.account().peak, tally(2, 8));
        check(&queue);
        Ok(())
    }

    #[test]
    fn stops_at_its_limit() -> Result {
        let mut queue = queue(2)?;
        push(&mut queue, b"a")?;
        assert!(!queue.is_full());
        push(&mut queue, b"b")?;
        assert!(queue.is_full());

        let refused = queue.push(message(b"c")?, Stamp::default());
        assert_eq!(refused.err().map(|m| m.len()), Some(1));
        assert_eq!(queue.account().enqueued, tally(2, 2));
        check(&queue);

        queue.pop().ok_or(ENOENT)?;
        assert!(!queue.is_full());
        push(&mut queue, b"c")?;
        assert_eq!(queue.front().map(|m| m.record.seq), Some(2));
        Ok(())
    }

    #[test]
    fn clearing_drops_everything() -> Result {
        let mut queue = queue(4)?;
        push(&mut queue, b"aa")?;
        push(&mut queue, b"bbb")?;
        let mut gone = queue.clear();
        assert_eq!(gone.pop_front().map(|m| m.record.seq), Some(1));
        assert_eq!(gone.pop_front().map(|m| m.record.seq), Some(2));
        assert!(gone.is_empty());
        assert!(queue.is_empty());
        assert_eq!(queue.account().dropped, tally(2, 5));
        check(&queue);

        // The sequence goes on.
        push(&mut queue, b"c")?;
        assert_eq!(queue.front().map(|m| m.record.seq), Some(3));
        assert!(queue.clear().pop_front().is_some());
        assert!(queue.clear().is_empty());
        check(&queue);
        Ok(())
    }
}
