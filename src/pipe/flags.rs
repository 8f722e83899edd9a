// SPDX-License-Identifier: GPL-2.0

//! Conditions that a call must handle beside the queue, in one word that the fast paths test.
//! Usually none is set.

use kernel::impl_flags;

impl_flags!(
    /// A set of conditions.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(super) struct Flags(u32);

    /// One condition.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Flag {
        /// The pipe is destroyed: every call fails with `ENODEV`.
        Dead = 1 << 0,
        /// Messages expire.
        Expires = 1 << 1,
        /// The trimmer is not queued.
        Untrimmed = 1 << 2,
        /// A poller is registered, or was lately: every message is announced to pollers.
        Polled = 1 << 3,
        /// The pipe was full while a poller was registered. Every free slot is announced to pollers
        /// until the queue is empty.
        WasFull = 1 << 4,
        /// A file is registered for signals: every change sends them.
        Signalled = 1 << 5,
        /// Readers may wait for a message, and the next message wakes one. Clear means that none
        /// waits or that a wakeup is in flight.
        ReadersWait = 1 << 6,
        /// Writers may wait for a slot, and the next free slot wakes one. Clear means that none
        /// waits or that a wakeup is in flight.
        WritersWait = 1 << 7,
        /// An open file keeps the rest of a message, which it reads before any other.
        Rests = 1 << 8,
        /// A dump is in progress: segments that leave the queue are kept for it.
        Dumping = 1 << 9,
        /// Messages were lost to overflow, and no message was delivered since. In a broadcast
        /// pipe, messages were lost, whenever.
        Lost = 1 << 10,
        /// An open file reads from a position of its own.
        Subscribed = 1 << 11,
        /// Readers of such files may wait for a message, and the next message wakes all of them.
        SubscribersWait = 1 << 12,
        /// Messages are delivered on trust, or were, and may come back.
        Leases = 1 << 13,
    }
);

impl Flags {
    /// Sets or clears a flag.
    #[inline]
    pub(super) fn set(&mut self, flag: Flag, on: bool) {
        if on {
            *self |= flag;
        } else {
            *self &= !flag;
        }
    }
}
