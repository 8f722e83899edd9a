// SPDX-License-Identifier: GPL-2.0

//! What a call has to look after beside the queue, in one word: nearly always nothing.

use kernel::impl_flags;

impl_flags!(
    /// What is to be looked after.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(super) struct Flags(u32);

    /// One thing that is to be looked after.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Flag {
        /// The pipe is destroyed: every call fails with `ENODEV`.
        Dead = 1 << 0,
        /// Messages expire.
        Expires = 1 << 1,
        /// The work that gives memory back is not queued.
        Untrimmed = 1 << 2,
        /// Somebody polls, or did so lately: every message is announced to pollers.
        Polled = 1 << 3,
        /// The pipe was full while somebody polled: until it is empty every slot that becomes free
        /// is announced to pollers.
        WasFull = 1 << 4,
        /// Somebody has asked for signals: every change is announced by them.
        Signalled = 1 << 5,
        /// Tasks are in line because there is no message, and none of them has been chosen who has
        /// yet to come; or so it was: it may stay when they have left by themselves.
        ReadersSleep = 1 << 6,
        /// Tasks are in line because there is no room, likewise.
        WritersSleep = 1 << 7,
        /// An open file keeps the rest of a message, which it reads before any other.
        Rests = 1 << 8,
        /// A task copies all messages: what leaves the queue is kept for it.
        Dumping = 1 << 9,
        /// An open file reads records.
        Records = 1 << 10,
    }
);

impl Flags {
    /// Sets or clears one.
    #[inline]
    pub(super) fn set(&mut self, flag: Flag, on: bool) {
        if on {
            *self |= flag;
        } else {
            *self &= !flag;
        }
    }
}
