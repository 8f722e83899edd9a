// SPDX-License-Identifier: GPL-2.0

//! Line width of standard output.

use std::{env, io};
use terminal_size::{terminal_size_of, Width};

/// Returns the line width, if it is limited: `COLUMNS`, or the width of the terminal. Other files have no
/// limit.
pub fn of_output() -> Option<usize> {
    parse_columns(env::var("COLUMNS").ok().as_deref()).or_else(of_terminal)
}

/// Returns the width of the terminal of standard output, if that is one and it has a width.
pub fn of_terminal() -> Option<usize> {
    let (Width(width), _) = terminal_size_of(io::stdout())?;
    Some(usize::from(width)).filter(|width| *width > 0)
}

/// Parses `COLUMNS`.
fn parse_columns(columns: Option<&str>) -> Option<usize> {
    columns?.parse().ok().filter(|width| *width > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_columns_are_ignored() {
        assert_eq!(parse_columns(Some("40")), Some(40));
        for columns in [None, Some(""), Some("0"), Some("wide"), Some("-1")] {
            assert_eq!(parse_columns(columns), None);
        }
    }
}
