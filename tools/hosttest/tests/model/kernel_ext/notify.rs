// SPDX-License-Identifier: GPL-2.0

//! Notification of pollers. No process asks for `SIGIO` here.

use kernel::{model, sync::LockClassKey};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Event masks that a poll function returns, as in `poll(2)`.
pub(crate) mod events {
    /// Reading does not block.
    pub(crate) const IN: u32 = 1;

    /// Writing does not block.
    pub(crate) const OUT: u32 = 2;

    /// The device was removed.
    pub(crate) const GONE: u32 = 4;

    /// All writers have gone.
    pub(crate) const HUNG_UP: u32 = 16;

    /// Messages were lost.
    pub(crate) const LOST: u32 = 8;
}

/// A task that polls.
struct Poller {
    task: usize,
    events: u32,
    /// An event has occurred since the task last checked.
    told: bool,
}

/// Tasks that are notified of events.
pub(crate) struct Notifier(Mutex<Vec<Poller>>);

impl Notifier {
    /// Makes a notifier without pollers.
    pub(crate) fn new(_name: &'static core::ffi::CStr, _key: LockClassKey) -> Self {
        Self(Mutex::default())
    }

    fn pollers(&self) -> MutexGuard<'_, Vec<Poller>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes pollers that wait for a message to read.
    pub(crate) fn readable(&self, _many: bool) {
        self.wake(events::IN);
    }

    /// Wakes pollers that wait for room to write.
    pub(crate) fn writable(&self, _many: bool) {
        self.wake(events::OUT);
    }

    /// Wakes pollers that wait to learn that messages were lost.
    pub(crate) fn lost(&self) {
        self.wake(events::LOST);
    }

    /// Tells pollers that all writers have gone.
    pub(crate) fn hung_up(&self) {
        self.wake(events::HUNG_UP | events::IN);
    }

    /// Sends `SIGIO` for a message, for which no process has asked.
    pub(crate) fn signal_readers(&self) {}

    /// Sends `SIGIO` for room, for which no process has asked.
    pub(crate) fn signal_writers(&self) {}

    /// Returns whether no process has asked for signals.
    pub(crate) fn is_unsignalled(&self) -> bool {
        true
    }

    /// Returns whether there are no pollers. The caller holds the lock, so no other task runs before
    /// this step.
    pub(crate) fn is_unpolled(&self) -> bool {
        self.pollers().is_empty()
    }

    /// Wakes all pollers, as the device was removed.
    pub(crate) fn gone(&self) {
        self.wake(events::GONE | events::IN | events::OUT);
    }

    fn wake(&self, events: u32) {
        model::assert_unlocked("waking pollers");
        model::point();
        let mut told = Vec::new();
        for poller in &mut *self.pollers() {
            if poller.events & events != 0 && !poller.told {
                poller.told = true;
                told.push(poller.task);
            }
        }
        told.into_iter().for_each(model::unblock);
    }

    /// Registers the current task as a poller, and sleeps until `poll` returns one of `events`, like
    /// `poll(2)`.
    pub(crate) fn poll(&self, events: u32, poll: impl Fn() -> u32) -> u32 {
        model::point();
        self.pollers().push(Poller {
            task: model::me(),
            events: events | events::GONE,
            told: false,
        });
        loop {
            let answer = poll() & (events | events::GONE);
            if answer != 0 {
                self.pollers().retain(|poller| poller.task != model::me());
                return answer;
            }
            while !self.was_told() {
                model::block();
            }
        }
    }

    /// Returns whether an event has occurred since the current task last checked.
    fn was_told(&self) -> bool {
        let mut pollers = self.pollers();
        let mine = pollers.iter_mut().find(|poller| poller.task == model::me());
        mine.is_some_and(|poller| core::mem::take(&mut poller.told))
    }
}
