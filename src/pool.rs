// SPDX-License-Identifier: GPL-2.0

//! Spare message buffers, so that a pipe in use allocates nothing.

use crate::{
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

/// The class of buffers that suits a payload of `len` bytes, at most [`MSG_SIZE_MAX`].
fn class_of(len: usize) -> usize {
    let shift = len.max(1).next_power_of_two().ilog2();
    shift.saturating_sub(SMALLEST_SHIFT) as usize
}

/// The capacity of the buffer for a payload of `len` bytes, at most [`MSG_SIZE_MAX`].
pub(crate) fn capacity_for(len: usize) -> usize {
    1 << (class_of(len) as u32 + SMALLEST_SHIFT)
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

    /// Keeps a buffer, unless the pool would then hold more than `limit` bytes.
    ///
    /// A buffer that is not kept is returned, to be freed when no lock is held any more.
    pub(crate) fn put(&mut self, message: MessageBox, limit: u64) -> Option<MessageBox> {
        let bytes = self.bytes.saturating_add(message.capacity() as u64);
        if bytes > limit {
            return Some(message);
        }
        let Some(class) = self.classes.get_mut(class_of(message.capacity())) else {
            return Some(message);
        };
        self.bytes = bytes;
        class.push_front(message);
        None
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
    fn gives_back_what_suits() -> Result {
        let mut pool = Pool::new();
        assert!(pool.put(Message::with_capacity(16)?, 1024).is_none());
        assert!(pool.put(Message::with_capacity(64)?, 1024).is_none());

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
        assert!(pool.put(Message::with_capacity(64)?, 127).is_none());
        assert!(pool.put(Message::with_capacity(64)?, 127).is_some());
        assert!(pool.put(Message::with_capacity(64)?, 128).is_none());
        assert_eq!(pool.bytes, 128);

        let drained = pool.drain();
        assert_eq!((pool.bytes, drained.bytes), (0, 128));
        assert!(pool.take(64).is_none());
        Ok(())
    }
}
