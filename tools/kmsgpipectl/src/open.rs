// SPDX-License-Identifier: GPL-2.0

//! Opening a pipe for requests.

use kmsgpipe::{Access, Class, Errno, Node, Pipe, Result};

/// Opens a pipe for requests: for reading, or for writing if reading is not permitted or another reader has
/// the pipe open exclusively. The file stays in the default mode, because it is neither read nor written.
pub fn open_any(node: &Node) -> Result<(Pipe, Access)> {
    match Pipe::open_as_is(node, Access::Read) {
        Ok(pipe) => Ok((pipe, Access::Read)),
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
