// SPDX-License-Identifier: GPL-2.0

//! The message with which `recv` begins, on the command line.

use crate::{clock, duration};
use kmsgpipe::Start;
use std::time::Duration;

/// Days of the months of a year that is not a leap year.
const DAYS: [i64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Parses `now`, `oldest`, `seq:` and a sequence number, or a time: a duration before now, such as `5m`, seconds
/// since 1970 after an `@`, or the form of RFC 3339.
pub fn parse(text: &str) -> Result<Start, String> {
    at(text, clock::now()).ok_or_else(|| {
        "expected oldest, now, seq:NUMBER, a time before now such as 10s, 5m or 2h, a time such as \
         2026-11-30T08:15:00+01:00 (T may be a space in quotes, and the offset Z), or @ and the seconds since 1970"
            .into()
    })
}

/// Parses the text at the time `now` since 1970.
fn at(text: &str, now: Duration) -> Option<Start> {
    if let Some(seq) = text.strip_prefix("seq:") {
        return Some(Start::Seq(
            seq.bytes().all(is_digit).then(|| seq.parse().ok())??,
        ));
    }
    let since_1970 = match text {
        "now" => return Some(Start::Now),
        "oldest" => return Some(Start::Oldest),
        _ => match text.strip_prefix('@') {
            Some(seconds) => unix(seconds)?,
            None => rfc3339(text).or_else(|| Some(now.saturating_sub(ago(text)?)))?,
        },
    };
    Some(Start::Time(u64::try_from(since_1970.as_nanos()).ok()?))
}

/// Returns whether a byte is a decimal digit.
fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

/// Parses a duration.
fn ago(text: &str) -> Option<Duration> {
    duration::parse(text).ok()
}

/// Parses decimal seconds.
fn unix(text: &str) -> Option<Duration> {
    let is_decimal = text.bytes().all(|byte| is_digit(byte) || byte == b'.');
    is_decimal.then(|| ago(text))?
}

/// Parses a date, a time and an offset from UTC, such as `2026-11-30T08:15:00.25+01:00`. Returns the time since
/// 1970, or `None` if it is earlier.
pub fn rfc3339(text: &str) -> Option<Duration> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let (time, rest) = rest.strip_prefix(['T', 't', ' '])?.split_at_checked(8)?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let zone = rest.find(['Z', 'z', '+', '-'])?;
    let (fraction, zone) = rest.split_at(zone);
    let fraction = match fraction.strip_prefix('.') {
        Some(digits) if digits.bytes().all(is_digit) => ago(&format!("0.{digits}s"))?,
        Some(_) => return None,
        None if fraction.is_empty() => Duration::ZERO,
        None => return None,
    };

    let seconds = days(year, month, day)? * 86_400 + of_day(hour, minute)? + leap(second)?;
    let utc = seconds - ahead(zone)?;
    Some(Duration::from_secs(u64::try_from(utc).ok()?) + fraction)
}

/// Parses numbers with these widths and `separator` between them.
fn numbers<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut values = [0; N];
    for (value, width) in values.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(is_digit) {
            return None;
        }
        *value = part.parse().ok()?;
    }
    parts.next().is_none().then_some(values)
}

/// Parses an offset from UTC, in seconds east of Greenwich.
fn ahead(text: &str) -> Option<i64> {
    let (sign, time) = match text.split_at_checked(1)? {
        ("Z" | "z", "") => return Some(0),
        ("+", time) => (1, time),
        ("-", time) => (-1, time),
        _ => return None,
    };
    let [hour, minute] = numbers(time, ':', [2, 2])?;
    Some(sign * of_day(hour, minute)?)
}

/// Returns the seconds from the begin of a day to a minute of it.
fn of_day(hour: i64, minute: i64) -> Option<i64> {
    (hour < 24 && minute < 60).then_some(hour * 3600 + minute * 60)
}

/// Checks a second of a minute, which has 61 with a leap second.
fn leap(second: i64) -> Option<i64> {
    (second <= 60).then_some(second)
}

/// Returns the days from 1970 to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    // Leap years up to the end of a year. Years before 0 do not occur.
    let leap_days = |year: i64| year / 4 - year / 100 + year / 400;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = |(at, days): (usize, &i64)| days + i64::from(at == 1 && is_leap);
    let lengths: Vec<i64> = DAYS.iter().enumerate().map(length).collect();
    let before = usize::try_from(month - 1).ok()?;
    let longest = *lengths.get(before)?;
    let in_year = lengths.iter().take(before).sum::<i64>() + day - 1;
    let of_years = (year - 1970) * 365 + leap_days((year - 1).max(0)) - leap_days(1969);
    (1..=longest).contains(&day).then_some(of_years + in_year)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The time at which the texts are parsed.
    const NOW: Duration = Duration::from_secs(1_700_000_000);

    #[test]
    fn each_form_of_a_start_is_parsed() {
        let time = |seconds: u64, nanos: u64| Start::Time(seconds * 1_000_000_000 + nanos);
        for (text, start) in [
            ("now", Start::Now),
            ("oldest", Start::Oldest),
            ("seq:0", Start::Seq(0)),
            ("seq:18446744073709551615", Start::Seq(u64::MAX)),
            ("10s", time(1_699_999_990, 0)),
            ("10", time(1_699_999_990, 0)),
            ("5m", time(1_699_999_700, 0)),
            ("2h", time(1_699_992_800, 0)),
            ("250ms", time(1_699_999_999, 750_000_000)),
            ("36500d", time(0, 0)),
            ("@0", time(0, 0)),
            ("@1700000000.5", time(1_700_000_000, 500_000_000)),
            ("1970-01-01T00:00:00Z", time(0, 0)),
            ("1970-01-01T01:00:00+01:00", time(0, 0)),
            ("2023-11-14T22:13:20z", time(1_700_000_000, 0)),
            (
                "2023-11-14t22:13:20.123456789Z",
                time(1_700_000_000, 123_456_789),
            ),
            (
                "2023-11-14 23:13:20.5+01:00",
                time(1_700_000_000, 500_000_000),
            ),
            ("2023-11-14T18:43:20-03:30", time(1_700_000_000, 0)),
            ("2000-02-29T00:00:00Z", time(951_782_400, 0)),
            ("2024-12-31T23:59:60Z", time(1_735_689_600, 0)),
            ("2100-03-01T00:00:00Z", time(4_107_542_400, 0)),
        ] {
            assert_eq!(at(text, NOW), Some(start), "{text}");
        }
        assert!(matches!(parse("1s"), Ok(Start::Time(ns)) if ns > 0));
    }

    #[test]
    fn other_texts_are_rejected() {
        for text in [
            "",
            "Now",
            "yesterday",
            "seq:",
            "seq:-1",
            "seq:+1",
            "seq:18446744073709551616",
            "@",
            "@-1",
            "@5m",
            "@1e9",
            "@18446744073709551615",
            "-5m",
            "5x",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-11-14T22:13Z",
            "2023-11-14T22:13:20.Z",
            "2023-11-14T22:13:20.5.5Z",
            "2023-11-14T22:13:20 Z",
            "2023-11-14T22:13:20+1:00",
            "2023-11-14T22:13:20+01:00:00",
            "2023-11-14T22:13:20+0100",
            "2023-11-14T22:13:20Z+",
            "2023-11-14T24:00:00Z",
            "2023-11-14T22:60:00Z",
            "2023-11-14T22:13:61Z",
            "2023-11-14T22:13:20+24:00",
            "2023-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2023-00-01T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-04-31T00:00:00Z",
            "2023-04-00T00:00:00Z",
            "23-04-01T00:00:00Z",
            "+023-04-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "0000-01-01T00:00:00Z",
            "2600-01-01T00:00:00Z",
            "2023-11-14\u{661}22:13:20Z",
        ] {
            assert_eq!(at(text, NOW), None, "{text:?}");
        }
        let error = parse("yesterday").unwrap_err();
        assert!(
            error.starts_with("expected oldest, now, seq:NUMBER, "),
            "{error}"
        );
    }

    #[test]
    fn dates_are_consecutive() {
        let mut before = days(1969, 12, 31).unwrap();
        for year in 1970..2405 {
            for month in 1..=12 {
                for day in (1..=31).filter(|day| days(year, month, *day).is_some()) {
                    let next = days(year, month, day).unwrap();
                    assert_eq!(next, before + 1, "{year}-{month}-{day}");
                    before = next;
                }
            }
        }
    }
}
