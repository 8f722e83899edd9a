// SPDX-License-Identifier: GPL-2.0

//! `eventfd(2)`: no messages, but the minimum cost of waking another task.

use super::{
    ends::{FileReceiver, FileSender},
    Channel, Shape,
};
use crate::mechanism::Mechanism;
use anyhow::{Context, Result};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// A counter: a message is an 8-byte number.
pub struct Eventfd;

impl Channel for Eventfd {
    const MECHANISM: Mechanism = Mechanism::Eventfd;
    type Sender = FileSender;
    type Receiver = FileReceiver;

    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
        let counter = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC).context("eventfd")?;
        let counter = std::os::fd::OwnedFd::from(counter);
        let same = counter.try_clone().context("dup of an eventfd")?;
        Ok((
            FileSender::new(counter, shape.size),
            FileReceiver::new(same, shape.size),
        ))
    }
}
