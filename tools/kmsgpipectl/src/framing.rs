// SPDX-License-Identifier: GPL-2.0

//! How messages are told apart in a stream of bytes.

mod input;
mod output;

pub use input::{Error, Input, Messages};
pub use output::Output;

/// The length of a length prefix, in bytes. It is little-endian.
const PREFIX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// What a framing that can carry anything does must be undone by its counterpart.
    #[test]
    fn what_was_written_can_be_read() {
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
