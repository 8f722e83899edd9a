// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl set-params`.

use super::print_json;
use crate::{cli, failure::Failure, open::open_any};
use serde_json::json;

/// Changes the limits of an empty pipe.
pub fn set_params(args: &cli::SetParams, json: bool) -> Result<(), Failure> {
    let node = args.pipe.locate();
    let (pipe, _) = open_any(&node)?;
    let params = args.change.of(pipe.params()?);
    pipe.set_params(params)?;
    if json {
        print_json(&json!({
            "schema": 1,
            "pipe": node.to_string(),
            "msg_size": params.msg_size,
            "max_msgs": params.max_msgs,
        }))?;
    }
    Ok(())
}
