// SPDX-License-Identifier: GPL-2.0

//! Local date and time.

use nix::libc;
use std::{
    fmt,
    mem::MaybeUninit,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Abbreviated names of the months.
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Returns the time since the epoch.
pub fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Formats the local time of day, such as `08:15:00`.
pub fn time_of_day(since_1970: Duration) -> String {
    Local::of(since_1970).map_or("--:--:--".into(), |local| local.time_of_day())
}

/// Formats the local time without the year, in microseconds, such as `Nov 29 16:12:11.123456`.
pub fn short(since_1970: Duration) -> String {
    Local::of(since_1970).map_or_else(|| Seconds(since_1970).to_string(), |local| local.short())
}

/// Formats the local time in ISO 8601 format with microseconds and UTC offset, such as
/// `2026-11-29T16:12:11.123456+01:00`.
pub fn iso(since_1970: Duration) -> String {
    Local::of(since_1970).map_or_else(|| Seconds(since_1970).to_string(), |local| local.iso())
}

/// A duration that is displayed in seconds with six decimal places.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0.as_secs(), self.0.subsec_micros())
    }
}

/// A local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Local {
    year: i64,
    /// Month, 0 to 11.
    month: usize,
    day: i32,
    hour: i32,
    minute: i32,
    second: i32,
    microsecond: u32,
    /// UTC offset in seconds, positive east of Greenwich.
    ahead: libc::c_long,
}

impl Local {
    /// Converts the time since the epoch. Returns `None` if it is out of range.
    fn of(since_1970: Duration) -> Option<Self> {
        let seconds = libc::time_t::try_from(since_1970.as_secs()).ok()?;
        let mut parts = MaybeUninit::<libc::tm>::uninit();
        // SAFETY: The pointers refer to a number and to memory for the result, both of which outlive the call.
        let known = unsafe { !libc::localtime_r(&seconds, parts.as_mut_ptr()).is_null() };
        if !known {
            return None;
        }
        // SAFETY: The call succeeded, so it initialised the result.
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

    /// Formats the time of day in seconds.
    fn time_of_day(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }

    /// Formats the date without the year, and the time in microseconds.
    fn short(&self) -> String {
        format!(
            "{} {:02} {}.{:06}",
            MONTHS.get(self.month).unwrap_or(&"---"),
            self.day,
            self.time_of_day(),
            self.microsecond
        )
    }

    /// Formats the date and time in ISO 8601 format.
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
    fn time_of_day_advances() {
        let at = Duration::from_secs(1_700_000_000);
        let text = time_of_day(at);
        let shape: String = text
            .chars()
            .map(|c| if c.is_ascii_digit() { '0' } else { c })
            .collect();
        assert_eq!(shape, "00:00:00");
        // UTC offsets are whole minutes, so the seconds do not depend on the time zone.
        assert_eq!(&text[6..], "20");
        assert_eq!(time_of_day(at + Duration::from_secs(86_400)), text);
        assert!(now() > at);
    }

    #[test]
    fn local_time_is_complete() {
        // 14 November 2023, 22:13:20 UTC: November in every time zone.
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
    fn times_have_microseconds() {
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
    fn time_out_of_range_is_in_seconds() {
        let never = Duration::new(u64::MAX, 5_000);
        assert_eq!(time_of_day(never), "--:--:--");
        assert_eq!(short(never), "18446744073709551615.000005");
        assert_eq!(iso(never), "18446744073709551615.000005");
    }
}
