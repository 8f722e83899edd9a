// SPDX-License-Identifier: GPL-2.0

//! Two netlink sockets of one process, without a kernel subsystem as peer.

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

/// Creates a socket with a new address.
fn bound(shape: Shape) -> Result<(OwnedFd, NetlinkAddr)> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkUserSock,
    )
    .context("netlink socket")?;
    make_room(&socket, shape)?;
    // 0: the kernel assigns an address.
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0)).context("netlink bind")?;
    let address = getsockname(socket.as_raw_fd()).context("netlink getsockname")?;
    Ok((socket, address))
}

/// A pair of netlink sockets.
pub struct Netlink;

impl Channel for Netlink {
    const MECHANISM: Mechanism = Mechanism::Netlink;
    type Sender = SocketSender;
    type Receiver = SocketReceiver;

    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
        let (receiver, address) = bound(shape)?;
        let (sender, _) = bound(shape)?;
        connect(sender.as_raw_fd(), &address).context("netlink connect")?;
        Ok((
            SocketSender::new(sender, shape.size),
            SocketReceiver::new(receiver, shape.size),
        ))
    }
}
