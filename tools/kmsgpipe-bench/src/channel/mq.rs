// SPDX-License-Identifier: GPL-2.0

//! POSIX message queues.

use super::{ends::NOWHERE, message::Message, Channel, Receiver, Sender, Shape};
use crate::mechanism::Mechanism;
use anyhow::{Context, Result};
use nix::{
    libc,
    mqueue::{mq_open, mq_unlink, MQ_OFlag, MqAttr, MqdT},
    sys::stat::Mode,
};
use std::{os::fd::AsRawFd, sync::Arc};

/// Name of the queue, which is unlinked when both ends are open.
const NAME: &str = "/kmsgpipe-bench";

/// Sends `message` with a priority. Returns whether it was sent.
#[inline(always)]
fn send(fd: i32, message: &Message, priority: u32) -> bool {
    let (at, len) = (message.at(), message.len());
    // SAFETY: The pointer and length are those of the message.
    let ret = unsafe { libc::syscall(libc::SYS_mq_timedsend, fd, at, len, priority, NOWHERE) };
    ret == 0
}

/// Opens one end.
fn end(flags: MQ_OFlag, attributes: Option<&MqAttr>) -> Result<MqdT> {
    mq_open(NAME, flags | MQ_OFlag::O_CLOEXEC, Mode::S_IRWXU, attributes).context("mq_open")
}

/// Sends with `mq_send`, as a channel with priority 0.
pub struct MqSender {
    queue: Arc<MqdT>,
    fd: i32,
    message: Message,
}

impl MqSender {
    /// Sends with a priority. Returns whether the message was sent.
    #[inline(always)]
    pub fn send_prioritized(&mut self, priority: u32) -> bool {
        send(self.fd, &self.message, priority)
    }
}

impl Sender for MqSender {
    fn message(&mut self) -> &mut [u8] {
        self.message.bytes_mut()
    }

    #[inline(always)]
    fn send(&mut self) -> bool {
        send(self.fd, &self.message, 0)
    }

    fn twin(&self) -> Self {
        Self {
            queue: Arc::clone(&self.queue),
            fd: self.fd,
            message: Message::new(self.message.len()),
        }
    }
}

/// Receives with `mq_receive`.
pub struct MqReceiver {
    queue: Arc<MqdT>,
    fd: i32,
    message: Message,
}

impl Receiver for MqReceiver {
    fn message(&self) -> &[u8] {
        self.message.bytes()
    }

    #[inline(always)]
    fn receive(&mut self) -> bool {
        let len = self.message.len();
        let at = self.message.at_mut();
        let call = libc::SYS_mq_timedreceive;
        // SAFETY: The pointer and length are those of the message, which is mutably borrowed.
        let ret = unsafe { libc::syscall(call, self.fd, at, len, NOWHERE, NOWHERE) };
        ret == len as libc::c_long
    }

    fn twin(&self) -> Self {
        Self {
            queue: Arc::clone(&self.queue),
            fd: self.fd,
            message: Message::new(self.message.len()),
        }
    }
}

/// A POSIX message queue.
pub struct Mq;

impl Channel for Mq {
    const MECHANISM: Mechanism = Mechanism::Mq;
    type Sender = MqSender;
    type Receiver = MqReceiver;

    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
        let attributes = MqAttr::new(0, shape.depth.try_into()?, shape.size.try_into()?, 0);
        let flags = MQ_OFlag::O_CREAT | MQ_OFlag::O_EXCL | MQ_OFlag::O_WRONLY;
        let sender = end(flags, Some(&attributes))?;
        let receiver = end(MQ_OFlag::O_RDONLY, None)?;
        mq_unlink(NAME).context("mq_unlink")?;
        Ok((
            MqSender {
                fd: sender.as_raw_fd(),
                queue: Arc::new(sender),
                message: Message::new(shape.size),
            },
            MqReceiver {
                fd: receiver.as_raw_fd(),
                queue: Arc::new(receiver),
                message: Message::new(shape.size),
            },
        ))
    }
}
