// SPDX-License-Identifier: GPL-2.0

//! Durations on the command line.

use std::time::Duration;

/// The units, and what they are in nanoseconds.
const UNITS: [(&str, u128); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// How many digits after the point count.
const PLACES: usize = 9;

/// Understands a decimal number and a unit, such as `250ms` or `1.5s`; without a unit, seconds.
pub fn parse(text: &str) -> Result<Duration, String> {
    exact(text).ok_or_else(|| {
        "give a number and one of the units ns, us, ms, s, m or h, such as 250ms or 1.5s".into()
    })
}

/// Understands a duration, and cuts off what is below a nanosecond.
fn exact(text: &str) -> Option<Duration> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (_, unit) = UNITS.into_iter().find(|(name, _)| *name == unit)?;

    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None => (number, ""),
    };
    let whole = u128::from(whole.parse::<u64>().ok()?);
    // The number in units of 10^-PLACES.
    let mut scaled = whole * 10u128.pow(PLACES as u32);
    let mut place = 10u128.pow(PLACES as u32);
    for digit in fraction.chars() {
        place /= 10;
        scaled += u128::from(digit.to_digit(10)?) * place;
    }

    let nanos = scaled.checked_mul(unit)? / 10u128.pow(PLACES as u32);
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    Some(Duration::new(seconds, (nanos % 1_000_000_000) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_numbers_with_units() {
        for (text, nanos) in [
            ("0", 0),
            ("0s", 0),
            ("1ns", 1),
            ("7us", 7_000),
            ("250ms", 250_000_000),
            ("10s", 10_000_000_000),
            ("10", 10_000_000_000),
            ("2m", 120_000_000_000),
            ("1h", 3_600_000_000_000),
            ("1.5s", 1_500_000_000),
            ("0.25", 250_000_000),
            ("1.5ms", 1_500_000),
            ("0.5m", 30_000_000_000),
            ("0.0000000001s", 0),
            ("00.5s", 500_000_000),
            ("0.000000001s", 1),
            ("1.999999999999s", 1_999_999_999),
        ] {
            assert_eq!(exact(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
        let longest = Duration::from_secs(u64::MAX);
        assert_eq!(exact(&format!("{}s", u64::MAX)), Some(longest));
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "s",
            "ms",
            "-1s",
            "+1s",
            "1 s",
            " 1s",
            "1s ",
            "1x",
            "1S",
            "1.s",
            ".5s",
            ".",
            "1..5s",
            "1.2.3s",
            "1e3s",
            "1s2",
            "0x1s",
            "18446744073709551616s",
            "18446744073709551615m",
            "١s",
        ] {
            assert_eq!(exact(text), None, "{text:?}");
            assert!(parse(text).is_err());
        }
    }
}
