// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl clear`.

use super::print;
use crate::{cli, failure::Failure, report::open_any};
use serde_json::json;

/// Discards every queued message.
pub fn clear(args: &cli::Clear, json: bool) -> Result<(), Failure> {
    let (pipe, _) = open_any(&args.pipe)?;
    pipe.clear()?;
    if json {
        let name = args.pipe.to_string();
        print(&format!(
            "{}\n",
            json!({ "schema": 1, "pipe": name, "cleared": true })
        ))?;
    }
    Ok(())
}
