// SPDX-License-Identifier: MIT OR Apache-2.0

//! Numbers and names of pipes as text.

use kmsgpipe_sys::NAME_SIZE;

/// Prefix of the node names of pipes without a name; the pipe number follows.
pub(crate) const PREFIX: &str = "kmsgpipe";

/// Parses a pipe number as the kernel prints it: no sign, no leading zeros.
pub(crate) fn number(digits: &str) -> Option<u32> {
    let id: u32 = digits.parse().ok()?;
    (id.to_string() == digits).then_some(id)
}

/// Returns the digits of a word that denotes a number, even if no pipe can have that number.
pub(crate) fn digits(word: &str) -> Option<&str> {
    let digits = word
        .strip_prefix(PREFIX)
        .or_else(|| word.strip_prefix("pipe"))
        .unwrap_or(word);
    let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all.then_some(digits)
}

/// Returns whether a pipe can have this name: 1 to 31 letters, digits, `.`, `_` and `-`; not `.` or `..`,
/// and without the suffix `.peer`.
///
/// ```
/// assert!(kmsgpipe::is_name("web-1.log") && !kmsgpipe::is_name("web 1"));
/// ```
pub fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let reserved = matches!(name, "." | "..") || name.ends_with(".peer");
    !name.is_empty() && name.len() < NAME_SIZE && name.bytes().all(fits) && !reserved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_numbers_are_parsed() {
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("4294967295"), Some(u32::MAX));
        for digits in ["", "00", "01", "+1", "-1", "0x0", " 0", "4294967296"] {
            assert_eq!(number(digits), None, "{digits:?}");
        }
    }
}
