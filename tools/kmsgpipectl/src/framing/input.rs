// SPDX-License-Identifier: GPL-2.0

//! Framing of input.

use super::PREFIX;
use std::{
    io::{self, BufRead, Read},
    mem,
};

/// Limit for counting the length of an overlong message, in bytes, because input may be endless.
const COUNTED: u64 = if cfg!(test) { 1 << 20 } else { 1 << 28 };

/// How standard input is split into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Each message ends with a newline, optional for the last one.
    Line,
    /// Each message ends with a NUL byte, optional for the last one.
    Null,
    /// Each message is preceded by its length.
    LengthPrefixed,
    /// The whole input is one message.
    Whole,
}

/// Why the next message cannot be returned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The message is longer than any pipe accepts.
    #[error("it is {} bytes long", len)]
    TooLong {
        /// Length in bytes, as far as it was counted.
        len: u64,
    },
    /// The input ends within a length prefix.
    #[error("the input ends after {have} of the {PREFIX} bytes of its length prefix")]
    TruncatedPrefix {
        /// Bytes of the prefix that are present.
        have: usize,
    },
    /// The input ends within a message.
    #[error("the input ends after {have} of its {want} bytes")]
    Truncated {
        /// Bytes of the message that are present.
        have: usize,
        /// Length according to the prefix.
        want: usize,
    },
    /// The input cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Splits a byte stream into messages.
pub struct Messages<R> {
    input: R,
    framing: Input,
    limit: usize,
    /// Whether the only message of [`Input::Whole`] was returned.
    taken: bool,
    rest: Rest,
}

/// The unread rest of an overlong message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// Nothing.
    None,
    /// Everything up to the delimiter.
    ToDelimiter,
    /// A number of bytes.
    Bytes(u64),
}

impl<R: BufRead> Messages<R> {
    /// Splits `input` into messages of up to `limit` bytes.
    pub fn new(input: R, framing: Input, limit: usize) -> Self {
        Self {
            input,
            framing,
            limit,
            taken: false,
            rest: Rest::None,
        }
    }

    /// Reads the next message into `buffer`, and returns whether there was one.
    ///
    /// Memory use is bounded by the limit for any input. After [`Error::TooLong`], the next call skips the rest
    /// of that message.
    pub fn next(&mut self, buffer: &mut Vec<u8>) -> Result<bool, Error> {
        self.skip_rest()?;
        buffer.clear();
        match self.framing {
            Input::Line | Input::Null => self.until(self.delimiter(), buffer),
            Input::LengthPrefixed => self.prefixed(buffer),
            Input::Whole if self.taken => Ok(false),
            Input::Whole => {
                self.taken = true;
                self.until(self.delimiter(), buffer)
            }
        }
    }

    /// Completes `buffer` after [`Error::TooLong`] with as much of the message as the limit allows. The buffer
    /// must be the one passed to [`Self::next`].
    pub fn truncate(&mut self, buffer: &mut Vec<u8>) -> Result<(), Error> {
        let Rest::Bytes(len) = self.rest else {
            return Ok(());
        };
        let limit = self.limit as u64;
        self.rest = Rest::Bytes(len - limit);
        let have = self.input.by_ref().take(limit).read_to_end(buffer)?;
        self.check_complete(have as u64, limit, len)
    }

    /// Skips the rest of an overlong message.
    fn skip_rest(&mut self) -> Result<(), Error> {
        match mem::replace(&mut self.rest, Rest::None) {
            Rest::None => Ok(()),
            Rest::ToDelimiter => {
                match self.delimiter() {
                    Some(end) => self.input.skip_until(end)?,
                    None => 0,
                };
                Ok(())
            }
            Rest::Bytes(len) => {
                let mut rest = self.input.by_ref().take(len);
                let have = io::copy(&mut rest, &mut io::sink())?;
                self.check_complete(have, len, len)
            }
        }
    }

    /// Fails if the input ended within a message of `len` bytes: `have` of the next `want` bytes were read.
    fn check_complete(&self, have: u64, want: u64, len: u64) -> Result<(), Error> {
        let count = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
        match have == want {
            true => Ok(()),
            false => Err(Error::Truncated {
                have: count(have),
                want: count(len),
            }),
        }
    }

    /// Returns the byte that ends a message.
    fn delimiter(&self) -> Option<u8> {
        match self.framing {
            Input::Line => Some(b'\n'),
            Input::Null => Some(0),
            Input::LengthPrefixed | Input::Whole => None,
        }
    }

    /// Reads up to a delimiter, which is dropped, or to the end of the input.
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

            // Beyond the limit, count bytes without keeping them.
            let room = self.limit.saturating_sub(buffer.len());
            buffer.extend_from_slice(&part[..part.len().min(room)]);
            len += part.len() as u64;
            let used = part.len() + usize::from(found.is_some());
            self.input.consume(used);

            let complete = at_end || found.is_some();
            if (complete || len >= COUNTED) && len > self.limit as u64 {
                if !complete {
                    self.rest = Rest::ToDelimiter;
                }
                return Err(Error::TooLong { len });
            }
            if complete {
                return Ok(found.is_some() || len > 0);
            }
        }
    }

    /// Reads a length prefix and a message of that length.
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
        // Checked before allocating memory for it.
        let fits = usize::try_from(len).ok().filter(|len| *len <= self.limit);
        let Some(want) = fits else {
            self.rest = Rest::Bytes(len);
            return Err(Error::TooLong { len });
        };

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

    /// A reader that returns at most `step` bytes per call, and fails with `Interrupted` before each.
    struct SlowReader<'a> {
        rest: &'a [u8],
        step: usize,
        interrupted: bool,
    }

    impl Read for SlowReader<'_> {
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

    /// Splits `stream` with read sizes from 1 up, all of which must give the same result.
    fn split(framing: Input, stream: &[u8], limit: usize) -> (Vec<Vec<u8>>, Option<String>) {
        let mut first = None;
        for step in 1..=stream.len() + 1 {
            let reader = BufReader::with_capacity(
                step,
                SlowReader {
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
    fn last_newline_is_optional() {
        for stream in [&b"one\ntwo\nx"[..], b"one\ntwo\nx\n"] {
            let expected = (messages(&[b"one", b"two", b"x"]), None);
            assert_eq!(split(Input::Line, stream, 16), expected);
        }
        assert_eq!(split(Input::Line, b"", 16), (vec![], None));
        assert_eq!(split(Input::Line, b"\n", 16), (messages(&[b""]), None));
        let expected = (messages(&[b"", b"a\0\r", b"", b"b"]), None);
        assert_eq!(split(Input::Line, b"\na\0\r\n\nb", 16), expected);
    }

    #[test]
    fn nul_framing_keeps_newlines() {
        let expected = (messages(&[b"a\nb", b"", b"c"]), None);
        assert_eq!(split(Input::Null, b"a\nb\0\0c", 16), expected);
        assert_eq!(split(Input::Null, b"a\nb\0\0c\0", 16), expected);
    }

    #[test]
    fn whole_input_is_one_message() {
        assert_eq!(
            split(Input::Whole, b"a\n\0b\n", 16),
            (messages(&[b"a\n\0b\n"]), None)
        );
        assert_eq!(split(Input::Whole, b"", 16), (vec![], None));
        let error = Some("it is 5 bytes long".to_string());
        assert_eq!(split(Input::Whole, b"12345", 4), (vec![], error));
    }

    #[test]
    fn message_of_limit_length_is_accepted() {
        assert_eq!(
            split(Input::Line, b"1234\n", 4),
            (messages(&[b"1234"]), None)
        );
        for stream in [&b"ok\n12345\nok\n"[..], b"ok\n12345"] {
            let error = Some("it is 5 bytes long".to_string());
            assert_eq!(split(Input::Line, stream, 4), (messages(&[b"ok"]), error));
        }
    }

    /// Splits a stream, and truncates or skips the messages that are too long.
    fn truncate_or_skip(framing: Input, stream: &[u8], limit: usize, cut: bool) -> Vec<Vec<u8>> {
        let mut first = None;
        for step in 1..=stream.len() + 1 {
            let reader = BufReader::with_capacity(step, stream);
            let mut messages = Messages::new(reader, framing, limit);
            let (mut all, mut buffer) = (Vec::new(), Vec::new());
            loop {
                match messages.next(&mut buffer) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(Error::TooLong { .. }) if cut => messages.truncate(&mut buffer).unwrap(),
                    Err(Error::TooLong { .. }) => continue,
                    Err(error) => panic!("{error}"),
                }
                all.push(buffer.clone());
            }
            assert_eq!(*first.get_or_insert_with(|| all.clone()), all);
        }
        first.unwrap()
    }

    #[test]
    fn overlong_message_is_truncated_or_skipped() {
        let prefixed = b"\x01\0\0\0a\x07\0\0\0bcdefgh\x02\0\0\0ij";
        for (framing, stream) in [
            (Input::Line, &b"a\nbcdefgh\nij"[..]),
            (Input::Null, b"a\0bcdefgh\0ij\0"),
            (Input::LengthPrefixed, prefixed),
        ] {
            let skipped = messages(&[b"a", b"ij"]);
            assert_eq!(
                truncate_or_skip(framing, stream, 4, false),
                skipped,
                "{framing:?}"
            );
            let cut = messages(&[b"a", b"bcde", b"ij"]);
            assert_eq!(
                truncate_or_skip(framing, stream, 4, true),
                cut,
                "{framing:?}"
            );
        }
        let cut = truncate_or_skip(Input::Whole, b"bcdefgh\n", 4, true);
        assert_eq!(cut, messages(&[b"bcde"]));
        assert!(truncate_or_skip(Input::Whole, b"bcdefgh\n", 4, false).is_empty());
    }

    #[test]
    fn overlong_message_may_be_incomplete() {
        let stream = b"\x07\0\0\0bcdef";
        for (limit, have) in [(4, 1), (6, 5)] {
            let mut one = Messages::new(&stream[..], Input::LengthPrefixed, limit);
            let mut buffer = Vec::new();
            assert!(matches!(
                one.next(&mut buffer),
                Err(Error::TooLong { len: 7 })
            ));
            // The end of the input is detected in the part that is kept or in the part that is skipped.
            let error = one
                .truncate(&mut buffer)
                .and_then(|()| one.next(&mut buffer).map(|_| ()));
            assert!(
                matches!(error, Err(Error::Truncated { have: told, want: _ }) if told == have),
                "{limit}: {error:?}"
            );
        }
    }

    #[test]
    fn line_beyond_the_counting_limit_is_skipped() {
        let long = io::repeat(b'x').take(COUNTED + 7).chain(&b"\nnext\n"[..]);
        let mut lines = Messages::new(BufReader::with_capacity(1 << 16, long), Input::Line, 4);
        let mut buffer = Vec::new();
        let error = lines.next(&mut buffer);
        assert!(matches!(error, Err(Error::TooLong { .. })), "{error:?}");
        lines.truncate(&mut buffer).unwrap();
        assert_eq!(buffer, b"xxxx");
        assert!(lines.next(&mut buffer).unwrap());
        assert_eq!(buffer, b"next");
    }

    #[test]
    fn endless_line_fails_at_the_counting_limit() {
        let mut endless = Messages::new(BufReader::new(io::repeat(b'x')), Input::Line, 4);
        let mut buffer = Vec::new();
        assert!(matches!(
            endless.next(&mut buffer),
            Err(Error::TooLong { len }) if len >= COUNTED
        ));
        assert!(buffer.capacity() < 64);
    }

    #[test]
    fn length_prefixes_are_parsed() {
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
    fn truncated_prefix_or_message_is_an_error() {
        let whole = b"\x01\0\0\0a\x03\0\0\0bcd";
        let all = messages(&[b"a", b"bcd"]);
        assert_eq!(split(Input::LengthPrefixed, whole, 8), (all, None));
        for end in 6..9 {
            let error = format!(
                "the input ends after {} of the 4 bytes of its length prefix",
                end - 5
            );
            let expected = (messages(&[b"a"]), Some(error));
            assert_eq!(split(Input::LengthPrefixed, &whole[..end], 8), expected);
        }
        for end in 9..12 {
            let error = format!("the input ends after {} of its 3 bytes", end - 9);
            let expected = (messages(&[b"a"]), Some(error));
            assert_eq!(split(Input::LengthPrefixed, &whole[..end], 8), expected);
        }
    }

    #[test]
    fn large_prefix_does_not_allocate() {
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
