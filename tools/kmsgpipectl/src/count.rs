// SPDX-License-Identifier: GPL-2.0

//! Counts in words.

/// Returns a count of messages in words.
pub fn messages(count: u64) -> String {
    match count {
        1 => "1 message".to_string(),
        _ => format!("{count} messages"),
    }
}
