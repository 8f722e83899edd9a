// SPDX-License-Identifier: GPL-2.0

//! Pairs of `AF_UNIX` sockets.

use super::{
    ends::{SocketReceiver, SocketSender},
    Channel, Shape,
};
use crate::mechanism::Mechanism;
use anyhow::{Context, Result};
use nix::sys::socket::{
    setsockopt, socketpair,
    sockopt::{RcvBufForce, SndBufForce},
    AddressFamily, SockFlag, SockType,
};
use std::os::fd::{AsFd, OwnedFd};

/// Per-message overhead that the kernel accounts: a `struct sk_buff`.
const HEAD: usize = 256;
/// Overhead in the data buffer of a message: a `struct skb_shared_info`.
const TAIL: usize = 320;

/// Limits a socket to `depth` messages of `size` bytes.
pub fn make_room(socket: impl AsFd, shape: Shape) -> Result<()> {
    let each = (shape.size + TAIL).next_power_of_two() + HEAD;
    // The kernel doubles the value.
    let room = shape.depth * each / 2;
    setsockopt(&socket, SndBufForce, &room).context("SO_SNDBUFFORCE")?;
    setsockopt(&socket, RcvBufForce, &room).context("SO_RCVBUFFORCE")?;
    Ok(())
}

/// Creates a pair: the sending socket and the receiving socket.
pub fn pair(shape: Shape, kind: SockType) -> Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let (sender, receiver) =
        socketpair(AddressFamily::Unix, kind, None, flags).context("socketpair")?;
    make_room(&sender, shape)?;
    make_room(&receiver, shape)?;
    Ok((sender, receiver))
}

/// Opens both ends of a pair.
fn open(shape: Shape, kind: SockType) -> Result<(SocketSender, SocketReceiver)> {
    let (sender, receiver) = pair(shape, kind)?;
    Ok((
        SocketSender::new(sender, shape.size),
        SocketReceiver::new(receiver, shape.size),
    ))
}

/// `SOCK_SEQPACKET`.
pub struct SeqPacket;

impl Channel for SeqPacket {
    const MECHANISM: Mechanism = Mechanism::SeqPacket;
    type Sender = SocketSender;
    type Receiver = SocketReceiver;

    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
        open(shape, SockType::SeqPacket)
    }
}

/// `SOCK_DGRAM`.
pub struct Dgram;

impl Channel for Dgram {
    const MECHANISM: Mechanism = Mechanism::Dgram;
    type Sender = SocketSender;
    type Receiver = SocketReceiver;

    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
        open(shape, SockType::Datagram)
    }
}
