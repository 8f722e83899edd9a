// SPDX-License-Identifier: GPL-2.0

//! Records of figures: the file format.

use crate::{measure::Figure, mechanism::Mechanism};
use anyhow::{bail, ensure, Context, Result};
use nix::sys::utsname::uname;
use serde::{Deserialize, Serialize};
use std::{env, fs, io::Write, path::Path};

/// Unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Instructions executed by the machine, in kernel and user space.
    Instructions,
    /// Nanoseconds.
    Nanoseconds,
    /// Thousands of messages per second.
    #[serde(rename = "k messages/s")]
    Rate,
    /// Bytes of kernel memory.
    Bytes,
    /// Memory allocations in the kernel.
    Allocations,
}

impl Unit {
    /// Returns the name of the unit.
    pub fn name(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Nanoseconds => "nanoseconds",
            Self::Rate => "k messages/s",
            Self::Bytes => "bytes",
            Self::Allocations => "allocations",
        }
    }

    /// Returns which direction is better.
    pub fn better(self) -> &'static str {
        match self {
            Self::Rate => "higher is better",
            Self::Instructions | Self::Nanoseconds | Self::Bytes | Self::Allocations => {
                "lower is better"
            }
        }
    }
}

/// The accelerator with which time is an instruction count.
pub const ICOUNT: &str = "icount";

/// The accelerator that runs the machine on the processor itself.
pub const KVM: &str = "kvm";

/// Where a figure was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Kernel: `uname -r`, and the lab's key of its source, configuration and compilers.
    pub kernel: String,
    /// Commit of the module, with the suffix `-dirty` if there were uncommitted changes.
    pub module: String,
    /// How the machine was executed: icount, tcg, tcg multi-threaded or kvm.
    pub accelerator: String,
}

impl Place {
    /// Returns the description of this machine, which lab/run passes in the environment.
    ///
    /// # Errors
    ///
    /// This is not a machine of the lab. The benchmark changes system limits, and creates and destroys pipes.
    pub fn here() -> Result<Self> {
        let told = |key| {
            let value = env::var(key).ok();
            value.context("run this in the lab's machine: lab/run kmsgpipe-bench measure")
        };
        let release = uname()?.release().to_string_lossy().into_owned();
        Ok(Self {
            kernel: format!("{release} {}", told("LAB_KERNEL_ID")?),
            module: told("LAB_COMMIT")?,
            accelerator: told("LAB_ACCELERATOR")?,
        })
    }

    /// Returns whether time is an instruction count.
    pub fn counts(&self) -> bool {
        self.accelerator == ICOUNT
    }

    /// Returns whether the clock shows what a real machine would take: it does not under emulation.
    pub fn times_are_real(&self) -> bool {
        self.accelerator == KVM
    }

    /// Returns the unit of time.
    pub fn time(&self) -> Unit {
        if self.counts() {
            Unit::Instructions
        } else {
            Unit::Nanoseconds
        }
    }
}

/// A figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The mechanism.
    pub mechanism: Mechanism,
    /// The case.
    pub case: String,
    /// Message size in bytes, 0 if there are no messages.
    pub size: usize,
    /// The count that a `scale` case varies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<usize>,
    /// Unit of the value.
    pub unit: Unit,
    /// The figure: minimum of all batches for costs, median for rates.
    pub value: f64,
    /// Minimum of all batches.
    pub least: f64,
    /// Median of all batches.
    pub median: f64,
    /// Maximum of all batches.
    pub most: f64,
    /// Number of batches.
    pub batches: usize,
    /// Where it was measured.
    #[serde(flatten)]
    pub place: Place,
}

/// What a figure describes.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    /// The mechanism.
    pub mechanism: Mechanism,
    /// The case.
    pub case: &'a str,
    /// Message size in bytes.
    pub size: usize,
    /// The count that a `scale` case varies.
    pub at: Option<usize>,
}

/// Writes each figure at once.
pub struct Sink<'a> {
    /// Where the figures are measured.
    pub place: Place,
    /// Output.
    pub to: &'a mut dyn Write,
}

impl Sink<'_> {
    /// Writes a figure.
    pub fn put(&mut self, of: Of<'_>, unit: Unit, figure: Figure) -> Result<()> {
        let record = Record {
            mechanism: of.mechanism,
            case: of.case.into(),
            size: of.size,
            at: of.at,
            unit,
            value: if unit == Unit::Rate {
                figure.median
            } else {
                figure.least
            },
            least: figure.least,
            median: figure.median,
            most: figure.most,
            batches: figure.batches,
            place: self.place.clone(),
        };
        let line = serde_json::to_string(&record)?;
        writeln!(self.to, "{line}").context("writing a figure")?;
        self.to.flush().context("writing a figure")
    }

    /// Writes a cost in time or instructions.
    pub fn put_time(&mut self, of: Of<'_>, figure: Figure) -> Result<()> {
        self.put(of, self.place.time(), figure)
    }
}

/// Parses figures: a JSON array, or one per line.
pub fn parse(text: &str) -> Result<Vec<Record>> {
    if text.trim_start().starts_with('[') {
        return Ok(serde_json::from_str(text)?);
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// Reads figures from files.
pub fn load(files: &[impl AsRef<Path>]) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for file in files {
        let file = file.as_ref();
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let found =
            parse(&text).with_context(|| format!("{} has no valid figures", file.display()))?;
        ensure!(
            !found.is_empty(),
            "there are no figures in {}",
            file.display()
        );
        records.extend(found);
    }
    Ok(records)
}

/// Checks that figures are comparable.
///
/// # Errors
///
/// They were measured on different kernels.
pub fn same_kernel<'a>(records: impl IntoIterator<Item = &'a Record>) -> Result<()> {
    same(records, "kernels", |place| &place.kernel)
}

/// Checks that figures are of one kernel and one module.
///
/// # Errors
///
/// They are not.
pub fn same_module(records: &[Record]) -> Result<()> {
    same_kernel(records)?;
    same(records, "commits of the module", |place| &place.module)
}

/// Checks that a property is the same for all figures.
fn same<'a>(
    records: impl IntoIterator<Item = &'a Record>,
    what: &str,
    key: impl Fn(&Place) -> &String,
) -> Result<()> {
    let mut records = records.into_iter();
    let Some(first) = records.next() else {
        return Ok(());
    };
    let first = key(&first.place);
    for record in records {
        let other = key(&record.place);
        if other != first {
            bail!(
                "these figures are of different {what} and cannot be compared: {first} and {other}"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Returns an instruction count.
    pub fn counted(mechanism: Mechanism, case: &str, size: usize, value: f64) -> Record {
        Record {
            mechanism,
            case: case.into(),
            size,
            at: None,
            unit: Unit::Instructions,
            value,
            least: value,
            median: value,
            most: value,
            batches: 1,
            place: Place {
                kernel: "7.2.13".into(),
                module: "abc".into(),
                accelerator: ICOUNT.into(),
            },
        }
    }

    #[test]
    fn records_round_trip() {
        let mut record = counted(Mechanism::PipeDirect, "scale depth", 64, 1234.5);
        record.at = Some(16);
        record.unit = Unit::Rate;
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(parse(&text).unwrap(), [record.clone()]);
        assert_eq!(parse(&format!("{text}\n\n{text}\n")).unwrap().len(), 2);
        assert_eq!(parse(&format!("[{text},{text}]")).unwrap()[1], record);
    }

    #[test]
    fn json_matches_the_documented_schema() {
        let record = counted(Mechanism::Mq, "pair", 64, 1.5);
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(
            text,
            r#"{"mechanism":"POSIX mq","case":"pair","size":64,"unit":"instructions","value":1.5,"least":1.5,"median":1.5,"most":1.5,"batches":1,"kernel":"7.2.13","module":"abc","accelerator":"icount"}"#
        );
    }

    #[test]
    fn rate_is_the_median_and_cost_the_minimum() {
        let figure = Figure::of(vec![1.0, 2.0, 6.0]);
        let of = Of {
            mechanism: Mechanism::Kmsgpipe,
            case: "x",
            size: 1,
            at: None,
        };
        let mut text = Vec::new();
        let mut sink = Sink {
            place: counted(Mechanism::Pipe, "", 0, 0.0).place,
            to: &mut text,
        };
        sink.put(of, Unit::Rate, figure).unwrap();
        sink.put_time(of, figure).unwrap();
        let records = parse(std::str::from_utf8(&text).unwrap()).unwrap();
        assert_eq!(records[0].value, 2.0);
        assert_eq!(records[1].value, 1.0);
        assert_eq!(records[1].unit, Unit::Instructions);
        assert_eq!((records[0].least, records[0].most), (1.0, 6.0));
    }

    #[test]
    fn different_kernels_are_rejected() {
        let one = counted(Mechanism::Pipe, "pair", 64, 1.0);
        let mut other = one.clone();
        assert!(same_module(&[one.clone(), other.clone()]).is_ok());
        other.place.module = "def".into();
        assert!(same_kernel([&one, &other]).is_ok());
        let refusal = same_module(&[one.clone(), other.clone()]).unwrap_err();
        assert!(refusal
            .to_string()
            .ends_with("commits of the module and cannot be compared: abc and def"));
        other.place.kernel = "7.3.0".into();
        let refusal = same_kernel([&one, &other]).unwrap_err();
        assert!(refusal.to_string().contains("different kernels"));
        assert!(refusal.to_string().ends_with("7.2.13 and 7.3.0"));
    }

    #[test]
    fn invalid_records_are_rejected() {
        assert!(parse("{}").is_err());
        assert!(parse("[1]").is_err());
        assert!(parse("{\"mechanism\":\"pigeon\"}").is_err());
    }
}
