// SPDX-License-Identifier: GPL-2.0

//! Cost of a message that each of several receivers gets, sent and received by one task that never blocks.

use crate::{
    channel::{broken_by, fill, kmsgpipe, netlink, with, Channel, Job, Receiver, Sender, Shape},
    measure::{measure as batches, Figure, Plan},
    mechanism::Mechanism,
    record::{Of, Sink},
};
use ::kmsgpipe::Kind;
use anyhow::{ensure, Result};

/// The case.
const CASE: &str = "broadcast 1:8";
/// Number of receivers.
const RECEIVERS: usize = 8;
/// Message sizes.
const SIZES: [usize; 2] = [64, 1024];
/// Queue depth of each receiver.
const DEPTH: usize = 128;
/// Batches are shorter than those of a pair, because a message is received several times.
const PLAN: Plan = Plan {
    batches: 12,
    iterations: 128,
};

/// One message for several receivers.
struct Fan<S, R> {
    mechanism: Mechanism,
    size: usize,
    /// A sender for all receivers, or one for each.
    senders: Vec<S>,
    receivers: Vec<R>,
}

impl<S: Sender, R: Receiver> Fan<S, R> {
    /// Sends `count` messages, and receives each at all receivers before sending the next.
    #[inline(always)]
    fn go(&mut self, count: u32) -> Result<()> {
        for _ in 0..count {
            if !self.senders.iter_mut().all(S::send) {
                return Err(broken_by(self.mechanism, "sending", self.size));
            }
            if !self.receivers.iter_mut().all(R::receive) {
                return Err(broken_by(self.mechanism, "receiving", self.size));
            }
        }
        Ok(())
    }

    /// Verifies that all receivers receive what was sent.
    fn verify(&mut self) -> Result<()> {
        for turn in 1..4 {
            let mut expected = vec![0; self.size];
            fill(&mut expected, turn);
            for sender in &mut self.senders {
                sender.message().copy_from_slice(&expected);
            }
            self.go(1)?;
            for (i, receiver) in self.receivers.iter().enumerate() {
                ensure!(
                    receiver.message() == expected,
                    "{}: the message that receiver {i} received differs from the sent one",
                    self.mechanism.name()
                );
            }
        }
        Ok(())
    }

    /// Measures sending a message, and receiving it at all receivers.
    fn measure(mut self) -> Result<Figure> {
        self.verify()?;
        let figure = batches(PLAN, |count| self.go(count))?;
        self.verify()?;
        Ok(figure)
    }
}

/// Measures a mechanism that has no broadcast: a channel for each receiver.
struct Separate {
    shape: Shape,
}

impl Job for Separate {
    type Output = Figure;

    fn run<C: Channel>(self) -> Result<Figure> {
        let channels = (0..RECEIVERS).map(|_| C::open(self.shape));
        let channels = channels.collect::<Result<Vec<_>>>()?;
        let (senders, receivers) = channels.into_iter().unzip();
        let fan = Fan {
            mechanism: C::MECHANISM,
            size: self.shape.size,
            senders,
            receivers,
        };
        fan.measure()
    }
}

/// Measures a mechanism with broadcast: one sender.
fn shared<S: Sender, R: Receiver>(
    mechanism: Mechanism,
    shape: Shape,
    (sender, receivers): (S, Vec<R>),
) -> Result<Figure> {
    let fan = Fan {
        mechanism,
        size: shape.size,
        senders: vec![sender],
        receivers,
    };
    fan.measure()
}

/// Measures all mechanisms.
pub fn measure(sink: &mut Sink<'_>) -> Result<()> {
    for size in SIZES {
        let shape = Shape { size, depth: DEPTH };
        let own = kmsgpipe::fan(shape, Kind::Broadcast, RECEIVERS)?;
        let multicast = netlink::fan(shape, RECEIVERS)?;
        let separate = |mechanism| with(mechanism, Separate { shape });
        for (mechanism, figure) in [
            (
                Mechanism::Kmsgpipe,
                shared(Mechanism::Kmsgpipe, shape, own)?,
            ),
            (
                Mechanism::Netlink,
                shared(Mechanism::Netlink, shape, multicast)?,
            ),
            (Mechanism::SeqPacket, separate(Mechanism::SeqPacket)?),
            (Mechanism::Dgram, separate(Mechanism::Dgram)?),
        ] {
            let of = Of {
                mechanism,
                case: CASE,
                size,
                at: None,
            };
            sink.put_time(of, figure)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{ends::FileReceiver, floor, pipe::PipeDirect};

    const SHAPE: Shape = Shape {
        size: 64,
        depth: 16,
    };

    #[test]
    fn every_receiver_gets_each_message() {
        let job = Separate { shape: SHAPE };
        let figure = with(Mechanism::PipeDirect, job).unwrap();
        assert_eq!(figure.batches, PLAN.batches);
    }

    #[test]
    fn receiver_of_other_data_is_rejected() {
        let (sender, receiver) = PipeDirect::open(SHAPE).unwrap();
        let (_, zero) = floor::ends().unwrap();
        let stranger = FileReceiver::new(zero, SHAPE.size);
        let channel = (sender, vec![receiver, stranger]);
        let failure = shared(Mechanism::PipeDirect, SHAPE, channel).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "pipe O_DIRECT: the message that receiver 1 received differs from the sent one"
        );
    }
}
