// SPDX-License-Identifier: GPL-2.0

//! Performance bars: limits on ratios of figures that were measured on the same machine, so that they apply
//! to any machine.

use crate::mechanism::Mechanism;
use Against::{AboveFloor, BestOfAll, BestPeer, Case, ItsLeast, Nothing, Peer};
use Mechanism::{
    Dgram, Kmsgpipe, Mq, Netlink, Pipe, PipeDirect, Records, RecordsBatch, RecordsRead, SeqPacket,
};

/// The reference of a bar.
#[derive(Clone, Copy, Debug)]
pub enum Against {
    /// The figure of another mechanism in the case of the bar.
    Peer(Mechanism),
    /// The figure of the same mechanism and size in another case of the group.
    Case(&'static str),
    /// The best peer that keeps messages of this size whole.
    BestPeer,
    /// The best of all peers.
    BestOfAll,
    /// Another mechanism, after the cost of the floor is subtracted from both.
    AboveFloor(Mechanism),
    /// The smallest figure of this module among all counts of the case.
    ItsLeast,
    /// None: the limit applies to the figure itself.
    Nothing,
}

/// On which side of the limit a figure must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Upper limit, for a cost.
    AtMost,
    /// Lower limit, for a rate.
    AtLeast,
}

/// A bar.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// The mechanism whose figure is judged, one of this module's.
    pub of: Mechanism,
    /// The case.
    pub case: &'static str,
    /// Message size in bytes.
    pub size: usize,
    /// The reference.
    pub against: Against,
    /// On which side of the limit the figure must be.
    pub side: Side,
    /// The limit of the ratio, or of the figure.
    pub limit: f64,
}

/// A bar for a cost.
const fn cost(case: &'static str, size: usize, against: Against, limit: f64) -> Bar {
    Bar {
        of: Kmsgpipe,
        case,
        size,
        against,
        side: Side::AtMost,
        limit,
    }
}

/// A bar for a rate, which must be at least that of the reference. It is judged only where times are real.
const fn rate(case: &'static str, size: usize, against: Against) -> Bar {
    Bar {
        of: Kmsgpipe,
        case,
        size,
        against,
        side: Side::AtLeast,
        limit: 1.0,
    }
}

/// A bar for a pair of 64 bytes in records mode, relative to one without.
const fn records(of: Mechanism, limit: f64) -> Bar {
    Bar {
        of,
        ..cost("pair", 64, Peer(Kmsgpipe), limit)
    }
}

/// All bars.
pub const BARS: &[Bar] = &[
    cost("pair", 64, Peer(PipeDirect), 0.74),
    cost("pair", 64, Peer(Mq), 0.58),
    cost("pair", 64, Peer(SeqPacket), 0.40),
    cost("pair", 64, AboveFloor(PipeDirect), 0.47),
    cost("pair", 256, Peer(PipeDirect), 0.75),
    cost("pair", 1024, Peer(PipeDirect), 0.78),
    cost("pair", 4096, Peer(PipeDirect), 0.87),
    cost("pair", 65536, BestPeer, 1.05),
    records(Records, 1.15),
    records(RecordsRead, 1.15),
    records(RecordsBatch, 0.30),
    cost("pingpong 1 cpu", 64, Peer(PipeDirect), 0.95),
    cost("pingpong 1 cpu", 64, BestOfAll, 1.0),
    cost("poll", 64, Peer(Pipe), 0.90),
    cost("epoll", 64, Peer(Pipe), 0.90),
    cost("io_uring", 64, Peer(PipeDirect), 0.95),
    cost("io_uring at once", 64, Peer(PipeDirect), 0.76),
    cost("broadcast 1:8", 64, Peer(Netlink), 0.40),
    cost("broadcast 1:8", 64, Peer(SeqPacket), 0.28),
    cost("broadcast 1:8", 64, Peer(Dgram), 0.28),
    cost("broadcast 1:8", 1024, Peer(Netlink), 0.40),
    cost("broadcast 1:8", 1024, Peer(SeqPacket), 0.28),
    cost("broadcast 1:8", 1024, Peer(Dgram), 0.28),
    cost("priorities", 64, Peer(Mq), 0.65),
    cost("read broadcast", 64, Case("read queue"), 1.15),
    cost("read broadcast", 1024, Case("read queue"), 1.15),
    cost("read browse", 64, Case("read queue"), 1.25),
    cost("read browse", 1024, Case("read queue"), 1.25),
    cost("read lease", 64, Case("read queue"), 2.2),
    cost("read lease at once", 64, Case("read queue"), 0.50),
    cost("scale depth", 64, ItsLeast, 1.05),
    cost("scale depth of broadcast", 64, ItsLeast, 1.05),
    cost("scale depth of browse", 64, ItsLeast, 1.05),
    cost("scale depth of priorities", 64, ItsLeast, 1.05),
    cost("scale pipes", 64, ItsLeast, 1.05),
    cost("scale descriptors", 64, ItsLeast, 1.05),
    cost("scale subscriptions", 64, ItsLeast, 1.02),
    cost("memory message", 16, Nothing, 128.0),
    cost("memory message", 64, Nothing, 128.0),
    cost("memory message", 256, Nothing, 128.0),
    cost("memory message", 1024, Nothing, 128.0),
    cost("memory message", 4096, Nothing, 128.0),
    cost("memory message", 65536, Nothing, 128.0),
    cost("memory pipe", 0, Nothing, 8192.0),
    cost("allocations one", 64, Nothing, 0.0),
    cost("allocations one", 4096, Nothing, 0.0),
    cost("allocations queued", 64, Nothing, 0.0),
    cost("allocations queued", 4096, Nothing, 0.0),
    rate("stream 1:1", 64, Peer(PipeDirect)),
    rate("stream 1:1", 1024, Peer(PipeDirect)),
    rate("stream 4:1", 64, BestOfAll),
    rate("stream 4:1", 1024, BestOfAll),
    rate("stream 4:4", 64, BestOfAll),
    rate("stream 4:4", 1024, BestOfAll),
];

impl Bar {
    /// Returns the group of cases, as given to `measure --cases`.
    pub fn group(&self) -> &'static str {
        match self
            .case
            .split_once(' ')
            .map_or(self.case, |(word, _)| word)
        {
            "poll" | "epoll" | "io_uring" => "events",
            other => other,
        }
    }
}
