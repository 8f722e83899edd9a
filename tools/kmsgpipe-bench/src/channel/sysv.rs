// SPDX-License-Identifier: GPL-2.0

//! System V message queues.

use super::{message::Message, Channel, Receiver, Sender, Shape};
use crate::mechanism::Mechanism;
use anyhow::{Context, Result};
use nix::{errno::Errno, libc};
use std::sync::Arc;

/// A queue, removed with its last end.
struct Queue(i32);

impl Queue {
    /// Creates a queue.
    fn new(shape: Shape) -> Result<Self> {
        // SAFETY: The call accesses no memory.
        let id = unsafe { libc::msgget(libc::IPC_PRIVATE, libc::IPC_CREAT | 0o600) };
        let queue = Self(Errno::result(id).context("msgget")?);
        // SAFETY: All fields are integers, for which zero is valid.
        let mut about: libc::msqid_ds = unsafe { std::mem::zeroed() };
        // SAFETY: The structure has space for the result.
        let ret = unsafe { libc::msgctl(queue.0, libc::IPC_STAT, &raw mut about) };
        Errno::result(ret).context("msgctl(IPC_STAT)")?;
        about.msg_qbytes = (shape.depth * shape.size) as libc::msglen_t;
        // SAFETY: The structure is valid and initialised.
        let ret = unsafe { libc::msgctl(queue.0, libc::IPC_SET, &raw mut about) };
        Errno::result(ret).context("msgctl(IPC_SET)")?;
        Ok(queue)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: The call accesses no memory.
        unsafe { libc::msgctl(self.0, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}

/// Either end.
pub struct SysvEnd {
    queue: Arc<Queue>,
    id: i32,
    message: Message,
}

impl SysvEnd {
    /// Creates an end.
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
        // SAFETY: The message has this length, and is preceded by its type.
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
        // SAFETY: The buffer has this length, is preceded by space for the type, and is mutably borrowed.
        let ret = unsafe { libc::syscall(libc::SYS_msgrcv, self.id, at, len, ANY_TYPE, 0) };
        ret == len as libc::c_long
    }

    fn twin(&self) -> Self {
        Self::new(&self.queue, self.message.len())
    }
}

/// Type argument that selects the first message of any type.
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
