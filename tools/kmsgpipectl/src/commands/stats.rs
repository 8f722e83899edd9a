// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl stats`.

use super::{print, unwritable};
use crate::{
    cli,
    failure::Failure,
    report::{self, Report},
    width,
};

/// Prints the statistics of pipes, or of all pipes. Each is a consistent snapshot.
pub fn stats(args: &cli::Stats, json: bool) -> Result<(), Failure> {
    let reports = Report::of_all(&args.pipes, Report::of)?;
    // Inaccessible pipes are an error only if they were named.
    if !args.pipes.is_empty() {
        for report in &reports {
            report.stats()?;
        }
    }
    if json {
        print(&report::json(&reports).map_err(unwritable)?)
    } else {
        print(&report::blocks(&reports, width::of_output()))
    }
}
