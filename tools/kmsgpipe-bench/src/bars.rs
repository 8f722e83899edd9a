// SPDX-License-Identifier: GPL-2.0

//! What is asked of the figures: ratios of figures that were measured in one machine, so that they hold
//! on any.

use crate::{
    mechanism::Mechanism,
    record::{Place, Record, ICOUNT},
};
use std::collections::BTreeSet;

/// What a figure of this module is compared with.
#[derive(Clone, Copy, Debug)]
pub enum Against {
    /// The same with another mechanism.
    Peer(Mechanism),
    /// The best of all peers that keep such a message whole.
    BestPeer,
    /// The best of all peers that can do it at all.
    BestOfAll,
    /// Another mechanism, with what the floor costs taken off both.
    AboveFloor(Mechanism),
    /// The smallest figure of this module for any number of the things that the case names.
    ItsLeast,
    /// Nothing: the bar is of the figure itself.
    Nothing,
}

/// On which side of the limit a figure has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A cost.
    AtMost,
    /// A rate.
    AtLeast,
}

/// One bar.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// The case that it is of.
    pub case: &'static str,
    /// The length of the messages.
    pub size: usize,
    /// What the figure is compared with.
    pub against: Against,
    /// On which side of the limit it has to be.
    pub side: Side,
    /// The limit: of the ratio, or of the figure.
    pub limit: f64,
}

/// A bar for a cost.
const fn cost(case: &'static str, size: usize, against: Against, limit: f64) -> Bar {
    Bar {
        case,
        size,
        against,
        side: Side::AtMost,
        limit,
    }
}

/// A bar for a rate, which must not be below that of others.
const fn rate(case: &'static str, size: usize, against: Against) -> Bar {
    Bar {
        case,
        size,
        against,
        side: Side::AtLeast,
        limit: 1.0,
    }
}

use Against::{AboveFloor, BestOfAll, BestPeer, ItsLeast, Nothing, Peer};
use Mechanism::{Mq, Pipe, PipeDirect, SeqPacket};

/// All of them.
pub const BARS: &[Bar] = &[
    cost("pair", 64, Peer(PipeDirect), 0.74),
    cost("pair", 64, Peer(Mq), 0.58),
    cost("pair", 64, Peer(SeqPacket), 0.40),
    cost("pair", 64, AboveFloor(PipeDirect), 0.47),
    cost("pair", 256, Peer(PipeDirect), 0.75),
    cost("pair", 1024, Peer(PipeDirect), 0.78),
    cost("pair", 4096, Peer(PipeDirect), 0.87),
    cost("pair", 65536, BestPeer, 1.05),
    cost("pingpong 1 cpu", 64, Peer(PipeDirect), 0.95),
    cost("pingpong 1 cpu", 64, BestOfAll, 1.0),
    cost("poll", 64, Peer(Pipe), 0.90),
    cost("epoll", 64, Peer(Pipe), 0.90),
    cost("io_uring", 64, Peer(Pipe), 0.90),
    cost("scale depth", 64, ItsLeast, 1.05),
    cost("scale pipes", 64, ItsLeast, 1.05),
    cost("scale descriptors", 64, ItsLeast, 1.05),
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

/// What was found of a bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// It holds.
    pub ok: bool,
    /// The bar, and the figure.
    pub text: String,
}

impl Bar {
    /// The group of cases that it belongs to: what `measure --cases` is told.
    fn group(&self) -> &'static str {
        match self.case.split_once(' ').map_or(self.case, |(word, _)| word) {
            "poll" | "epoll" | "io_uring" => "events",
            other => other,
        }
    }

    /// What it is of, in words.
    fn subject(&self) -> String {
        let mut text = self.case.to_owned();
        if self.size > 0 {
            text += &format!(", {} B", self.size);
        }
        text + &match self.against {
            Peer(peer) => format!(": against {}", peer.name()),
            BestPeer => ": against the best peer that keeps it whole".into(),
            BestOfAll => ": against the best of all".into(),
            AboveFloor(peer) => format!(": above the floor, against {}", peer.name()),
            ItsLeast => ": against the least of itself".into(),
            Nothing => String::new(),
        }
    }

    /// The figures of its case and size by one mechanism.
    fn values<'a>(
        &'a self,
        records: &'a [Record],
        mechanism: Mechanism,
    ) -> impl Iterator<Item = f64> + 'a {
        let mine = move |record: &&Record| {
            record.mechanism == mechanism && record.case == self.case && record.size == self.size
        };
        records.iter().filter(mine).map(|record| record.value)
    }

    /// The better of two.
    fn better(&self, a: f64, b: f64) -> f64 {
        match self.side {
            Side::AtMost => a.min(b),
            Side::AtLeast => a.max(b),
        }
    }

    /// The best figure of all mechanisms that a condition allows, and whose it is.
    fn best(
        &self,
        records: &[Record],
        allowed: impl Fn(Mechanism) -> bool,
    ) -> Option<(f64, Mechanism)> {
        let peers = Mechanism::ALL.into_iter().filter(|peer| allowed(*peer));
        let values = peers.flat_map(|peer| self.values(records, peer).map(move |v| (v, peer)));
        values.reduce(|a, b| if self.better(a.0, b.0) == a.0 { a } else { b })
    }

    /// What is compared with the limit, and a remark; or what is missing.
    fn figure(&self, records: &[Record]) -> Result<(f64, String), &'static str> {
        let of = |mechanism| {
            let value = self.values(records, mechanism).next();
            value.ok_or(mechanism.name())
        };
        let own = of(Mechanism::Kmsgpipe)?;
        let ratio_to = |found: Option<(f64, Mechanism)>| match found {
            Some((value, peer)) => Ok((own / value, format!(", {}", peer.name()))),
            None => Err("any peer"),
        };
        match self.against {
            Nothing => Ok((own, String::new())),
            Peer(peer) => Ok((own / of(peer)?, String::new())),
            BestPeer => ratio_to(self.best(records, |peer| peer.keeps_whole(self.size))),
            BestOfAll => ratio_to(self.best(records, |peer| {
                peer != Mechanism::Kmsgpipe && peer != Mechanism::Floor
            })),
            AboveFloor(peer) => {
                let floor = of(Mechanism::Floor)?;
                Ok(((own - floor) / (of(peer)? - floor), String::new()))
            }
            ItsLeast => {
                let all = || self.values(records, Mechanism::Kmsgpipe);
                let (least, most) = (all().fold(own, f64::min), all().fold(own, f64::max));
                if all().count() < 2 {
                    return Err("a second number of them");
                }
                Ok((most / least, String::new()))
            }
        }
    }

    /// Whether it holds.
    fn judge(&self, records: &[Record]) -> Verdict {
        let subject = self.subject();
        let (words, limit) = match self.side {
            Side::AtMost => ("at most", self.limit),
            Side::AtLeast => ("at least", self.limit),
        };
        match self.figure(records) {
            Err(missing) => Verdict {
                ok: false,
                text: format!("{subject}: there is no figure of {missing}"),
            },
            Ok((value, remark)) => Verdict {
                ok: match self.side {
                    Side::AtMost => value <= limit,
                    Side::AtLeast => value >= limit,
                },
                text: match self.against {
                    Nothing => format!("{subject}: {value:.1} ({words} {limit:.0})"),
                    _ => format!("{subject}: {value:.3} ({words} {limit:.2}{remark})"),
                },
            },
        }
    }

    /// Whether such a machine can say anything about it.
    fn is_for(&self, place: &Place) -> bool {
        place.counts() == (self.side == Side::AtMost)
    }
}

/// Judges the bars of all groups of cases of which there are figures, or which are asked for.
///
/// # Errors
///
/// If a figure of a bar that needs a count of instructions is none.
pub fn check(records: &[Record], asked: &[String]) -> Result<Vec<Verdict>, String> {
    let group = |case: &str| {
        let bar = BARS.iter().find(|bar| bar.case == case);
        bar.map(Bar::group)
    };
    let mut groups: BTreeSet<&str> = asked.iter().map(String::as_str).collect();
    for record in records {
        let Some(bar) = BARS.iter().find(|bar| bar.case == record.case) else {
            continue;
        };
        if !bar.is_for(&record.place) && bar.side == Side::AtMost {
            return Err(format!(
                "the bars of \"{}\" are of counts of instructions, by lab/run --icount; these figures are by {}, not {ICOUNT}",
                record.case, record.place.accelerator
            ));
        }
        groups.extend(group(&record.case));
    }
    let bars = BARS.iter().filter(|bar| groups.contains(bar.group()));
    Ok(bars.map(|bar| bar.judge(records)).collect())
}
