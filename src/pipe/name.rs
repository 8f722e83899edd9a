// SPDX-License-Identifier: GPL-2.0

//! Names of pipes.

use core::fmt::{
    self,
    Write, //
};

use crate::uapi::NAME_SIZE;

/// Name of a pipe, which is also a valid file name.
///
/// # Invariants
///
/// The name has at least one byte, consists of ASCII letters, digits, `.`, `_` and `-`, and is
/// neither `.` nor `..`. All bytes behind it are zero, and there is at least one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name([u8; NAME_SIZE as usize]);

impl Name {
    /// Returns the name with this text, or [`None`] if the text is no valid name.
    pub(crate) fn new(text: &[u8]) -> Option<Self> {
        let mut name = [0; NAME_SIZE as usize];
        let (place, end) = name.split_at_mut_checked(text.len())?;
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        if text.is_empty() || end.is_empty() || !text.iter().all(allowed) {
            return None;
        }
        // The suffix `.peer` is reserved for the other end of a pipe.
        if matches!(text, b"." | b"..") || text.ends_with(b".peer") {
            return None;
        }
        place.copy_from_slice(text);
        // INVARIANT: `text` was just checked, and at least one zero is behind it.
        Some(Self(name))
    }

    /// Returns the name in a field of a structure, or [`None`] if the field is not a valid name
    /// that zeroes fill up.
    pub(crate) fn from_field(field: &[u8; NAME_SIZE as usize]) -> Option<Self> {
        let end = field.iter().position(|byte| *byte == 0)?;
        let (text, zeroes) = field.split_at_checked(end)?;
        if zeroes.iter().any(|byte| *byte != 0) {
            return None;
        }
        Self::new(text)
    }

    /// Returns the bytes of the name, without the zeroes behind it.
    fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().copied().take_while(|byte| *byte != 0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().try_for_each(|byte| f.write_char(byte.into()))
    }
}

/// Identifier of a pipe, as users write it: a number or a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PipeId {
    /// Number of the pipe.
    Number(u32),
    /// Name of the pipe.
    Name(Name),
}

impl PipeId {
    /// Parses an identifier: a number, alone or after `pipe` or `kmsgpipe`; a name after
    /// `kmsgpipe/`; or a name alone. Digits are always a number, so a name that looks like a number
    /// needs `kmsgpipe/`. Returns [`None`] if `text` is no identifier.
    pub(crate) fn new(text: &[u8]) -> Option<Self> {
        if let Some(name) = text.strip_prefix(b"kmsgpipe/") {
            return Name::new(name).map(Self::Name);
        }
        let digits = text
            .strip_prefix(b"kmsgpipe")
            .or_else(|| text.strip_prefix(b"pipe"))
            .unwrap_or(text);
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return Name::new(text).map(Self::Name);
        }
        if digits.len() > 1 && digits.starts_with(b"0") {
            return None;
        }
        let digits = core::str::from_utf8(digits).ok()?;
        digits.parse().ok().map(Self::Number)
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_name)]
mod tests {
    use super::*;

    #[test]
    fn a_name_consists_of_the_allowed_bytes() {
        let longest = [b'a'; NAME_SIZE as usize - 1];
        for text in [
            &b"a"[..],
            b"7",
            b"...",
            b".a",
            b"peer",
            b"a.peers",
            b"a.peer.b",
            b"A-b_c.9",
            &longest,
        ] {
            let name = Name::new(text).map(|name| name.bytes().eq(text.iter().copied()));
            assert_eq!(name, Some(true));
        }
        let too_long = [b'a'; NAME_SIZE as usize];
        for text in [
            &b""[..],
            b".",
            b"..",
            b".peer",
            b"a.peer",
            b"a/b",
            b"a b",
            b"a\0",
            b"\xc3\xa4",
            &too_long,
        ] {
            assert_eq!(Name::new(text), None);
        }
    }

    #[test]
    fn an_identifier_is_parsed_as_a_number_or_a_name() {
        for (text, number) in [
            (&b"0"[..], 0),
            (b"7", 7),
            (b"pipe65535", 65535),
            (b"kmsgpipe7", 7),
            (b"4294967295", u32::MAX),
        ] {
            assert_eq!(PipeId::new(text), Some(PipeId::Number(number)));
        }
        for (text, name) in [
            (&b"log"[..], &b"log"[..]),
            (b"kmsgpipe/log", b"log"),
            (b"kmsgpipe/7", b"7"),
            (b"kmsgpipe/kmsgpipe7", b"kmsgpipe7"),
            (b"kmsgpipe-log", b"kmsgpipe-log"),
            (b"kmsgpipe", b"kmsgpipe"),
            (b"pipe", b"pipe"),
            (b"pipe-1", b"pipe-1"),
            (b"7a", b"7a"),
            (b"-1", b"-1"),
        ] {
            let id = PipeId::new(text);
            assert_eq!(id, Name::new(name).map(PipeId::Name));
            assert!(id.is_some());
        }
        for text in [
            &b""[..],
            b"00",
            b"07",
            b"pipe07",
            b"kmsgpipe4294967296",
            b"kmsgpipe/",
            b"kmsgpipe/a/b",
            b"/dev/kmsgpipe7",
            b"+7",
            b"7 ",
            b"..",
        ] {
            assert_eq!(PipeId::new(text), None);
        }
    }

    #[test]
    fn a_field_must_be_padded_with_zeroes() {
        let mut field = [0; NAME_SIZE as usize];
        assert_eq!(Name::from_field(&field), None);
        field[0] = b'a';
        assert_eq!(Name::from_field(&field), Name::new(b"a"));
        field[2] = b'b';
        assert_eq!(Name::from_field(&field), None);
        assert_eq!(Name::from_field(&[b'a'; NAME_SIZE as usize]), None);
    }
}
