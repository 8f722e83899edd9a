// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipectl create`.

use super::{print, print_json};
use crate::{
    cli::{self, Ownership},
    failure::Failure,
    open::open_any,
};
use kmsgpipe::{Class, Create, Node, Params, Stray};
use serde_json::json;

/// Creates a pipe and prints its node.
pub fn create(args: &cli::Create, json: bool) -> Result<(), Failure> {
    let Ownership { uid, gid } = args.owner.unwrap_or_default();
    // Any pipe serves to reach the module; pipe 0 always exists.
    let (pipe, _) = open_any(&Node::of(0))?;
    let id = pipe.create(&Create {
        params: Params {
            msg_size: args.msg_size,
            max_msgs: args.max_msgs,
        },
        mode: args.mode,
        uid,
        gid: args.group.unwrap_or(gid),
        name: args.name.clone(),
        default_mode: args.default_mode,
        overflow: args.overflow,
        kind: args.kind,
        history: args.history,
        priorities: args.priorities,
    })?;

    let node = match &args.name {
        Some(name) => Node::named(name, id),
        None => Node::of(id),
    };
    if let Some(stray) = node.stray() {
        return Err(undo(&node, &stray));
    }
    if json {
        print_json(&json!({
            "schema": 1,
            "id": id,
            "node": node.path().to_string_lossy(),
            "name": args.name,
        }))
    } else {
        print(&format!("{}\n", node.path().display()))
    }
}

/// Destroys a pipe whose node could not be created, and returns the reason. The kernel does not report this
/// failure, and writes to the path would go to another file.
fn undo(node: &Node, stray: &Stray) -> Failure {
    let mend = match &stray.blocker {
        None => {
            "the kernel creates the nodes in devtmpfs, which must be mounted on /dev".to_string()
        }
        Some((at, _)) => format!("remove what is at {} first", at.display()),
    };
    let failure = Failure::new(
        Class::Failed,
        format!("the kernel could not create the node of the pipe: {stray}; {mend}"),
    );
    match node.destroy() {
        Ok(()) => failure.also("the pipe was destroyed again"),
        Err(error) => failure.also(&error.to_string()),
    }
}
