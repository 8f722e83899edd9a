// SPDX-License-Identifier: GPL-2.0

//! Names of pipes.

use crate::uapi::NAME_SIZE;

/// A name that a pipe can be given.
///
/// # Invariants
///
/// It begins with one or more letters, digits, `.`, `_` and `-`; the rest is zeroes, one at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name([u8; NAME_SIZE as usize]);

impl Name {
    /// Checks a name.
    pub(crate) fn new(text: &[u8]) -> Option<Self> {
        let mut name = [0; NAME_SIZE as usize];
        let (place, end) = name.split_at_mut_checked(text.len())?;
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        if text.is_empty() || end.is_empty() || !text.iter().all(allowed) {
            return None;
        }
        place.copy_from_slice(text);
        // INVARIANT: All of `text` was just checked, and there is room for a zero behind it.
        Some(Self(name))
    }

    /// Checks a field of a structure: a name, a zero, and zeroes to the end.
    pub(crate) fn from_field(field: &[u8; NAME_SIZE as usize]) -> Option<Self> {
        let end = field.iter().position(|byte| *byte == 0)?;
        let (text, zeroes) = field.split_at_checked(end)?;
        if zeroes.iter().any(|byte| *byte != 0) {
            return None;
        }
        Self::new(text)
    }

    /// The name.
    pub(crate) fn as_str(&self) -> &str {
        let len = self.0.iter().take_while(|byte| **byte != 0).count();
        let text = self.0.get(..len).unwrap_or_default();
        core::str::from_utf8(text).unwrap_or_default()
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_name)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_may_be() {
        let longest = [b'a'; NAME_SIZE as usize - 1];
        for text in [&b"a"[..], b"7", b".", b"A-b_c.9", &longest] {
            let name = Name::new(text).map(|name| name.as_str().as_bytes() == text);
            assert_eq!(name, Some(true));
        }
        let too_long = [b'a'; NAME_SIZE as usize];
        for text in [&b""[..], b"a/b", b"a b", b"a\0", b"\xc3\xa4", &too_long] {
            assert_eq!(Name::new(text), None);
        }
    }

    #[test]
    fn a_field_ends_in_zeroes() {
        let mut field = [0; NAME_SIZE as usize];
        assert_eq!(Name::from_field(&field), None);
        field[0] = b'a';
        assert_eq!(Name::from_field(&field), Name::new(b"a"));
        field[2] = b'b';
        assert_eq!(Name::from_field(&field), None);
        assert_eq!(Name::from_field(&[b'a'; NAME_SIZE as usize]), None);
    }
}
