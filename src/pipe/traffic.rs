// SPDX-License-Identifier: GPL-2.0

//! What has passed through one open file.

use kernel::sync::LockedBy;

use super::{
    Pipe,
    State, //
};
use crate::stats::Tally;

/// What has passed through one open file of a pipe: the pipe's lock protects it, which is held
/// anyway when there is something to count.
pub(crate) struct Traffic(LockedBy<Passed, State>);

/// Messages that have passed.
#[derive(Clone, Copy)]
pub(crate) struct Passed {
    /// Those that were sent.
    pub(crate) sent: Tally,
    /// Those that were received.
    pub(crate) received: Tally,
}

impl Traffic {
    /// What is counted, to count more.
    #[inline]
    pub(super) fn of<'a>(&'a self, state: &'a mut State) -> &'a mut Passed {
        self.0.access_mut(state)
    }
}

impl Pipe {
    /// Counts what passes through a newly opened file of this pipe: nothing yet.
    pub(crate) fn traffic(&self) -> Traffic {
        let none = Passed {
            sent: Tally::NONE,
            received: Tally::NONE,
        };
        Traffic(LockedBy::new(&self.state, none))
    }

    /// What has passed through a file of this pipe.
    pub(crate) fn passed(&self, traffic: &Traffic) -> Passed {
        *traffic.of(&mut self.state.lock())
    }
}
