// SPDX-License-Identifier: GPL-2.0

//! Reading messages.

use super::PREFIX;
use std::io::{self, BufRead, Read};

/// How far the length of a message that is too long is counted, in bytes: input may have no end.
const COUNTED: u64 = 1 << 28;

/// How standard input is cut into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Each message ends with a newline; the last one need not.
    Line,
    /// Each message ends with a NUL byte; the last one need not.
    Null,
    /// Each message follows its length.
    LengthPrefixed,
    /// All of it is one message.
    Whole,
}

/// Why there is no further message.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The message is longer than any pipe takes.
    #[error("it is {} bytes long", len)]
    TooLong {
        /// Its length in bytes, or what could be counted of it.
        len: u64,
    },
    /// The input ends within a length prefix.
    #[error("the input ends after {have} of the {PREFIX} bytes of its length prefix")]
    TruncatedPrefix {
        /// The bytes there are.
        have: usize,
    },
    /// The input ends within a message.
    #[error("the input ends after {have} of its {want} bytes")]
    Truncated {
        /// The bytes there are.
        have: usize,
        /// The length according to the prefix.
        want: usize,
    },
    /// The input cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The messages of a stream of bytes.
pub struct Messages<R> {
    input: R,
    framing: Input,
    limit: usize,
    /// The one message of [`Input::Whole`] was taken.
    taken: bool,
}

impl<R: BufRead> Messages<R> {
    /// Cuts `input` into messages of up to `limit` bytes.
    pub fn new(input: R, framing: Input, limit: usize) -> Self {
        Self {
            input,
            framing,
            limit,
            taken: false,
        }
    }

    /// Puts the next message into `buffer`, and returns whether there was one.
    ///
    /// No more memory is used than the limit allows for, whatever comes in.
    pub fn next(&mut self, buffer: &mut Vec<u8>) -> Result<bool, Error> {
        buffer.clear();
        match self.framing {
            Input::Line => self.until(Some(b'\n'), buffer),
            Input::Null => self.until(Some(0), buffer),
            Input::LengthPrefixed => self.prefixed(buffer),
            Input::Whole if self.taken => Ok(false),
            Input::Whole => {
                self.taken = true;
                self.until(None, buffer)
            }
        }
    }

    /// Reads up to a delimiter, which is taken but not kept, or to the end.
    fn until(&mut self, delimiter: Option<u8>, buffer: &mut Vec<u8>) -> Result<bool, Error> {
        let mut len = 0u64;
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            let at_end = available.is_empty();
            let found = delimiter.and_then(|end| available.iter().position(|byte| *byte == end));
            let part = &available[..found.unwrap_or(available.len())];

            // Of a message that is too long only the length is of interest.
            let room = self.limit.saturating_sub(buffer.len());
            buffer.extend_from_slice(&part[..part.len().min(room)]);
            len += part.len() as u64;
            let used = part.len() + usize::from(found.is_some());
            self.input.consume(used);

            let complete = at_end || found.is_some();
            if (complete || len >= COUNTED) && len > self.limit as u64 {
                return Err(Error::TooLong { len });
            }
            if complete {
                return Ok(found.is_some() || len > 0);
            }
        }
    }

    /// Reads a length and as many bytes.
    fn prefixed(&mut self, buffer: &mut Vec<u8>) -> Result<bool, Error> {
        let mut read = |want: usize, buffer: &mut Vec<u8>| {
            self.input.by_ref().take(want as u64).read_to_end(buffer)
        };

        match read(PREFIX, buffer)? {
            0 => return Ok(false),
            PREFIX => {}
            have => return Err(Error::TruncatedPrefix { have }),
        }
        let prefix = buffer.drain(..).rev();
        let len = prefix.fold(0u64, |len, byte| (len << 8) | u64::from(byte));
        // Before anything is allocated for it.
        let want = usize::try_from(len)
            .ok()
            .filter(|want| *want <= self.limit)
            .ok_or(Error::TooLong { len })?;

        let have = read(want, buffer)?;
        if have < want {
            return Err(Error::Truncated { have, want });
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    /// A reader that gives at most `step` bytes at a time, and is interrupted before each time.
    struct Dripping<'a> {
        rest: &'a [u8],
        step: usize,
        interrupted: bool,
    }

    impl Read for Dripping<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.interrupted = !self.interrupted;
            if self.interrupted {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let len = self.step.min(buffer.len()).min(self.rest.len());
            let (now, later) = self.rest.split_at(len);
            buffer[..len].copy_from_slice(now);
            self.rest = later;
            Ok(len)
        }
    }

    /// Cuts `stream` into messages, read in pieces of every size, which must make no difference.
    fn cut(framing: Input, stream: &[u8], limit: usize) -> (Vec<Vec<u8>>, Option<String>) {
        let mut first = None;
        for step in 1..=stream.len() + 1 {
            let reader = BufReader::with_capacity(
                step,
                Dripping {
                    rest: stream,
                    step,
                    interrupted: false,
                },
            );
            let mut messages = Messages::new(reader, framing, limit);
            let mut all = Vec::new();
            let mut buffer = Vec::new();
            let error = loop {
                match messages.next(&mut buffer) {
                    Ok(true) => all.push(buffer.clone()),
                    Ok(false) => break None,
                    Err(error) => break Some(error.to_string()),
                }
                assert!(buffer.capacity() <= 2 * limit.max(32));
            };
            let result = (all, error);
            assert_eq!(*first.get_or_insert_with(|| result.clone()), result);
        }
        first.unwrap()
    }

    fn messages(all: &[&[u8]]) -> Vec<Vec<u8>> {
        all.iter().map(|message| message.to_vec()).collect()
    }

    #[test]
    fn lines_with_and_without_a_last_newline() {
        for stream in [&b"one\ntwo\nx"[..], b"one\ntwo\nx\n"] {
            let expected = (messages(&[b"one", b"two", b"x"]), None);
            assert_eq!(cut(Input::Line, stream, 16), expected);
        }
        assert_eq!(cut(Input::Line, b"", 16), (vec![], None));
        assert_eq!(cut(Input::Line, b"\n", 16), (messages(&[b""]), None));
        let expected = (messages(&[b"", b"a\0\r", b"", b"b"]), None);
        assert_eq!(cut(Input::Line, b"\na\0\r\n\nb", 16), expected);
    }

    #[test]
    fn nul_bytes_end_messages_that_have_newlines() {
        let expected = (messages(&[b"a\nb", b"", b"c"]), None);
        assert_eq!(cut(Input::Null, b"a\nb\0\0c", 16), expected);
        assert_eq!(cut(Input::Null, b"a\nb\0\0c\0", 16), expected);
    }

    #[test]
    fn whole_input_is_one_message() {
        assert_eq!(
            cut(Input::Whole, b"a\n\0b\n", 16),
            (messages(&[b"a\n\0b\n"]), None)
        );
        assert_eq!(cut(Input::Whole, b"", 16), (vec![], None));
        let error = Some("it is 5 bytes long".to_string());
        assert_eq!(cut(Input::Whole, b"12345", 4), (vec![], error));
    }

    #[test]
    fn the_limit_is_reached_but_not_passed() {
        assert_eq!(cut(Input::Line, b"1234\n", 4), (messages(&[b"1234"]), None));
        for stream in [&b"ok\n12345\nok\n"[..], b"ok\n12345"] {
            let error = Some("it is 5 bytes long".to_string());
            assert_eq!(cut(Input::Line, stream, 4), (messages(&[b"ok"]), error));
        }
    }

    #[test]
    fn input_without_end_is_given_up_in_the_end() {
        let mut endless = Messages::new(BufReader::new(io::repeat(b'x')), Input::Line, 4);
        let mut buffer = Vec::new();
        assert!(matches!(
            endless.next(&mut buffer),
            Err(Error::TooLong { len }) if len >= COUNTED
        ));
        assert!(buffer.capacity() < 64);
    }

    #[test]
    fn every_length_prefix_is_read() {
        for len in 0..=300u32 {
            let payload = vec![7; len as usize];
            let mut stream = len.to_le_bytes().to_vec();
            stream.extend_from_slice(&payload);
            let mut one = Messages::new(stream.as_slice(), Input::LengthPrefixed, 300);
            let mut buffer = Vec::new();
            assert!(one.next(&mut buffer).unwrap());
            assert_eq!(buffer, payload);
            assert!(!one.next(&mut buffer).unwrap());
        }
    }

    #[test]
    fn a_cut_off_prefix_or_message_is_an_error() {
        let whole = b"\x01\0\0\0a\x03\0\0\0bcd";
        let all = messages(&[b"a", b"bcd"]);
        assert_eq!(cut(Input::LengthPrefixed, whole, 8), (all, None));
        for end in 6..9 {
            let error = format!(
                "the input ends after {} of the 4 bytes of its length prefix",
                end - 5
            );
            let expected = (messages(&[b"a"]), Some(error));
            assert_eq!(cut(Input::LengthPrefixed, &whole[..end], 8), expected);
        }
        for end in 9..12 {
            let error = format!("the input ends after {} of its 3 bytes", end - 9);
            let expected = (messages(&[b"a"]), Some(error));
            assert_eq!(cut(Input::LengthPrefixed, &whole[..end], 8), expected);
        }
    }

    #[test]
    fn a_large_prefix_allocates_nothing() {
        for len in [9, 1 << 20, 1 << 31, u32::MAX] {
            let stream = len.to_le_bytes();
            let mut one = Messages::new(stream.as_slice(), Input::LengthPrefixed, 8);
            let mut buffer = Vec::new();
            assert!(matches!(
                one.next(&mut buffer),
                Err(Error::TooLong { len: told }) if told == u64::from(len)
            ));
            assert!(buffer.capacity() <= 64);
        }
    }
}
