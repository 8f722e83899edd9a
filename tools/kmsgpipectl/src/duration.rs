// SPDX-License-Identifier: GPL-2.0

//! Durations on the command line.

use std::time::Duration;

/// Units, in nanoseconds.
const UNITS: [(&str, u128); 11] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("sec", 1_000_000_000),
    ("", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Number of significant decimal places.
const PLACES: usize = 9;

/// Parses a decimal number and a unit, such as `250ms` or `1.5s`; the default unit is seconds.
pub fn parse(text: &str) -> Result<Duration, String> {
    exact(text).ok_or_else(|| {
        "expected a non-negative number with one of the units ns, us, ms, s, m (min), h or d, such as 250ms or \
         5min"
            .into()
    })
}

/// Parses a duration greater than zero.
pub fn parse_some(text: &str) -> Result<Duration, String> {
    match parse(text)? {
        Duration::ZERO => Err("expected a duration greater than 0".into()),
        duration => Ok(duration),
    }
}

/// Parses a duration as the kernel takes it, in milliseconds.
pub fn parse_millis(text: &str) -> Result<u32, String> {
    let duration = parse(text)?;
    if duration.subsec_nanos() % 1_000_000 != 0 {
        return Err("expected whole milliseconds".into());
    }
    u32::try_from(duration.as_millis()).map_err(|_| "expected less than 50 days".into())
}

/// Parses a duration greater than zero as the kernel takes it, in whole milliseconds.
pub fn parse_some_millis(text: &str) -> Result<Duration, String> {
    parse_some(text)?;
    Ok(Duration::from_millis(parse_millis(text)?.into()))
}

/// Formats a duration for people, with limited precision.
pub fn describe(duration: Duration) -> String {
    let (days, hours) = (86_400, 3_600);
    match duration.as_secs() {
        0 => format!("{:?}", truncated(duration)),
        seconds @ 1..60 => {
            let text = format!("{seconds}.{:03}", duration.subsec_millis());
            format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
        }
        seconds if seconds < hours => pair(seconds, 60, 'm', 1, 's'),
        seconds if seconds < days => pair(seconds, hours, 'h', 60, 'm'),
        seconds => pair(seconds, days, 'd', hours, 'h'),
    }
}

/// Truncates a duration below a second to at most three digits.
fn truncated(duration: Duration) -> Duration {
    let nanos = duration.as_nanos() as u64;
    Duration::from_nanos(match nanos {
        0..1_000 => nanos,
        1_000..1_000_000 => nanos - nanos % 1_000,
        _ => nanos - nanos % 1_000_000,
    })
}

/// Formats seconds in a unit and the next smaller one, which is omitted if 0.
fn pair(seconds: u64, unit: u64, name: char, lesser: u64, lesser_name: char) -> String {
    match seconds % unit / lesser {
        0 => format!("{}{name}", seconds / unit),
        rest => format!("{}{name} {rest}{lesser_name}", seconds / unit),
    }
}

/// Parses a duration, truncated to nanoseconds.
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
    fn numbers_with_units_are_parsed() {
        for (text, nanos) in [
            ("0", 0),
            ("0s", 0),
            ("1ns", 1),
            ("7us", 7_000),
            ("250ms", 250_000_000),
            ("10s", 10_000_000_000),
            ("10", 10_000_000_000),
            ("2m", 120_000_000_000),
            ("5min", 300_000_000_000),
            ("1.5sec", 1_500_000_000),
            ("7\u{b5}s", 7_000),
            ("2d", 172_800_000_000_000),
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
    fn kernel_durations_are_whole_milliseconds() {
        for (text, millis) in [
            ("0", 0),
            ("250ms", 250),
            ("10s", 10_000),
            ("10", 10_000),
            ("1.5", 1_500),
            ("2m", 120_000),
            ("4294967295ms", u32::MAX),
        ] {
            assert_eq!(parse_millis(text), Ok(millis), "{text}");
        }
        for text in ["1us", "1.5ms", "4294967296ms", "1200h", "x", ""] {
            assert!(parse_millis(text).is_err(), "{text}");
        }
        assert!(parse_some("0s").is_err());
        assert_eq!(parse_some("1ns"), Ok(Duration::from_nanos(1)));
        let lease = Duration::from_millis(1_500);
        assert_eq!(parse_some_millis("1.5"), Ok(lease));
        for text in ["0s", "1us", "50d", ""] {
            assert!(parse_some_millis(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_formatted_briefly() {
        for (nanos, text) in [
            (0, "0ns"),
            (999, "999ns"),
            (1_999, "1µs"),
            (999_999, "999µs"),
            (1_500_000, "1ms"),
            (250_000_000, "250ms"),
            (1_000_000_000, "1s"),
            (1_500_000_000, "1.5s"),
            (1_203_999_999, "1.203s"),
            (10_000_000_000, "10s"),
            (59_999_999_999, "59.999s"),
            (60_000_000_000, "1m"),
            (125_000_000_000, "2m 5s"),
            (3_600_000_000_000, "1h"),
            (3_660_000_000_000, "1h 1m"),
            (90_000_000_000_000, "1d 1h"),
        ] {
            assert_eq!(describe(Duration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn invalid_text_is_rejected() {
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
            "1mins",
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
