// SPDX-License-Identifier: GPL-2.0

//! Two netlink sockets of one process, without a kernel subsystem as peer.

use super::{
    ends::{SocketReceiver, SocketSender},
    unix::make_room,
    Channel, Sender, Shape,
};
use crate::mechanism::Mechanism;
use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    sys::socket::{
        bind, connect, getsockname, socket, AddressFamily, NetlinkAddr, SockFlag, SockProtocol,
        SockType,
    },
};
use std::os::fd::{AsRawFd, OwnedFd};

/// The multicast groups of the receivers of [`fan`], as a mask: the first one.
const GROUPS: u32 = 1;

/// Creates a socket with a new address that receives what is sent to these groups.
fn bound(shape: Shape, groups: u32) -> Result<(OwnedFd, NetlinkAddr)> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkUserSock,
    )
    .context("netlink socket")?;
    make_room(&socket, shape)?;
    // 0: the kernel assigns an address.
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups)).context("netlink bind")?;
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
        let (receiver, address) = bound(shape, 0)?;
        let (sender, _) = bound(shape, 0)?;
        connect(sender.as_raw_fd(), &address).context("netlink connect")?;
        Ok((
            SocketSender::new(sender, shape.size),
            SocketReceiver::new(receiver, shape.size),
        ))
    }
}

/// Sends to a multicast group.
///
/// No socket of the kernel listens for this protocol. So `send` returns `ECONNREFUSED` after all sockets of the
/// group have got the message.
pub struct GroupSender(SocketSender);

impl Sender for GroupSender {
    fn message(&mut self) -> &mut [u8] {
        self.0.message()
    }

    #[inline(always)]
    fn send(&mut self) -> bool {
        self.0.send() || Errno::last() == Errno::ECONNREFUSED
    }

    fn twin(&self) -> Self {
        Self(self.0.twin())
    }
}

/// Opens a socket that sends to a multicast group, and the sockets of the group.
pub fn fan(shape: Shape, receivers: usize) -> Result<(GroupSender, Vec<SocketReceiver>)> {
    let (sender, _) = bound(shape, 0)?;
    let group = NetlinkAddr::new(0, GROUPS);
    connect(sender.as_raw_fd(), &group).context("netlink connect to a group")?;
    let receiver = || {
        let (socket, _) = bound(shape, GROUPS)?;
        Ok(SocketReceiver::new(socket, shape.size))
    };
    Ok((
        GroupSender(SocketSender::new(sender, shape.size)),
        (0..receivers).map(|_| receiver()).collect::<Result<_>>()?,
    ))
}
