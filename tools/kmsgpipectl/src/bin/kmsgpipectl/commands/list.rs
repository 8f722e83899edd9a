// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl list`.

use super::{print, unwritable};
use crate::{
    failure::Failure,
    report::{self, Report},
};

/// Lists the pipes. One that cannot be asked is listed with the reason.
pub fn list(json: bool) -> Result<(), Failure> {
    let reports: Vec<Report> = kmsgpipe::pipes()?.into_iter().map(Report::of).collect();
    if json {
        print(&report::json(&reports).map_err(unwritable)?)
    } else {
        print(&report::list(&reports))
    }
}
