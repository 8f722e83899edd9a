// SPDX-License-Identifier: GPL-2.0

//! Writing messages.

use crate::payload::Data;
use serde::Serialize;

/// How messages are told apart on standard output.
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
    /// Nothing.
    Raw,
    /// Each message is a JSON object on a line of its own.
    Json,
}

/// A message in JSON.
#[derive(Serialize)]
struct Object<'a> {
    schema: u32,
    len: usize,
    #[serde(flatten)]
    payload: Data<'a>,
}

impl Output {
    /// Adds a message to `out`.
    ///
    /// # Errors
    ///
    /// The message is longer than a length prefix can say, which no pipe has.
    pub fn encode(self, message: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
        if self == Self::LengthPrefixed {
            let len = u32::try_from(message.len()).map_err(|_| "the message is too long")?;
            out.extend_from_slice(&len.to_le_bytes());
        }
        if self == Self::Json {
            let object = Object {
                schema: 1,
                len: message.len(),
                payload: Data::of(message),
            };
            serde_json::to_writer(&mut *out, &object).map_err(|_| "the message is too long")?;
        } else {
            out.extend_from_slice(message);
        }
        match self {
            Self::Text if message.ends_with(b"\n") => {}
            Self::Text | Self::Line | Self::Json => out.push(b'\n'),
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
    fn delimiters_follow_and_prefixes_precede() {
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

    #[test]
    fn json_is_text_or_hexadecimal() {
        let out = encode(
            Output::Json,
            &["gr\u{fc}n \"\n\0".as_bytes(), b"\x00\xff\x7f", b"\xc3"],
        );
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"schema\":1,\"len\":9,\"data\":\"gr\u{fc}n \\\"\\n\\u0000\"}\n\
             {\"schema\":1,\"len\":3,\"data_hex\":\"00ff7f\"}\n\
             {\"schema\":1,\"len\":1,\"data_hex\":\"c3\"}\n"
        );
    }
}
