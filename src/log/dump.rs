// SPDX-License-Identifier: GPL-2.0

//! A walk over all messages of a queue, for a dump: over those of its store, or over those of its
//! lanes, highest priority first.

use kernel::prelude::*;

use super::{
    cursor::CursorMemory,
    lanes::{
        Lanes,
        Tag, //
    },
    message::Record,
    queue::Queue,
    stream, //
};

/// Memory for the walk over one store.
struct StoreMemory {
    /// Cursors for the store and for the tags. [`None`] during the walk.
    cursors: Option<(CursorMemory, KBox<stream::Cursor>)>,
    next: Option<KBox<StoreMemory>>,
}

/// Memory for a walk over a queue.
pub(crate) struct DumpMemory {
    first: Option<KBox<StoreMemory>>,
    stores: usize,
}

impl DumpMemory {
    /// Allocates memory for a walk over so many stores, as [`Queue::stores_to_dump`] returns.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(crate) fn new(stores: usize) -> Result<Self> {
        let mut first = None;
        for _ in 0..stores {
            let memory = StoreMemory {
                cursors: Some((CursorMemory::new()?, stream::Cursor::new()?)),
                next: first.take(),
            };
            first = Some(KBox::new(memory, GFP_KERNEL_ACCOUNT)?);
        }
        Ok(Self { first, stores })
    }

    /// Returns whether the memory suffices for so many stores.
    pub(crate) fn is_enough_for(&self, stores: usize) -> bool {
        self.stores >= stores
    }
}

/// A message of a walk.
pub(crate) struct Dumped {
    /// The record of the message.
    pub(crate) record: Record,
    /// The sequence number, unless it is the one behind that of the message before.
    pub(crate) seq: Option<u64>,
    /// The priority.
    pub(crate) priority: u32,
}

impl Queue {
    /// Returns the number of stores that a walk over all messages passes.
    pub(crate) fn stores_to_dump(&self) -> usize {
        match &self.lanes {
            None => 1,
            Some(lanes) => lanes.occupied().count(),
        }
    }

    /// Starts a walk over all messages that are queued now. There must be no other one, and
    /// `memory` must suffice for it.
    pub(crate) fn dump_begin(&mut self, memory: &mut DumpMemory) {
        let mut memory = memory.first.as_deref_mut();
        let Some(lanes) = &mut self.lanes else {
            if let Some((cursor, _)) = memory.and_then(|memory| memory.cursors.take()) {
                self.store.cursor_begin(cursor);
            }
            return;
        };
        for priority in lanes.occupied() {
            let (Some(lane), Some(one)) = (lanes.lane_mut(priority), memory) else {
                break;
            };
            if let Some((cursor, tags)) = one.cursors.take() {
                lane.store.cursor_begin(cursor);
                lane.tags.cursor_begin(tags);
            }
            memory = one.next.as_deref_mut();
        }
    }

    /// Returns the number of messages that [`Queue::dump_next`] has yet to return.
    pub(crate) fn dump_left(&self) -> u32 {
        match &self.lanes {
            None => self.store.cursor_left(),
            Some(lanes) => lanes.made().map(|lane| lane.store.cursor_left()).sum(),
        }
    }

    /// Moves the walk to the next message and returns it. Returns [`None`] if there is none, or if
    /// the current payload was not copied to its end.
    pub(crate) fn dump_next(&mut self) -> Option<Dumped> {
        let Some(lanes) = &mut self.lanes else {
            return Some(Dumped {
                record: self.store.cursor_next()?,
                seq: None,
                priority: 0,
            });
        };
        let (priority, lane) = lanes.dumped_mut()?;
        let record = lane.store.cursor_next()?;
        let mut bytes = [0; Tag::SIZE];
        let read = lane.tags.cursor_read(&mut bytes, &mut lane.store.spare);
        self.store.spare.append(&mut lane.store.spare);
        read.then_some(Dumped {
            record,
            seq: Some(Tag::decode(&bytes).seq),
            priority,
        })
    }

    /// Returns the number of bytes of the current payload of the walk that are still to be copied.
    pub(crate) fn dump_payload_left(&self) -> usize {
        match &self.lanes {
            None => self.store.cursor_payload_left(),
            Some(lanes) => {
                let lefts = lanes.made().map(|lane| lane.store.cursor_payload_left());
                lefts.max().unwrap_or(0)
            }
        }
    }

    /// Copies the next bytes of the current payload of the walk to `out`, as many as fit. Returns
    /// the number of bytes copied, or [`None`] if the payloads end before the messages do, which is
    /// a bug.
    pub(crate) fn dump_payload(&mut self, out: &mut [u8]) -> Option<usize> {
        let Some(lanes) = &mut self.lanes else {
            return self.store.cursor_payload(out);
        };
        let Some((_, lane)) = lanes.dumped_mut() else {
            return Some(0);
        };
        let copied = lane.store.cursor_payload(out);
        self.store.spare.append(&mut lane.store.spare);
        copied
    }

    /// Ends the walk. Its memory moves to `memory`, with the segments that were kept for it, to be
    /// freed after the lock is released. Returns memory that has no place there.
    pub(crate) fn dump_end(&mut self, memory: &mut DumpMemory) -> Option<CursorMemory> {
        let mut memory = memory.first.as_deref_mut();
        let lanes = self.lanes.as_deref_mut();
        for lane in lanes.into_iter().flat_map(Lanes::made_mut) {
            if let (Some(cursor), Some(tags)) = (lane.store.cursor_end(), lane.tags.cursor_end()) {
                let Some(one) = memory else {
                    break;
                };
                one.cursors = Some((cursor, tags));
                memory = one.next.as_deref_mut();
            }
        }
        self.store.cursor_end()
    }
}
