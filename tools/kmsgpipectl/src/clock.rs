// SPDX-License-Identifier: GPL-2.0

//! The time of day.

use nix::libc;
use std::{
    mem::MaybeUninit,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The time since 1970.
pub fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// A time of day in the local time zone, as in `08:15:00`.
pub fn time_of_day(since_1970: Duration) -> String {
    let seconds = libc::time_t::try_from(since_1970.as_secs()).unwrap_or(0);
    let mut parts = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: The first points to a number and the second to memory for the result, both of which live on.
    let known = unsafe { !libc::localtime_r(&seconds, parts.as_mut_ptr()).is_null() };
    if !known {
        return "--:--:--".into();
    }
    // SAFETY: The call has written all of it, as it has not failed.
    let parts = unsafe { parts.assume_init() };
    format!(
        "{:02}:{:02}:{:02}",
        parts.tm_hour, parts.tm_min, parts.tm_sec
    )
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
}
