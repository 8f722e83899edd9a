// SPDX-License-Identifier: GPL-2.0

//! System V message queues.

use super::{message::Message, Channel, Receiver, Sender, Shape};
use crate::mechanism::Mechanism;
use anyhow::{Context, Result};
use nix::{errno::Errno, libc};
use std::sync::Arc;

/// A queue, which is removed with the last end of it.
struct Queue(i32);

impl Queue {
    /// Makes one.
    fn new(shape: Shape) -> Result<Self> {
        // SAFETY: No memory is involved.
        let id = unsafe { libc::msgget(libc::IPC_PRIVATE, libc::IPC_CREAT | 0o600) };
        let queue = Self(Errno::result(id).context("msgget")?);
        // SAFETY: A structure of integers, of which zeroes are a value.
        let mut about: libc::msqid_ds = unsafe { std::mem::zeroed() };
        // SAFETY: It has room for what the kernel tells.
        let ret = unsafe { libc::msgctl(queue.0, libc::IPC_STAT, &raw mut about) };
        Errno::result(ret).context("msgctl of IPC_STAT")?;
        about.msg_qbytes = (shape.depth * shape.size) as libc::msglen_t;
        // SAFETY: It is as the kernel told, but for the limit.
        let ret = unsafe { libc::msgctl(queue.0, libc::IPC_SET, &raw mut about) };
        Errno::result(ret).context("msgctl of IPC_SET")?;
        Ok(queue)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: No memory is involved.
        unsafe { libc::msgctl(self.0, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}

/// One end: both are alike.
pub struct SysvEnd {
    queue: Arc<Queue>,
    id: i32,
    message: Message,
}

impl SysvEnd {
    /// One of a queue.
    fn new(queue: &Arc<Queue>, size: usize) -> Self {
        Self {
            queue: Arc::clone(queue),
            id: queue.0,
            message: Message::new(size),
        }
    }
}

impl Sender for SysvEnd {
    fn message(&mut self) -> &mut [u8] {
        self.message.bytes_mut()
    }

    #[inline(always)]
    fn send(&mut self) -> bool {
        let message = &self.message;
        let (at, len) = (message.with_type(), message.len());
        // SAFETY: The message is as long as is said, and its type is before it.
        let ret = unsafe { libc::syscall(libc::SYS_msgsnd, self.id, at, len, 0) };
        ret == 0
    }

    fn twin(&self) -> Self {
        Self::new(&self.queue, self.message.len())
    }
}

impl Receiver for SysvEnd {
    fn message(&self) -> &[u8] {
        self.message.bytes()
    }

    #[inline(always)]
    fn receive(&mut self) -> bool {
        let len = self.message.len();
        let at = self.message.with_type_mut();
        // SAFETY: The message is as long as is said, with room for its type before it, and is
        // borrowed mutably.
        let ret = unsafe { libc::syscall(libc::SYS_msgrcv, self.id, at, len, ANY_TYPE, 0) };
        ret == len as libc::c_long
    }

    fn twin(&self) -> Self {
        Self::new(&self.queue, self.message.len())
    }
}

/// What asks for the first message, of whatever type.
const ANY_TYPE: libc::c_long = 0;

/// A System V message queue.
pub struct Sysv;

impl Channel for Sysv {
    const MECHANISM: Mechanism = Mechanism::Sysv;
    type Sender = SysvEnd;
    type Receiver = SysvEnd;

    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
        let queue = Arc::new(Queue::new(shape)?);
        Ok((
            SysvEnd::new(&queue, shape.size),
            SysvEnd::new(&queue, shape.size),
        ))
    }
}
