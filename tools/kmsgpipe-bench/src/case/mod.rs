// SPDX-License-Identifier: GPL-2.0

//! Groups of cases.

pub mod allocations;
pub mod broadcast;
pub mod events;
pub mod lease;
pub mod management;
pub mod memory;
pub mod pair;
pub mod pingpong;
pub mod priorities;
pub mod read;
pub mod scale;
pub mod stream;

use crate::record::{Place, Sink};
use anyhow::Result;
use clap::ValueEnum;

/// A group of cases, in execution order. A memory control group makes all later allocations more expensive,
/// so memory comes after the comparison with peers, but before cases that use much memory. Threads come last,
/// because the C library is faster in single-threaded processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Case {
    /// Sending and receiving by one task that never blocks
    Pair,
    /// Round trips between two tasks
    Pingpong,
    /// poll, epoll and io_uring
    Events,
    /// Sending to eight receivers, and receiving at each
    Broadcast,
    /// Sending with random priorities, and receiving the highest
    Priorities,
    /// Receiving from a queue, with a lease, by subscriptions and by browsing
    Read,
    /// Kernel memory of queued messages and idle pipes
    Memory,
    /// Cost of a message with many messages, pipes, open files or subscriptions
    Scale,
    /// Expiring messages; creating, destroying and listing pipes
    Management,
    /// Allocations per message, by kernel tracing
    Allocations,
    /// Throughput from several writers to several readers
    Stream,
}

/// Message sizes.
pub const SIZES: [usize; 6] = [16, 64, 256, 1024, 4096, 65536];

impl Case {
    /// Returns the default cases for a machine: with instruction counts, those about cost; with several
    /// processors, those about concurrency.
    pub fn default_for(place: &Place) -> Vec<Self> {
        if place.counts() {
            let all = Self::value_variants().iter().copied();
            all.filter(|case| *case != Self::Stream).collect()
        } else {
            vec![Self::Pingpong, Self::Stream]
        }
    }

    /// Returns the name, as on the command line and in bars.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Measures the group.
    pub fn measure(self, sink: &mut Sink<'_>) -> Result<()> {
        match self {
            Self::Pair => pair::measure(sink),
            Self::Pingpong => pingpong::measure(sink),
            Self::Events => events::measure(sink),
            Self::Broadcast => broadcast::measure(sink),
            Self::Priorities => priorities::measure(sink),
            Self::Read => read::measure(sink).and_then(|()| lease::measure(sink)),
            Self::Memory => memory::measure(sink),
            Self::Scale => scale::measure(sink),
            Self::Management => management::measure(sink),
            Self::Allocations => allocations::measure(sink),
            Self::Stream => stream::measure(sink),
        }
    }
}
