// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl show`.

use super::print;
use crate::{
    cli,
    failure::Failure,
    report::{self, Report},
};

/// Shows what pipes are and how they are doing.
pub fn show(args: &cli::Show, json: bool) -> Result<(), Failure> {
    let reports = Report::of_all(&args.pipes, Report::public)?;
    for report in &reports {
        report.stats()?;
    }
    print(&report::show(&reports, json)?)
}
