// SPDX-License-Identifier: GPL-2.0

//! Spare message buffers, so that a pipe in use allocates nothing.

use crate::{
    limits::Limits,
    message::{
        MessageBox,
        Messages, //
    },
    uapi::MSG_SIZE_MAX, //
};

/// The smallest buffer is `1 << SMALLEST_SHIFT` bytes long.
const SMALLEST_SHIFT: u32 = 4;

/// The number of buffer sizes: every power of two from the smallest to the longest message.
const CLASSES: usize = (MSG_SIZE_MAX.ilog2() - SMALLEST_SHIFT + 1) as usize;

kernel::static_assert!(MSG_SIZE_MAX.is_power_of_two());

/// How many buffers one message displaces at most: the lock is held meanwhile.
const EVICTED_AT_ONCE: u32 = 4;

/// The class of buffers that suits a payload of `len` bytes, at most [`MSG_SIZE_MAX`].
fn class_of(len: usize) -> usize {
    let shift = len.max(1).next_power_of_two().ilog2();
    shift.saturating_sub(SMALLEST_SHIFT) as usize
}

/// The capacity of the buffer for a payload of `len` bytes, at most [`MSG_SIZE_MAX`].
pub(crate) fn capacity_for(len: usize) -> usize {
    1 << (class_of(len) as u32 + SMALLEST_SHIFT)
}

/// The bytes of spare buffers that a pipe may keep: those of a queue full of longest messages.
pub(crate) fn limit_for(limits: &Limits) -> u64 {
    // OVERFLOW: At most 2^20 times 2^16.
    capacity_for(limits.msg_size() as usize) as u64 * u64::from(limits.max_msgs())
}

/// Spare buffers by size, those used last on top as they are still in the cache.
pub(crate) struct Pool {
    classes: [Messages; CLASSES],
    bytes: u64,
}

impl Pool {
    /// Makes an empty pool.
    pub(crate) const fn new() -> Self {
        Self {
            classes: [const { Messages::new() }; CLASSES],
            bytes: 0,
        }
    }

    /// Takes a buffer that suits a payload of `len` bytes.
    pub(crate) fn take(&mut self, len: usize) -> Option<MessageBox> {
        let message = self.classes.get_mut(class_of(len))?.pop_front()?;
        self.bytes = self.bytes.saturating_sub(message.capacity() as u64);
        Some(message)
    }

    /// Keeps a buffer. If the pool would then hold more than `limit` bytes, buffers of other sizes give
    /// way to it, a few at a time; if that is not enough it is not kept.
    ///
    /// Returns what is not kept, to be freed when no lock is held any more.
    pub(crate) fn put(&mut self, message: MessageBox, limit: u64) -> Messages {
        let mut surplus = Messages::new();
        let own = class_of(message.capacity());
        let capacity = message.capacity() as u64;

        let mut fits = false;
        if let Some(others) = limit.checked_sub(capacity) {
            if self.bytes > others {
                self.evict(own, others, &mut surplus);
            }
            fits = self.bytes <= others;
        }
        match self.classes.get_mut(own) {
            Some(class) if fits => {
                self.bytes = self.bytes.saturating_add(capacity);
                class.push_front(message);
            }
            _ => surplus.push_back(message),
        }
        surplus
    }

    /// Moves buffers of other sizes than class `own` to `surplus` until the pool holds at most `limit`
    /// bytes, but not more than a few.
    fn evict(&mut self, own: usize, limit: u64, surplus: &mut Messages) {
        let mut left = EVICTED_AT_ONCE;
        for (index, class) in self.classes.iter_mut().enumerate() {
            while index != own && left > 0 && self.bytes > limit {
                let Some(message) = class.pop_front() else {
                    break;
                };
                self.bytes = self.bytes.saturating_sub(message.capacity() as u64);
                surplus.push_back(message);
                left -= 1;
            }
        }
    }

    /// Takes everything out, to be freed when no lock is held any more.
    pub(crate) fn drain(&mut self) -> Self {
        core::mem::replace(self, Self::new())
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_pool)]
mod tests {
    use super::*;
    use crate::message::Message;
    use kernel::prelude::*;

    #[test]
    fn capacity_is_the_next_power_of_two() {
        for (len, capacity) in [
            (0, 16),
            (1, 16),
            (16, 16),
            (17, 32),
            (255, 256),
            (256, 256),
            (257, 512),
            (MSG_SIZE_MAX as usize - 1, MSG_SIZE_MAX as usize),
            (MSG_SIZE_MAX as usize, MSG_SIZE_MAX as usize),
        ] {
            assert_eq!(capacity_for(len), capacity);
            assert!(class_of(len) < CLASSES);
        }
        assert_eq!(class_of(MSG_SIZE_MAX as usize), CLASSES - 1);
    }

    #[test]
    fn a_full_queue_fits() -> Result {
        for (msg_size, max_msgs, limit) in [(1, 1, 16), (256, 128, 32768), (300, 2, 1024)] {
            let limits = Limits::new(msg_size, max_msgs, u64::MAX).map_err(|_| EINVAL)?;
            assert_eq!(limit_for(&limits), limit);
        }
        Ok(())
    }

    /// Puts a buffer of `capacity` bytes into a pool, and returns the capacities of what was not kept.
    fn put(pool: &mut Pool, capacity: usize, limit: u64) -> Result<[usize; 6]> {
        let mut surplus = pool.put(Message::with_capacity(capacity)?, limit);
        let mut capacities = [0; 6];
        for slot in &mut capacities {
            *slot = surplus.pop_front().map_or(0, |message| message.capacity());
        }
        Ok(capacities)
    }

    #[test]
    fn gives_back_what_suits() -> Result {
        let mut pool = Pool::new();
        assert_eq!(put(&mut pool, 16, 1024)?, [0; 6]);
        assert_eq!(put(&mut pool, 64, 1024)?, [0; 6]);

        assert!(pool.take(17).is_none());
        assert!(pool.take(65).is_none());
        assert_eq!(pool.take(33).map(|m| m.capacity()), Some(64));
        assert!(pool.take(33).is_none());
        assert_eq!(pool.take(1).map(|m| m.capacity()), Some(16));
        assert_eq!(pool.bytes, 0);
        Ok(())
    }

    #[test]
    fn holds_no_more_than_its_limit() -> Result {
        let mut pool = Pool::new();
        assert_eq!(put(&mut pool, 64, 127)?, [0; 6]);
        assert_eq!(put(&mut pool, 64, 127)?, [64, 0, 0, 0, 0, 0]);
        assert_eq!(put(&mut pool, 64, 128)?, [0; 6]);
        assert_eq!(pool.bytes, 128);
        // What can never fit displaces nothing.
        assert_eq!(put(&mut pool, 256, 128)?, [256, 0, 0, 0, 0, 0]);
        assert_eq!(pool.bytes, 128);

        assert_eq!(put(&mut pool, 32, 128)?, [64, 0, 0, 0, 0, 0]);
        let drained = pool.drain();
        assert_eq!((pool.bytes, drained.bytes), (0, 96));
        assert!(pool.take(64).is_none());
        Ok(())
    }

    #[test]
    fn other_sizes_give_way_a_few_at_a_time() -> Result {
        let mut pool = Pool::new();
        for _ in 0..8 {
            assert_eq!(put(&mut pool, 16, 128)?, [0; 6]);
        }
        // Four of sixteen make room for one of sixty-four, not for one of more.
        assert_eq!(put(&mut pool, 64, 128)?, [16, 16, 16, 16, 0, 0]);
        assert_eq!(pool.bytes, 128);
        assert_eq!(pool.take(64).map(|m| m.capacity()), Some(64));
        assert_eq!(put(&mut pool, 128, 128)?, [16, 16, 16, 16, 0, 0]);
        assert_eq!(pool.bytes, 128);
        assert_eq!(pool.take(128).map(|m| m.capacity()), Some(128));
        assert_eq!(pool.bytes, 0);
        Ok(())
    }
}
