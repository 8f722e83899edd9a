// SPDX-License-Identifier: GPL-2.0

//! Counts in words.

/// Returns a count of messages in words.
pub fn messages(count: u64) -> String {
    match count {
        1 => "1 message".to_string(),
        _ => format!("{count} messages"),
    }
}

/// Returns a count of processes in words.
pub fn processes(count: u64) -> String {
    match count {
        1 => "1 process".to_string(),
        _ => format!("{count} processes"),
    }
}
