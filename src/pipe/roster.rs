// SPDX-License-Identifier: GPL-2.0

//! The list of all subscriptions of a pipe, for the views.
//!
//! An open file keeps what it needs to read from a position of its own in a [`Place`]. The pipe
//! lists the places that are in use, by number. A tree needs no memory while no file has such a
//! position, and finds the next one in short time: a view takes the lock of the pipe for one line
//! at a time.

use kernel::{
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNodeReservation, //
    },
    sync::{
        Arc,
        LockedBy, //
    },
};

use super::{
    Handle,
    Pipe,
    State, //
};

use crate::log::subscription::Subscription;

/// A subscription in the list of its pipe.
#[derive(Clone, Copy)]
pub(super) struct Listed {
    /// Its number, which no other subscription of the pipe ever gets.
    pub(super) number: u64,
    /// The subscription.
    pub(super) subscription: Subscription,
}

/// Where an open file has its subscription while it reads from a position of its own.
pub(super) type Place = LockedBy<Option<Listed>, State>;

/// Memory for an entry of the list.
pub(super) type Room = RBTreeNodeReservation<u64, Arc<Place>>;

/// All subscriptions of a pipe.
#[derive(Default)]
pub(super) struct Roster {
    /// The places that have a subscription, by its number.
    places: RBTree<u64, Arc<Place>>,
    /// The largest number that a subscription ever got.
    last: u64,
}

impl Roster {
    /// Adds the subscription that `place` is to get, and returns its number.
    pub(super) fn enter(&mut self, place: &Arc<Place>, room: Room) -> u64 {
        // It does not wrap: that takes more opens than a machine can do.
        self.last = self.last.wrapping_add(1);
        self.places.insert(room.into_node(self.last, place.clone()));
        self.last
    }

    /// Removes the subscription `number`, and returns the memory of its entry. The caller frees it
    /// without the lock. The file must keep its place.
    pub(super) fn leave(&mut self, number: u64) -> Option<Room> {
        let node = self.places.remove_node(&number)?;
        Some(node.into_reservation())
    }

    /// Returns whether there is no subscription.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns the place of the first subscription from `number` on.
    fn at_or_after(&self, number: u64) -> Option<&Place> {
        let first = *self.places.cursor_lower_bound(&number)?.current().0;
        self.places.get(&first).map(|place| &**place)
    }
}

/// A subscription as the views show it. At every moment
/// `published = received + lost + expired + lag`.
#[derive(Clone, Copy)]
pub(crate) struct SubscriptionSnapshot {
    /// Its number in the pipe.
    pub(crate) number: u64,
    /// The subscription itself, moved over what has left the pipe.
    pub(crate) subscription: Subscription,
    /// The number of messages that it has yet to read.
    pub(crate) lag: u64,
    /// The number of messages that it got, could have got, or can still get, from where it began.
    pub(crate) published: u64,
}

impl Handle {
    /// Allocates the place for a subscription of the file, if it has none.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(super) fn provide_place(&self, pipe: &Pipe) -> Result<Room> {
        if self.place.as_ref().is_none() {
            let place = Arc::pin_init(LockedBy::new(&pipe.state, None), GFP_KERNEL_ACCOUNT)?;
            // Another task may have been faster. Its place is as good as this one.
            let _ = self.place.populate(place);
        }
        Room::new(GFP_KERNEL_ACCOUNT)
    }

    /// Returns the subscription of the file, if it has one.
    #[inline(always)]
    pub(super) fn listed<'a>(&'a self, state: &'a State) -> Option<&'a Listed> {
        self.place.as_ref()?.access(state).as_ref()
    }

    /// Returns the subscription of the file for modification, if it has one.
    #[inline(always)]
    pub(super) fn listed_mut<'a>(&'a self, state: &'a mut State) -> Option<&'a mut Listed> {
        self.place.as_ref()?.access_mut(state).as_mut()
    }

    /// Returns whether the file reads from a position of its own.
    #[inline]
    pub(super) fn has_position(&self, state: &State) -> bool {
        self.listed(state).is_some()
    }
}

impl State {
    /// Returns the subscription `listed` as the views show it.
    pub(super) fn show_listed(&self, listed: &Listed) -> SubscriptionSnapshot {
        let mut subscription = listed.subscription;
        self.queue.catch_up(&mut subscription);
        SubscriptionSnapshot {
            number: listed.number,
            subscription,
            lag: self.queue.lag(&subscription),
            published: self.queue.published(&subscription),
        }
    }
}

impl Pipe {
    /// Returns the first subscription from `number` on, if there is one.
    pub(crate) fn subscription_at_or_after(&self, number: u64) -> Option<SubscriptionSnapshot> {
        let state = self.state.lock();
        let place = state.roster.at_or_after(number)?;
        Some(state.show_listed(place.access(&state).as_ref()?))
    }
}
