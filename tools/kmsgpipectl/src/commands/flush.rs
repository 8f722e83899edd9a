// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl flush`.

use super::print_json;
use crate::{cli, failure::Failure, open::open_any};
use kmsgpipe::{Flush, FLUSH_EXPIRY_DEFAULT, FLUSH_INTERVAL_DEFAULT};
use serde_json::json;

/// Enables or disables message expiry.
pub fn flush(args: &cli::Flush, json: bool) -> Result<(), Failure> {
    let (name, flush) = match args {
        cli::Flush::Enable(args) => (
            &args.pipe,
            // 0 selects the kernel's default.
            Some(Flush {
                interval_ms: args.interval.unwrap_or(0),
                expiry_ms: args.expiry.unwrap_or(0),
            }),
        ),
        cli::Flush::Disable(args) => (&args.pipe, None),
    };
    let node = name.locate();
    let (pipe, _) = open_any(&node)?;
    pipe.flush_periodic(flush)?;
    if json {
        let or = |default| move |millis| if millis == 0 { default } else { millis };
        let interval = flush.map(|flush| flush.interval_ms);
        let expiry = flush.map(|flush| flush.expiry_ms);
        print_json(&json!({
            "schema": 1,
            "pipe": node.to_string(),
            "enabled": flush.is_some(),
            "interval_ms": interval.map(or(FLUSH_INTERVAL_DEFAULT)),
            "expiry_ms": expiry.map(or(FLUSH_EXPIRY_DEFAULT)),
        }))?;
    }
    Ok(())
}
