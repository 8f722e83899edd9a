// SPDX-License-Identifier: MIT OR Apache-2.0

//! Mode flags of an open file.

use bitflags::bitflags;
use kmsgpipe_sys::{MODE_EOF, MODE_HUP, MODE_LINES, MODE_RECORDS, MODE_WHOLE};
use std::fmt;

bitflags! {
    /// The mode of an open file, which selects how it reads and writes.
    ///
    /// With no flag set, a read returns as much of a message as fits, and later reads of the same open file
    /// return the rest. Each write queues one message.
    ///
    /// The text form is that of sysfs: comma-separated words, or `none`.
    ///
    /// ```
    /// use kmsgpipe::Modes;
    ///
    /// assert_eq!((Modes::EOF | Modes::WHOLE).to_string(), "whole,eof");
    /// assert_eq!("none".parse(), Ok(Modes::empty()));
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Modes: u32 {
        /// A read fails if the message does not fit into the buffer, and the message stays queued.
        const WHOLE = MODE_WHOLE;
        /// A read of an empty pipe returns 0 instead of blocking.
        const EOF = MODE_EOF;
        /// A read of an empty pipe returns 0 once all writers have gone that were there when the file was opened,
        /// or came later. An open file that may also write is a writer.
        const HUP = MODE_HUP;
        /// Each line of a write is a message. An incomplete last line is kept for the next write through the
        /// same open file, and sent when the file is closed.
        const LINES = MODE_LINES;
        /// A read returns as many whole records as fit: messages with their metadata. A write queues one or
        /// more messages, each preceded by a header. Only [`Modes::EOF`] and [`Modes::HUP`] can be combined with it.
        /// [`RecordPipe`] uses this mode.
        ///
        /// [`RecordPipe`]: crate::RecordPipe
        const RECORDS = MODE_RECORDS;
    }
}

/// The word for an empty set.
const NONE: &str = "none";

/// The word for each flag, in the kernel's order.
const WORDS: [(&str, Modes); 5] = [
    ("whole", Modes::WHOLE),
    ("eof", Modes::EOF),
    ("hup", Modes::HUP),
    ("lines", Modes::LINES),
    ("records", Modes::RECORDS),
];

/// The rule on flags that conflict.
pub(crate) const CONFLICT: &str = "records goes with eof and hup alone";

impl Modes {
    /// The modes in which a read of an empty pipe may return 0.
    pub const END: Self = Self::EOF.union(Self::HUP);

    /// Returns the word for the empty set and the word for each flag.
    pub fn words() -> impl Iterator<Item = &'static str> {
        std::iter::once(NONE).chain(WORDS.iter().map(|(word, _)| *word))
    }

    /// Returns whether the flags can be combined.
    pub(crate) fn are_compatible(self) -> bool {
        !(self.contains(Self::RECORDS) && self.intersects(Self::WHOLE | Self::LINES))
    }

    /// Parses comma-separated words, or the word for the empty set. `FromStr` is implemented beside its error
    /// type, in `error`.
    pub(crate) fn parse_words(text: &str) -> Option<Self> {
        if text == NONE {
            return Some(Self::empty());
        }
        let mode = |word: &str| WORDS.iter().find(|(known, _)| *known == word);
        let modes: Option<Self> = text.split(',').map(|word| Some(mode(word)?.1)).collect();
        modes.filter(|modes| modes.are_compatible())
    }

    /// Describes the valid text forms.
    pub(crate) fn choice() -> String {
        let words = WORDS.map(|(word, _)| word).join(", ");
        format!("{NONE}, or some of {words} with commas between them; {CONFLICT}")
    }
}

impl fmt::Display for Modes {
    /// Writes the text form of sysfs; unknown flags are written as a hexadecimal number.
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
    /// Serializes the text form.
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
        assert_eq!(modes.to_string(), "whole,eof,hup,lines,records");
        let words: Vec<&str> = Modes::words().collect();
        assert_eq!(words, ["none", "whole", "eof", "hup", "lines", "records"]);
    }

    #[test]
    fn text_form_parses_back() {
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
    fn invalid_text_is_rejected() {
        for text in [
            "",
            ",",
            "whole,",
            "none,eof",
            "Whole",
            " eof",
            "eof\n",
            "hangup",
            "1",
            "0x4",
            "records,whole",
            "lines,eof,records",
        ] {
            let error = text.parse::<Modes>().unwrap_err();
            assert_eq!(error, Error::BadModes { text: text.into() });
        }
        let error = "hangup".parse::<Modes>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "\"hangup\" is not a mode of an open file; give none, or some of whole, eof, hup, lines, records with \
             commas between them; records goes with eof and hup alone"
        );
    }

    #[test]
    fn unknown_flags_are_printed_as_a_number() {
        let modes = |bits| Modes::from_bits_retain(bits).to_string();
        assert_eq!(modes(1 << 5), "0x20");
        assert_eq!(modes((1 << 5) | 1), "whole,0x20");
    }

    #[cfg(feature = "serde")]
    #[test]
    fn json_is_the_text_form() {
        let json = serde_json::to_value(Modes::WHOLE | Modes::LINES).unwrap();
        assert_eq!(json, "whole,lines");
    }
}
