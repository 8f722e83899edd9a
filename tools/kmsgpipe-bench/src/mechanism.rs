// SPDX-License-Identifier: GPL-2.0

//! Mechanisms that are measured.

use serde::{Deserialize, Serialize};

/// A mechanism that transfers messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Mechanism {
    /// A pipe of this module: `write` and `read`.
    #[serde(rename = "kmsgpipe")]
    Kmsgpipe,
    /// A pipe of this module in records mode, one message per `write` and `read`.
    #[serde(rename = "kmsgpipe records")]
    Records,
    /// A pipe of this module: plain `write`, and `read` of a record.
    #[serde(rename = "kmsgpipe record read")]
    RecordsRead,
    /// A pipe of this module in records mode, 32 messages per `write` and `read`.
    #[serde(rename = "kmsgpipe 32 records")]
    RecordsBatch,
    /// `pipe(2)`: a byte stream, `write` and `read`.
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
    /// A pair of `AF_UNIX` sockets of type `SOCK_SEQPACKET`: `send` and `recv`.
    #[serde(rename = "SEQPACKET")]
    SeqPacket,
    /// A pair of `AF_UNIX` sockets of type `SOCK_DGRAM`: `send` and `recv`.
    #[serde(rename = "DGRAM")]
    Dgram,
    /// `SOCK_SEQPACKET` with `sendmmsg` and `recvmmsg`, 32 messages per call.
    #[serde(rename = "SEQPACKET mmsg")]
    SeqPacketBatch,
    /// `SOCK_DGRAM` with `sendmmsg` and `recvmmsg`, 32 messages per call.
    #[serde(rename = "DGRAM mmsg")]
    DgramBatch,
    /// Two `NETLINK_USERSOCK` sockets of one process: `send` and `recv`.
    #[serde(rename = "netlink")]
    Netlink,
    /// `eventfd(2)`: a counter without messages.
    #[serde(rename = "eventfd")]
    Eventfd,
    /// `write` to `/dev/null` and `read` from `/dev/zero`: the cost of the two system calls.
    #[serde(rename = "floor")]
    Floor,
}

impl Mechanism {
    /// All mechanisms, in display order.
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

    /// The mechanisms that are compared by size: of each kind the one that keeps messages whole.
    pub const BY_SIZE: [Self; 6] = [
        Self::Kmsgpipe,
        Self::PipeDirect,
        Self::Mq,
        Self::Sysv,
        Self::SeqPacket,
        Self::Netlink,
    ];

    /// Returns the name, as in records.
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

    /// Returns whether this is a pipe of this module.
    pub fn is_own(self) -> bool {
        matches!(
            self,
            Self::Kmsgpipe | Self::Records | Self::RecordsRead | Self::RecordsBatch
        )
    }

    /// Returns whether received data is the data that was sent.
    pub fn delivers(self) -> bool {
        self != Self::Floor
    }

    /// Returns whether one call moves `size` bytes. A packet of a pipe is limited to a page, and an eventfd
    /// to 8 bytes.
    pub fn takes(self, size: usize) -> bool {
        match self {
            Self::PipeDirect => size <= 4096,
            Self::Eventfd => size == 8,
            _ => true,
        }
    }

    /// Returns whether this is a peer that transfers `size` bytes as one message with one call: the set of
    /// peers in bars against the best one.
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
    fn names_match_the_records() {
        for mechanism in Mechanism::ALL {
            let written = serde_json::to_value(mechanism).unwrap();
            assert_eq!(written, mechanism.name());
        }
    }

    #[test]
    fn pipe_packet_is_limited_to_a_page() {
        assert!(Mechanism::PipeDirect.keeps_whole(4096));
        assert!(!Mechanism::PipeDirect.keeps_whole(4097));
        assert!(!Mechanism::Pipe.keeps_whole(64));
    }
}
