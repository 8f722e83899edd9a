// SPDX-License-Identifier: GPL-2.0

//! Parsing the text that users write to parameters and attributes.

/// Parses an unsigned number in digits of `radix`, and nothing else. Returns [`None`] if `text` is
/// no such number.
///
/// # Examples
///
/// ```ignore
/// use crate::kernel_ext::text::number;
///
/// assert_eq!(number(b"0640", 8), Some(0o640));
/// assert_eq!(number(b"+1", 10), None);
/// ```
pub(crate) fn number(text: &[u8], radix: u32) -> Option<u32> {
    // `from_str_radix` would accept a plus sign.
    if text.first() == Some(&b'+') {
        return None;
    }
    u32::from_str_radix(core::str::from_utf8(text).ok()?, radix).ok()
}

#[kernel::macros::kunit_tests(kmsgpipe_text)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_digits_only() {
        for (text, decimal, octal) in [
            (&b"0"[..], Some(0), Some(0)),
            (b"0070", Some(70), Some(0o70)),
            (b"8", Some(8), None),
            (b"4294967295", Some(u32::MAX), None),
            (b"4294967296", None, None),
            (b"37777777777", None, Some(u32::MAX)),
            (b"40000000000", None, None),
            (b"", None, None),
            (b"+1", None, None),
            (b"-1", None, None),
            (b" 1", None, None),
            (b"1\n", None, None),
            (b"0x1", None, None),
            (b"0o1", None, None),
            (b"\xff", None, None),
        ] {
            assert_eq!(number(text, 10), decimal);
            assert_eq!(number(text, 8), octal);
        }
    }
}
