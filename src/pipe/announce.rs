// SPDX-License-Identifier: GPL-2.0

//! Telling of messages and of room: waking who sleeps, and telling who polls or wants signals.
//!
//! All of it is decided with the lock held and done when it is released, so that nobody is woken
//! who would have to wait for the lock. Nearly always there is nobody to tell.

use kernel::sync::Arc;

use super::{
    Flag,
    Pipe,
    State, //
};
use crate::kernel_ext::lock::StateGuard;

impl Pipe {
    /// Ends the adding of `added` messages: releases the lock, wakes a reader, and tells pollers
    /// and those who want signals. Sees to it that they expire and that memory is given back when
    /// the time comes.
    #[inline]
    pub(super) fn announce_messages(self: &Arc<Self>, state: StateGuard<'_, State>, added: u64) {
        let rarely = Flag::Expires | Flag::Untrimmed | Flag::Signalled | Flag::ReadersSleep;
        if state.flags.contains_any(rarely | Flag::Polled) {
            if state.flags.contains_any(rarely) {
                self.announce_messages_to_all(state, added);
            } else {
                self.announce_messages_to_pollers(state, added);
            }
        }
    }

    /// Likewise, whatever there is to do.
    #[inline(never)]
    fn announce_messages_to_all(self: &Arc<Self>, mut state: StateGuard<'_, State>, added: u64) {
        self.arm_sweeper(&mut state);
        self.arm_trimmer(&mut state);
        let reader = self.readers.choose(&mut state);
        let signalled = state.flags.contains(Flag::Signalled);
        if state.flags.contains(Flag::Polled) {
            self.announce_messages_to_pollers(state, added);
        } else {
            drop(state);
        }
        if let Some(reader) = reader {
            reader.wake_up();
        }
        if signalled {
            self.notifier.signal_readers();
        }
    }

    /// Releases the lock and tells pollers of `added` messages. Notes that there are none any more
    /// if so: they set the flag, with the lock held, after they have registered.
    #[inline(never)]
    fn announce_messages_to_pollers(&self, mut state: StateGuard<'_, State>, added: u64) {
        if self.notifier.is_unpolled() {
            state.flags.set(Flag::Polled, false);
        } else {
            if state.queue.is_full() {
                state.flags.set(Flag::WasFull, true);
            }
            drop(state);
            self.notifier.readable(added > 1);
        }
    }

    /// Ends the removal of `freed` messages: releases the lock, wakes a writer, and tells pollers
    /// and those who want signals. Sees to it that the memory is given back when the time comes.
    #[inline]
    pub(super) fn announce_room(self: &Arc<Self>, state: StateGuard<'_, State>, freed: u64) {
        let rarely = Flag::Untrimmed | Flag::WasFull | Flag::Signalled | Flag::WritersSleep;
        if freed > 0 && state.flags.contains_any(rarely) {
            self.announce_room_to_all(state, freed);
        }
    }

    /// Likewise, whatever there is to do.
    #[inline(never)]
    fn announce_room_to_all(self: &Arc<Self>, mut state: StateGuard<'_, State>, freed: u64) {
        self.arm_trimmer(&mut state);
        let writer = self.writers.choose(&mut state);
        let polled = state.flags.contains(Flag::WasFull) && !self.notifier.is_unpolled();
        // Whoever polls later asks first.
        if !polled || state.queue.is_empty() {
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

    /// Tells everybody that the pipe is destroyed.
    pub(super) fn announce_end(&self) {
        self.readers.wake_all(&self.state);
        self.writers.wake_all(&self.state);
        self.turns.notify_all();
        self.notifier.gone();
    }
}
