// SPDX-License-Identifier: GPL-2.0

//! Tables of figures, with ratios to `pipe(2)` with `O_DIRECT`.

use crate::{
    mechanism::Mechanism,
    record::{Record, Unit},
};
use std::collections::BTreeSet;

/// Reference of the ratios.
const REFERENCE: Mechanism = Mechanism::PipeDirect;

/// Formats a figure.
pub fn number(value: f64) -> String {
    if value == 0.0 || value.abs() >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.2}")
    }
}

/// Formats rows, the first of which is the heading, as an aligned Markdown table.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
            .max(3)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (i, row) in rows.iter().enumerate() {
        for (column, width) in widths.iter().enumerate() {
            let cell = row.get(column).map_or("", String::as_str);
            text += &match column {
                0 => format!("| {cell:<width$} |"),
                _ => format!(" {cell:>width$} |"),
            };
        }
        text.push('\n');
        if i == 0 {
            for (column, width) in widths.iter().enumerate() {
                text += &match column {
                    0 => format!("|{}|", "-".repeat(width + 2)),
                    _ => format!("{}:|", "-".repeat(width + 1)),
                };
            }
            text.push('\n');
        }
    }
    text
}

/// Returns the cases in the order of their first figure, each with its figures.
pub fn by_case(records: &[Record]) -> Vec<(&str, Vec<&Record>)> {
    let mut cases: Vec<(&str, Vec<&Record>)> = Vec::new();
    for record in records {
        match cases.iter_mut().find(|(case, _)| *case == record.case) {
            Some((_, of_case)) => of_case.push(record),
            None => cases.push((&record.case, vec![record])),
        }
    }
    cases
}

/// Formats the heading of a column.
fn title((size, at): (usize, Option<usize>)) -> String {
    match (size, at) {
        (_, Some(at)) => at.to_string(),
        (0, None) => "each".into(),
        (size, None) => format!("{size} B"),
    }
}

/// Formats the table of a case: a row per mechanism, a column per size.
fn of_case(case: &str, records: &[&Record]) -> String {
    let columns: BTreeSet<_> = records
        .iter()
        .map(|record| (record.size, record.at))
        .collect();
    let find = |mechanism, (size, at)| {
        let mut found = records.iter().filter(|record| {
            record.mechanism == mechanism && record.size == size && record.at == at
        });
        found.next_back()
    };
    let Some(first) = records.first() else {
        return String::new();
    };
    let place = &first.place;
    // Ratios are omitted if the reference may be 0.
    let compares = !matches!(first.unit, Unit::Bytes | Unit::Allocations)
        && records.iter().any(|record| record.mechanism == REFERENCE);
    let mut rows = vec![vec![format!("{} of", first.unit.name())]];
    rows[0].extend(columns.iter().map(|column| title(*column)));
    for mechanism in Mechanism::ALL {
        if !records.iter().any(|record| record.mechanism == mechanism) {
            continue;
        }
        let mut row = vec![mechanism.name().to_owned()];
        for &column in &columns {
            let Some(record) = find(mechanism, column) else {
                row.push("-".into());
                continue;
            };
            let ratio = find(REFERENCE, column)
                .filter(|_| compares && mechanism != REFERENCE)
                .map(|reference| format!(" ({:.2})", record.value / reference.value));
            row.push(number(record.value) + &ratio.unwrap_or_default());
        }
        rows.push(row);
    }
    let mut about = place.accelerator.clone();
    if first.batches > 1 {
        let which = match first.unit {
            Unit::Rate => "median",
            _ => "least",
        };
        about += &format!(", the {which} of {}", first.batches);
    }
    if compares {
        about += &format!("; in brackets: ratio to {}", REFERENCE.name());
    }
    format!("### {case}\n\n{about}\n\n{}", table(&rows))
}

/// Describes the limits of these figures.
fn limits(records: &[Record]) -> String {
    let counted = records.iter().any(|record| record.place.counts());
    let timed = records.iter().any(|record| !record.place.counts());
    let mut text = String::from("Limits of these figures:\n");
    if counted {
        text += "\
- Instructions are not time. A count ignores cache misses, mispredicted branches, the latency of atomic
  operations and lock contention; and copies do not use the processor's fast string instructions.
- A count is specific to this kernel's configuration. Mitigations, auditing and security modules affect all
  mechanisms equally only if they make the same system calls; and in a memory control group, mechanisms
  that allocate memory per message cost more.
";
    }
    if timed {
        text += "\
- Times were measured in an emulated machine and depend on the load of the host: they only rank mechanisms
  that were measured side by side on an idle host. Differences of less than 10 % are not significant.
";
    }
    text + "- A benchmark of two tasks and one channel does not include the work of a real program.\n"
}

/// Formats all tables.
pub fn tables(records: &[Record]) -> String {
    let Some(first) = records.first() else {
        return String::new();
    };
    let mut text = format!(
        "kernel {}, module {}\n\n",
        first.place.kernel, first.place.module
    );
    for (case, records) in by_case(records) {
        text += &of_case(case, &records);
        text.push('\n');
    }
    text + &limits(records)
}

/// Formats the figures that two runs have in common, side by side.
pub fn compare(before: &[Record], after: &[Record]) -> String {
    let mut rows = vec![["case", "mechanism", "size", "before", "after", "ratio"]
        .map(String::from)
        .to_vec()];
    for old in before {
        let same = |new: &&Record| {
            (new.mechanism, &new.case, new.size, new.at, new.unit)
                == (old.mechanism, &old.case, old.size, old.at, old.unit)
                && new.place.accelerator == old.place.accelerator
        };
        let Some(new) = after.iter().find(same) else {
            continue;
        };
        rows.push(vec![
            old.case.clone(),
            old.mechanism.name().into(),
            title((old.size, old.at)),
            number(old.value),
            number(new.value),
            if old.value == 0.0 {
                "-".into()
            } else {
                format!("{:.3}", new.value / old.value)
            },
        ]);
    }
    let module = |records: &[Record]| records.first().map(|record| record.place.module.clone());
    format!(
        "before: module {}; after: module {}\n\n{}",
        module(before).unwrap_or_default(),
        module(after).unwrap_or_default(),
        table(&rows)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::counted;

    #[test]
    fn table_has_ratios_to_pipe_packets() {
        let records = [
            counted(Mechanism::Kmsgpipe, "pair", 64, 900.0),
            counted(Mechanism::PipeDirect, "pair", 64, 1200.0),
            counted(Mechanism::Kmsgpipe, "pair", 65536, 20000.0),
        ];
        let text = tables(&records);
        for line in [
            "kernel 7.2.13, module abc",
            "| instructions of |       64 B | 65536 B |",
            "|-----------------|-----------:|--------:|",
            "| kmsgpipe        | 900 (0.75) |   20000 |",
            "| pipe O_DIRECT   |       1200 |       - |",
            "- Instructions are not time. A count ignores cache misses, mispredicted branches, the latency of atomic",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn compare_prints_runs_side_by_side() {
        let before = [
            counted(Mechanism::Kmsgpipe, "pair", 64, 1000.0),
            counted(Mechanism::Pipe, "pair", 64, 1000.0),
        ];
        let mut after = counted(Mechanism::Kmsgpipe, "pair", 64, 750.0);
        after.place.module = "def".into();
        let text = compare(&before, &[after]);
        assert!(text.starts_with("before: module abc; after: module def\n"));
        let row = "| pair |  kmsgpipe | 64 B |   1000 |   750 | 0.750 |";
        assert!(text.ends_with(&format!("{row}\n")), "{text}");
    }
}
