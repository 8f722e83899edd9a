// SPDX-License-Identifier: GPL-2.0

//! How much fits into a line of standard output.

use std::{env, io};
use terminal_size::{terminal_size_of, Width};

/// The columns that there are, if that is known: what `COLUMNS` says, or those of the terminal. Files and pipes
/// take lines of any length.
pub fn of_output() -> Option<usize> {
    told(env::var("COLUMNS").ok().as_deref()).or_else(|| {
        let (Width(width), _) = terminal_size_of(io::stdout())?;
        Some(usize::from(width)).filter(|width| *width > 0)
    })
}

/// What `COLUMNS` says, if that makes sense.
fn told(columns: Option<&str>) -> Option<usize> {
    columns?.parse().ok().filter(|width| *width > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_no_width() {
        assert_eq!(told(Some("40")), Some(40));
        for columns in [None, Some(""), Some("0"), Some("wide"), Some("-1")] {
            assert_eq!(told(columns), None);
        }
    }
}
