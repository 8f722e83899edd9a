// SPDX-License-Identifier: GPL-2.0

//! Messages that are lost to overflow.
//!
//! With a policy that drops, no write waits for a slot: it takes the place of the oldest message,
//! or is discarded. The next message that is delivered reports how many were lost since the one
//! before. [`Flag::Lost`] keeps reads off the fast paths until then, so that the fast paths need
//! not look at the number.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    overflow::Overflow,
    Flag,
    Pipe,
    State, //
};

/// What happens to a message that a write has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It gets a slot.
    Slot,
    /// It gets the slot of the oldest message, which is dropped.
    SlotOfOldest,
    /// It is discarded.
    Discarded,
    /// It waits for a slot.
    Waits,
}

impl State {
    /// Returns what happens now to a message of this priority that a write has.
    pub(super) fn admission(&self, priority: u32) -> Admission {
        if !self.queue.is_full() {
            return Admission::Slot;
        }
        match self.overflow {
            Overflow::Block => Admission::Waits,
            // Rests, which have left the queue, and messages on trust may hold all slots. Neither
            // can be dropped. All queued messages may be of higher priority.
            Overflow::DropOldest if self.queue.has_oldest_for(priority) => Admission::SlotOfOldest,
            Overflow::DropOldest | Overflow::DropNewest => Admission::Discarded,
        }
    }

    /// Tells the queue whether its overflow policy lets the history make room.
    pub(super) fn apply_overflow(&mut self) {
        self.queue
            .set_sheds_history(self.overflow == Overflow::DropOldest);
    }

    /// Returns whether a write has to wait for a slot.
    pub(super) fn must_wait(&self) -> bool {
        self.overflow == Overflow::Block && self.queue.is_full()
    }

    /// Counts a message as lost. Returns whether pollers must be told, as it is the first one since
    /// a message was delivered.
    ///
    /// A file that reads from a position of its own counts its own losses, and may have none to
    /// report yet.
    pub(super) fn lose(&mut self) -> bool {
        let mut is_first = self.flags.contains(Flag::Subscribed);
        if self.queue.fanout().is_none() {
            is_first |= !self.flags.contains(Flag::Lost);
            self.lost = self.lost.wrapping_add(1);
        }
        self.flags |= Flag::Lost;
        is_first && self.flags.contains(Flag::Polled)
    }

    /// Forgets the lost messages, as a message was delivered that reports them.
    #[inline]
    pub(super) fn report_lost(&mut self) {
        if self.flags.contains(Flag::Lost) {
            self.flags.set(Flag::Lost, false);
            self.lost = 0;
        }
    }
}

impl Pipe {
    /// Returns the overflow policy.
    pub(crate) fn overflow(&self) -> Overflow {
        self.state.lock().overflow
    }

    /// Changes the overflow policy, with immediate effect: writers that wait for a slot go on by
    /// the new policy.
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn set_overflow(this: &Arc<Self>, overflow: Overflow) -> Result {
        let mut state = this.state.lock();
        state.alive()?;
        let waited = state.must_wait();
        state.overflow = overflow;
        state.apply_overflow();
        let waits = state.must_wait();
        if waits {
            // Pollers that saw room may be registered.
            state.flags |= Flag::WasFull;
        }
        if waited && !waits {
            // One writer is woken and passes the baton, as for a slot: none has to wait.
            let all = state.queue.limits().max_msgs();
            this.announce_room(state, all.into());
        }
        Ok(())
    }
}
