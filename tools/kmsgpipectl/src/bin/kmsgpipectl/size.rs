// SPDX-License-Identifier: GPL-2.0

//! Sizes and counts on the command line.

/// The units, and what they stand for.
const UNITS: [(&str, u64); 7] = [
    ("", 1),
    ("K", 1 << 10),
    ("KiB", 1 << 10),
    ("M", 1 << 20),
    ("MiB", 1 << 20),
    ("G", 1 << 30),
    ("GiB", 1 << 30),
];

/// Understands a whole number and perhaps a unit, such as `256`, `64K` or `1MiB`.
pub fn parse(text: &str) -> Result<u32, String> {
    exact(text).ok_or_else(|| {
        "give a whole number below 2^32, alone or with one of the units K, M and G (powers of 1024), \
         such as 256 or 64K"
            .into()
    })
}

/// Understands a size.
fn exact(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let (_, unit) = UNITS
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    let number: u64 = number.parse().ok()?;
    number.checked_mul(unit)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_numbers_with_units() {
        for (text, size) in [
            ("0", 0),
            ("1", 1),
            ("256", 256),
            ("64K", 65_536),
            ("64k", 65_536),
            ("64KiB", 65_536),
            ("1M", 1_048_576),
            ("1MiB", 1_048_576),
            ("3G", 3_221_225_472),
            ("4294967295", u32::MAX),
            ("007", 7),
        ] {
            assert_eq!(exact(text), Some(size), "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "K",
            "-1",
            "+1",
            "1.5K",
            "1 K",
            " 1",
            "64KB",
            "64kB",
            "1T",
            "4G",
            "4294967296",
            "18446744073709551615K",
            "0x10",
            "\u{661}",
        ] {
            assert_eq!(exact(text), None, "{text:?}");
            assert!(parse(text).is_err());
        }
    }
}
