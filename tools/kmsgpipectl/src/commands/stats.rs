// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl stats`.

use super::{print, unwritable};
use crate::{
    cli,
    failure::Failure,
    report::{self, Report},
    width,
};

/// Shows the statistics of pipes, or of all of them. Each is a consistent snapshot.
pub fn stats(args: &cli::Stats, json: bool) -> Result<(), Failure> {
    let reports = Report::of_all(&args.pipes, Report::of)?;
    // What was not asked for by name may be out of reach.
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
