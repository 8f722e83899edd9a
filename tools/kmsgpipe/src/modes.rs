// SPDX-License-Identifier: MIT OR Apache-2.0

//! How an open file reads and writes.

use bitflags::bitflags;
use kmsgpipe_sys::{MODE_EOF, MODE_LINES, MODE_RECORDS, MODE_WHOLE};
use std::fmt;

bitflags! {
    /// The mode of an open file: how it reads and writes.
    ///
    /// In no mode, a read takes what fits of a message, and the next reads of the same open file get the
    /// rest of it. A write is one message.
    ///
    /// As text it is what sysfs has: words with commas between them, or `none`.
    ///
    /// ```
    /// use kmsgpipe::Modes;
    ///
    /// assert_eq!((Modes::EOF | Modes::WHOLE).to_string(), "whole,eof");
    /// assert_eq!("none".parse(), Ok(Modes::empty()));
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Modes: u32 {
        /// A read fails if the message does not fit, and the message stays.
        const WHOLE = MODE_WHOLE;
        /// A read of an empty pipe returns 0 instead of waiting.
        const EOF = MODE_EOF;
        /// Each line of a write is a message. What follows the last newline is kept for the next write of
        /// the same open file, or sent when that is closed.
        const LINES = MODE_LINES;
        /// A read gets as many whole records as fit: messages with what is known of each. A write is one or
        /// more messages, each behind a header. It goes with [`Modes::EOF`] alone. [`RecordPipe`] reads and
        /// writes so.
        ///
        /// [`RecordPipe`]: crate::RecordPipe
        const RECORDS = MODE_RECORDS;
    }
}

/// The word for no mode.
const NONE: &str = "none";

/// The words for the modes, in the order in which the kernel has them.
const WORDS: [(&str, Modes); 4] = [
    ("whole", Modes::WHOLE),
    ("eof", Modes::EOF),
    ("lines", Modes::LINES),
    ("records", Modes::RECORDS),
];

/// What there is to say about modes that do not go together.
pub(crate) const ALONE: &str = "records goes with eof alone";

impl Modes {
    /// The words for no mode and for each mode.
    pub fn words() -> impl Iterator<Item = &'static str> {
        std::iter::once(NONE).chain(WORDS.iter().map(|(word, _)| *word))
    }

    /// Whether an open file can be in all of them at a time.
    pub(crate) fn go_together(self) -> bool {
        !(self.contains(Self::RECORDS) && self.intersects(Self::WHOLE | Self::LINES))
    }

    /// Understands words with commas between them, or the word for no mode.
    pub(crate) fn from_words(text: &str) -> Option<Self> {
        if text == NONE {
            return Some(Self::empty());
        }
        let mode = |word: &str| WORDS.iter().find(|(known, _)| *known == word);
        let modes: Option<Self> = text.split(',').map(|word| Some(mode(word)?.1)).collect();
        modes.filter(|modes| modes.go_together())
    }

    /// Says what the text of modes can be.
    pub(crate) fn choice() -> String {
        let words = WORDS.map(|(word, _)| word).join(", ");
        format!("{NONE}, or some of {words} with commas between them; {ALONE}")
    }
}

impl fmt::Display for Modes {
    /// Writes what sysfs has; bits that have no word as a number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.pad(NONE);
        }
        let set = WORDS.iter().filter(|(_, mode)| self.contains(*mode));
        let mut words: Vec<String> = set.map(|(word, _)| word.to_string()).collect();
        let others = self.difference(Self::all());
        if !others.is_empty() {
            words.push(format!("{:#x}", others.bits()));
        }
        f.pad(&words.join(","))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Modes {
    /// Makes text of it.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn every_mode_has_a_word() {
        let modes: Modes = WORDS.iter().map(|(_, mode)| *mode).collect();
        assert_eq!(modes, Modes::all());
        assert_eq!(modes.to_string(), "whole,eof,lines,records");
        let words: Vec<&str> = Modes::words().collect();
        assert_eq!(words, ["none", "whole", "eof", "lines", "records"]);
    }

    #[test]
    fn text_is_understood_again() {
        for bits in 0..=Modes::all().bits() {
            let Some(modes) = Modes::from_bits(bits) else {
                continue;
            };
            let text = modes.to_string();
            let alone = bits < MODE_RECORDS || bits & (MODE_WHOLE | MODE_LINES) == 0;
            assert_eq!(text.parse::<Modes>().ok(), alone.then_some(modes), "{text}");
        }
        assert_eq!(format!("[{:>6}]", Modes::EOF), "[   eof]");
        assert_eq!("lines,whole".parse(), Ok(Modes::WHOLE | Modes::LINES));
        assert_eq!("records,eof".parse(), Ok(Modes::EOF | Modes::RECORDS));
    }

    #[test]
    fn nothing_else_is_understood() {
        for text in [
            "",
            ",",
            "whole,",
            "none,eof",
            "Whole",
            " eof",
            "eof\n",
            "hup",
            "1",
            "0x4",
            "records,whole",
            "lines,eof,records",
        ] {
            let error = text.parse::<Modes>().unwrap_err();
            assert_eq!(error, Error::BadModes { text: text.into() });
        }
        let error = "hup".parse::<Modes>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"hup\" is no mode of an open file; give none, or some of whole, eof, lines, records with \
             commas between them; records goes with eof alone"
        );
    }

    #[test]
    fn bits_without_a_word_are_a_number() {
        let modes = |bits| Modes::from_bits_retain(bits).to_string();
        assert_eq!(modes(1 << 2), "0x4");
        assert_eq!(modes((1 << 2) | 1), "whole,0x4");
    }

    #[cfg(feature = "serde")]
    #[test]
    fn json_has_the_text() {
        let json = serde_json::to_value(Modes::WHOLE | Modes::LINES).unwrap();
        assert_eq!(json, "whole,lines");
    }
}
