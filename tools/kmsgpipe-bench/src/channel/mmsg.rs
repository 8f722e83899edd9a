// SPDX-License-Identifier: GPL-2.0

//! Pairs of `AF_UNIX` sockets with several messages per call.

use super::{ends::NOWHERE, message::Message, unix, Channel, Receiver, Sender, Shape};
use crate::mechanism::Mechanism;
use anyhow::Result;
use nix::{libc, sys::socket::SockType};
use std::{
    os::fd::{AsRawFd, OwnedFd},
    sync::Arc,
};

/// Number of messages per call.
const BATCH: usize = 32;

/// Either end, with prepared headers.
pub struct BatchEnd {
    socket: Arc<OwnedFd>,
    fd: i32,
    messages: Vec<Message>,
    /// The memory that the headers point to.
    _parts: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
}

// SAFETY: The memory that the headers point to is owned by this type.
unsafe impl Send for BatchEnd {}

impl BatchEnd {
    /// Creates an end. It sends one message repeatedly, or receives each message into a separate buffer.
    fn new(socket: Arc<OwnedFd>, size: usize, places: usize) -> Self {
        let mut messages: Vec<_> = (0..places).map(|_| Message::new(size)).collect();
        let mut parts: Box<[_]> = (0..BATCH)
            .map(|i| libc::iovec {
                iov_base: messages[i % places].at_mut().cast(),
                iov_len: size,
            })
            .collect();
        let headers = parts
            .iter_mut()
            .map(|part| {
                // SAFETY: All fields are integers and pointers, for which zero is valid.
                let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
                header.msg_hdr.msg_iov = std::ptr::from_mut(part);
                header.msg_hdr.msg_iovlen = 1;
                header
            })
            .collect();
        Self {
            fd: socket.as_raw_fd(),
            socket,
            messages,
            _parts: parts,
            headers,
        }
    }

    /// Returns whether `ret` means that all messages were transferred completely.
    #[inline(always)]
    fn whole(&self, ret: libc::c_long) -> bool {
        let len = self.messages[0].len();
        ret == BATCH as libc::c_long
            && self
                .headers
                .iter()
                .all(|header| header.msg_len as usize == len)
    }
}

impl Sender for BatchEnd {
    fn message(&mut self) -> &mut [u8] {
        self.messages[0].bytes_mut()
    }

    #[inline(always)]
    fn send(&mut self) -> bool {
        let headers = self.headers.as_mut_ptr();
        // SAFETY: The headers and the memory that they point to are valid and mutably borrowed.
        let ret = unsafe { libc::syscall(libc::SYS_sendmmsg, self.fd, headers, BATCH, 0) };
        self.whole(ret)
    }

    fn twin(&self) -> Self {
        let socket = Arc::clone(&self.socket);
        Self::new(socket, self.messages[0].len(), self.messages.len())
    }
}

impl Receiver for BatchEnd {
    fn message(&self) -> &[u8] {
        self.messages[BATCH - 1].bytes()
    }

    #[inline(always)]
    fn receive(&mut self) -> bool {
        let headers = self.headers.as_mut_ptr();
        // SAFETY: The headers and the memory that they point to are valid and mutably borrowed.
        let ret = unsafe { libc::syscall(libc::SYS_recvmmsg, self.fd, headers, BATCH, 0, NOWHERE) };
        self.whole(ret)
    }

    fn twin(&self) -> Self {
        let socket = Arc::clone(&self.socket);
        Self::new(socket, self.messages[0].len(), self.messages.len())
    }
}

/// Opens both ends of a pair.
fn open(shape: Shape, kind: SockType) -> Result<(BatchEnd, BatchEnd)> {
    let (sender, receiver) = unix::pair(shape, kind)?;
    Ok((
        BatchEnd::new(Arc::new(sender), shape.size, 1),
        BatchEnd::new(Arc::new(receiver), shape.size, BATCH),
    ))
}

/// `SOCK_SEQPACKET` with `sendmmsg` and `recvmmsg`.
pub struct SeqPacketBatch;

impl Channel for SeqPacketBatch {
    const MECHANISM: Mechanism = Mechanism::SeqPacketBatch;
    const BATCH: usize = BATCH;
    type Sender = BatchEnd;
    type Receiver = BatchEnd;

    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
        open(shape, SockType::SeqPacket)
    }
}

/// `SOCK_DGRAM` with `sendmmsg` and `recvmmsg`.
pub struct DgramBatch;

impl Channel for DgramBatch {
    const MECHANISM: Mechanism = Mechanism::DgramBatch;
    const BATCH: usize = BATCH;
    type Sender = BatchEnd;
    type Receiver = BatchEnd;

    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
        open(shape, SockType::Datagram)
    }
}
