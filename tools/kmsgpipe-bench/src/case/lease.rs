// SPDX-License-Identifier: GPL-2.0

//! Cost of receiving a stored message with a lease and acknowledging it, without that of sending it: one by one,
//! and several a call.

use crate::{
    channel::{
        broken_by,
        ends::FileSender,
        fill,
        kmsgpipe::{ends, End},
        records::{RecordsBatch, RecordsReceiver},
        Channel, Receiver, Sender, Shape,
    },
    measure::{measure_after, Figure, Plan},
    mechanism::Mechanism,
    record::{Of, Sink},
};
use ::kmsgpipe::{Attach, Modes};
use anyhow::{ensure, Result};
use std::{sync::Arc, time::Duration};

/// Message sizes.
const SIZES: [usize; 2] = [64, 1024];
/// Number of messages that are stored at the beginning of a batch: the default depth of a pipe.
const STORED: u32 = 128;
/// Number of batches.
const BATCHES: usize = 12;

/// A queue, and a reader that gets `N` messages a call.
struct Leased<const N: usize> {
    size: usize,
    sender: FileSender<End>,
    file: Arc<End>,
    receiver: RecordsReceiver<N>,
    /// Sequence number of the next message.
    seq: u64,
}

impl<const N: usize> Leased<N> {
    /// Creates an empty queue, whose reader has messages for an hour.
    fn new(size: usize) -> Result<Self> {
        let depth = STORED as usize;
        let (writer, reader) = ends(Shape { size, depth })?;
        reader.set_mode(Modes::RECORDS)?;
        reader.attach(Attach::Lease {
            lease: Duration::from_secs(3600),
            max_deliveries: None,
        })?;
        let file = Arc::new(reader);
        let mut sender = FileSender::new(writer, size);
        fill(sender.message(), 1);
        Ok(Self {
            size,
            sender,
            receiver: RecordsReceiver::new(Arc::clone(&file), size),
            file,
            seq: 1,
        })
    }

    /// Fills the empty queue.
    fn fill(&mut self) -> Result<()> {
        for _ in 0..STORED {
            if !self.sender.send() {
                return Err(broken_by(Mechanism::Kmsgpipe, "sending", self.size));
            }
        }
        Ok(())
    }

    /// Receives and acknowledges all messages.
    #[inline(always)]
    fn read(&mut self) -> Result<()> {
        for _ in 0..STORED as usize / N {
            if !self.receiver.receive() {
                return Err(broken_by(Mechanism::Kmsgpipe, "receiving", self.size));
            }
            let next = self.seq + N as u64;
            self.file.ack(self.seq..=next - 1)?;
            self.seq = next;
        }
        Ok(())
    }

    /// Measures the read and the acknowledgement of one message.
    fn measure(mut self) -> Result<Figure> {
        let plan = Plan {
            batches: BATCHES,
            iterations: STORED,
        };
        let figure = measure_after(plan, &mut self, Self::fill, |this, _| this.read())?;
        ensure!(
            self.receiver.message() == self.sender.message(),
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
        put("read lease", Leased::<1>::new(size)?.measure()?)?;
        let several = Leased::<{ RecordsBatch::BATCH }>::new(size)?;
        put("read lease at once", several.measure()?)?;
    }
    Ok(())
}
