// SPDX-License-Identifier: GPL-2.0

//! The lines that a user has sent, for the arrow keys.

use std::collections::VecDeque;

/// The maximum number of lines that are kept.
const KEPT: usize = 500;

/// The lines that a user has sent, oldest first, and the one that is shown.
#[derive(Debug, Default)]
pub struct Sent {
    lines: VecDeque<String>,
    /// The number of the line that is shown; that of the line behind the last one if none is.
    at: usize,
    /// What the user had typed before it went to an older line.
    draft: String,
}

impl Sent {
    /// Adds a line, unless it repeats the last one.
    pub fn add(&mut self, line: &str) {
        if self.lines.back().is_none_or(|last| last != line) {
            self.lines.push_back(line.into());
        }
        if self.lines.len() > KEPT {
            self.lines.pop_front();
        }
        self.at = self.lines.len();
        self.draft.clear();
    }

    /// Returns the line before the one that is shown, if there is one. The user has typed `current`.
    pub fn older(&mut self, current: &str) -> Option<String> {
        let at = self.at.checked_sub(1)?;
        if self.at == self.lines.len() {
            self.draft = current.into();
        }
        self.at = at;
        self.lines.get(at).cloned()
    }

    /// Returns the line behind the one that is shown, if there is one. The last is what the user had typed.
    pub fn newer(&mut self) -> Option<String> {
        if self.at == self.lines.len() {
            return None;
        }
        self.at += 1;
        Some(self.lines.get(self.at).unwrap_or(&self.draft).clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_and_newer_lines_are_found() {
        let mut sent = Sent::default();
        assert_eq!((sent.older("draft"), sent.newer()), (None, None));
        for line in ["one", "two", "two"] {
            sent.add(line);
        }
        assert_eq!(sent.older("draft").as_deref(), Some("two"));
        assert_eq!(sent.older("two").as_deref(), Some("one"));
        assert_eq!(sent.older("one"), None);
        assert_eq!(sent.newer().as_deref(), Some("two"));
        assert_eq!(sent.newer().as_deref(), Some("draft"));
        assert_eq!(sent.newer(), None);
        sent.older("draft");
        sent.add("three");
        assert_eq!(sent.older("").as_deref(), Some("three"));
    }

    #[test]
    fn the_number_of_lines_is_limited() {
        let mut sent = Sent::default();
        for number in 0..2 * KEPT {
            sent.add(&number.to_string());
        }
        let mut oldest = None;
        while let Some(line) = sent.older("") {
            oldest = Some(line);
        }
        assert_eq!(oldest, Some(KEPT.to_string()));
    }
}
