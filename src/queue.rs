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
    stats::{
        Account,
        Tally, //
    },
};

/// A bounded first-in-first-out queue of messages.
pub(crate) struct Queue {
    limits: Limits,
    /// Oldest first, ordered by sequence number.
    messages: Messages,
    /// Messages that a reader is copying out. They still count as queued and keep their slots.
    held: Tally,
    account: Account,
    /// Sequence number of the message that was accepted last.
    last_seq: u64,
    /// Held messages up to this sequence number were cleared meanwhile.
    cleared_seq: u64,
}

impl Queue {
    /// Makes an empty queue.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            messages: Messages::new(),
            held: Tally::default(),
            account: Account::default(),
            last_seq: 0,
            cleared_seq: 0,
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

    /// Lends the oldest message to a reader that copies it out without the lock.
    ///
    /// To be followed by [`Queue::deliver_held`] or [`Queue::restore_held`].
    pub(crate) fn hold(&mut self) -> Option<MessageBox> {
        let message = self.messages.pop_front()?;
        self.held.add(message.len());
        Some(message)
    }

    /// Counts a held message as delivered; its slot becomes free.
    pub(crate) fn deliver_held(&mut self, message: &Message) {
        self.held.sub(message.len());
        self.account.deliver(message.len());
    }

    /// Puts a held message back into its place.
    ///
    /// It comes back, and counts as dropped, if the queue was cleared meanwhile.
    pub(crate) fn restore_held(&mut self, message: MessageBox) -> Option<MessageBox> {
        let seq = message.record.seq;
        self.held.sub(message.len());
        if seq <= self.cleared_seq {
            self.account.drop_one(message.len());
            return Some(message);
        }
        self.messages
            .insert_before(message, |other| other.record.seq > seq);
        None
    }

    /// Drops every queued message; a held one is dropped when it comes back.
    pub(crate) fn clear(&mut self) -> Messages {
        let gone = Tally {
            msgs: self.account.depth.msgs.wrapping_sub(self.held.msgs),
            bytes: self.account.depth.bytes.wrapping_sub(self.held.bytes),
        };
        self.account.dropped.merge(gone);
        self.account.depth = self.held;
        self.cleared_seq = self.last_seq;
        self.messages.take()
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_queue)]
mod tests {
    use super::*;
    use kernel::prelude::*;

    fn queue(max_msgs: u32) -> Result<Queue> {
        let limits = Limits::new(16, max_msgs, u64::MAX).map_err(|_| EINVAL)?;
        Ok(Queue::new(limits))
    }

    fn message(payload: &[u8]) -> Result<MessageBox> {
        let mut message = Message::with_capacity(16)?;
        message.resize(payload.len())?.copy_from_slice(payload);
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
    fn held_message_keeps_its_slot() -> Result {
        let mut queue = queue(1)?;
        push(&mut queue, b"held")?;
        let held = queue.hold().ok_or(ENOENT)?;
        assert!(queue.is_empty());
        assert!(queue.is_full());
        assert_eq!(queue.account().depth, tally(1, 4));
        check(&queue);

        queue.deliver_held(&held);
        assert!(!queue.is_full());
        assert_eq!(queue.account().depth, tally(0, 0));
        assert_eq!(queue.account().dequeued, tally(1, 4));
        check(&queue);
        Ok(())
    }

    #[test]
    fn restored_messages_return_to_their_places() -> Result {
        let mut queue = queue(4)?;
        for payload in [b"1", b"2", b"3", b"4"] {
            push(&mut queue, payload)?;
        }
        let first = queue.hold().ok_or(ENOENT)?;
        let second = queue.hold().ok_or(ENOENT)?;
        let third = queue.hold().ok_or(ENOENT)?;
        assert!(queue.restore_held(second).is_none());
        queue.deliver_held(&third);
        assert!(queue.restore_held(first).is_none());
        check(&queue);

        for expected in [b"1", b"2", b"4"] {
            let message = queue.pop().ok_or(ENOENT)?;
            assert_eq!(message.payload(), expected);
        }
        assert!(queue.is_empty());
        assert_eq!(queue.account().dequeued, tally(4, 4));
        check(&queue);
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

    #[test]
    fn clearing_reaches_a_held_message_that_comes_back() -> Result {
        let mut queue = queue(4)?;
        push(&mut queue, b"held")?;
        push(&mut queue, b"queued")?;
        let held = queue.hold().ok_or(ENOENT)?;
        assert!(queue.clear().pop_front().is_some());
        assert_eq!(queue.account().depth, tally(1, 4));
        assert_eq!(queue.account().dropped, tally(1, 6));
        push(&mut queue, b"new")?;

        assert!(queue.restore_held(held).is_some());
        assert_eq!(queue.account().dropped, tally(2, 10));
        assert_eq!(queue.front().map(Message::payload), Some(&b"new"[..]));
        check(&queue);
        Ok(())
    }

    #[test]
    fn a_held_message_may_be_delivered_after_a_clear() -> Result {
        let mut queue = queue(2)?;
        push(&mut queue, b"held")?;
        let held = queue.hold().ok_or(ENOENT)?;
        assert!(queue.clear().is_empty());
        queue.deliver_held(&held);
        assert_eq!(queue.account().dropped, tally(0, 0));
        assert_eq!(queue.account().dequeued, tally(1, 4));
        assert_eq!(queue.account().depth, tally(0, 0));
        check(&queue);
        Ok(())
    }
}
