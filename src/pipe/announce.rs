// SPDX-License-Identifier: GPL-2.0

//! Announcing messages and free slots: waking waiters, notifying pollers, sending signals.
//!
//! Waiters are chosen with the lock held and woken after its release, as they need the lock. In the
//! common case there is nothing to announce, and the test of a few flags is all the cost.

use kernel::sync::Arc;

use super::{
    flags::Flags,
    overflow::Overflow,
    Flag,
    Pipe,
    State, //
};
use crate::kernel_ext::sync::lock::StateGuard;

impl Pipe {
    /// Releases the lock after `added` messages were added, and announces them: wakes a reader,
    /// notifies pollers, and sends signals. Queues the sweeper and the trimmer if needed.
    #[inline]
    pub(super) fn announce_messages(self: &Arc<Self>, state: StateGuard<'_, State>, added: u64) {
        let rarely = Flag::Expires | Flag::Untrimmed | Flag::Signalled | Flag::ReadersWait;
        if state
            .flags
            .contains_any(rarely | Flag::SubscribersWait | Flag::Polled)
        {
            if state.flags.contains_any(rarely | Flag::SubscribersWait) {
                self.announce_messages_to_all(state, added);
            } else {
                self.announce_messages_to_pollers(state, added);
            }
        }
    }

    /// Slow path of [`Pipe::announce_messages`]: queues the works and wakes a reader, notifies
    /// pollers and sends signals as the flags say.
    #[inline(never)]
    fn announce_messages_to_all(self: &Arc<Self>, mut state: StateGuard<'_, State>, added: u64) {
        self.arm_sweeper(&mut state);
        self.arm_trimmer(&mut state);
        let reader = self.readers.take_next(&mut state);
        let flags = state.flags;
        if flags.contains(Flag::Polled) {
            self.announce_messages_to_pollers(state, added);
        } else {
            drop(state);
        }
        if let Some(reader) = reader {
            reader.wake_up();
        }
        if flags.contains_any(Flag::SubscribersWait | Flag::Signalled) {
            self.announce_messages_to_subscribers(flags);
        }
    }

    /// Wakes all readers of files that read from a position of their own, and sends signals, as
    /// `flags` says.
    #[cold]
    #[inline(never)]
    fn announce_messages_to_subscribers(&self, flags: Flags) {
        if flags.contains(Flag::SubscribersWait) {
            self.subscribers.wake_all(&self.state);
        }
        if flags.contains(Flag::Signalled) {
            self.notifier.signal_readers();
        }
    }

    /// Releases the lock and notifies pollers of `added` messages. If no poller is registered,
    /// clears the flag instead. That misses no poller: each sets the flag with the lock held, after
    /// it has registered.
    #[inline(never)]
    fn announce_messages_to_pollers(&self, mut state: StateGuard<'_, State>, added: u64) {
        if self.notifier.is_unpolled() {
            state.flags.set(Flag::Polled, false);
        } else {
            if state.must_wait() {
                state.flags.set(Flag::WasFull, true);
            }
            drop(state);
            self.notifier.readable(added > 1);
        }
    }

    /// Releases the lock after `freed` slots became free, and announces them: wakes a writer,
    /// notifies pollers, and sends signals. Queues the trimmer if needed.
    #[inline]
    pub(super) fn announce_room(self: &Arc<Self>, state: StateGuard<'_, State>, freed: u64) {
        let rarely = Flag::Untrimmed | Flag::WasFull | Flag::Signalled | Flag::WritersWait;
        if freed > 0 && state.flags.contains_any(rarely) {
            self.announce_room_to_all(state, freed);
        }
    }

    /// Slow path of [`Pipe::announce_room`]: queues the trimmer and wakes a writer, notifies
    /// pollers and sends signals as the flags say.
    #[inline(never)]
    fn announce_room_to_all(self: &Arc<Self>, mut state: StateGuard<'_, State>, freed: u64) {
        self.arm_trimmer(&mut state);
        let writer = self.writers.take_next(&mut state);
        let polled = state.flags.contains(Flag::WasFull) && !self.notifier.is_unpolled();
        // Clearing the flag misses no poller: one that registers later checks for room itself. With
        // a policy that drops, there is always room.
        let is_drained = state.queue.depth().msgs == 0;
        if !polled || is_drained || state.overflow != Overflow::Block {
            state.flags.set(Flag::WasFull, false);
        }
        let signalled = state.flags.contains(Flag::Signalled);
        drop(state);
        if let Some(writer) = writer {
            writer.wake_up();
        }
        if polled {
            self.notifier.writable(freed > 1);
        }
        if signalled {
            self.notifier.signal_writers();
        }
    }

    /// Announces that the pipe is destroyed to all waiters, pollers, and files that want signals.
    pub(super) fn announce_end(&self) {
        self.readers.wake_all(&self.state);
        self.subscribers.wake_all(&self.state);
        self.writers.wake_all(&self.state);
        self.turns.notify_all();
        self.notifier.gone();
    }
}
