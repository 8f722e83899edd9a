// SPDX-License-Identifier: GPL-2.0

//! A stream of bytes in a chain of segments. It is written at its end and removed from its start.
//!
//! Pure data: no function here sleeps, allocates or frees. The caller provides segments, and gets
//! back those that are no longer in use.

use kernel::prelude::*;

use crate::kernel_ext::mm::{
    chain::{
        Chain,
        Iter, //
    },
    indexed::{
        Index,
        IndexedChain, //
    },
    segment::{
        Segment,
        SEGMENT_SIZE, //
    }, //
};

/// A chain of segments.
pub(crate) type Segments = Chain<Segment>;

/// Memory for the index of a stream, by which bytes are found at their offsets.
pub(crate) type StreamIndex = Index<Segment>;

/// [`SEGMENT_SIZE`] in the type of the offsets in a [`Stream`].
const SIZE: u32 = SEGMENT_SIZE as u32;

/// A stream of bytes.
///
/// # Invariants
///
/// - The first byte in the stream is at `head` of the first segment. The next byte to be written is
///   at `tail` of the last segment. Each is at most [`SEGMENT_SIZE`], which means the start of the
///   next segment.
/// - Without segments, both are zero.
pub(crate) struct Stream {
    segments: IndexedChain<Segment>,
    head: u32,
    tail: u32,
    cursor: Option<KBox<Cursor>>,
}

/// A read position that walks over the bytes that were in a stream when it was created. Later
/// writes and removals do not affect what it reads.
pub(crate) struct Cursor {
    /// Segments that left the stream before the cursor passed them. The cursor is in the marked
    /// segment of this chain. If the chain is empty, it is in the marked segment of the stream.
    pub(super) kept: Segments,
    /// The offset of the cursor in that segment. [`SEGMENT_SIZE`] means the start of the next one.
    at: usize,
}

impl Cursor {
    /// Allocates a cursor for [`Stream::cursor_begin`].
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(crate) fn new() -> Result<KBox<Self>> {
        let cursor = Self {
            kept: Segments::new(),
            at: 0,
        };
        Ok(KBox::new(cursor, GFP_KERNEL_ACCOUNT)?)
    }

    /// Keeps a segment that left the stream.
    fn keep(&mut self, segment: Segment) {
        let first = self.kept.is_empty();
        self.kept.push_back(segment);
        if first {
            self.kept.mark_front();
        }
    }

    /// Moves to the next kept segment. After the last one, all of them move to `spare`, and the
    /// cursor continues in the stream.
    fn advance(&mut self, spare: &mut Segments) {
        self.kept.advance_mark();
        if self.kept.marked().is_none() {
            spare.append(&mut self.kept);
        }
    }
}

/// Rounds an offset in a segment up to a multiple of `align`, a power of two.
#[inline]
fn aligned(at: u32, align: usize) -> u32 {
    // CAST: The callers' alignments are constants of at most the size of a segment.
    let align = align as u32;
    // OVERFLOW: Neither wraps, as an offset and an alignment are far below `u32::MAX`.
    at.wrapping_add(align.wrapping_sub(1)) & align.wrapping_neg()
}

/// Returns the offset of the byte at `at` of the segment with this number.
#[inline]
fn offset(number: u64, at: u32) -> u64 {
    number
        .wrapping_mul(SEGMENT_SIZE as u64)
        .wrapping_add(at.into())
}

/// Returns the number of the segment that has the byte at offset `at`, and the place of the byte in
/// that segment.
#[inline]
fn split(at: u64) -> (u64, usize) {
    let size = SEGMENT_SIZE as u64;
    (at / size, (at % size) as usize)
}

/// Returns how many bytes of segment `i` are before the byte at `begin`, which counts from the
/// start of segment 0.
fn skipped(begin: usize, i: usize) -> usize {
    begin.saturating_sub(i.saturating_mul(SEGMENT_SIZE))
}

impl Stream {
    /// Creates an empty stream.
    pub(crate) const fn new() -> Self {
        Self {
            segments: IndexedChain::new(),
            head: 0,
            tail: 0,
            cursor: None,
        }
    }

    /// Returns the number of segments in the stream.
    pub(crate) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// Returns the number of segments that must be added for `len` more bytes.
    #[inline]
    pub(crate) fn segments_for(&self, len: usize) -> usize {
        len.saturating_sub(self.room()).div_ceil(SEGMENT_SIZE)
    }

    /// Returns the number of free bytes in the last segment.
    #[inline]
    fn room(&self) -> usize {
        if self.segments.is_empty() {
            0
        } else {
            SEGMENT_SIZE.saturating_sub(self.tail as usize)
        }
    }

    /// Returns whether the last segment is full, so that the next byte starts a new one.
    #[inline]
    pub(crate) fn is_at_end(&self) -> bool {
        self.tail == SIZE
    }

    /// Returns whether the next byte starts a new segment: the last one is full, or there is none.
    #[inline]
    pub(crate) fn is_at_end_or_empty(&self) -> bool {
        self.is_at_end() || self.segments.is_empty()
    }

    /// Adds a segment in which `len` bytes were written, and skips to a multiple of `align`. The
    /// last segment, if there is one, must be full.
    #[inline]
    pub(crate) fn extend(&mut self, segment: Segment, len: usize, align: usize) {
        self.segments.push_back(segment);
        // INVARIANT: This is the end of what was written to the new segment, rounded up.
        self.tail = aligned(len as u32, align);
    }

    /// Returns the next `len` bytes to be written, if they fit in the last segment.
    #[inline]
    pub(crate) fn tail_mut(&mut self, len: usize) -> Option<&mut [u8]> {
        let tail = self.tail as usize;
        // If `end` wraps, it is less than `tail`, and `get_mut` returns `None`.
        let end = tail.wrapping_add(len);
        self.segments.back_mut()?.get_mut(tail..end)
    }

    /// Returns the free bytes of the last segment, if there is one. The next bytes go to their
    /// start.
    #[inline]
    pub(crate) fn last_mut(&mut self) -> Option<&mut [u8]> {
        let tail = self.tail as usize;
        self.segments.back_mut()?.get_mut(tail..)
    }

    /// Returns the next `N` bytes to be written, if they fit in the last segment.
    #[inline]
    pub(crate) fn tail_array_mut<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        let tail = self.tail as usize;
        let bytes = self
            .segments
            .back_mut()?
            .get_mut(tail..tail.wrapping_add(N))?;
        bytes.first_chunk_mut()
    }

    /// Appends the `len` bytes that were written through [`Stream::tail_mut`] or a function like
    /// it, and skips to a multiple of `align`.
    #[inline]
    pub(crate) fn advance_tail(&mut self, len: usize, align: usize) {
        // INVARIANT: This is the end of what was written to the last segment, rounded up.
        self.tail = aligned(self.tail.wrapping_add(len as u32), align);
    }

    /// Appends `len` bytes, which `copy` writes piece by piece, and skips to a multiple of `align`.
    /// `fresh` must hold exactly as many segments as [`Stream::segments_for`] asks for; all of them
    /// are used up.
    ///
    /// Returns whether every call of `copy` returned `true` and `fresh` was right. If not, the
    /// stream is unchanged.
    #[inline]
    pub(crate) fn write(
        &mut self,
        len: usize,
        align: usize,
        fresh: &mut Segments,
        mut copy: impl FnMut(&mut [u8]) -> bool,
    ) -> bool {
        if fresh.len() != self.segments_for(len) {
            return false;
        }
        let mut left = len;
        let mut end = self.tail as usize;
        let fitting = left.min(self.room());
        if fitting > 0 {
            if !self.tail_mut(fitting).is_some_and(&mut copy) {
                return false;
            }
            end += fitting;
            left -= fitting;
        }
        if left > 0 {
            for segment in fresh.iter_mut() {
                let piece = left.min(SEGMENT_SIZE);
                if !segment.get_mut(..piece).is_some_and(&mut copy) {
                    return false;
                }
                end = piece;
                left -= piece;
            }
            self.segments.append(fresh);
        }
        // INVARIANT: This is the end of what was written to the last segment, rounded up. `fresh`
        // had just the segments for these bytes.
        self.tail = aligned(end as u32, align);
        true
    }

    /// Returns the first `len` bytes, if they are all in the first segment.
    #[inline]
    pub(crate) fn front_contiguous(&self, len: usize) -> Option<&[u8]> {
        let head = self.head as usize;
        self.segments.front()?.get(head..head.wrapping_add(len))
    }

    /// Returns the rest of the first segment, if there is one, from the first byte of the stream
    /// on. Unwritten bytes follow those of the stream if it has no other segment.
    #[inline]
    pub(crate) fn first(&self) -> Option<&[u8]> {
        self.segments.front()?.get(self.head as usize..)
    }

    /// Returns the first `len` bytes in pieces: fewer if there are no more in the stream.
    #[inline]
    pub(crate) fn read(&self, len: usize) -> Pieces<'_> {
        let mut segments = self.segments.iter();
        segments.next();
        Pieces::new(self.first(), segments, len)
    }

    /// Iterates over chunks of `N` bytes behind the first `behind` ones. None may be split between
    /// segments. Unwritten bytes may follow those of the stream.
    pub(crate) fn chunks<const N: usize>(&self, behind: usize) -> impl Iterator<Item = &[u8; N]> {
        let begin = behind.saturating_add(self.head as usize);
        let segments = self.segments.iter().enumerate().skip(begin / SEGMENT_SIZE);
        segments
            .flat_map(move |(i, segment)| segment.chunks_exact(N).skip(skipped(begin, i) / N))
            .filter_map(|chunk| chunk.first_chunk())
    }

    /// Does the same as [`Stream::chunks`] for modification.
    pub(crate) fn chunks_mut<const N: usize>(
        &mut self,
        behind: usize,
    ) -> impl Iterator<Item = &mut [u8; N]> {
        let begin = behind.saturating_add(self.head as usize);
        let segments = self.segments.iter_mut().enumerate();
        segments
            .skip(begin / SEGMENT_SIZE)
            .flat_map(move |(i, segment)| segment.chunks_exact_mut(N).skip(skipped(begin, i) / N))
            .filter_map(|chunk| chunk.first_chunk_mut())
    }

    /// Gives the stream another index, or none, and returns the one it had, to be freed after the
    /// lock is released. The new one covers no segment before [`Stream::index_more`].
    pub(crate) fn replace_index(
        &mut self,
        index: Option<KBox<StreamIndex>>,
    ) -> Option<KBox<StreamIndex>> {
        self.segments.replace_index(index)
    }

    /// Returns whether the stream has an index.
    pub(crate) fn is_indexed(&self) -> bool {
        self.segments.is_indexed()
    }

    /// Extends the index by at most `limit` segments. Returns whether it covers all of them.
    pub(crate) fn index_more(&mut self, limit: usize) -> bool {
        self.segments.index_more(limit)
    }

    /// Returns the offset of the first byte in the stream. Offsets count all bytes that were ever
    /// written, except that an emptied stream may use the offsets of its last segment again.
    #[inline]
    pub(crate) fn start(&self) -> u64 {
        offset(self.segments.first_number(), self.head)
    }

    /// Returns the offset of the next byte to be written.
    pub(crate) fn end(&self) -> u64 {
        let behind = self.segments.len().saturating_sub(1) as u64;
        offset(self.segments.first_number().wrapping_add(behind), self.tail)
    }

    /// Returns the rest of the segment that has the byte at offset `at`, from that byte on, if the
    /// stream has an index that covers it. Unwritten bytes follow those of the stream in the last
    /// segment.
    #[inline]
    pub(crate) fn rest_at(&self, at: u64) -> Option<&[u8]> {
        let (number, byte) = split(at);
        self.segments.get(number)?.get(byte..)
    }

    /// Returns the rest of the segment that has the byte behind the first `behind` ones, from that
    /// byte on, if the stream has an index that covers it.
    #[inline(always)]
    pub(crate) fn rest_behind(&self, behind: u64) -> Option<&[u8]> {
        let (ahead, byte) = split(behind.wrapping_add(self.head.into()));
        self.segments.nth(ahead)?.get(byte..)
    }

    /// Returns the `len` bytes at offset `at` in pieces. There are none if the stream has no index
    /// that covers them.
    #[inline]
    pub(crate) fn read_at(&self, at: u64, len: usize) -> Pieces<'_> {
        let (number, _) = split(at);
        let segments = self.segments.iter_behind(number);
        Pieces::new(self.rest_at(at), segments, len)
    }

    /// Returns the number of bytes in the stream, including padding.
    pub(crate) fn len(&self) -> usize {
        let end = self.segments.len().saturating_sub(1) * SEGMENT_SIZE + self.tail as usize;
        end.saturating_sub(self.head as usize)
    }

    /// Removes `len` bytes and the padding behind them. Segments that are no longer in use move to
    /// `spare`, or to the cursor if that has not passed them.
    #[inline]
    pub(crate) fn remove(&mut self, len: usize, align: usize, spare: &mut Segments) {
        // INVARIANT: The same rounding moved `tail` when these bytes were written, so `head`
        // arrives at the start of the next ones.
        self.head += len as u32;
        while self.head > SIZE {
            self.head -= SIZE;
            self.release_front(spare);
        }
        self.head = aligned(self.head, align);
        // The last segment stays for the next write.
        if self.head == SIZE && self.segments.len() > 1 {
            self.head = 0;
            self.release_front(spare);
        }
    }

    /// Empties the stream and moves its end to the start of the first segment. The stream must have
    /// no cursor. The other segments move to `spare`.
    #[inline]
    pub(crate) fn rewind(&mut self, spare: &mut Segments) {
        self.rewind_segment();
        if self.segments.len() > 1 {
            self.release_rest(spare);
        }
    }

    /// Moves all segments but the first to `spare`. The stream must be empty.
    #[cold]
    fn release_rest(&mut self, spare: &mut Segments) {
        let mut rest = self.segments.take_rest();
        // Put them at the front: segments that were used last may still be in the cache.
        rest.append(spare);
        *spare = rest;
    }

    /// Empties the stream and moves its end to the start of its only segment. The stream must have
    /// no cursor.
    #[inline]
    pub(crate) fn rewind_segment(&mut self) {
        // INVARIANT: The stream is empty, and starts at the first byte of its segment.
        self.head = 0;
        self.tail = 0;
    }

    /// Removes the last segment of an empty stream. The next write starts a new one, because a
    /// cursor may not have read all of this one.
    pub(crate) fn release_last(&mut self, spare: &mut Segments) {
        self.release_front(spare);
        // INVARIANT: The stream is empty and has no segment.
        self.head = 0;
        self.tail = 0;
    }

    /// Moves the first segment to the cursor if that has not passed it, and to `spare` otherwise.
    fn release_front(&mut self, spare: &mut Segments) {
        let marked = self.segments.is_front_marked();
        let Some(segment) = self.segments.pop_front() else {
            return;
        };
        match &mut self.cursor {
            Some(cursor) if marked => cursor.keep(segment),
            _ => spare.push_front(segment),
        }
    }

    /// Empties the stream in constant time. Returns the segments that are no longer in use.
    pub(crate) fn clear(&mut self) -> Segments {
        // INVARIANT: The stream is empty, and `take` leaves it no segment.
        self.head = 0;
        self.tail = 0;
        let mut segments = self.segments.take();
        if let Some(cursor) = &mut self.cursor {
            if !cursor.kept.is_empty() {
                cursor.kept.append(&mut segments);
            } else if segments.marked().is_some() {
                // The mark moves along with the segments.
                cursor.kept = segments.take();
            }
        }
        segments
    }

    /// Starts `cursor`, which must be new, over all bytes in the stream. There must be no other
    /// one.
    pub(crate) fn cursor_begin(&mut self, mut cursor: KBox<Cursor>) {
        self.segments.mark_front();
        cursor.at = self.head as usize;
        self.cursor = Some(cursor);
    }

    /// Copies the next bytes of the cursor to `out`. Kept segments that it has passed move to
    /// `spare`. Returns whether the cursor had enough bytes left to fill `out`.
    pub(crate) fn cursor_read(&mut self, mut out: &mut [u8], spare: &mut Segments) -> bool {
        while !out.is_empty() {
            let Some(cursor) = &mut self.cursor else {
                return false;
            };
            if cursor.at >= SEGMENT_SIZE {
                cursor.at -= SEGMENT_SIZE;
                if cursor.kept.is_empty() {
                    self.segments.advance_mark();
                } else {
                    cursor.advance(spare);
                }
                continue;
            }
            let len = out.len().min(SEGMENT_SIZE - cursor.at);
            let segment = cursor.kept.marked().or_else(|| self.segments.marked());
            let source = segment.and_then(|segment| segment.get(cursor.at..cursor.at + len));
            let (Some(source), Some((place, rest))) = (source, out.split_at_mut_checked(len))
            else {
                return false;
            };
            place.copy_from_slice(source);
            out = rest;
            cursor.at += len;
        }
        true
    }

    /// Skips the next `len` bytes of the cursor, of which it must have so many. Kept segments that
    /// it has passed move to `spare`.
    pub(crate) fn cursor_skip(&mut self, len: usize, spare: &mut Segments) {
        let Some(cursor) = &mut self.cursor else {
            return;
        };
        cursor.at = cursor.at.saturating_add(len);
        while cursor.at > SEGMENT_SIZE {
            cursor.at -= SEGMENT_SIZE;
            if cursor.kept.is_empty() {
                self.segments.advance_mark();
            } else {
                cursor.advance(spare);
            }
        }
    }

    /// Skips to a multiple of `align` in the cursor.
    pub(crate) fn cursor_align(&mut self, align: usize) {
        if let Some(cursor) = &mut self.cursor {
            cursor.at = aligned(cursor.at as u32, align) as usize;
        }
    }

    /// Ends the cursor. Returns it with the segments that were kept for it, to be freed after the
    /// lock is released.
    pub(crate) fn cursor_end(&mut self) -> Option<KBox<Cursor>> {
        self.cursor.take()
    }

    /// Takes out the segments of an empty stream.
    pub(crate) fn take_empty(&mut self) -> Segments {
        // INVARIANT: The stream is empty, and `take` leaves it no segment.
        self.head = 0;
        self.tail = 0;
        self.segments.take()
    }
}

/// An iterator over bytes of a [`Stream`], in pieces.
pub(crate) struct Pieces<'a> {
    /// The bytes of the current segment that were not returned yet.
    current: &'a [u8],
    /// The segments after it.
    segments: Iter<'a, Segment>,
    left: usize,
}

impl<'a> Pieces<'a> {
    /// Creates an iterator over `len` bytes that begin with those of `current` and continue in
    /// `segments`. Without `current` there are none.
    #[inline(always)]
    fn new(current: Option<&'a [u8]>, segments: Iter<'a, Segment>, len: usize) -> Self {
        Self {
            left: current.map_or(0, |_| len),
            current: current.unwrap_or_default(),
            segments,
        }
    }

    /// Skips the padding behind the last `len` bytes, up to a multiple of `align`, and continues
    /// with the next `more` bytes. The iterator must have returned all bytes before. It ends if the
    /// padding is not there.
    #[inline]
    pub(crate) fn skip_padding(&mut self, len: usize, align: usize, more: usize) {
        // Padding is never split between segments.
        let skipped = len.wrapping_neg() % align;
        if let Some(current) = self.current.get(skipped..) {
            self.current = current;
            self.left = more;
        } else {
            self.left = 0;
        }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.left == 0 {
            return None;
        }
        // The next byte may be the first one of the next segment.
        if self.current.is_empty() {
            self.current = self.segments.next()?;
        }
        let (piece, behind) = self.current.split_at(self.left.min(self.current.len()));
        self.current = behind;
        self.left -= piece.len();
        Some(piece)
    }
}
