// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl destroy`.

use super::print_json;
use crate::{cli, failure::Failure, open::open_any};
use kmsgpipe::PipeName;
use serde_json::{json, Value};

/// Destroys pipes, and continues after failures.
pub fn destroy(args: &cli::Destroy, json: bool) -> Result<(), Failure> {
    let mut destroyed = Vec::new();
    let mut failures = Vec::new();
    for name in &args.pipes {
        match destroy_one(name) {
            Ok(pipe) => destroyed.push(pipe),
            Err(failure) => failures.push(failure),
        }
    }
    if json && !destroyed.is_empty() {
        print_json(&json!({ "schema": 1, "destroyed": destroyed }))?;
    }
    // The first failure decides the exit code, and is reported last.
    let mut failures = failures.into_iter();
    let first = failures.next();
    for failure in failures {
        failure.report(json);
    }
    first.map_or(Ok(()), Err)
}

/// Destroys a pipe, and returns what identifies it.
fn destroy_one(name: &PipeName) -> Result<Value, Failure> {
    let node = name.locate();
    let id = if node.stray().is_some() {
        // The node is missing, but the pipe exists.
        node.destroy()?;
        node.id()
    } else {
        let (pipe, _) = open_any(&node)?;
        let id = pipe.stats()?.id;
        pipe.destroy()?;
        Some(id)
    };
    Ok(json!({ "pipe": node.to_string(), "path": node.path().to_string_lossy(), "id": id }))
}
