// SPDX-License-Identifier: GPL-2.0

//! The names of what is measured.

use serde::{Deserialize, Serialize};

/// Something that a message can go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Mechanism {
    /// A pipe of this module: `write` and `read`.
    #[serde(rename = "kmsgpipe")]
    Kmsgpipe,
    /// A pipe of this module with records, one a `write` and a `read`.
    #[serde(rename = "kmsgpipe records")]
    Records,
    /// A pipe of this module: `write` of a message, and `read` of a record.
    #[serde(rename = "kmsgpipe record read")]
    RecordsRead,
    /// A pipe of this module with records, 32 a `write` and a `read`.
    #[serde(rename = "kmsgpipe 32 records")]
    RecordsBatch,
    /// `pipe(2)`: a stream of bytes, `write` and `read`.
    #[serde(rename = "pipe")]
    Pipe,
    /// `pipe2(2)` with `O_DIRECT`: packets of up to a page.
    #[serde(rename = "pipe O_DIRECT")]
    PipeDirect,
    /// A POSIX message queue: `mq_send` and `mq_receive`.
    #[serde(rename = "POSIX mq")]
    Mq,
    /// A System V message queue: `msgsnd` and `msgrcv`.
    #[serde(rename = "SysV msg")]
    Sysv,
    /// A pair of `AF_UNIX` sockets that are `SOCK_SEQPACKET`: `send` and `recv`.
    #[serde(rename = "SEQPACKET")]
    SeqPacket,
    /// A pair of `AF_UNIX` sockets that are `SOCK_DGRAM`: `send` and `recv`.
    #[serde(rename = "DGRAM")]
    Dgram,
    /// The former with `sendmmsg` and `recvmmsg`, 32 messages a call.
    #[serde(rename = "SEQPACKET mmsg")]
    SeqPacketBatch,
    /// The latter with `sendmmsg` and `recvmmsg`, 32 messages a call.
    #[serde(rename = "DGRAM mmsg")]
    DgramBatch,
    /// Two `NETLINK_USERSOCK` sockets of one process: `send` and `recv`.
    #[serde(rename = "netlink")]
    Netlink,
    /// `eventfd(2)`: a counter, no messages.
    #[serde(rename = "eventfd")]
    Eventfd,
    /// `write` to `/dev/null` and `read` from `/dev/zero`: what the two calls cost by themselves.
    #[serde(rename = "floor")]
    Floor,
}

impl Mechanism {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 15] = [
        Self::Kmsgpipe,
        Self::Records,
        Self::RecordsRead,
        Self::RecordsBatch,
        Self::PipeDirect,
        Self::Pipe,
        Self::Mq,
        Self::Sysv,
        Self::SeqPacket,
        Self::Dgram,
        Self::SeqPacketBatch,
        Self::DgramBatch,
        Self::Netlink,
        Self::Eventfd,
        Self::Floor,
    ];

    /// Its name, as in the records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kmsgpipe => "kmsgpipe",
            Self::Records => "kmsgpipe records",
            Self::RecordsRead => "kmsgpipe record read",
            Self::RecordsBatch => "kmsgpipe 32 records",
            Self::Pipe => "pipe",
            Self::PipeDirect => "pipe O_DIRECT",
            Self::Mq => "POSIX mq",
            Self::Sysv => "SysV msg",
            Self::SeqPacket => "SEQPACKET",
            Self::Dgram => "DGRAM",
            Self::SeqPacketBatch => "SEQPACKET mmsg",
            Self::DgramBatch => "DGRAM mmsg",
            Self::Netlink => "netlink",
            Self::Eventfd => "eventfd",
            Self::Floor => "floor",
        }
    }

    /// Whether it is a pipe of this module.
    pub fn is_own(self) -> bool {
        matches!(
            self,
            Self::Kmsgpipe | Self::Records | Self::RecordsRead | Self::RecordsBatch
        )
    }

    /// Whether what goes in comes out.
    pub fn delivers(self) -> bool {
        self != Self::Floor
    }

    /// Whether one call moves `size` bytes. A packet of a pipe ends with its page, and an eventfd is
    /// a number.
    pub fn takes(self, size: usize) -> bool {
        match self {
            Self::PipeDirect => size <= 4096,
            Self::Eventfd => size == 8,
            _ => true,
        }
    }

    /// Whether it is a peer that keeps `size` bytes together as one message, with one call a message:
    /// that which a pipe is compared with where bars speak of all peers.
    pub fn keeps_whole(self, size: usize) -> bool {
        !matches!(
            self,
            Self::Pipe | Self::Eventfd | Self::Floor | Self::SeqPacketBatch | Self::DgramBatch
        ) && !self.is_own()
            && self.takes(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_names() {
        for mechanism in Mechanism::ALL {
            let written = serde_json::to_value(mechanism).unwrap();
            assert_eq!(written, mechanism.name());
        }
    }

    #[test]
    fn a_packet_of_a_pipe_ends_with_its_page() {
        assert!(Mechanism::PipeDirect.keeps_whole(4096));
        assert!(!Mechanism::PipeDirect.keeps_whole(4097));
        assert!(!Mechanism::Pipe.keeps_whole(64));
    }
}
