// SPDX-License-Identifier: GPL-2.0

//! What is measured.

pub mod allocations;
pub mod events;
pub mod management;
pub mod memory;
pub mod pair;
pub mod pingpong;
pub mod scale;
pub mod stream;

use crate::record::{Place, Sink};
use anyhow::Result;
use clap::ValueEnum;

/// Something to measure, in the order in which it is done. Once there is a memory control group, all that
/// allocates costs more, so that memory comes after what peers are compared by; before what uses much
/// of it. Threads come last: the C library does things faster while there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Case {
    /// Sending a message and receiving it, by one task that never waits
    Pair,
    /// Two tasks that wait for each other's messages
    Pingpong,
    /// Waiting by poll and by epoll, and io_uring
    Events,
    /// Memory of the kernel that a queued message and an idle pipe take
    Memory,
    /// What a message costs where there are many messages, pipes or open files
    Scale,
    /// Removing old messages; making, destroying and listing pipes
    Management,
    /// Allocations a message, by the kernel's trace
    Allocations,
    /// Messages one way, from several writers to several readers
    Stream,
}

/// The lengths of messages that are measured.
pub const SIZES: [usize; 6] = [16, 64, 256, 1024, 4096, 65536];

impl Case {
    /// What a machine is asked for by default: one that counts instructions can say what something
    /// costs, and one that has several processors what goes on at the same time.
    pub fn default_for(place: &Place) -> Vec<Self> {
        if place.counts() {
            let all = Self::value_variants().iter().copied();
            all.filter(|case| *case != Self::Stream).collect()
        } else {
            vec![Self::Pingpong, Self::Stream]
        }
    }

    /// Its name, on the command line and for bars.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Measures it.
    pub fn measure(self, sink: &mut Sink<'_>) -> Result<()> {
        match self {
            Self::Pair => pair::measure(sink),
            Self::Pingpong => pingpong::measure(sink),
            Self::Events => events::measure(sink),
            Self::Memory => memory::measure(sink),
            Self::Scale => scale::measure(sink),
            Self::Management => management::measure(sink),
            Self::Allocations => allocations::measure(sink),
            Self::Stream => stream::measure(sink),
        }
    }
}
