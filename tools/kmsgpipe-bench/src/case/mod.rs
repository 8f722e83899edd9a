// SPDX-License-Identifier: GPL-2.0

//! What is measured.

pub mod events;
pub mod pair;
pub mod pingpong;

use crate::record::{Place, Sink};
use anyhow::Result;
use clap::ValueEnum;

/// Something to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Case {
    /// Sending a message and receiving it, by one task that never waits
    Pair,
    /// Two tasks that wait for each other's messages
    Pingpong,
    /// Waiting by poll and by epoll, and io_uring
    Events,
}

/// The lengths of messages that are measured.
pub const SIZES: [usize; 6] = [16, 64, 256, 1024, 4096, 65536];

impl Case {
    /// What a machine is asked for by default: one that counts instructions can say what something
    /// costs, and one that has several processors what goes on at the same time.
    pub fn default_for(place: &Place) -> Vec<Self> {
        if place.counts() {
            vec![Self::Pair, Self::Pingpong, Self::Events]
        } else {
            vec![Self::Pingpong]
        }
    }

    /// Measures it.
    pub fn measure(self, sink: &mut Sink<'_>) -> Result<()> {
        match self {
            Self::Pair => pair::measure(sink),
            Self::Pingpong => pingpong::measure(sink),
            Self::Events => events::measure(sink),
        }
    }
}
