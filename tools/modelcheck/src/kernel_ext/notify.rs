// SPDX-License-Identifier: GPL-2.0

//! Telling those who do not sleep in a call of the module: pollers.

use kernel::{model, sync::LockClassKey};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What `poll` may answer, as in `poll(2)`.
pub(crate) mod events {
    /// Reading will not wait.
    pub(crate) const IN: u32 = 1;

    /// Writing will not wait.
    pub(crate) const OUT: u32 = 2;

    /// The device is gone.
    pub(crate) const GONE: u32 = 4;
}

/// A task that polls.
struct Poller {
    task: usize,
    events: u32,
    told: bool,
}

/// Who is to be told that reading or writing has become possible.
pub(crate) struct Notifier(Mutex<Vec<Poller>>);

impl Notifier {
    /// Makes one that nobody is registered with.
    pub(crate) fn new(_name: &'static core::ffi::CStr, _key: LockClassKey) -> Self {
        Self(Mutex::default())
    }

    fn pollers(&self) -> MutexGuard<'_, Vec<Poller>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of something to read.
    pub(crate) fn readable(&self, _many: bool) {
        self.wake(events::IN);
    }

    /// Tells of room.
    pub(crate) fn writable(&self, _many: bool) {
        self.wake(events::OUT);
    }

    /// Tells of something to read by signals, which nobody has asked for.
    pub(crate) fn signal_readers(&self) {}

    /// Tells of room by signals, which nobody has asked for.
    pub(crate) fn signal_writers(&self) {}

    /// Whether nobody has asked for signals.
    pub(crate) fn is_unsignalled(&self) -> bool {
        true
    }

    /// Whether nobody polls. It is asked with the lock held, and so it is not a point at which
    /// others run.
    pub(crate) fn is_unpolled(&self) -> bool {
        self.pollers().is_empty()
    }

    /// Tells everybody that the device is gone.
    pub(crate) fn gone(&self) {
        self.wake(events::GONE | events::IN | events::OUT);
    }

    fn wake(&self, events: u32) {
        model::assert_unlocked("telling pollers");
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

    /// Does what `poll(2)` does for the current task: registers it, and sleeps until `poll` says
    /// that there is one of `events`.
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

    /// Whether the current task was told since it looked last.
    fn was_told(&self) -> bool {
        let mut pollers = self.pollers();
        let mine = pollers.iter_mut().find(|poller| poller.task == model::me());
        mine.is_some_and(|poller| core::mem::take(&mut poller.told))
    }
}
