// SPDX-License-Identifier: GPL-2.0

//! Sizes and counts on the command line.

use kmsgpipe::{MAX_MSGS_MAX, MAX_MSGS_MIN, MSG_SIZE_MAX, MSG_SIZE_MIN, PRIORITIES_MAX};
use std::{num::NonZeroU32, ops::RangeInclusive};

/// Units, in bytes.
const UNITS: [(&str, i128); 11] = [
    ("", 1),
    ("B", 1),
    ("K", 1 << 10),
    ("KB", 1 << 10),
    ("KiB", 1 << 10),
    ("M", 1 << 20),
    ("MB", 1 << 20),
    ("MiB", 1 << 20),
    ("G", 1 << 30),
    ("GB", 1 << 30),
    ("GiB", 1 << 30),
];

/// Parses an integer with an optional unit, such as `256`, `64K` or `1MiB`.
pub fn parse(text: &str) -> Result<u32, String> {
    within(text, 0..=u32::MAX, "expected 0 to 4294967295")
}

/// Parses a maximum message size.
pub fn msg_size(text: &str) -> Result<u32, String> {
    let limit = format!("expected {MSG_SIZE_MIN} to {MSG_SIZE_MAX} bytes");
    within(text, MSG_SIZE_MIN..=MSG_SIZE_MAX, &limit)
}

/// Parses a maximum number of messages.
pub fn max_msgs(text: &str) -> Result<u32, String> {
    let limit = format!("expected {MAX_MSGS_MIN} to {MAX_MSGS_MAX} messages");
    within(text, MAX_MSGS_MIN..=MAX_MSGS_MAX, &limit)
}

/// Parses how many messages a pipe keeps for later readers.
pub fn history(text: &str) -> Result<u32, String> {
    let limit = format!("expected 0 to {MAX_MSGS_MAX} messages");
    within(text, 0..=MAX_MSGS_MAX, &limit)
}

/// Parses the number of priorities of a pipe.
pub fn priorities(text: &str) -> Result<u32, String> {
    let limit = format!("expected 1 to {PRIORITIES_MAX}");
    within(text, 1..=PRIORITIES_MAX, &limit)
}

/// Parses the priority of a message.
pub fn priority(text: &str) -> Result<u32, String> {
    let limit = format!("expected 0 to {}", PRIORITIES_MAX - 1);
    within(text, 0..=PRIORITIES_MAX - 1, &limit)
}

/// Parses a number of deliveries, which is at least 1.
pub fn deliveries(text: &str) -> Result<NonZeroU32, String> {
    let limit = "expected 1 to 4294967295";
    let deliveries = within(text, 1..=u32::MAX, limit)?;
    NonZeroU32::new(deliveries).ok_or_else(|| limit.into())
}

/// Parses a number of repetitions, which is at least 1.
pub fn times(text: &str) -> Result<u64, String> {
    within(text, 1..=u64::MAX, "expected 1 or more")
}

/// Parses a count, which may be 0.
pub fn count(text: &str) -> Result<u64, String> {
    within(text, 0..=u64::MAX, "expected 0 or more")
}

/// Parses an integer in a range, which `limit` describes.
fn within<T>(text: &str, range: RangeInclusive<T>, limit: &str) -> Result<T, String>
where
    T: TryFrom<i128> + PartialOrd,
{
    let Some(number) = exact(text) else {
        return Err("expected an integer with an optional unit K, M or G (powers of 1024), such as 256 or 64K"
            .into());
    };
    T::try_from(number)
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| limit.into())
}

/// Parses an integer of any magnitude; saturates if it has too many digits.
fn exact(text: &str) -> Option<i128> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text),
    };
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at(end.unwrap_or(text.len()));
    let (_, unit) = UNITS
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    if digits.is_empty() {
        return None;
    }
    let number = digits.bytes().fold(0i128, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(i128::from(digit - b'0'))
    });
    Some(number.saturating_mul(unit).saturating_mul(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units_are_parsed() {
        for (text, size) in [
            ("0", 0),
            ("1", 1),
            ("256", 256),
            ("64K", 65_536),
            ("64k", 65_536),
            ("64KB", 65_536),
            ("64kB", 65_536),
            ("64KiB", 65_536),
            ("64B", 64),
            ("1MB", 1_048_576),
            ("1M", 1_048_576),
            ("1MiB", 1_048_576),
            ("3G", 3_221_225_472),
            ("4294967295", u32::MAX),
            ("007", 7),
        ] {
            assert_eq!(parse(text), Ok(size), "{text}");
        }
    }

    #[test]
    fn out_of_range_error_names_the_range() {
        let size = "expected 1 to 1048576 bytes";
        for text in [
            "0",
            "-1",
            "2M",
            "4G",
            "1048577",
            "99999999999999999999999999999999999999999999G",
        ] {
            assert_eq!(msg_size(text), Err(size.into()), "{text}");
        }
        for text in ["0", "-1", "65537", "-0.5K"] {
            assert!(max_msgs(text).is_err());
        }
        assert_eq!(max_msgs("0"), Err("expected 1 to 65536 messages".into()));
        assert_eq!(history("65537"), Err("expected 0 to 65536 messages".into()));
        assert_eq!((history("0"), history("64K")), (Ok(0), Ok(65_536)));
        assert_eq!(priorities("0"), Err("expected 1 to 32".into()));
        assert_eq!((priorities("32"), priority("31")), (Ok(32), Ok(31)));
        assert_eq!(priority("32"), Err("expected 0 to 31".into()));
        assert_eq!(msg_size("1MB"), Ok(1_048_576));
        assert_eq!(max_msgs("64K"), Ok(65_536));
        for text in ["-1", "4G", "4294967296", "18446744073709551615K"] {
            assert_eq!(
                parse(text),
                Err("expected 0 to 4294967295".into()),
                "{text}"
            );
        }
    }

    #[test]
    fn invalid_text_is_rejected() {
        for text in [
            "", "K", "-", "-K", "--1", "+1", "1.5K", "1 K", " 1", "64Kb ", "1T", "0x10", "\u{661}",
        ] {
            assert_eq!(exact(text), None, "{text:?}");
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("expected an integer"), "{error}");
            assert_eq!(msg_size(text), Err(error));
        }
    }
}
