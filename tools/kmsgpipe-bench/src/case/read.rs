// SPDX-License-Identifier: GPL-2.0

//! Cost of receiving a stored message, without that of sending it: from a queue, by each subscription of a
//! broadcast pipe, and by browsing a queue.

use crate::{
    channel::{
        broken_by,
        ends::{FileReceiver, FileSender},
        fill,
        kmsgpipe::{fan, End},
        Receiver, Sender, Shape,
    },
    measure::{measure_after, Figure, Plan},
    mechanism::Mechanism,
    record::{Of, Sink},
};
use ::kmsgpipe::{Attach, Kind, Start};
use anyhow::{ensure, Result};

/// Message sizes.
const SIZES: [usize; 2] = [64, 1024];
/// Number of messages that are stored at the beginning of a batch: the default depth of a pipe.
const STORED: u32 = 128;
/// Number of batches.
const BATCHES: usize = 12;
/// Number of subscriptions of the broadcast pipe.
const SUBSCRIPTIONS: usize = 8;

/// A pipe with one or more readers.
struct Stored {
    size: usize,
    sender: FileSender<End>,
    readers: Vec<FileReceiver<End>>,
}

impl Stored {
    /// Creates an empty pipe.
    fn new(kind: Kind, size: usize, readers: usize) -> Result<Self> {
        let depth = STORED as usize;
        let (mut sender, readers) = fan(Shape { size, depth }, kind, readers)?;
        fill(sender.message(), 1);
        Ok(Self {
            size,
            sender,
            readers,
        })
    }

    /// Fills the empty pipe.
    fn fill(&mut self) -> Result<()> {
        for _ in 0..STORED {
            if !self.sender.send() {
                return Err(broken_by(Mechanism::Kmsgpipe, "sending", self.size));
            }
        }
        Ok(())
    }

    /// Moves the only reader to the oldest message, to read copies.
    fn browse(&mut self) -> Result<()> {
        let browse = Attach::Browse(Start::Oldest);
        self.readers[0].file().attach(browse)
    }

    /// Lets each reader read every message.
    #[inline(always)]
    fn read(&mut self) -> Result<()> {
        for _ in 0..STORED {
            if !self.readers.iter_mut().all(Receiver::receive) {
                return Err(broken_by(Mechanism::Kmsgpipe, "receiving", self.size));
            }
        }
        Ok(())
    }

    /// Measures the read of one message by one reader, after `prepare` let each reader have all messages.
    fn measure(mut self, prepare: fn(&mut Self) -> Result<()>) -> Result<Figure> {
        let plan = Plan {
            batches: BATCHES,
            iterations: STORED * self.readers.len() as u32,
        };
        let figure = measure_after(plan, &mut self, prepare, |this, _| this.read())?;
        let Self {
            sender, readers, ..
        } = &mut self;
        ensure!(
            readers
                .iter()
                .all(|reader| reader.message() == sender.message()),
            "a message that was read differs from the sent one"
        );
        Ok(figure)
    }
}

/// Measures all cases.
pub fn measure(sink: &mut Sink<'_>) -> Result<()> {
    for size in SIZES {
        let mut put = |case, figure| {
            let of = Of {
                mechanism: Mechanism::Kmsgpipe,
                case,
                size,
                at: None,
            };
            sink.put_time(of, figure)
        };
        let queue = Stored::new(Kind::Queue, size, 1)?;
        put("read queue", queue.measure(Stored::fill)?)?;
        let broadcast = Stored::new(Kind::Broadcast, size, SUBSCRIPTIONS)?;
        put("read broadcast", broadcast.measure(Stored::fill)?)?;
        let mut browsed = Stored::new(Kind::Queue, size, 1)?;
        browsed.fill()?;
        put("read browse", browsed.measure(Stored::browse)?)?;
    }
    Ok(())
}
