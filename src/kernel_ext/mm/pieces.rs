// SPDX-License-Identifier: GPL-2.0

//! Bytes that are split into several slices.

use core::ops::Range;

/// Returns the first `len` bytes, or all if there are fewer.
#[inline(always)]
pub(crate) fn prefix(bytes: &[u8], len: usize) -> &[u8] {
    bytes.get(..len).unwrap_or(bytes)
}

/// Returns the first `len` bytes, or all if there are fewer.
#[inline(always)]
pub(crate) fn prefix_mut(bytes: &mut [u8], len: usize) -> &mut [u8] {
    let len = len.min(bytes.len());
    bytes.split_at_mut(len).0
}

/// Returns the slices of the bytes in `range`, counted from the beginning of all `pieces`.
pub(crate) fn part<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    range: Range<usize>,
) -> impl Iterator<Item = &'a [u8]> {
    // Bytes left before the range, and bytes left in the range.
    let mut skip = range.start;
    let mut left = range.end.saturating_sub(range.start);
    pieces
        .map_while(move |piece| {
            if left == 0 {
                return None;
            }
            let begin = skip.min(piece.len());
            let end = piece.len().min(begin.saturating_add(left));
            skip -= begin;
            left -= end - begin;
            piece.get(begin..end)
        })
        .filter(|piece| !piece.is_empty())
}

/// Copies `pieces` to `places`, in order, until either runs out. Returns the number of bytes
/// copied.
///
/// # Examples
///
/// ```ignore
/// use crate::kernel_ext::mm::pieces::{copy, part};
///
/// let pieces: [&[u8]; 3] = [b"abc", b"", b"defg"];
/// let mut middle = [0; 4];
/// let copied = copy(part(pieces.into_iter(), 1..5), [middle.as_mut_slice()].into_iter());
/// assert_eq!((copied, &middle), (4, b"bcde"));
/// ```
pub(crate) fn copy<'a, 'b>(
    mut pieces: impl Iterator<Item = &'a [u8]>,
    places: impl Iterator<Item = &'b mut [u8]>,
) -> usize {
    let mut copied = 0;
    let mut piece: &[u8] = &[];
    for mut place in places {
        while !place.is_empty() {
            if piece.is_empty() {
                let Some(next) = pieces.next() else {
                    return copied;
                };
                piece = next;
            }
            let len = place.len().min(piece.len());
            let (from, behind) = piece.split_at(len);
            let (to, rest) = place.split_at_mut(len);
            to.copy_from_slice(from);
            copied += len;
            piece = behind;
            place = rest;
        }
    }
    copied
}

#[kernel::macros::kunit_tests(kmsgpipe_pieces)]
mod tests {
    use super::*;

    const PIECES: [&[u8]; 5] = [b"abc", b"", b"d", b"efgh", b"ij"];

    /// Returns the bytes in `range`, their number, and the number of slices they are in.
    fn joined(range: Range<usize>) -> ([u8; 10], usize, usize) {
        let mut bytes = [0; 10];
        let copied = copy(
            part(PIECES.into_iter(), range.clone()),
            [bytes.as_mut_slice()].into_iter(),
        );
        (bytes, copied, part(PIECES.into_iter(), range).count())
    }

    #[test]
    fn a_part_is_what_is_in_the_range() {
        let all = b"abcdefghij";
        for start in 0..=10 {
            for end in start..=10 {
                let (bytes, copied, pieces) = joined(start..end);
                assert_eq!(copied, end - start);
                assert_eq!(bytes.get(..copied), all.get(start..end));
                assert!(pieces <= 4);
            }
        }
        assert_eq!(joined(8..100).1, 2);
        assert_eq!(joined(10..11).1, 0);
        assert_eq!(joined(2..usize::MAX), (*b"cdefghij\0\0", 8, 4));
    }

    #[test]
    fn a_copy_fills_one_place_after_the_other() {
        for split in 0..=10 {
            let mut bytes = [0; 10];
            let (first, second) = bytes.split_at_mut(split);
            let copied = copy(PIECES.into_iter(), [first, second].into_iter());
            assert_eq!((copied, &bytes), (10, b"abcdefghij"));
        }
        let mut short = [0; 4];
        assert_eq!(
            copy(PIECES.into_iter(), [short.as_mut_slice()].into_iter()),
            4
        );
        assert_eq!(&short, b"abcd");
    }
}
