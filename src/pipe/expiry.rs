// SPDX-License-Identifier: GPL-2.0

//! Messages that grow too old, and the sweeper that removes them.
//!
//! An expired message is never delivered: whoever looks for one removes the expired ones first. The
//! sweeper is there so that they go even if nobody looks. It is queued only while there are
//! messages.

use core::mem;
use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        msecs_to_jiffies,
        Jiffies, //
    },
    workqueue::WorkItem, //
};

use super::{
    work_id,
    Flag,
    Pipe,
    State, //
};
use crate::{
    kernel_ext::{
        clock,
        lock::StateGuard,
        work, //
    },
    uapi::{
        FLUSH_EXPIRY_DEFAULT,
        FLUSH_INTERVAL_DEFAULT, //
    },
};

/// How many messages are removed in one lock section at most.
const BATCH: u32 = 64;

/// Nanoseconds in a millisecond.
const NSEC_PER_MSEC: u64 = 1_000_000;

/// The longest delay that the sweeper is queued with, in milliseconds: one that every kernel takes.
/// It may run in vain then.
const DELAY_MAX: u64 = (i32::MAX / 2) as u64;

/// Whether and when messages expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expiry {
    /// They do.
    pub(crate) enabled: bool,
    /// How often the sweeper looks, in milliseconds.
    pub(crate) interval_ms: u32,
    /// How old a message may grow, in milliseconds.
    pub(crate) expiry_ms: u32,
}

impl Expiry {
    /// They do not.
    pub(crate) const fn off() -> Self {
        Self::new(false, 0, 0)
    }

    /// The times are in milliseconds; zero stands for the default.
    pub(crate) const fn new(enabled: bool, interval_ms: u32, expiry_ms: u32) -> Self {
        let mut this = Self {
            enabled,
            interval_ms,
            expiry_ms,
        };
        if interval_ms == 0 {
            this.interval_ms = FLUSH_INTERVAL_DEFAULT;
        }
        if expiry_ms == 0 {
            this.expiry_ms = FLUSH_EXPIRY_DEFAULT;
        }
        this
    }

    /// The time at which a message must have been enqueued to expire `now`, both in nanoseconds of
    /// `CLOCK_MONOTONIC`; none if nothing can have expired.
    fn cutoff(&self, now: u64) -> Option<u64> {
        if !self.enabled {
            return None;
        }
        now.checked_sub(u64::from(self.expiry_ms) * NSEC_PER_MSEC)
    }
}

impl State {
    /// Whether the oldest message has expired.
    #[inline]
    pub(super) fn front_expired(&self) -> bool {
        self.flags.contains(Flag::Expires) && self.front_expired_at(clock::monotonic())
    }

    /// Whether the oldest message has expired by `now`.
    fn front_expired_at(&self, now: u64) -> bool {
        match (self.queue.front(), self.expiry.cutoff(now)) {
            (Some(record), Some(cutoff)) => record.stamp.monotonic <= cutoff,
            _ => false,
        }
    }

    /// When the sweeper is to run next: after its interval, but not before there is something to
    /// do; not at all if there will be nothing.
    fn next_sweep(&self, now: u64) -> Option<Jiffies> {
        if !self.expiry.enabled || self.is_dead() {
            return None;
        }
        let record = self.queue.front()?;
        let age = now.saturating_sub(record.stamp.monotonic) / NSEC_PER_MSEC;
        // One more, as the age was rounded down.
        let left = (u64::from(self.expiry.expiry_ms) + 1).saturating_sub(age);
        let delay = left.max(self.expiry.interval_ms.into()).min(DELAY_MAX);
        Some(msecs_to_jiffies(delay as u32))
    }
}

impl Pipe {
    /// Takes the lock when no expired message is left in the queue.
    #[inline]
    pub(super) fn lock_fresh(self: &Arc<Self>) -> StateGuard<'_, State> {
        let state = self.state.lock();
        if state.flags.contains(Flag::Expires) {
            self.freshen(state)
        } else {
            state
        }
    }

    /// Releases the lock as often as it takes, and returns with it held when no expired message is
    /// left in the queue.
    pub(super) fn freshen<'a>(
        self: &'a Arc<Self>,
        mut state: StateGuard<'a, State>,
    ) -> StateGuard<'a, State> {
        loop {
            match self.expire(&mut state, clock::monotonic()) {
                0 => return state,
                freed => self.announce_room(state, freed.into()),
            }
            state = self.state.lock();
        }
    }

    /// Removes a batch of messages that have expired by `now`, and says how many. They must be
    /// announced as room. The log tells of them when the sweeper runs next, which is queued, as
    /// there were messages: with a line for each caller who finds some anybody could fill the log.
    fn expire(&self, state: &mut State, now: u64) -> u32 {
        let Some(cutoff) = state.expiry.cutoff(now) else {
            return 0;
        };
        let freed = state.queue.expire(cutoff, BATCH);
        state.untold = state.untold.wrapping_add(freed.into());
        freed
    }

    /// Tells the log of messages that have expired, `count` many.
    pub(super) fn tell_expired(&self, count: u64) {
        if count > 0 {
            pr_info!("kmsgpipe{}: cleaned {} msgs\n", self.id, count);
        }
    }

    /// Changes whether and when messages expire, as `change` says; that takes effect at once.
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn set_expiry(this: &Arc<Self>, change: impl FnOnce(Expiry) -> Expiry) -> Result {
        let mut state = this.state.lock();
        state.alive()?;
        state.expiry = change(state.expiry);
        let expires = state.expiry.enabled;
        state.flags.set(Flag::Expires, expires);
        let stale = work::cancel::<Self, { work_id::SWEEP }>(this);
        state.sweeping = false;
        this.arm_sweeper(&mut state);
        // The sweeper that would tell of them may have been called off.
        let untold = mem::take(&mut state.untold);
        drop(state);
        drop(stale);
        this.tell_expired(untold);
        Ok(())
    }

    /// Queues the sweeper if it should be and is not.
    #[inline]
    pub(super) fn arm_sweeper(self: &Arc<Self>, state: &mut State) {
        if state.flags.contains(Flag::Expires) && !state.sweeping {
            self.requeue_sweeper(state);
        }
    }

    /// Queues the sweeper, which is not, for the next time that there is something to do. That
    /// happens with the lock held, so that it is queued as the settings in force want it.
    fn requeue_sweeper(self: &Arc<Self>, state: &mut State) {
        let delay = state.next_sweep(clock::monotonic());
        state.sweeping = delay.is_some();
        if let Some(delay) = delay {
            let queue = work::queue();
            let _ = queue.enqueue_delayed::<_, { work_id::SWEEP }>(self.clone(), delay);
        }
    }
}

impl WorkItem<{ work_id::SWEEP }> for Pipe {
    type Pointer = Arc<Self>;

    /// Sweeps once: removes what has expired by the time it begins, batch by batch, and tells the
    /// log of all that has been removed since the last time, by whomever.
    fn run(this: Arc<Self>) {
        let now = clock::monotonic();
        let untold = loop {
            let mut state = this.state.lock();
            let freed = u64::from(this.expire(&mut state, now));
            if state.front_expired_at(now) {
                this.announce_room(state, freed);
                continue;
            }
            this.requeue_sweeper(&mut state);
            let untold = mem::take(&mut state.untold);
            this.announce_room(state, freed);
            break untold;
        };
        this.tell_expired(untold);
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_expiry)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_the_default() {
        let default = Expiry::new(true, 0, 0);
        assert_eq!(default, Expiry::new(true, 1000, 10000));
        assert_eq!(Expiry::off(), Expiry::new(false, 1000, 10000));
    }

    #[test]
    fn cutoff_is_an_age_ago() {
        let expiry = Expiry::new(true, 1, 2);
        assert_eq!(expiry.cutoff(1_999_999), None);
        assert_eq!(expiry.cutoff(2_000_000), Some(0));
        assert_eq!(expiry.cutoff(5_000_001), Some(3_000_001));
        assert_eq!(Expiry::new(false, 1, 2).cutoff(5_000_000), None);
        let longest = Expiry::new(true, u32::MAX, u32::MAX);
        assert_eq!(longest.cutoff(u64::from(u32::MAX) * 1_000_000), Some(0));
    }
}
