// SPDX-License-Identifier: GPL-2.0

//! Formatting of payloads.

use serde::Serialize;
use std::fmt::Write;

/// The JSON form of a payload.
#[derive(Debug, Serialize)]
pub enum Data<'a> {
    /// A payload that is UTF-8 text.
    #[serde(rename = "data")]
    Text(&'a str),
    /// Any payload, as two hexadecimal digits per byte.
    #[serde(rename = "data_hex")]
    Hex(String),
}

impl<'a> Data<'a> {
    /// Returns a payload as text, or in hexadecimal if it is not text.
    pub fn of(message: &'a [u8]) -> Self {
        std::str::from_utf8(message).map_or_else(|_| Self::hex(message), Self::Text)
    }

    /// Returns a payload in hexadecimal.
    pub fn hex(message: &[u8]) -> Self {
        Self::Hex(hex(message))
    }
}

/// Formats bytes as two hexadecimal digits each.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// Formats a payload on one line without control characters for the terminal: invisible characters and
/// backslashes are escaped, so that different payloads look different.
pub fn escaped(message: &[u8]) -> String {
    let mut text = String::with_capacity(message.len());
    for chunk in message.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\0' => text.push_str("\\0"),
                '"' | '\'' => text.push(c),
                c => text.extend(c.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Formats a payload as lines with an offset, 16 bytes and the printable characters.
pub fn hexdump(message: &[u8]) -> String {
    let mut text = String::new();
    for (line, bytes) in message.chunks(16).enumerate() {
        let _ = write!(text, "  {:06x} ", line * 16);
        for at in 0..16 {
            let gap = if at % 8 == 0 { " " } else { "" };
            let _ = match bytes.get(at) {
                Some(byte) => write!(text, "{gap} {byte:02x}"),
                None => write!(text, "{gap}   "),
            };
        }
        text.push_str("  |");
        for byte in bytes {
            let seen = byte.is_ascii_graphic() || *byte == b' ';
            text.push(if seen { char::from(*byte) } else { '.' });
        }
        text.push_str("|\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_are_escaped() {
        for (message, text) in [
            (&b""[..], ""),
            (b"plain 'text' \"here\"", "plain 'text' \"here\""),
            (b"two\nlines\r\n\t", "two\\nlines\\r\\n\\t"),
            (b"\\n", "\\\\n"),
            (b"\0\x01\x1b[31m\x7f", "\\0\\u{1}\\u{1b}[31m\\u{7f}"),
            ("gr\u{fc}n \u{20ac}".as_bytes(), "gr\u{fc}n \u{20ac}"),
            // A bidirectional override and a C1 control character.
            ("\u{202e}\u{9b}".as_bytes(), "\\u{202e}\\u{9b}"),
            (b"\xff\xfe ok \xc3", "\\xff\\xfe ok \\xc3"),
        ] {
            assert_eq!(escaped(message), text);
        }
        for byte in 0..=255 {
            let text = escaped(&[byte]);
            assert!(!text.chars().any(char::is_control), "{byte}: {text:?}");
        }
    }

    #[test]
    fn hexdump_has_16_bytes_per_line() {
        let message: Vec<u8> = (0x28..0x3a).collect();
        assert_eq!(
            hexdump(&message),
            "  000000   28 29 2a 2b 2c 2d 2e 2f  30 31 32 33 34 35 36 37  |()*+,-./01234567|\n\
             \x20 000010   38 39                                             |89|\n"
        );
        assert_eq!(hexdump(b"\n\xff").lines().count(), 1);
        assert!(hexdump(b"\n\xff").ends_with("|..|\n"));
        assert_eq!(hexdump(b""), "");
    }

    #[test]
    fn json_is_text_or_hexadecimal() {
        let json = |data| serde_json::to_string(&data).unwrap();
        assert_eq!(json(Data::of(b"a\"")), r#"{"data":"a\""}"#);
        assert_eq!(json(Data::of(b"\x00\xff")), r#"{"data_hex":"00ff"}"#);
        assert_eq!(json(Data::hex(b"a")), r#"{"data_hex":"61"}"#);
    }
}
