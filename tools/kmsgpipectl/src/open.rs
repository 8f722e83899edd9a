// SPDX-License-Identifier: GPL-2.0

//! Opening a pipe for requests.

use kmsgpipe::{Access, Attach, Class, Errno, Kind, Node, Pipe, Result, Start};

/// Opens a pipe for requests: for reading, or for writing if reading is not permitted or another reader has
/// the pipe open exclusively. The file stays in the default mode, because it is neither read nor written.
///
/// In a broadcast pipe, a file that is open for reading is a subscription, for which messages are kept. This one
/// browses instead, so that it delays no writer however long it is open.
pub fn open_any(node: &Node) -> Result<(Pipe, Access)> {
    match Pipe::open_as_is(node, Access::Read) {
        Ok(pipe) => {
            if node.kind().is_ok_and(|kind| kind == Kind::Broadcast) {
                pipe.attach(Attach::Browse(Start::Oldest))?;
            }
            Ok((pipe, Access::Read))
        }
        Err(refusal)
            if refusal.class() == Class::Permission || refusal.errno() == Some(Errno::EBUSY) =>
        {
            match Pipe::open_as_is(node, Access::Write) {
                Ok(pipe) => Ok((pipe, Access::Write)),
                Err(_) => Err(refusal),
            }
        }
        Err(error) => Err(error),
    }
}
