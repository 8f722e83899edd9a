// SPDX-License-Identifier: GPL-2.0

//! `pipe(2)`, as a byte stream and with packets.

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

/// Size of a slot of a pipe(2).
const PAGE: usize = 4096;

/// Creates a pipe(2) with space for `depth` messages that take `each` bytes.
fn open(shape: Shape, flags: OFlag, each: usize) -> Result<(FileSender, FileReceiver)> {
    let (reader, writer) = pipe2(flags | OFlag::O_CLOEXEC).context("pipe2")?;
    // With space for a single page, each write would fill the pipe, which costs more.
    let room = (shape.depth * each).max(2 * PAGE);
    fcntl(&writer, FcntlArg::F_SETPIPE_SZ(room.try_into()?)).context("F_SETPIPE_SZ")?;
    Ok((
        FileSender::new(writer, shape.size),
        FileReceiver::new(reader, shape.size),
    ))
}

/// `pipe(2)` as a byte stream.
pub struct Pipe;

impl Channel for Pipe {
    const MECHANISM: Mechanism = Mechanism::Pipe;
    type Sender = FileSender;
    type Receiver = FileReceiver;

    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
        open(shape, OFlag::empty(), shape.size)
    }
}

/// `pipe(2)` with packets.
pub struct PipeDirect;

impl Channel for PipeDirect {
    const MECHANISM: Mechanism = Mechanism::PipeDirect;
    type Sender = FileSender;
    type Receiver = FileReceiver;

    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
        // Each packet takes a page.
        open(shape, OFlag::O_DIRECT, PAGE)
    }
}
