// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl clear`.

use super::print_json;
use crate::{cli, failure::Failure, open::open_any};
use serde_json::json;

/// Discards all queued messages.
pub fn clear(args: &cli::Clear, json: bool) -> Result<(), Failure> {
    let node = args.pipe.locate();
    let (pipe, _) = open_any(&node)?;
    pipe.clear()?;
    if json {
        print_json(&json!({ "schema": 1, "pipe": node.to_string(), "cleared": true }))?;
    }
    Ok(())
}
