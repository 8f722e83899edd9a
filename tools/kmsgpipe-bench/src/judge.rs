// SPDX-License-Identifier: GPL-2.0

//! Comparison of figures with the bars.

use crate::{
    bars::{
        Against::{AboveFloor, BestOfAll, BestPeer, Case, ItsLeast, Nothing, Peer},
        Bar, Side, BARS,
    },
    mechanism::Mechanism,
    record::{Record, ICOUNT},
};
use anyhow::{ensure, Result};
use std::collections::BTreeSet;

/// Whether a bar is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is met.
    Met,
    /// It is not met, or a figure is missing.
    Missed,
    /// A rate that was measured by the clock of an emulated machine.
    NotJudged,
}

impl Judgement {
    /// Returns the judgement of a bar that can be judged.
    fn of(met: bool) -> Self {
        if met {
            Self::Met
        } else {
            Self::Missed
        }
    }

    /// Returns the start of the line that tells it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Met => "ok",
            Self::Missed => "not ok",
            Self::NotJudged => "no verdict",
        }
    }
}

/// Result for a bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Whether the bar is met.
    pub judgement: Judgement,
    /// The bar and the figure, as text.
    pub text: String,
}

impl Bar {
    /// Describes the bar.
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
            Case(case) => format!(": against {case}"),
            BestPeer => ": against the best peer that keeps it whole".into(),
            BestOfAll => ": against the best of all".into(),
            AboveFloor(peer) => format!(": above the floor, against {}", peer.name()),
            ItsLeast => ": against the least of itself".into(),
            Nothing => String::new(),
        }
    }

    /// Returns the figures of a mechanism for the bar's case and size.
    fn records_of<'a>(
        &'a self,
        records: &'a [Record],
        mechanism: Mechanism,
    ) -> impl Iterator<Item = &'a Record> + 'a {
        self.records_in(records, mechanism, self.case)
    }

    /// Returns the figures of a mechanism for a case and the bar's size.
    fn records_in<'a>(
        &'a self,
        records: &'a [Record],
        mechanism: Mechanism,
        case: &'a str,
    ) -> impl Iterator<Item = &'a Record> + 'a {
        records.iter().filter(move |record| {
            record.mechanism == mechanism && record.case == case && record.size == self.size
        })
    }

    /// Returns the better of two figures.
    fn better(&self, a: f64, b: f64) -> f64 {
        match self.side {
            Side::AtMost => a.min(b),
            Side::AtLeast => a.max(b),
        }
    }

    /// Returns the best figure among mechanisms that meet a condition, and its mechanism.
    fn best(
        &self,
        records: &[Record],
        allowed: impl Fn(Mechanism) -> bool,
    ) -> Option<(f64, Mechanism)> {
        let peers = Mechanism::ALL.into_iter().filter(|peer| allowed(*peer));
        let values =
            peers.flat_map(|peer| self.records_of(records, peer).map(move |r| (r.value, peer)));
        values.reduce(|a, b| if self.better(a.0, b.0) == a.0 { a } else { b })
    }

    /// Returns the value to compare with the limit and a remark, or names the figure that is missing.
    fn figure(&self, records: &[Record]) -> Result<(f64, String), &'static str> {
        let of = |mechanism| {
            let record = self.records_of(records, mechanism).next();
            record.map(|record| record.value).ok_or(mechanism.name())
        };
        let own = of(self.of)?;
        let ratio_to = |found: Option<(f64, Mechanism)>| match found {
            Some((value, peer)) => Ok((own / value, format!(", {}", peer.name()))),
            None => Err("any peer"),
        };
        match self.against {
            Nothing => Ok((own, String::new())),
            Peer(peer) => Ok((own / of(peer)?, String::new())),
            Case(case) => {
                let other = self.records_in(records, self.of, case).next();
                let other = other.ok_or(case)?;
                Ok((own / other.value, String::new()))
            }
            BestPeer => ratio_to(self.best(records, |peer| peer.keeps_whole(self.size))),
            BestOfAll => {
                ratio_to(self.best(records, |peer| !peer.is_own() && peer != Mechanism::Floor))
            }
            AboveFloor(peer) => {
                let floor = of(Mechanism::Floor)?;
                Ok(((own - floor) / (of(peer)? - floor), String::new()))
            }
            ItsLeast => {
                let all = || self.records_of(records, self.of).map(|record| record.value);
                let (least, most) = (all().fold(own, f64::min), all().fold(own, f64::max));
                if all().count() < 2 {
                    return Err("another count");
                }
                Ok((most / least, String::new()))
            }
        }
    }

    /// Judges the bar.
    fn judge(&self, records: &[Record]) -> Verdict {
        let (subject, limit) = (self.subject(), self.limit);
        let (value, remark) = match self.figure(records) {
            Ok(found) => found,
            Err(missing) => {
                return Verdict {
                    judgement: Judgement::Missed,
                    text: format!("{subject}: no figure of {missing}"),
                }
            }
        };
        let (met, words) = match self.side {
            Side::AtMost => (value <= limit, "at most"),
            Side::AtLeast => (value >= limit, "at least"),
        };
        let text = match self.against {
            Nothing => format!("{subject}: {value:.1} ({words} {limit:.0})"),
            _ => format!("{subject}: {value:.3} ({words} {limit:.2}{remark})"),
        };
        let emulated = self
            .records_of(records, self.of)
            .find(|record| self.side == Side::AtLeast && !record.place.times_are_real());
        let Some(record) = emulated else {
            return Verdict {
                judgement: Judgement::of(met),
                text,
            };
        };
        // Its own runs are relative to the same figure of the reference.
        let scatter = |run: f64| value * run / record.value;
        let (least, most) = (scatter(record.least), scatter(record.most));
        Verdict {
            judgement: Judgement::NotJudged,
            text: format!(
                "{text}; {} runs: {least:.2} to {most:.2}; by the clock of {}",
                record.batches, record.place.accelerator
            ),
        }
    }
}

/// Judges the bars of all groups of cases that have figures or are in `asked`.
///
/// # Errors
///
/// A figure that must be an instruction count was measured otherwise.
pub fn check(records: &[Record], asked: &[String]) -> Result<Vec<Verdict>> {
    let mut groups: BTreeSet<&str> = asked.iter().map(String::as_str).collect();
    for record in records {
        let Some(bar) = BARS.iter().find(|bar| bar.case == record.case) else {
            continue;
        };
        ensure!(
            bar.side == Side::AtLeast || record.place.counts(),
            "the bars of \"{}\" require instruction counts, measured with lab/run --icount; \
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
    use crate::record::{tests::counted, KVM};

    /// Returns figures of pairs of 64 bytes that meet all bars, with a given figure of this module.
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

    /// Returns the verdict of the bar whose text starts with `subject`.
    fn verdict(records: &[Record], subject: &str) -> Verdict {
        let all = check(records, &[]).unwrap();
        let found = all
            .into_iter()
            .find(|verdict| verdict.text.starts_with(subject));
        found.unwrap_or_else(|| panic!("no bar of {subject}"))
    }

    #[test]
    fn bar_is_met_up_to_its_limit() {
        let subject = "pair, 64 B: against pipe O_DIRECT";
        let at = verdict(&peers(888.0), subject);
        assert_eq!(at.judgement, Judgement::Met, "{at:?}");
        assert_eq!(at.text, format!("{subject}: 0.740 (at most 0.74)"));
        assert_eq!(verdict(&peers(889.0), subject).judgement, Judgement::Missed);
    }

    #[test]
    fn floor_is_subtracted_from_both() {
        let subject = "pair, 64 B: above the floor, against pipe O_DIRECT";
        assert!(verdict(&peers(880.0), subject).text.contains(": 0.467 ("));
        assert_eq!(verdict(&peers(888.0), subject).judgement, Judgement::Missed);
    }

    #[test]
    fn missing_figure_fails() {
        let mut records = peers(800.0);
        records.retain(|record| record.mechanism != Mechanism::SeqPacket);
        let missing = verdict(&records, "pair, 64 B: against SEQPACKET");
        assert_eq!(missing.judgement, Judgement::Missed);
        assert!(missing.text.ends_with("no figure of SEQPACKET"));
        // The peers have figures of 64 bytes only.
        assert_eq!(
            verdict(&records, "pair, 4096 B").judgement,
            Judgement::Missed
        );
    }

    #[test]
    fn only_measured_or_requested_cases_are_judged() {
        let pairs = BARS.iter().filter(|bar| bar.case == "pair").count();
        assert_eq!(check(&peers(800.0), &[]).unwrap().len(), pairs);
        let asked = check(&peers(800.0), &["events".into()]).unwrap();
        assert_eq!(asked.len(), pairs + 4);
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
    fn best_peer_keeps_messages_whole() {
        let mut records = peers(800.0);
        for (mechanism, value) in [
            (Mechanism::Kmsgpipe, 1050.0),
            (Mechanism::Netlink, 1000.0),
            (Mechanism::Mq, 1100.0),
            // A byte stream, and the floor, which delivers no messages.
            (Mechanism::Pipe, 500.0),
            (Mechanism::Floor, 400.0),
        ] {
            records.push(counted(mechanism, "pair", 65536, value));
        }
        let verdict = verdict(&records, "pair, 65536 B");
        assert_eq!(verdict.judgement, Judgement::Met);
        assert!(
            verdict.text.ends_with("1.050 (at most 1.05, netlink)"),
            "{verdict:?}"
        );
    }

    /// Returns rates of streams from four writers, by the clock of this accelerator.
    fn streams(accelerator: &str) -> Vec<Record> {
        let mut records = vec![
            counted(Mechanism::Kmsgpipe, "stream 4:1", 64, 100.0),
            counted(Mechanism::Pipe, "stream 4:1", 64, 99.0),
            counted(Mechanism::Mq, "stream 4:1", 64, 98.0),
        ];
        for record in &mut records {
            record.place.accelerator = accelerator.into();
        }
        records
    }

    #[test]
    fn rate_must_reach_the_best_peer() {
        let mut records = streams(KVM);
        assert_eq!(
            verdict(&records, "stream 4:1, 64 B").judgement,
            Judgement::Met
        );
        records[2].value = 101.0;
        let slower = verdict(&records, "stream 4:1, 64 B");
        assert_eq!(slower.judgement, Judgement::Missed);
        assert!(
            slower.text.ends_with("0.990 (at least 1.00, POSIX mq)"),
            "{slower:?}"
        );
    }

    #[test]
    fn rate_under_emulation_has_scatter_and_no_verdict() {
        let mut records = streams("tcg multi-threaded");
        records[0] = Record {
            least: 50.0,
            most: 120.0,
            batches: 41,
            ..records[0].clone()
        };
        records[1].value = 200.0;
        let shown = verdict(&records, "stream 4:1, 64 B");
        assert_eq!(shown.judgement, Judgement::NotJudged);
        assert!(
            shown.text.ends_with(
                ": 0.500 (at least 1.00, pipe); 41 runs: 0.25 to 0.60; by the clock of tcg multi-threaded"
            ),
            "{shown:?}"
        );
        // A figure that is missing is a failure everywhere.
        records.truncate(1);
        let missing = verdict(&records, "stream 4:1, 64 B");
        assert_eq!(missing.judgement, Judgement::Missed);
    }

    #[test]
    fn scale_is_judged_by_the_minimum() {
        let at = |at, value| {
            let mut record = counted(Mechanism::Kmsgpipe, "scale depth", 64, value);
            record.at = Some(at);
            record
        };
        assert_eq!(
            verdict(&[at(16, 100.0), at(256, 105.0)], "scale depth").judgement,
            Judgement::Met
        );
        let varied = [at(16, 106.0), at(256, 100.0), at(4096, 102.0)];
        assert_eq!(verdict(&varied, "scale depth").judgement, Judgement::Missed);
        // A single count has no reference.
        assert_eq!(
            verdict(&[at(16, 100.0)], "scale depth").judgement,
            Judgement::Missed
        );
    }

    #[test]
    fn case_may_be_compared_with_another() {
        let of = |case, size, value| counted(Mechanism::Kmsgpipe, case, size, value);
        let subject = "read browse, 64 B";
        let mut records = vec![of("read browse", 64, 500.0), of("read queue", 64, 400.0)];
        let at = verdict(&records, subject);
        assert_eq!(at.judgement, Judgement::Met);
        assert_eq!(
            at.text,
            format!("{subject}: against read queue: 1.250 (at most 1.25)")
        );
        records[0].value = 502.0;
        assert_eq!(verdict(&records, subject).judgement, Judgement::Missed);
        // The reference must have the same size.
        records[1].size = 1024;
        let missing = verdict(&records, subject);
        assert_eq!(missing.judgement, Judgement::Missed);
        assert!(missing.text.ends_with("no figure of read queue"));
    }

    #[test]
    fn limit_may_apply_to_the_figure_itself() {
        let one = counted(Mechanism::Kmsgpipe, "allocations one", 64, 0.0);
        assert_eq!(
            verdict(&[one], "allocations one, 64 B").judgement,
            Judgement::Met
        );
        let one = counted(Mechanism::Kmsgpipe, "allocations one", 64, 0.004);
        assert_eq!(
            verdict(&[one], "allocations one, 64 B").judgement,
            Judgement::Missed
        );
    }

    #[test]
    fn times_are_rejected_as_counts() {
        let mut records = peers(800.0);
        records[0].place.accelerator = "kvm".into();
        let refusal = check(&records, &[]).unwrap_err().to_string();
        assert!(refusal.contains("by kvm, not icount"), "{refusal}");
    }
}
