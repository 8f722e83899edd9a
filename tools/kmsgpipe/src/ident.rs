// SPDX-License-Identifier: MIT OR Apache-2.0

//! Numbers and names of pipes as text.

use kmsgpipe_sys::NAME_SIZE;

/// What the names of their nodes begin with; a number follows.
pub(crate) const PREFIX: &str = "kmsgpipe";

/// Understands the number of a pipe as the kernel writes it: without sign and leading zeros.
pub(crate) fn number(digits: &str) -> Option<u32> {
    let id: u32 = digits.parse().ok()?;
    (id.to_string() == digits).then_some(id)
}

/// The digits of a word that is a number, whether or not any pipe can have it.
pub(crate) fn digits(word: &str) -> Option<&str> {
    let digits = word
        .strip_prefix(PREFIX)
        .or_else(|| word.strip_prefix("pipe"))
        .unwrap_or(word);
    let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all.then_some(digits)
}

/// Whether a pipe can be made with this name: letters, digits, `.`, `_` and `-`, at most 31 of them. It
/// is neither `.` nor `..`, and does not end in `.peer`.
///
/// ```
/// assert!(kmsgpipe::is_name("web-1.log") && !kmsgpipe::is_name("web 1"));
/// ```
pub fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let kept = matches!(name, "." | "..") || name.ends_with(".peer");
    !name.is_empty() && name.len() < NAME_SIZE && name.bytes().all(fits) && !kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_the_kernel_writes_them() {
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("4294967295"), Some(u32::MAX));
        for digits in ["", "00", "01", "+1", "-1", "0x0", " 0", "4294967296"] {
            assert_eq!(number(digits), None, "{digits:?}");
        }
    }
}
