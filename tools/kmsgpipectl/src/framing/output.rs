// SPDX-License-Identifier: GPL-2.0

//! Framing of output.

/// How messages are delimited on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A newline after each message that does not end with one.
    Text,
    /// A newline after each message.
    Line,
    /// A NUL byte after each message.
    Null,
    /// The length before each message.
    LengthPrefixed,
    /// No delimiter.
    Raw,
}

impl Output {
    /// Appends a message to `out`.
    ///
    /// # Errors
    ///
    /// The message is longer than a length prefix can express, and so than any message of a pipe.
    pub fn encode(self, message: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
        if self == Self::LengthPrefixed {
            let len = u32::try_from(message.len()).map_err(|_| "the message is too long")?;
            out.extend_from_slice(&len.to_le_bytes());
        }
        out.extend_from_slice(message);
        match self {
            Self::Text if message.ends_with(b"\n") => {}
            Self::Text | Self::Line => out.push(b'\n'),
            Self::Null => out.push(0),
            Self::LengthPrefixed | Self::Raw => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(output: Output, messages: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for message in messages {
            output.encode(message, &mut out).unwrap();
        }
        out
    }

    #[test]
    fn text_ends_each_message_with_one_newline() {
        let out = encode(Output::Text, &[b"a", b"b\n", b"c\n\n", b"d\ne"]);
        assert_eq!(out, b"a\nb\nc\n\nd\ne\n");
    }

    #[test]
    fn each_framing_delimits_messages() {
        let messages: [&[u8]; 2] = [b"a\n", b"bc"];
        assert_eq!(encode(Output::Line, &messages), b"a\n\nbc\n");
        assert_eq!(encode(Output::Null, &messages), b"a\n\0bc\0");
        assert_eq!(encode(Output::Raw, &messages), b"a\nbc");
        assert_eq!(
            encode(Output::LengthPrefixed, &messages),
            b"\x02\0\0\0a\n\x02\0\0\0bc"
        );
        let long = vec![b'x'; 258];
        assert_eq!(encode(Output::LengthPrefixed, &[&long])[..4], [2, 1, 0, 0]);
    }
}
