// SPDX-License-Identifier: GPL-2.0

//! The date and the time of day.

use nix::libc;
use std::{
    fmt,
    mem::MaybeUninit,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The months, as short as people write them.
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The time since 1970.
pub fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// A time of day in the local time zone, as in `08:15:00`.
pub fn time_of_day(since_1970: Duration) -> String {
    Local::of(since_1970).map_or("--:--:--".into(), |local| local.time_of_day())
}

/// A time in the local time zone to the microsecond, but without the year, as in `Nov 29 16:12:11.123456`.
pub fn short(since_1970: Duration) -> String {
    Local::of(since_1970).map_or_else(|| Seconds(since_1970).to_string(), |local| local.short())
}

/// A time in the local time zone to the microsecond as ISO 8601 has it, with the offset from UTC, as in
/// `2026-11-29T16:12:11.123456+01:00`.
pub fn iso(since_1970: Duration) -> String {
    Local::of(since_1970).map_or_else(|| Seconds(since_1970).to_string(), |local| local.iso())
}

/// A duration in seconds with six digits after the point.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0.as_secs(), self.0.subsec_micros())
    }
}

/// A time in the local time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Local {
    year: i64,
    /// From 0 on.
    month: usize,
    day: i32,
    hour: i32,
    minute: i32,
    second: i32,
    microsecond: u32,
    /// By how much it is ahead of UTC, in seconds.
    ahead: libc::c_long,
}

impl Local {
    /// Makes one of the time since 1970; none if that is too much.
    fn of(since_1970: Duration) -> Option<Self> {
        let seconds = libc::time_t::try_from(since_1970.as_secs()).ok()?;
        let mut parts = MaybeUninit::<libc::tm>::uninit();
        // SAFETY: The first points to a number and the second to memory for the result, both of which live on.
        let known = unsafe { !libc::localtime_r(&seconds, parts.as_mut_ptr()).is_null() };
        if !known {
            return None;
        }
        // SAFETY: The call has written all of it, as it has not failed.
        let parts = unsafe { parts.assume_init() };
        Some(Self {
            year: i64::from(parts.tm_year) + 1900,
            month: usize::try_from(parts.tm_mon).ok()?,
            day: parts.tm_mday,
            hour: parts.tm_hour,
            minute: parts.tm_min,
            second: parts.tm_sec,
            microsecond: since_1970.subsec_micros(),
            ahead: parts.tm_gmtoff,
        })
    }

    /// The time of day to the second.
    fn time_of_day(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }

    /// The date without the year, and the time to the microsecond.
    fn short(&self) -> String {
        format!(
            "{} {:02} {}.{:06}",
            MONTHS.get(self.month).unwrap_or(&"---"),
            self.day,
            self.time_of_day(),
            self.microsecond
        )
    }

    /// Date and time as ISO 8601 has them.
    fn iso(&self) -> String {
        let minutes = self.ahead.abs() / 60;
        format!(
            "{:04}-{:02}-{:02}T{}.{:06}{}{:02}:{:02}",
            self.year,
            self.month + 1,
            self.day,
            self.time_of_day(),
            self.microsecond,
            if self.ahead < 0 { '-' } else { '+' },
            minutes / 60,
            minutes % 60
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_later_is_a_minute_later() {
        let at = Duration::from_secs(1_700_000_000);
        let text = time_of_day(at);
        let shape: String = text
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        assert_eq!(shape, "00:00:00");
        // Time zones differ in whole minutes from each other, here and now.
        assert_eq!(&text[6..], "20");
        assert_eq!(time_of_day(at + Duration::from_secs(86_400)), text);
        assert!(now() > at);
    }

    #[test]
    fn a_local_time_has_all_its_parts() {
        // 14 November 2023, 22:13:20 UTC: the middle of a month everywhere.
        let local = Local::of(Duration::new(1_700_000_000, 123_456_789)).unwrap();
        assert_eq!(
            (local.year, local.month, local.microsecond),
            (2023, 10, 123_456)
        );
        let time = libc::c_long::from(local.hour * 3600 + local.minute * 60 + local.second);
        let of_day = libc::c_long::from(local.day - 14) * 86_400 + time;
        assert_eq!(of_day - local.ahead, 22 * 3600 + 13 * 60 + 20, "{local:?}");
    }

    #[test]
    fn times_are_written_to_the_microsecond() {
        let local = Local {
            year: 2026,
            month: 10,
            day: 9,
            hour: 16,
            minute: 2,
            second: 1,
            microsecond: 3_456,
            ahead: 3_600,
        };
        assert_eq!(local.short(), "Nov 09 16:02:01.003456");
        for (ahead, text) in [
            (3_600, "2026-11-09T16:02:01.003456+01:00"),
            (0, "2026-11-09T16:02:01.003456+00:00"),
            (-12_600, "2026-11-09T16:02:01.003456-03:30"),
            (45_900, "2026-11-09T16:02:01.003456+12:45"),
        ] {
            assert_eq!(Local { ahead, ..local }.iso(), text);
        }
        let names = (0..12).map(|month| Local { month, ..local }.short());
        let names: Vec<String> = names.map(|text| text[..3].to_string()).collect();
        assert_eq!(names, MONTHS);
    }

    #[test]
    fn a_time_too_far_away_is_in_seconds() {
        let never = Duration::new(u64::MAX, 5_000);
        assert_eq!(time_of_day(never), "--:--:--");
        assert_eq!(short(never), "18446744073709551615.000005");
        assert_eq!(iso(never), "18446744073709551615.000005");
    }
}
