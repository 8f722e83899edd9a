// SPDX-License-Identifier: GPL-2.0

//! What messages go through, each by the calls that its users make.

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

/// What a channel is made for.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The length of each message, in bytes.
    pub size: usize,
    /// How many messages are to fit.
    pub depth: usize,
}

/// The end that messages go into, with the one message that it sends.
pub trait Sender: Sized + Send + 'static {
    /// What is sent next.
    fn message(&mut self) -> &mut [u8];

    /// Sends, and waits for room if there is none. Whether all of it went.
    fn send(&mut self) -> bool;

    /// Another one of the same channel, for another thread.
    fn twin(&self) -> Self;
}

/// The end that messages come out of, with the one that came last.
pub trait Receiver: Sized + Send + 'static {
    /// What was received last.
    fn message(&self) -> &[u8];

    /// Receives, and waits if there is nothing. Whether it was of the right length.
    fn receive(&mut self) -> bool;

    /// Another one of the same channel, for another thread.
    fn twin(&self) -> Self;
}

/// A way for messages from one task to another.
pub trait Channel {
    /// Which it is.
    const MECHANISM: Mechanism;
    /// How many messages one call sends or receives.
    const BATCH: usize = 1;
    /// Where messages go into.
    type Sender: Sender;
    /// Where they come out of.
    type Receiver: Receiver;

    /// Makes one.
    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)>;
}

/// What is to be done with a channel of any kind.
pub trait Job {
    /// What comes of it.
    type Output;

    /// Does it.
    fn run<C: Channel>(self) -> Result<Self::Output>;
}

/// Does a job with one kind of channel.
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

/// Why a message did not go or come as it should: for what has just returned false.
pub fn broken<C: Channel>(what: &str, shape: Shape) -> anyhow::Error {
    anyhow::anyhow!(
        "{}: {what} of {} bytes failed, or was not whole; the last error was: {}",
        C::MECHANISM.name(),
        shape.size,
        io::Error::last_os_error()
    )
}

/// Sends `count` times and receives each before the next.
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

/// Sees that messages arrive as they were sent.
pub fn verify<C: Channel>(
    sender: &mut C::Sender,
    receiver: &mut C::Receiver,
    shape: Shape,
) -> Result<()> {
    for turn in 1..4 {
        for (i, byte) in sender.message().iter_mut().enumerate() {
            *byte = (i / 7 + turn) as u8;
        }
        pairs::<C>(sender, receiver, shape, 1)?;
        if C::MECHANISM.delivers() && receiver.message() != sender.message() {
            bail!(
                "{}: what was received is not what was sent",
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

    /// Claims to be a pipe, and loses what is sent.
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
    fn a_channel_that_works_is_verified() {
        let (mut sender, mut receiver) = PipeDirect::open(SHAPE).unwrap();
        verify::<PipeDirect>(&mut sender, &mut receiver, SHAPE).unwrap();
    }

    #[test]
    fn a_channel_that_loses_messages_is_not() {
        let (mut sender, mut receiver) = Lossy::open(SHAPE).unwrap();
        let failure = verify::<Lossy>(&mut sender, &mut receiver, SHAPE).unwrap_err();
        assert!(failure.to_string().contains("is not what was sent"));
    }

    #[test]
    fn the_end_of_the_file_is_no_message() {
        let (sender, mut receiver) = PipeDirect::open(SHAPE).unwrap();
        drop(sender);
        assert!(!receiver.receive());
        let failure = broken::<PipeDirect>("receiving", SHAPE).to_string();
        assert!(failure.starts_with("pipe O_DIRECT: receiving of 64 bytes failed"));
    }
}
