// SPDX-License-Identifier: GPL-2.0

//! Channels: each mechanism, used with its own system calls.

pub mod ends;
pub mod eventfd;
pub mod floor;
pub mod kmsgpipe;
pub mod message;
pub mod mmsg;
pub mod mq;
pub mod netlink;
pub mod pipe;
pub mod records;
pub mod sysv;
pub mod unix;

use crate::mechanism::Mechanism;
use anyhow::{bail, Result};
use std::io;

/// Parameters of a channel.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Message size in bytes.
    pub size: usize,
    /// Number of messages that fit.
    pub depth: usize,
}

/// The sending end, with the message that it sends.
pub trait Sender: Sized + Send + 'static {
    /// Returns the next message, for writing.
    fn message(&mut self) -> &mut [u8];

    /// Sends, and blocks if the channel is full. Returns whether the message was sent completely.
    fn send(&mut self) -> bool;

    /// Returns another sender of the same channel, for another thread.
    fn twin(&self) -> Self;
}

/// The receiving end, with the message received last.
pub trait Receiver: Sized + Send + 'static {
    /// Returns the message received last.
    fn message(&self) -> &[u8];

    /// Receives, and blocks if the channel is empty. Returns whether the message has the expected size.
    fn receive(&mut self) -> bool;

    /// Returns another receiver of the same channel, for another thread.
    fn twin(&self) -> Self;
}

/// A channel from one task to another.
pub trait Channel {
    /// The mechanism.
    const MECHANISM: Mechanism;
    /// Number of messages per call.
    const BATCH: usize = 1;
    /// The sending end.
    type Sender: Sender;
    /// The receiving end.
    type Receiver: Receiver;

    /// Creates a channel.
    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)>;
}

/// A task that works with any channel type.
pub trait Job {
    /// The result.
    type Output;

    /// Runs with a channel type.
    fn run<C: Channel>(self) -> Result<Self::Output>;
}

/// Runs a job with the channel type of a mechanism.
pub fn with<J: Job>(mechanism: Mechanism, job: J) -> Result<J::Output> {
    match mechanism {
        Mechanism::Kmsgpipe => job.run::<kmsgpipe::Kmsgpipe>(),
        Mechanism::Records => job.run::<records::Records>(),
        Mechanism::RecordsRead => job.run::<records::RecordsRead>(),
        Mechanism::RecordsBatch => job.run::<records::RecordsBatch>(),
        Mechanism::Pipe => job.run::<pipe::Pipe>(),
        Mechanism::PipeDirect => job.run::<pipe::PipeDirect>(),
        Mechanism::Mq => job.run::<mq::Mq>(),
        Mechanism::Sysv => job.run::<sysv::Sysv>(),
        Mechanism::SeqPacket => job.run::<unix::SeqPacket>(),
        Mechanism::Dgram => job.run::<unix::Dgram>(),
        Mechanism::SeqPacketBatch => job.run::<mmsg::SeqPacketBatch>(),
        Mechanism::DgramBatch => job.run::<mmsg::DgramBatch>(),
        Mechanism::Netlink => job.run::<netlink::Netlink>(),
        Mechanism::Eventfd => job.run::<eventfd::Eventfd>(),
        Mechanism::Floor => job.run::<floor::Floor>(),
    }
}

/// Returns the error for a transfer through a channel that just failed.
pub fn broken<C: Channel>(what: &str, shape: Shape) -> anyhow::Error {
    broken_by(C::MECHANISM, what, shape.size)
}

/// Returns the error for a transfer of `size` bytes by a mechanism that just failed.
pub fn broken_by(mechanism: Mechanism, what: &str, size: usize) -> anyhow::Error {
    anyhow::anyhow!(
        "{}: {what} of {size} bytes failed, or was incomplete; the last error was: {}",
        mechanism.name(),
        io::Error::last_os_error()
    )
}

/// Sends `count` messages, and receives each before sending the next.
#[inline(always)]
pub fn pairs<C: Channel>(
    sender: &mut C::Sender,
    receiver: &mut C::Receiver,
    shape: Shape,
    count: u32,
) -> Result<()> {
    for _ in 0..count {
        if !sender.send() {
            return Err(broken::<C>("sending", shape));
        }
        if !receiver.receive() {
            return Err(broken::<C>("receiving", shape));
        }
    }
    Ok(())
}

/// Fills a message with bytes that depend on their position and on `turn`.
pub fn fill(message: &mut [u8], turn: usize) {
    for (i, byte) in message.iter_mut().enumerate() {
        *byte = (i / 7 + turn) as u8;
    }
}

/// Verifies that messages are received as they were sent.
pub fn verify<C: Channel>(
    sender: &mut C::Sender,
    receiver: &mut C::Receiver,
    shape: Shape,
) -> Result<()> {
    for turn in 1..4 {
        fill(sender.message(), turn);
        pairs::<C>(sender, receiver, shape, 1)?;
        if C::MECHANISM.delivers() && receiver.message() != sender.message() {
            bail!(
                "{}: the received message differs from the sent one",
                C::MECHANISM.name()
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{
        ends::{FileReceiver, FileSender},
        floor::Floor,
        pipe::PipeDirect,
        *,
    };

    const SHAPE: Shape = Shape {
        size: 64,
        depth: 16,
    };

    /// A channel that discards what is sent.
    struct Lossy;

    impl Channel for Lossy {
        const MECHANISM: Mechanism = Mechanism::PipeDirect;
        type Sender = FileSender;
        type Receiver = FileReceiver;

        fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
            Floor::open(shape)
        }
    }

    #[test]
    fn working_channel_is_verified() {
        let (mut sender, mut receiver) = PipeDirect::open(SHAPE).unwrap();
        verify::<PipeDirect>(&mut sender, &mut receiver, SHAPE).unwrap();
    }

    #[test]
    fn lossy_channel_is_rejected() {
        let (mut sender, mut receiver) = Lossy::open(SHAPE).unwrap();
        let failure = verify::<Lossy>(&mut sender, &mut receiver, SHAPE).unwrap_err();
        assert!(failure.to_string().contains("differs from the sent one"));
    }

    #[test]
    fn end_of_file_is_not_a_message() {
        let (sender, mut receiver) = PipeDirect::open(SHAPE).unwrap();
        drop(sender);
        assert!(!receiver.receive());
        let failure = broken::<PipeDirect>("receiving", SHAPE).to_string();
        assert!(failure.starts_with("pipe O_DIRECT: receiving of 64 bytes failed"));
    }
}
