// SPDX-License-Identifier: GPL-2.0

//! Reading messages.

use super::PREFIX;
use std::{
    io::{self, BufRead, Read},
    mem,
};

/// How far the length of a message that is too long is counted, in bytes: input may have no end.
const COUNTED: u64 = if cfg!(test) { 1 << 20 } else { 1 << 28 };

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
    rest: Rest,
}

/// What is still to be read of a message that was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// Nothing.
    None,
    /// What comes before the delimiter.
    ToDelimiter,
    /// So many bytes.
    Bytes(u64),
}

impl<R: BufRead> Messages<R> {
    /// Cuts `input` into messages of up to `limit` bytes.
    pub fn new(input: R, framing: Input, limit: usize) -> Self {
        Self {
            input,
            framing,
            limit,
            taken: false,
            rest: Rest::None,
        }
    }

    /// Puts the next message into `buffer`, and returns whether there was one.
    ///
    /// No more memory is used than the limit allows for, whatever comes in. After
    /// [`Error::TooLong`], what is left of that message is passed over.
    pub fn next(&mut self, buffer: &mut Vec<u8>) -> Result<bool, Error> {
        self.pass_over_rest()?;
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

    /// After [`Error::TooLong`], puts what fits of that message into `buffer`, which is the one that [`Self::next`]
    /// had.
    pub fn cut(&mut self, buffer: &mut Vec<u8>) -> Result<(), Error> {
        let Rest::Bytes(len) = self.rest else {
            return Ok(());
        };
        let limit = self.limit as u64;
        self.rest = Rest::Bytes(len - limit);
        let have = self.input.by_ref().take(limit).read_to_end(buffer)?;
        self.whole(have as u64, limit, len)
    }

    /// Reads what is left of a message that was too long.
    fn pass_over_rest(&mut self) -> Result<(), Error> {
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
                self.whole(have, len, len)
            }
        }
    }

    /// Fails if the input ended within a message of `len` bytes: `have` were read of the next `want`.
    fn whole(&self, have: u64, want: u64, len: u64) -> Result<(), Error> {
        let count = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
        match have == want {
            true => Ok(()),
            false => Err(Error::Truncated {
                have: count(have),
                want: count(len),
            }),
        }
    }

    /// What ends a message.
    fn delimiter(&self) -> Option<u8> {
        match self.framing {
            Input::Line => Some(b'\n'),
            Input::Null => Some(0),
            Input::LengthPrefixed | Input::Whole => None,
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

    /// What becomes of the messages of a stream if those that are too long are cut, or passed over.
    fn mend(framing: Input, stream: &[u8], limit: usize, cut: bool) -> Vec<Vec<u8>> {
        let mut first = None;
        for step in 1..=stream.len() + 1 {
            let reader = BufReader::with_capacity(step, stream);
            let mut messages = Messages::new(reader, framing, limit);
            let (mut all, mut buffer) = (Vec::new(), Vec::new());
            loop {
                match messages.next(&mut buffer) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(Error::TooLong { .. }) if cut => messages.cut(&mut buffer).unwrap(),
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
    fn what_is_too_long_is_cut_or_passed_over() {
        let prefixed = b"\x01\0\0\0a\x07\0\0\0bcdefgh\x02\0\0\0ij";
        for (framing, stream) in [
            (Input::Line, &b"a\nbcdefgh\nij"[..]),
            (Input::Null, b"a\0bcdefgh\0ij\0"),
            (Input::LengthPrefixed, prefixed),
        ] {
            let skipped = messages(&[b"a", b"ij"]);
            assert_eq!(mend(framing, stream, 4, false), skipped, "{framing:?}");
            let cut = messages(&[b"a", b"bcde", b"ij"]);
            assert_eq!(mend(framing, stream, 4, true), cut, "{framing:?}");
        }
        let cut = mend(Input::Whole, b"bcdefgh\n", 4, true);
        assert_eq!(cut, messages(&[b"bcde"]));
        assert!(mend(Input::Whole, b"bcdefgh\n", 4, false).is_empty());
    }

    #[test]
    fn a_message_that_is_too_long_may_be_cut_off_too() {
        let stream = b"\x07\0\0\0bcdef";
        for (limit, have) in [(4, 1), (6, 5)] {
            let mut one = Messages::new(&stream[..], Input::LengthPrefixed, limit);
            let mut buffer = Vec::new();
            assert!(matches!(
                one.next(&mut buffer),
                Err(Error::TooLong { len: 7 })
            ));
            // It is found out where the input ends: in what is kept, or in what is passed over.
            let error = one
                .cut(&mut buffer)
                .and_then(|()| one.next(&mut buffer).map(|_| ()));
            assert!(
                matches!(error, Err(Error::Truncated { have: told, want: _ }) if told == have),
                "{limit}: {error:?}"
            );
        }
    }

    #[test]
    fn a_line_longer_than_is_counted_is_passed_over() {
        let long = io::repeat(b'x').take(COUNTED + 7).chain(&b"\nnext\n"[..]);
        let mut lines = Messages::new(BufReader::with_capacity(1 << 16, long), Input::Line, 4);
        let mut buffer = Vec::new();
        let error = lines.next(&mut buffer);
        assert!(matches!(error, Err(Error::TooLong { .. })), "{error:?}");
        lines.cut(&mut buffer).unwrap();
        assert_eq!(buffer, b"xxxx");
        assert!(lines.next(&mut buffer).unwrap());
        assert_eq!(buffer, b"next");
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
