// SPDX-License-Identifier: GPL-2.0

//! The queue of a broadcast pipe: publishing messages, and removing those that no subscription has
//! yet to read.

use super::{
    counters::Tally,
    queue::Queue,
    store::Place, //
};

/// Why a message leaves the backlog of a broadcast pipe.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// No subscription waits at it.
    Settled,
    /// It is dropped to make room.
    Dropped,
    /// It has expired.
    Expired,
}

impl Queue {
    /// Counts the newest message of a broadcast pipe, of `len` bytes, which was just stored, and
    /// tells the subscriptions of it. Without subscriptions it leaves the backlog. With
    /// `over_oldest`, the oldest message is dropped if there is one too many.
    #[inline(never)]
    pub(super) fn publish_one(&mut self, len: usize, over_oldest: bool) {
        // What leaves the backlog at once does not raise the peak.
        self.counted.count_enqueued(len, Tally::NONE);
        let seq = self.last_seq();
        if let Some(fanout) = &mut self.fanout {
            fanout.publish(seq, len);
        }
        self.finish_publish(1);
        if over_oldest && self.store.depth().msgs > self.capacity {
            self.leave(Leave::Dropped);
        }
        self.counted.update_peak(self.depth());
    }

    /// Counts the newest messages of a broadcast pipe, which are those of `arrived` and were just
    /// stored, and tells the subscriptions of them. Without subscriptions they leave the backlog.
    #[inline(never)]
    pub(super) fn publish(&mut self, arrived: Tally) {
        self.counted.count_enqueued_all(arrived, Tally::NONE);
        let next = self.next_seq();
        let stored = self.store.depth().msgs;
        for newer in (1..=arrived.msgs).rev() {
            let place = Place::nth(stored.wrapping_sub(newer));
            let Some(record) = self.store.record_at(place) else {
                break;
            };
            if let Some(fanout) = &mut self.fanout {
                fanout.publish(next.wrapping_sub(newer), record.len as usize);
            }
        }
        // CAST: A critical section adds at most as many messages as fit in a page.
        self.finish_publish(arrived.msgs as u32);
        self.counted.update_peak(self.depth());
    }

    /// Lets at most `msgs` messages leave the backlog, and removes what the history cannot keep,
    /// after `msgs` messages were published.
    #[inline(always)]
    fn finish_publish(&mut self, msgs: u32) {
        let next = self.next_seq();
        let Some(fanout) = &self.fanout else {
            return;
        };
        let retained = fanout.retained().msgs;
        if fanout.is_first_settled(next) {
            self.settle(msgs);
        }
        if retained > 0 {
            self.remove_surplus();
        }
    }

    /// Removes the messages at the beginning of the backlog at which no subscription waits, at most
    /// `limit`. Returns their number.
    #[inline]
    pub(crate) fn settle(&mut self, limit: u32) -> u64 {
        let next = self.next_seq();
        let mut left = 0;
        while left < limit {
            let fanout = self.fanout();
            if !fanout.is_some_and(|fanout| fanout.is_first_settled(next)) {
                break;
            }
            if !self.leave(Leave::Settled) {
                break;
            }
            left += 1;
        }
        left.into()
    }

    /// Removes the first message from the backlog of a broadcast pipe, and from the store unless it
    /// belongs to the history. Returns whether there was one.
    fn leave(&mut self, reason: Leave) -> bool {
        let had_one = self.retire(reason);
        self.remove_surplus();
        had_one
    }

    /// Retains the first message of the backlog of a broadcast pipe, and counts it: as dequeued if
    /// a subscription has read it, otherwise by `reason`. Returns whether there was one.
    fn retire(&mut self, reason: Leave) -> bool {
        let next = self.next_seq();
        let (Some(record), Some(fanout)) = (self.head(), &mut self.fanout) else {
            return false;
        };
        let len = record.len as usize;
        let was_read = fanout.leave(next, len);
        if reason == Leave::Dropped {
            let end = fanout.first();
            fanout.note_dropped(end);
        }
        if !was_read {
            match reason {
                Leave::Settled | Leave::Dropped => self.counted.count_one_dropped(len),
                Leave::Expired => self.counted.count_expired(len),
            }
        }
        true
    }

    /// Removes the first message from the backlog of a broadcast pipe, of `len` bytes, which all
    /// subscriptions have read.
    #[inline(always)]
    pub(super) fn leave_read(&mut self, len: usize) {
        match &mut self.fanout {
            Some(fanout) if !fanout.keeps_any() => {
                fanout.leave_read();
                // CAST: No message is longer than a `u32`.
                self.store.pop(len as u32);
            }
            _ => {
                self.leave(Leave::Settled);
            }
        }
    }

    /// Removes the retained messages that are no longer part of the history.
    pub(super) fn remove_surplus(&mut self) {
        while let Some(fanout) = &self.fanout {
            if !fanout.has_surplus(self.store.depth().msgs, self.limits.max_msgs()) {
                break;
            }
            let makes_room = fanout.retained().msgs <= fanout.history().into();
            self.remove_retained();
            if makes_room {
                // Subscriptions that have yet to read it lose it.
                let stored = self.stored_seq();
                if let Some(fanout) = &mut self.fanout {
                    fanout.note_dropped(stored);
                }
            }
        }
        self.update_cached();
    }

    /// Removes the oldest stored message, which must be retained.
    fn remove_retained(&mut self) {
        let (Some(record), Some(fanout)) = (self.store.front(), &mut self.fanout) else {
            return;
        };
        self.store.pop(record.len);
        fanout.release(record.len as usize);
    }

    /// Removes the oldest stored message of a broadcast pipe, which has expired.
    pub(super) fn expire_published(&mut self) {
        let retained = self.fanout().map_or(0, |fanout| fanout.retained().msgs);
        if retained == 0 {
            self.retire(Leave::Expired);
        }
        self.remove_retained();
        self.update_cached();
    }
}
