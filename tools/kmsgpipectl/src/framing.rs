// SPDX-License-Identifier: GPL-2.0

//! Framing: how messages are delimited in a byte stream.

mod input;
mod output;

pub use input::{Error, Input, Messages};
pub use output::Output;

/// Size of a length prefix in bytes. It is little-endian.
const PREFIX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream in any lossless output framing must be split into the same messages.
    #[test]
    fn framed_output_splits_into_the_same_messages() {
        let all: Vec<u8> = (0..=255).collect();
        let no_nul: Vec<u8> = (1..=255).collect();
        let no_newline: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').collect();
        for (output, input, longest) in [
            (Output::LengthPrefixed, Input::LengthPrefixed, &all),
            (Output::Null, Input::Null, &no_nul),
            (Output::Line, Input::Line, &no_newline),
        ] {
            let sent: Vec<&[u8]> = vec![b"", b"a", longest, b"", b"last"];
            let mut stream = Vec::new();
            for message in &sent {
                output.encode(message, &mut stream).unwrap();
            }

            let mut messages = Messages::new(stream.as_slice(), input, 256);
            let mut received = Vec::new();
            let mut buffer = Vec::new();
            while messages.next(&mut buffer).unwrap() {
                received.push(buffer.clone());
            }
            assert_eq!(received, sent, "{input:?}");
        }
    }
}
