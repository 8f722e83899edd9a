// SPDX-License-Identifier: GPL-2.0

//! `pipe(2)`, as a stream and with packets.

use super::{
    ends::{FileReceiver, FileSender},
    Channel, Shape,
};
use crate::mechanism::Mechanism;
use anyhow::{Context, Result};
use nix::{
    fcntl::{fcntl, FcntlArg, OFlag},
    unistd::pipe2,
};
use std::os::fd::OwnedFd;

/// Makes a pipe(2) and returns the ends to write to and to read from.
pub fn ends(shape: Shape, flags: OFlag) -> Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = pipe2(flags | OFlag::O_CLOEXEC).context("pipe2")?;
    // A packet takes a page, and a stream is given as much.
    let room = shape.depth * shape.size.next_multiple_of(4096);
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(room.try_into()?)).context("F_SETPIPE_SZ")?;
    Ok((writer, reader))
}

/// A stream of bytes.
pub struct Pipe;

impl Channel for Pipe {
    const MECHANISM: Mechanism = Mechanism::Pipe;
    type Sender = FileSender;
    type Receiver = FileReceiver;

    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
        let (writer, reader) = ends(shape, OFlag::empty())?;
        Ok((
            FileSender::new(writer, shape.size),
            FileReceiver::new(reader, shape.size),
        ))
    }
}

/// Packets.
pub struct PipeDirect;

impl Channel for PipeDirect {
    const MECHANISM: Mechanism = Mechanism::PipeDirect;
    type Sender = FileSender;
    type Receiver = FileReceiver;

    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
        let (writer, reader) = ends(shape, OFlag::O_DIRECT)?;
        Ok((
            FileSender::new(writer, shape.size),
            FileReceiver::new(reader, shape.size),
        ))
    }
}
