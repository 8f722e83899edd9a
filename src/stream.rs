// SPDX-License-Identifier: GPL-2.0

//! A stream of bytes in a chain of segments, written at its end and removed from its beginning.
//!
//! Pure data: nothing here sleeps, allocates or frees. Segments come from the caller, and go to a
//! chain of the caller's when they are done with.

use crate::kernel_ext::{
    chain::{
        Chain,
        Iter, //
    },
    segment::{
        Segment,
        SEGMENT_SIZE, //
    },
};

/// A chain of segments.
pub(crate) type Segments = Chain<Segment>;

/// The size of a segment, as positions in it are kept.
const SIZE: u32 = SEGMENT_SIZE as u32;

/// A stream of bytes.
///
/// # Invariants
///
/// - What is in the stream begins at `head` of the first segment, and what is written next does at
///   `tail` of the last. Each is at most [`SEGMENT_SIZE`], and that stands for the beginning of the
///   segment behind.
/// - Without segments, both are zero.
pub(crate) struct Stream {
    segments: Segments,
    head: u32,
    tail: u32,
    survey: Option<Survey>,
}

/// A walk over what was in a stream when it began, whatever happens to that meanwhile.
struct Survey {
    /// Segments that have left the stream before the walk was through with them. It goes on in the
    /// marked one of these, or, if there is none, in the marked segment of the stream.
    kept: Segments,
    /// Where in that segment it goes on.
    at: usize,
}

impl Survey {
    /// Keeps a segment that has left the stream.
    fn keep(&mut self, segment: Segment) {
        let first = self.kept.is_empty();
        self.kept.push_back(segment);
        if first {
            self.kept.mark_front();
        }
    }

    /// Goes on to the next segment of those that are kept. When it is through with all of them,
    /// they go to `spare`.
    fn advance(&mut self, spare: &mut Segments) {
        self.kept.advance_mark();
        if self.kept.marked().is_none() {
            spare.append(&mut self.kept);
        }
    }
}

/// The next multiple of `align`, a power of two, from a place in a segment on.
#[inline]
fn aligned(at: u32, align: u32) -> u32 {
    // Neither wraps: they are far below the largest number.
    at.wrapping_add(align.wrapping_sub(1)) & align.wrapping_neg()
}

impl Stream {
    /// Makes an empty stream.
    pub(crate) const fn new() -> Self {
        Self {
            segments: Segments::new(),
            head: 0,
            tail: 0,
            survey: None,
        }
    }

    /// The number of its segments.
    pub(crate) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// The number of segments that `len` more bytes take.
    #[inline]
    pub(crate) fn segments_for(&self, len: usize) -> usize {
        len.saturating_sub(self.room()).div_ceil(SEGMENT_SIZE)
    }

    /// The bytes that are free in the last segment.
    #[inline]
    fn room(&self) -> usize {
        if self.segments.is_empty() {
            0
        } else {
            SEGMENT_SIZE.saturating_sub(self.tail as usize)
        }
    }

    /// Returns whether what is written next begins a segment of its own, behind the last one.
    #[inline]
    pub(crate) fn is_at_end(&self) -> bool {
        self.tail == SIZE
    }

    /// Goes on in a new segment, in which `len` bytes were written, and skips to a multiple of
    /// `align`. The last one must be full.
    #[inline]
    pub(crate) fn extend(&mut self, segment: Segment, len: usize, align: u32) {
        self.segments.push_back(segment);
        // INVARIANT: That is behind what was just written, in the last segment.
        self.tail = aligned(len as u32, align);
    }

    /// Where the next `len` bytes go, if they all fit into the last segment.
    #[inline]
    pub(crate) fn place(&mut self, len: usize) -> Option<&mut [u8]> {
        let tail = self.tail as usize;
        // A range that wraps is in no segment.
        let end = tail.wrapping_add(len);
        self.segments.back_mut()?.get_mut(tail..end)
    }

    /// Where what is written next goes: all that is free in the last segment.
    #[inline]
    pub(crate) fn last_mut(&mut self) -> &mut [u8] {
        let tail = self.tail as usize;
        let last = self.segments.back_mut();
        last.and_then(|segment| segment.get_mut(tail..))
            .unwrap_or_default()
    }

    /// Where the next `N` bytes go, likewise.
    #[inline]
    pub(crate) fn place_array<const N: usize>(&mut self) -> Option<&mut [u8; N]> {
        let tail = self.tail as usize;
        let place = self
            .segments
            .back_mut()?
            .get_mut(tail..tail.wrapping_add(N))?;
        place.first_chunk_mut()
    }

    /// Keeps the `len` bytes that were written to their [`Stream::place`], and skips to a multiple
    /// of `align`.
    #[inline]
    pub(crate) fn fill_place(&mut self, len: usize, align: u32) {
        // INVARIANT: That is behind what was just written, in the last segment.
        self.tail = aligned(self.tail.wrapping_add(len as u32), align);
    }

    /// Writes `len` bytes, which `copy` provides piece by piece, and then skips to a multiple of
    /// `align`. Uses up all segments of `fresh`, which must be as many as [`Stream::segments_for`]
    /// asks for.
    ///
    /// Returns whether `copy` always said that it did so; nothing has changed if not.
    #[inline]
    pub(crate) fn write(
        &mut self,
        len: usize,
        align: u32,
        fresh: &mut Segments,
        mut copy: impl FnMut(&mut [u8]) -> bool,
    ) -> bool {
        let mut left = len;
        let mut end = self.tail as usize;
        let here = left.min(self.room());
        if here > 0 {
            let tail = end;
            let place = self
                .segments
                .back_mut()
                .and_then(|segment| segment.get_mut(tail..tail + here));
            if !place.is_some_and(&mut copy) {
                return false;
            }
            end += here;
            left -= here;
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
            if left > 0 {
                return false;
            }
            self.segments.append(fresh);
        }
        // INVARIANT: That is behind what was just written, in the last segment, as none was
        // provided beyond it.
        self.tail = aligned(end as u32, align);
        true
    }

    /// The next `len` bytes, if they are all in the first segment.
    #[inline]
    pub(crate) fn here(&self, len: usize) -> Option<&[u8]> {
        let head = self.head as usize;
        self.segments.front()?.get(head..head.wrapping_add(len))
    }

    /// What comes next, as far as it is in the first segment. What was not written yet may follow.
    #[inline]
    pub(crate) fn first(&self) -> &[u8] {
        let first = self.segments.front();
        first
            .and_then(|segment| segment.get(self.head as usize..))
            .unwrap_or_default()
    }

    /// The next `len` bytes, piece by piece.
    #[inline]
    pub(crate) fn read(&self, len: usize) -> Pieces<'_> {
        let mut segments = self.segments.iter();
        let first = segments.next();
        Pieces {
            here: first
                .and_then(|segment| segment.get(self.head as usize..))
                .unwrap_or_default(),
            segments,
            left: len,
        }
    }

    /// The number of bytes in it, with what was skipped.
    pub(crate) fn len(&self) -> usize {
        let end = self.segments.len().saturating_sub(1) * SEGMENT_SIZE + self.tail as usize;
        end.saturating_sub(self.head as usize)
    }

    /// Removes `len` bytes and what was skipped behind them. Segments that are done with go to
    /// `spare`.
    #[inline]
    pub(crate) fn remove(&mut self, len: usize, align: u32, spare: &mut Segments) {
        // INVARIANT: The beginning follows from that of what is removed as the end did when it was
        // written.
        self.head += len as u32;
        while self.head > SIZE {
            self.head -= SIZE;
            self.release_front(spare);
        }
        self.head = aligned(self.head, align);
        // The last segment is kept for what is written next.
        if self.head == SIZE && self.segments.len() > 1 {
            self.head = 0;
            self.release_front(spare);
        }
    }

    /// Begins anew in the first segment, as nothing in the stream is needed any more, nor is there
    /// a survey. The other segments go to `spare`.
    #[inline]
    pub(crate) fn rewind(&mut self, spare: &mut Segments) {
        self.rewind_here();
        if self.segments.len() > 1 {
            self.release_rest(spare);
        }
    }

    /// Takes all segments but the first out of the stream, in which nothing is.
    #[cold]
    fn release_rest(&mut self, spare: &mut Segments) {
        let mut rest = self.segments.take_rest();
        // Those that were used last are used next.
        rest.append(spare);
        *spare = rest;
    }

    /// Begins anew in the only segment, likewise.
    #[inline]
    pub(crate) fn rewind_here(&mut self) {
        // INVARIANT: Nothing is in the stream.
        self.head = 0;
        self.tail = 0;
    }

    /// Begins anew, as nothing is in the stream any more, with a segment that is still to come: a
    /// survey may not be through with the last one.
    pub(crate) fn restart(&mut self, spare: &mut Segments) {
        self.release_front(spare);
        // INVARIANT: Nothing is in the stream, nor is there a segment.
        self.head = 0;
        self.tail = 0;
    }

    /// Takes the first segment out of the stream.
    fn release_front(&mut self, spare: &mut Segments) {
        let marked = self.segments.is_front_marked();
        let Some(segment) = self.segments.pop_front() else {
            return;
        };
        match &mut self.survey {
            Some(survey) if marked => survey.keep(segment),
            _ => spare.push_front(segment),
        }
    }

    /// Removes everything, in one step. Returns segments that are done with.
    pub(crate) fn clear(&mut self) -> Segments {
        // INVARIANT: There is no segment.
        self.head = 0;
        self.tail = 0;
        let mut segments = self.segments.take();
        if let Some(survey) = &mut self.survey {
            if !survey.kept.is_empty() {
                survey.kept.append(&mut segments);
            } else if segments.marked().is_some() {
                // The mark comes along.
                survey.kept = segments.take();
            }
        }
        segments
    }

    /// Begins a survey of all that is in the stream. There may be one at a time.
    pub(crate) fn survey_begin(&mut self) {
        self.segments.mark_front();
        self.survey = Some(Survey {
            kept: Segments::new(),
            at: self.head as usize,
        });
    }

    /// Copies what comes next in the survey to `out`, as much as fits there; it must be in the
    /// stream.
    pub(crate) fn survey_read(&mut self, mut out: &mut [u8], spare: &mut Segments) {
        while let Some(survey) = &mut self.survey {
            if out.is_empty() {
                return;
            }
            if survey.at >= SEGMENT_SIZE {
                survey.at -= SEGMENT_SIZE;
                if survey.kept.is_empty() {
                    self.segments.advance_mark();
                } else {
                    survey.advance(spare);
                }
                continue;
            }
            let len = out.len().min(SEGMENT_SIZE - survey.at);
            let segment = survey.kept.marked().or_else(|| self.segments.marked());
            let source = segment.and_then(|segment| segment.get(survey.at..survey.at + len));
            let (Some(source), Some((place, rest))) = (source, out.split_at_mut_checked(len))
            else {
                return;
            };
            place.copy_from_slice(source);
            out = rest;
            survey.at += len;
        }
    }

    /// Skips to a multiple of `align` in the survey.
    pub(crate) fn survey_align(&mut self, align: u32) {
        if let Some(survey) = &mut self.survey {
            survey.at = aligned(survey.at as u32, align) as usize;
        }
    }

    /// Ends the survey. Returns segments that are done with.
    pub(crate) fn survey_end(&mut self) -> Segments {
        self.survey
            .take()
            .map_or(Segments::new(), |survey| survey.kept)
    }

    /// Takes the segment out that is kept although nothing is in the stream.
    pub(crate) fn take_empty(&mut self) -> Segments {
        // INVARIANT: There is no segment, and nothing in the stream.
        self.head = 0;
        self.tail = 0;
        self.segments.take()
    }
}

/// Bytes of a [`Stream`], piece by piece.
pub(crate) struct Pieces<'a> {
    /// What is left of the current segment.
    here: &'a [u8],
    /// The segments behind it.
    segments: Iter<'a, Segment>,
    left: usize,
}

impl Pieces<'_> {
    /// Skips to a multiple of `align` behind what was read, which had `len` bytes, and goes on with
    /// the next `more` bytes. All of what was read must have been taken.
    #[inline]
    pub(crate) fn go_on(&mut self, len: usize, align: usize, more: usize) {
        // What is skipped is never split between segments.
        let skipped = len.wrapping_neg() % align;
        self.here = self.here.get(skipped..).unwrap_or_default();
        self.left = more;
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.left == 0 {
            return None;
        }
        // What comes next may begin in the segment behind.
        if self.here.is_empty() {
            self.here = self.segments.next()?;
        }
        let (piece, behind) = self.here.split_at(self.left.min(self.here.len()));
        self.here = behind;
        self.left -= piece.len();
        Some(piece)
    }
}
