// SPDX-License-Identifier: GPL-2.0

//! A walk over all messages of a queue, for a dump: over those of its store, or over those of its
//! lanes, highest priority first.

use kernel::prelude::*;

use super::{
    cursor::CursorMemory,
    lane::Tag,
    lanes::Lanes,
    message::Record,
    queue::Queue,
    stream, //
};

/// The largest number of holes that [`Queue::dump_next`] passes. It bounds the critical section.
const HOLES_AT_ONCE: usize = 64;

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
        let lanes = self.lanes.as_deref();
        1 + lanes.map_or(0, |lanes| lanes.occupied().count())
    }

    /// Starts a walk over all messages that are queued now. There must be no other one, and
    /// `memory` must suffice for it. Messages that have expired must be removed, or be holes.
    pub(crate) fn dump_begin(&mut self, memory: &mut DumpMemory) {
        let mut memory = memory.first.as_deref_mut();
        if let Some(one) = memory {
            if let Some((cursor, _)) = one.cursors.take() {
                self.store.cursor_begin(cursor);
            }
            memory = one.next.as_deref_mut();
        }
        let Some(lanes) = &mut self.lanes else {
            return;
        };
        // CAST: The number of messages is at most `max_msgs`, a `u32`.
        lanes.undumped = lanes.depth().msgs as u32;
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
        let in_lanes = self.lanes.as_deref().map_or(0, |lanes| lanes.undumped);
        self.store.cursor_left().wrapping_add(in_lanes)
    }

    /// Moves the walk to the next message and returns it. Returns [`None`] if there is none, or if
    /// the current payload was not copied to its end. Returns `Some(None)` if it has only passed
    /// holes so far, and there are more.
    pub(crate) fn dump_next(&mut self) -> Option<Option<Dumped>> {
        let stored = self.store.cursor_left() > 0;
        let Some(lanes) = self.lanes.as_deref_mut().filter(|_| !stored) else {
            return Some(Some(Dumped {
                record: self.store.cursor_next()?,
                seq: None,
                priority: 0,
            }));
        };
        for _ in 0..HOLES_AT_ONCE {
            let (priority, lane) = lanes.dumped_mut()?;
            let record = lane.store.cursor_next()?;
            let mut bytes = [0; Tag::SIZE];
            let read = lane.tags.cursor_read(&mut bytes, &mut lane.store.spare);
            let tag = Tag::decode(&bytes);
            if read && tag.deadline == Tag::HOLE {
                lane.store.cursor_skip();
                self.store.spare.append(&mut lane.store.spare);
                continue;
            }
            self.store.spare.append(&mut lane.store.spare);
            lanes.undumped = lanes.undumped.wrapping_sub(1);
            return read.then_some(Some(Dumped {
                record,
                seq: Some(tag.seq),
                priority,
            }));
        }
        Some(None)
    }

    /// Returns the number of bytes of the current payload of the walk that are still to be copied.
    pub(crate) fn dump_payload_left(&self) -> usize {
        let lanes = self.lanes.as_deref();
        let lanes = lanes.into_iter().flat_map(Lanes::made);
        let in_lanes = lanes.map(|lane| lane.store.cursor_payload_left()).max();
        self.store
            .cursor_payload_left()
            .max(in_lanes.unwrap_or_default())
    }

    /// Copies the next bytes of the current payload of the walk to `out`, as many as fit. Returns
    /// the number of bytes copied, or [`None`] if the payloads end before the messages do, which is
    /// a bug.
    pub(crate) fn dump_payload(&mut self, out: &mut [u8]) -> Option<usize> {
        let lanes = self.lanes.as_deref_mut();
        let lane = lanes.and_then(Lanes::dumped_mut);
        match lane {
            Some((_, lane)) if self.store.cursor_payload_left() == 0 => {
                let copied = lane.store.cursor_payload(out);
                self.store.spare.append(&mut lane.store.spare);
                copied
            }
            _ => self.store.cursor_payload(out),
        }
    }

    /// Ends the walk. Its memory moves to `memory`, with the segments that were kept for it, to be
    /// freed after the lock is released. Returns memory that has no place there.
    pub(crate) fn dump_end(&mut self, memory: &mut DumpMemory) -> Option<CursorMemory> {
        let mut memory = memory.first.as_deref_mut();
        if let Some(lanes) = &mut self.lanes {
            lanes.undumped = 0;
        }
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
