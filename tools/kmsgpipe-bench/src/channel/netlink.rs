// SPDX-License-Identifier: GPL-2.0

//! Two netlink sockets of one process, which needs no part of the kernel to answer.

use super::{
    ends::{SocketReceiver, SocketSender},
    unix::make_room,
    Channel, Shape,
};
use crate::mechanism::Mechanism;
use anyhow::{Context, Result};
use nix::sys::socket::{
    bind, connect, getsockname, socket, AddressFamily, NetlinkAddr, SockFlag, SockProtocol,
    SockType,
};
use std::os::fd::{AsRawFd, OwnedFd};

/// Makes a socket with an address of its own.
fn bound(shape: Shape) -> Result<(OwnedFd, NetlinkAddr)> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkUserSock,
    )
    .context("socket of netlink")?;
    make_room(&socket, shape)?;
    // 0: the kernel finds an address.
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0)).context("bind of netlink")?;
    let address = getsockname(socket.as_raw_fd()).context("getsockname of netlink")?;
    Ok((socket, address))
}

/// Netlink.
pub struct Netlink;

impl Channel for Netlink {
    const MECHANISM: Mechanism = Mechanism::Netlink;
    type Sender = SocketSender;
    type Receiver = SocketReceiver;

    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
        let (receiver, address) = bound(shape)?;
        let (sender, _) = bound(shape)?;
        connect(sender.as_raw_fd(), &address).context("connect of netlink")?;
        Ok((
            SocketSender::new(sender, shape.size),
            SocketReceiver::new(receiver, shape.size),
        ))
    }
}
