// SPDX-License-Identifier: GPL-2.0

//! A walk over the messages of a store that goes on while messages arrive and leave: it shows those
//! that were stored when it began.
//!
//! A segment that leaves its stream before the walk has passed it is kept for the walk.

use kernel::prelude::*;

use super::{
    message::{
        Record,
        ALIGN, //
    },
    store::Store,
    stream, //
};

use crate::kernel_ext::mm::pieces::prefix_mut;

/// The position of a walk over the messages that were stored when it began.
pub(super) struct Cursor {
    /// Bytes of the current payload that are still to be copied.
    payload: u32,
    /// Records that are still to be copied.
    records: u32,
}

/// Memory for a walk, which the caller of [`Store::cursor_begin`] allocates, and the segments that
/// were kept for it.
pub(crate) struct CursorMemory(pub(super) [KBox<stream::Cursor>; 2]);

impl CursorMemory {
    /// Allocates memory for a walk.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(crate) fn new() -> Result<Self> {
        Ok(Self([stream::Cursor::new()?, stream::Cursor::new()?]))
    }
}

impl Store {
    /// Starts a cursor over all messages that are stored now. There must be no other one.
    pub(crate) fn cursor_begin(&mut self, memory: CursorMemory) {
        let CursorMemory([records, payloads]) = memory;
        self.records.cursor_begin(records);
        self.payloads.cursor_begin(payloads);
        self.cursor = Some(Cursor {
            payload: 0,
            // CAST: The number of messages is at most `max_msgs`, a `u32`.
            records: self.depth().msgs as u32,
        });
    }

    /// Returns the number of messages that [`Store::cursor_next`] has yet to return.
    pub(crate) fn cursor_left(&self) -> u32 {
        self.cursor.as_ref().map_or(0, |cursor| cursor.records)
    }

    /// Moves the cursor to the next message and returns its record. Returns [`None`] if there is
    /// none, or if the current payload was not copied to its end. The former leaves no message in
    /// [`Store::cursor_left`].
    pub(crate) fn cursor_next(&mut self) -> Option<Record> {
        let cursor = self.cursor.as_mut()?;
        if cursor.payload > 0 || cursor.records == 0 {
            return None;
        }
        let mut bytes = [0; Record::SIZE];
        if !self.records.cursor_read(&mut bytes, &mut self.spare) {
            return None;
        }
        let record = Record::decode(&bytes);
        cursor.payload = record.len;
        cursor.records -= 1;
        Some(record)
    }

    /// Returns the number of bytes of the cursor's current payload that are still to be copied.
    pub(crate) fn cursor_payload_left(&self) -> usize {
        self.cursor
            .as_ref()
            .map_or(0, |cursor| cursor.payload as usize)
    }

    /// Copies the next bytes of the cursor's current payload to `out`, as many as fit. Returns the
    /// number of bytes copied, or [`None`] if the payloads end before the messages do, which is a
    /// bug.
    pub(crate) fn cursor_payload(&mut self, out: &mut [u8]) -> Option<usize> {
        let Some(cursor) = &mut self.cursor else {
            return Some(0);
        };
        let out = prefix_mut(out, cursor.payload as usize);
        if !self.payloads.cursor_read(out, &mut self.spare) {
            return None;
        }
        // CAST: `out` has at most `cursor.payload` bytes.
        cursor.payload -= out.len() as u32;
        if cursor.payload == 0 {
            self.payloads.cursor_align(ALIGN);
        }
        Some(out.len())
    }

    /// Skips the rest of the cursor's current payload.
    pub(crate) fn cursor_skip(&mut self) {
        if let Some(cursor) = &mut self.cursor {
            self.payloads
                .cursor_skip(cursor.payload as usize, &mut self.spare);
            self.payloads.cursor_align(ALIGN);
            cursor.payload = 0;
        }
    }

    /// Ends the cursor. Returns its memory and the segments that were kept for it, to be freed
    /// after the lock is released.
    pub(crate) fn cursor_end(&mut self) -> Option<CursorMemory> {
        self.cursor = None;
        let records = self.records.cursor_end();
        let payloads = self.payloads.cursor_end();
        Some(CursorMemory([records?, payloads?]))
    }
}
