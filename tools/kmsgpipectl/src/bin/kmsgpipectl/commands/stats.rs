// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl stats`.

use super::{print, unwritable};
use crate::{
    cli,
    failure::Failure,
    report::{self, Report},
};

/// Shows all that is known of a pipe, or of all of them.
pub fn stats(args: &cli::Stats, json: bool) -> Result<(), Failure> {
    let reports = match &args.pipe {
        Some(name) => {
            let report = Report::of(name.clone());
            report.check()?;
            vec![report]
        }
        None => kmsgpipe::pipes()?.into_iter().map(Report::of).collect(),
    };
    if json {
        print(&report::json(&reports).map_err(unwritable)?)
    } else {
        print(&report::blocks(&reports))
    }
}
