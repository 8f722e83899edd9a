// SPDX-License-Identifier: GPL-2.0

//! Mode of an open file: how it reads and writes.

use kernel::fmt;

use crate::uapi::{
    MODE_EOF,
    MODE_HUP,
    MODE_LINES,
    MODE_RECORDS,
    MODE_WHOLE, //
};

/// Words for the bits of a mode, in the order in which they are shown.
const WORDS: [(&str, Modes); 5] = [
    ("whole", Modes::WHOLE),
    ("eof", Modes::EOF),
    ("hup", Modes::HUP),
    ("lines", Modes::LINES),
    ("records", Modes::RECORDS),
];

/// Word for the mode in which no bit is set.
const NONE: &str = "none";

/// Mode of an open file: a set of bits of the UAPI header.
///
/// # Invariants
///
/// Only bits of [`WORDS`] are set. `RECORDS` is set neither with `WHOLE` nor with `LINES`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Modes(u32);

impl Modes {
    /// A read gets part of a message that is too long, a read of an empty pipe waits, and a write
    /// is one message.
    pub(crate) const NONE: Self = Self(0);

    /// A read gets a whole message or fails.
    pub(crate) const WHOLE: Self = Self(MODE_WHOLE);

    /// A read of an empty pipe reports the end of the file.
    pub(crate) const EOF: Self = Self(MODE_EOF);

    /// A read of an empty pipe reports the end of the file once all writers have gone.
    pub(crate) const HUP: Self = Self(MODE_HUP);

    /// Each line of a write is a message.
    pub(crate) const LINES: Self = Self(MODE_LINES);

    /// A read gets records, and a write has a sequence of messages with headers.
    pub(crate) const RECORDS: Self = Self(MODE_RECORDS);

    /// Returns the mode with these bits of the UAPI header, or [`None`] if a bit is unknown or the
    /// bits exclude each other.
    pub(crate) fn from_bits(bits: u32) -> Option<Self> {
        let known = WORDS.iter().fold(0, |known, (_, mode)| known | mode.0);
        let alone = bits & MODE_RECORDS == 0 || bits & (MODE_WHOLE | MODE_LINES) == 0;
        // INVARIANT: All bits are known and do not exclude each other, or this is [`None`].
        (bits & !known == 0 && alone).then_some(Self(bits))
    }

    /// Returns the bits of the UAPI header.
    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    /// Returns whether a read of an empty pipe may report the end of the file.
    #[inline]
    pub(crate) fn has_end(self) -> bool {
        self.0 & (MODE_EOF | MODE_HUP) != 0
    }

    /// Returns whether all bits of `other` are set.
    #[inline]
    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Writes the mode as words that are separated by commas.
    pub(crate) fn write_to(self, out: &mut impl fmt::Write) -> fmt::Result {
        if self == Self::NONE {
            return out.write_str(NONE);
        }
        let mut separator = "";
        for (word, mode) in WORDS {
            if self.contains(mode) {
                out.write_str(separator)?;
                out.write_str(word)?;
                separator = ",";
            }
        }
        Ok(())
    }

    /// Parses what [`Modes::write_to`] writes; the words may be in any order. Returns [`None`] if
    /// `text` is no mode.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        if text == NONE.as_bytes() {
            return Some(Self::NONE);
        }
        let mut bits = 0;
        for word in text.split(|byte| *byte == b',') {
            let (_, mode) = WORDS.iter().find(|(name, _)| name.as_bytes() == word)?;
            bits |= mode.0;
        }
        Self::from_bits(bits)
    }
}

impl fmt::Display for Modes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_mode)]
mod tests {
    use super::*;

    #[test]
    fn only_bits_with_a_meaning_make_a_mode() {
        for bits in 0..64 {
            let records = bits & !(MODE_RECORDS | MODE_EOF | MODE_HUP) == 0;
            let lines = bits & !(MODE_WHOLE | MODE_EOF | MODE_HUP | MODE_LINES) == 0;
            let known = records || lines;
            assert_eq!(Modes::from_bits(bits).is_some(), known);
            assert_eq!(
                Modes::from_bits(bits).map(Modes::bits),
                known.then_some(bits)
            );
        }
        assert_eq!(Modes::from_bits(1 << 31), None);
    }

    #[test]
    fn words_make_a_mode() {
        for (text, mode) in [
            ("none", Some(0)),
            ("whole", Some(MODE_WHOLE)),
            ("eof,lines", Some(MODE_EOF | MODE_LINES)),
            ("lines,eof", Some(MODE_EOF | MODE_LINES)),
            ("eof,eof", Some(MODE_EOF)),
            ("whole,eof,lines", Some(MODE_WHOLE | MODE_EOF | MODE_LINES)),
            ("records,eof", Some(MODE_RECORDS | MODE_EOF)),
            ("hup", Some(MODE_HUP)),
            ("records,hup,eof", Some(MODE_RECORDS | MODE_HUP | MODE_EOF)),
            ("records,lines", None),
            ("whole,eof,records", None),
            ("", None),
            (",", None),
            ("eof,", None),
            ("eof,none", None),
            ("EOF", None),
            ("hangup", None),
        ] {
            assert_eq!(Modes::parse(text.as_bytes()).map(Modes::bits), mode);
        }
    }

    #[test]
    fn a_mode_is_shown_as_it_is_read() {
        for (mode, expected) in [
            (Modes::NONE, "none"),
            (Modes::EOF, "eof"),
            (Modes(MODE_EOF | MODE_RECORDS), "eof,records"),
            (Modes(MODE_WHOLE | MODE_EOF | MODE_LINES), "whole,eof,lines"),
            (Modes(MODE_HUP | MODE_EOF), "eof,hup"),
        ] {
            let mut shown = Text::default();
            assert!(mode.write_to(&mut shown).is_ok());
            assert_eq!(shown.0.get(..shown.1), Some(expected.as_bytes()));
        }
    }

    /// A buffer for the text that was written, and the length of the text.
    #[derive(Default)]
    struct Text([u8; 32], usize);

    impl fmt::Write for Text {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let end = self.1 + text.len();
            let place = self.0.get_mut(self.1..end).ok_or(fmt::Error)?;
            place.copy_from_slice(text.as_bytes());
            self.1 = end;
            Ok(())
        }
    }
}
