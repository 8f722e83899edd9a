// SPDX-License-Identifier: GPL-2.0

//! Message expiry, and the sweeper that removes expired messages.
//!
//! An expired message is never delivered: every operation that looks for a message removes the
//! expired ones first. The sweeper removes them from pipes on which no task operates. It is queued
//! only while there are messages.

use core::mem;
use kernel::{
    prelude::*,
    sync::Arc,
    time::msecs_to_jiffies,
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
        sync::{
            lock::StateGuard,
            work, //
        }, //
    },
    log::lanes::{
        Lanes,
        SweepPosition, //
    },
    uapi::{
        FLUSH_EXPIRY_DEFAULT,
        FLUSH_INTERVAL_DEFAULT, //
    }, //
};

/// Maximum number of messages that are removed in one critical section.
const BATCH: u32 = 64;

/// Maximum number of messages whose deadlines are looked at in one critical section.
const LOOKED_AT_ONCE: u64 = 256;

/// Minimum time between two runs of the sweeper for deadlines, in milliseconds, which bounds what
/// it costs to look at all messages.
const DEADLINES_MS: u64 = 10;

/// Nanoseconds in a millisecond.
pub(super) const NSEC_PER_MSEC: u64 = 1_000_000;

/// Maximum delay of the sweeper, in milliseconds: every kernel accepts it. With longer settings the
/// sweeper may find nothing to do, and queues itself again.
const DELAY_MAX: u64 = (i32::MAX / 2) as u64;

/// Expiry settings of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expiry {
    /// Messages expire.
    pub(crate) enabled: bool,
    /// Interval of the sweeper, in milliseconds.
    pub(crate) interval_ms: u32,
    /// Maximum age of a message, in milliseconds.
    pub(crate) expiry_ms: u32,
}

impl Expiry {
    /// Returns the settings with which messages do not expire.
    pub(crate) const fn off() -> Self {
        Self::new(false, 0, 0)
    }

    /// Returns settings with these times, in milliseconds. Zero stands for the default.
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

    /// Returns the latest enqueue time with which a message has expired by the time `now`, both in
    /// nanoseconds of `CLOCK_MONOTONIC`. Returns [`None`] if nothing can have expired.
    fn cutoff(&self, now: u64) -> Option<u64> {
        if !self.enabled {
            return None;
        }
        now.checked_sub(u64::from(self.expiry_ms) * NSEC_PER_MSEC)
    }
}

impl State {
    /// Returns whether the oldest message has expired.
    #[inline]
    pub(super) fn front_expired(&self) -> bool {
        self.flags.contains(Flag::Expires) && self.front_expired_at(clock::monotonic())
    }

    /// Returns whether the oldest message, or that of any priority, has expired by `now`.
    fn front_expired_at(&self, now: u64) -> bool {
        self.queue.has_expired(now, self.expiry.cutoff(now))
    }

    /// Returns whether messages expire, by the settings of the pipe or by deadlines of their own,
    /// or whether some are in lanes and older ones are not, for which there is no fast path either.
    fn has_expiry(&self) -> bool {
        let is_split = self.queue.has_lanes() && !self.queue.is_in_lanes();
        self.expiry.enabled || self.queue.has_deadlines() || is_split
    }

    /// Opens the fast paths again if no message has a deadline any more. Returns memory that is no
    /// longer needed, to be freed after the lock is released.
    pub(super) fn forget_deadlines(&mut self) -> Option<KBox<Lanes>> {
        let expires = self.has_expiry();
        self.flags.set(Flag::Expires, expires);
        if self.flags.contains(Flag::Dumping) {
            return None;
        }
        self.queue.take_unused_lanes()
    }

    /// Returns the delay after which the sweeper must run for the age of messages, in
    /// milliseconds: its interval, or the time until the oldest message expires, whichever is
    /// longer. Returns [`None`] if it need not.
    fn delay_by_age(&self, now: u64) -> Option<u64> {
        let oldest = self.queue.oldest_time().filter(|_| self.expiry.enabled)?;
        let age = now.saturating_sub(oldest) / NSEC_PER_MSEC;
        // One more millisecond, because the age was rounded down.
        let left = (u64::from(self.expiry.expiry_ms) + 1).saturating_sub(age);
        Some(left.max(self.expiry.interval_ms.into()))
    }

    /// Returns the delay in milliseconds after which the sweeper must run: for the age of messages,
    /// for the earliest deadline, or for the end of a lease. Returns [`None`] if the sweeper is not
    /// needed.
    fn next_sweep(&self, now: u64) -> Option<u64> {
        if self.is_dead() {
            return None;
        }
        let by_deadline = self.queue.earliest_deadline().map(|deadline| {
            let left = deadline.saturating_sub(now) / NSEC_PER_MSEC + 1;
            left.max(DEADLINES_MS)
        });
        let end = self.next_lease_end();
        // Rounded up, so that the lease has ended then.
        let left = end.saturating_sub(now).div_ceil(NSEC_PER_MSEC);
        let by_lease = (end < u64::MAX).then_some(left);
        let delays = [self.delay_by_age(now), by_deadline, by_lease];
        let delay = delays.into_iter().flatten().min()?;
        Some(delay.min(DELAY_MAX))
    }
}

impl Pipe {
    /// Takes the lock and removes all expired messages.
    #[inline]
    pub(super) fn lock_unexpired(self: &Arc<Self>) -> StateGuard<'_, State> {
        let state = self.state.lock();
        if state.flags.contains(Flag::Expires) {
            self.drop_expired(state)
        } else {
            state
        }
    }

    /// Removes all expired messages, in batches. Releases the lock after each batch, and returns
    /// with it held.
    pub(super) fn drop_expired<'a>(
        self: &'a Arc<Self>,
        mut state: StateGuard<'a, State>,
    ) -> StateGuard<'a, State> {
        loop {
            let (freed, more) = self.expire(&mut state, clock::monotonic());
            if freed == 0 && !more {
                return state;
            }
            self.announce_room(state, freed.into());
            state = self.state.lock();
        }
    }

    /// Takes the lock and removes all messages that have expired, also those behind others.
    pub(super) fn lock_swept(self: &Arc<Self>) -> StateGuard<'_, State> {
        let now = clock::monotonic();
        let mut at = SweepPosition::default();
        let mut state = self.lock_unexpired();
        while state.queue.has_deadlines() && !state.flags.contains(Flag::Dumping) {
            let (freed, is_done) = self.sweep(&mut state, &mut at, now);
            let is_last = is_done && freed == 0;
            if is_last {
                break;
            }
            self.announce_room(state, freed);
            state = self.state.lock();
            if is_done {
                // Look again: the lock was released, and messages may have expired meanwhile.
                at = SweepPosition::default();
            }
        }
        state
    }

    /// Removes a batch of messages that have expired by `now` wherever they are, from the position
    /// `at` on. Returns their number, and whether all messages have been looked at. The caller must
    /// announce the slots.
    fn sweep(&self, state: &mut State, at: &mut SweepPosition, now: u64) -> (u64, bool) {
        let (freed, is_done) = state.queue.sweep(at, now, LOOKED_AT_ONCE);
        state.unlogged = state.unlogged.wrapping_add(freed);
        (freed, is_done)
    }

    /// Removes a batch of the oldest messages that have expired by `now`. Returns their number, and
    /// whether the next batch must be looked at even if none has. The caller must announce the
    /// slots. The sweeper, which is queued while there are messages, logs the number later: if
    /// every caller logged it, any user could flood the log.
    fn expire(&self, state: &mut State, now: u64) -> (u32, bool) {
        let cutoff = state.expiry.cutoff(now);
        let (freed, more) = match cutoff {
            _ if state.queue.has_lanes() => state.queue.expire_oldest(now, cutoff, BATCH),
            Some(cutoff) => (state.queue.expire(cutoff, BATCH), false),
            None => (0, false),
        };
        state.unlogged = state.unlogged.wrapping_add(freed.into());
        (freed, more)
    }

    /// Logs that `count` messages have expired, unless `count` is zero.
    pub(super) fn log_expired(&self, count: u64) {
        if count > 0 {
            pr_info!("kmsgpipe{}: cleaned {} msgs\n", self.id, count);
        }
    }

    /// Changes the expiry settings to what `change` returns for the old ones, with immediate
    /// effect.
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: the pipe is destroyed.
    pub(crate) fn set_expiry(this: &Arc<Self>, change: impl FnOnce(Expiry) -> Expiry) -> Result {
        let mut state = this.state.lock();
        state.alive()?;
        state.expiry = change(state.expiry);
        let expires = state.has_expiry();
        state.flags.set(Flag::Expires, expires);
        this.requeue_sweeper(&mut state);
        // The sweeper that was to log these messages may have been cancelled.
        let unlogged = mem::take(&mut state.unlogged);
        drop(state);
        this.log_expired(unlogged);
        Ok(())
    }

    /// Queues the sweeper if messages expire and it is not queued.
    #[inline]
    pub(super) fn arm_sweeper(self: &Arc<Self>, state: &mut State) {
        if !state.flags.contains(Flag::Expires) {
            return;
        }
        // While messages are on trust, the sweeper may be queued for a much later time.
        if !state.sweeping || state.flags.contains(Flag::Leases) {
            self.bring_sweeper_forward(state);
        }
    }

    /// Queues the sweeper for an earlier time if a message has its deadline before it runs.
    #[cold]
    #[inline(never)]
    pub(super) fn hasten_sweeper(self: &Arc<Self>) {
        self.bring_sweeper_forward(&mut self.state.lock());
    }

    /// Queues the sweeper for the time at which it is needed next, and for no other. This happens
    /// with the lock held: of concurrent changes of the settings, the last one determines the
    /// delay.
    fn requeue_sweeper(self: &Arc<Self>, state: &mut State) {
        let now = clock::monotonic();
        let delay = state.next_sweep(now);
        // It may be queued although it runs. This is not the last reference.
        drop(work::cancel::<Self, { work_id::SWEEP }>(self));
        state.sweeping = delay.is_some();
        if let Some(delay) = delay {
            state.sweep_at = now.saturating_add(delay * NSEC_PER_MSEC);
            let queue = work::queue();
            let delay = msecs_to_jiffies(delay as u32);
            // It does not fail, as the sweeper is not queued.
            let _ = queue.enqueue_delayed::<_, { work_id::SWEEP }>(self.clone(), delay);
        }
    }

    /// Queues the sweeper for the time at which it is needed next, unless it is queued for that
    /// time or an earlier one.
    #[inline(never)]
    pub(super) fn bring_sweeper_forward(self: &Arc<Self>, state: &mut State) {
        let now = clock::monotonic();
        let after = |delay: u64| now.saturating_add(delay * NSEC_PER_MSEC);
        let needed = state.next_sweep(now).map(after);
        if needed.is_some_and(|needed| !state.sweeping || needed < state.sweep_at) {
            self.requeue_sweeper(state);
        }
    }
}

impl WorkItem<{ work_id::SWEEP }> for Pipe {
    type Pointer = Arc<Self>;

    /// Ends the leases that have ended by the time at which the run begins, and removes all
    /// messages that have expired by then, in batches. Logs the number of all that have expired
    /// since the last run, whichever task removed them.
    fn run(this: Arc<Self>) {
        let now = clock::monotonic();
        let mut at = SweepPosition::renewing();
        let (unlogged, lanes) = loop {
            let mut state = this.end_overdue_leases(this.state.lock(), now);
            let (freed, more) = this.expire(&mut state, now);
            if more || state.front_expired_at(now) {
                this.announce_room(state, freed.into());
                continue;
            }
            let mut freed = u64::from(freed);
            // A dump shows its messages as they are.
            if !state.flags.contains(Flag::Dumping) {
                let (swept, is_done) = this.sweep(&mut state, &mut at, now);
                freed += swept;
                if !is_done {
                    this.announce_room(state, freed);
                    continue;
                }
            }
            let lanes = state.forget_deadlines();
            this.requeue_sweeper(&mut state);
            let unlogged = mem::take(&mut state.unlogged);
            this.announce_room(state, freed);
            break (unlogged, lanes);
        };
        drop(lanes);
        this.log_expired(unlogged);
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
