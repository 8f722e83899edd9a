// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl list`.

use super::{print, unwritable};
use crate::{
    failure::Failure,
    report::{self, Report},
    style::Paint,
    width,
};

/// Lists the pipes. A pipe without readable statistics is listed with the reason.
pub fn list(json: bool) -> Result<(), Failure> {
    let reports = Report::of_all(&[], Report::public)?;
    if json {
        print(&report::json(&reports).map_err(unwritable)?)
    } else {
        print(&Paint::stdout().headed(&report::list(&reports, width::of_output())))
    }
}
