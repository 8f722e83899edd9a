// SPDX-License-Identifier: GPL-2.0

//! Whether figures keep to the bars.

use crate::{
    bars::{
        Against::{AboveFloor, BestOfAll, BestPeer, ItsLeast, Nothing, Peer},
        Bar, Side, BARS,
    },
    mechanism::Mechanism,
    record::{Record, ICOUNT},
};
use anyhow::{ensure, Result};
use std::collections::BTreeSet;

/// What was found of a bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// It holds.
    pub ok: bool,
    /// The bar, and the figure.
    pub text: String,
}

impl Bar {
    /// What it is of, in words.
    fn subject(&self) -> String {
        let mut text = self.case.to_owned();
        if self.of != Mechanism::Kmsgpipe {
            text += &format!(" of {}", self.of.name());
        }
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
        let own = of(self.of)?;
        let ratio_to = |found: Option<(f64, Mechanism)>| match found {
            Some((value, peer)) => Ok((own / value, format!(", {}", peer.name()))),
            None => Err("any peer"),
        };
        match self.against {
            Nothing => Ok((own, String::new())),
            Peer(peer) => Ok((own / of(peer)?, String::new())),
            BestPeer => ratio_to(self.best(records, |peer| peer.keeps_whole(self.size))),
            BestOfAll => {
                ratio_to(self.best(records, |peer| !peer.is_own() && peer != Mechanism::Floor))
            }
            AboveFloor(peer) => {
                let floor = of(Mechanism::Floor)?;
                Ok(((own - floor) / (of(peer)? - floor), String::new()))
            }
            ItsLeast => {
                let all = || self.values(records, self.of);
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
        let (subject, limit) = (self.subject(), self.limit);
        let (value, remark) = match self.figure(records) {
            Ok(found) => found,
            Err(missing) => {
                return Verdict {
                    ok: false,
                    text: format!("{subject}: there is no figure of {missing}"),
                }
            }
        };
        let (ok, words) = match self.side {
            Side::AtMost => (value <= limit, "at most"),
            Side::AtLeast => (value >= limit, "at least"),
        };
        let text = match self.against {
            Nothing => format!("{subject}: {value:.1} ({words} {limit:.0})"),
            _ => format!("{subject}: {value:.3} ({words} {limit:.2}{remark})"),
        };
        Verdict { ok, text }
    }
}

/// Judges the bars of all groups of cases of which there are figures, or which are asked for.
///
/// # Errors
///
/// If a figure that a bar asks for as a count of instructions is none.
pub fn check(records: &[Record], asked: &[String]) -> Result<Vec<Verdict>> {
    let mut groups: BTreeSet<&str> = asked.iter().map(String::as_str).collect();
    for record in records {
        let Some(bar) = BARS.iter().find(|bar| bar.case == record.case) else {
            continue;
        };
        ensure!(
            bar.side == Side::AtLeast || record.place.counts(),
            "the bars of \"{}\" are of counts of instructions, by lab/run --icount; \
             these figures are by {}, not {ICOUNT}",
            record.case,
            record.place.accelerator
        );
        groups.insert(bar.group());
    }
    let bars = BARS.iter().filter(|bar| groups.contains(bar.group()));
    Ok(bars.map(|bar| bar.judge(records)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::counted;

    /// Figures of pairs of 64 bytes that keep to all bars, but for this module's own.
    fn peers(own: f64) -> Vec<Record> {
        [
            (Mechanism::Kmsgpipe, own),
            (Mechanism::PipeDirect, 1200.0),
            (Mechanism::Mq, 1600.0),
            (Mechanism::SeqPacket, 2300.0),
            (Mechanism::Floor, 600.0),
        ]
        .map(|(mechanism, value)| counted(mechanism, "pair", 64, value))
        .into()
    }

    /// The verdict of the bar whose words begin so.
    fn verdict(records: &[Record], subject: &str) -> Verdict {
        let all = check(records, &[]).unwrap();
        let found = all
            .into_iter()
            .find(|verdict| verdict.text.starts_with(subject));
        found.unwrap_or_else(|| panic!("there is no bar of {subject}"))
    }

    #[test]
    fn a_bar_holds_up_to_its_limit() {
        let subject = "pair, 64 B: against pipe O_DIRECT";
        let at = verdict(&peers(888.0), subject);
        assert!(at.ok, "{at:?}");
        assert_eq!(at.text, format!("{subject}: 0.740 (at most 0.74)"));
        assert!(!verdict(&peers(889.0), subject).ok);
    }

    #[test]
    fn what_is_above_the_floor_is_compared() {
        let subject = "pair, 64 B: above the floor, against pipe O_DIRECT";
        assert!(verdict(&peers(880.0), subject).text.contains(": 0.467 ("));
        assert!(!verdict(&peers(888.0), subject).ok);
    }

    #[test]
    fn a_figure_that_is_absent_fails() {
        let mut records = peers(800.0);
        records.retain(|record| record.mechanism != Mechanism::SeqPacket);
        let missing = verdict(&records, "pair, 64 B: against SEQPACKET");
        assert!(!missing.ok);
        assert!(missing.text.ends_with("there is no figure of SEQPACKET"));
        // Of other sizes there is nothing at all.
        assert!(!verdict(&records, "pair, 4096 B").ok);
    }

    #[test]
    fn only_cases_with_figures_or_asked_for_are_judged() {
        let pairs = BARS.iter().filter(|bar| bar.case == "pair").count();
        assert_eq!(check(&peers(800.0), &[]).unwrap().len(), pairs);
        let asked = check(&peers(800.0), &["events".into()]).unwrap();
        assert_eq!(asked.len(), pairs + 3);
        assert_eq!(
            asked
                .iter()
                .filter(|verdict| verdict.text.contains("poll, 64 B"))
                .count(),
            2
        );
        assert_eq!(check(&[], &[]).unwrap(), []);
    }

    #[test]
    fn the_best_peer_keeps_messages_whole() {
        let mut records = peers(800.0);
        for (mechanism, value) in [
            (Mechanism::Kmsgpipe, 1050.0),
            (Mechanism::Netlink, 1000.0),
            (Mechanism::Mq, 1100.0),
            // A stream, and what no message goes through.
            (Mechanism::Pipe, 500.0),
            (Mechanism::Floor, 400.0),
        ] {
            records.push(counted(mechanism, "pair", 65536, value));
        }
        let verdict = verdict(&records, "pair, 65536 B");
        assert!(verdict.ok);
        assert!(
            verdict.text.ends_with("1.050 (at most 1.05, netlink)"),
            "{verdict:?}"
        );
    }

    #[test]
    fn a_rate_is_to_be_the_best() {
        let mut records = vec![
            counted(Mechanism::Kmsgpipe, "stream 4:1", 64, 100.0),
            counted(Mechanism::Pipe, "stream 4:1", 64, 99.0),
            counted(Mechanism::Mq, "stream 4:1", 64, 98.0),
        ];
        // Rates are by time.
        for record in &mut records {
            record.place.accelerator = "tcg multi-threaded".into();
        }
        assert!(verdict(&records, "stream 4:1, 64 B").ok);
        records[2].value = 101.0;
        let slower = verdict(&records, "stream 4:1, 64 B");
        assert!(!slower.ok);
        assert!(
            slower.text.ends_with("0.990 (at least 1.00, POSIX mq)"),
            "{slower:?}"
        );
    }

    #[test]
    fn figures_for_many_are_near_the_least() {
        let at = |at, value| {
            let mut record = counted(Mechanism::Kmsgpipe, "scale depth", 64, value);
            record.at = Some(at);
            record
        };
        assert!(verdict(&[at(16, 100.0), at(256, 105.0)], "scale depth").ok);
        assert!(
            !verdict(
                &[at(16, 106.0), at(256, 100.0), at(4096, 102.0)],
                "scale depth"
            )
            .ok
        );
        // One number says nothing of many.
        assert!(!verdict(&[at(16, 100.0)], "scale depth").ok);
    }

    #[test]
    fn a_figure_by_itself_has_a_limit() {
        let one = counted(Mechanism::Kmsgpipe, "allocations one", 64, 0.0);
        assert!(verdict(&[one], "allocations one, 64 B").ok);
        let one = counted(Mechanism::Kmsgpipe, "allocations one", 64, 0.004);
        assert!(!verdict(&[one], "allocations one, 64 B").ok);
    }

    #[test]
    fn times_are_no_counts() {
        let mut records = peers(800.0);
        records[0].place.accelerator = "kvm".into();
        let refusal = check(&records, &[]).unwrap_err().to_string();
        assert!(refusal.contains("by kvm, not icount"), "{refusal}");
    }
}
