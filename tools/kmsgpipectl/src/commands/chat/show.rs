// SPDX-License-Identifier: GPL-2.0

//! How a chat shows messages.
//!
//! Only a line that begins in the first column is what it says: a time and a sender that the kernel vouches for, or a
//! notice of this program. Further lines of a message are indented, those into which a long one is broken as well, so
//! that no text can imitate the message of another user.

use super::wire::{who, Action, Content};
use crate::{clock, count::messages, passwd, style::Paint};
use kmsgpipe::Record;
use std::{
    collections::{hash_map::Entry, HashMap},
    fmt::Write,
    time::Duration,
};
use unicode_width::UnicodeWidthChar;

/// The start of the further lines of a message.
const INDENT: &str = "           ";

/// The minimum width of the text in a line, however narrow the terminal is.
const NARROWEST: usize = 20;

/// The names of users, each of which is looked up once.
#[derive(Debug, Default)]
pub struct Names(HashMap<u32, String>);

impl Names {
    /// Returns the name of a user, or its number with `uid` before it.
    pub fn of(&mut self, uid: u32) -> &str {
        match self.0.entry(uid) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(match passwd::user_name(uid) {
                Some(name) => harmless(&name),
                None => format!("uid {uid}"),
            }),
        }
    }
}

/// How messages are shown.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// The colours.
    pub paint: Paint,
    /// The width of the terminal, if there is one.
    pub width: Option<usize>,
    /// The current time since 1970.
    pub now: Duration,
}

impl Style {
    /// Shows a message of the user `name`, and before it how many messages were lost.
    pub fn record(&self, record: &Record<'_>, name: &str) -> String {
        let text = String::from_utf8_lossy(record.payload);
        let content = Content::of(&text, name);
        // As in the other commands, a star stands behind a user whose program has other rights.
        let star = if record.privileged { "*" } else { "" };
        let sender = who(&format!("{name}{star}"), content.nick.as_ref());
        let time = self.time(Duration::from_nanos(record.realtime_ns));
        let lost = match record.lost {
            0 => String::new(),
            lost => self.notice(&format!("{} lost", messages(lost))),
        };
        lost + &match content.action {
            Action::Join => self.paint.dim(&format!("{time} * {sender} joined")) + "\n",
            Action::Leave => self.paint.dim(&format!("{time} * {sender} left")) + "\n",
            Action::Say(text) => {
                let start = format!("{time} {sender}: ");
                let shown = self.broken(text, start.chars().count());
                format!("{time} {}: {shown}\n", self.paint.head(&sender))
            }
        }
    }

    /// Shows a notice of this program.
    pub fn notice(&self, text: &str) -> String {
        let text = self.broken(text, 3);
        self.paint.warning(&format!("-- {text}")) + "\n"
    }

    /// Formats a local time, with its date if that is not today.
    fn time(&self, at: Duration) -> String {
        let date = |at| {
            let mut text = clock::short(at);
            text.truncate("Nov 29 16:12:11".len());
            text
        };
        let (then, now) = (date(at), date(self.now));
        match (then.get(..6), now.get(..6)) {
            (Some(day), Some(today)) if day == today => clock::time_of_day(at),
            _ => then,
        }
    }

    /// Breaks a text, whose first line begins in column `column`, into lines that fit the terminal. All lines but the
    /// first begin with [`INDENT`].
    fn broken(&self, text: &str, column: usize) -> String {
        let mut shown = String::new();
        for (number, line) in text.split('\n').enumerate() {
            let mut left = match number {
                0 => self.room(column),
                _ => self.room(INDENT.len()),
            };
            if number > 0 {
                shown.push('\n');
                shown.push_str(INDENT);
            }
            let line = harmless(line);
            let mut rest = line.as_str();
            loop {
                let (fitting, more) = rest.split_at(fitting(rest, left));
                if more.is_empty() {
                    shown.push_str(fitting);
                    break;
                }
                shown.push_str(fitting.trim_end());
                shown.push('\n');
                shown.push_str(INDENT);
                rest = more;
                left = self.room(INDENT.len());
            }
        }
        shown
    }

    /// Returns how many columns are left behind column `column`.
    fn room(&self, column: usize) -> usize {
        match self.width {
            // The last column stays empty: some terminals begin a new line there.
            Some(width) => width.saturating_sub(column + 1).max(NARROWEST),
            None => usize::MAX,
        }
    }
}

/// Returns how many bytes of a text fit into `room` columns, at least one character. The text is broken behind a
/// space, if there is one.
fn fitting(text: &str, room: usize) -> usize {
    let mut used = 0;
    let mut space = None;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > room && at > 0 {
            return space.unwrap_or(at);
        }
        if c == ' ' {
            space = Some(at + 1);
        }
    }
    text.len()
}

/// Returns a text without characters that control a terminal or change the order of what it shows. They are shown
/// escaped.
pub fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => shown.push(' '),
            // Directions, separators of lines, characters that only annotate, and tags.
            '\u{61c}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}' => {
                let _ = write!(shown, "{}", c.escape_unicode());
            }
            c if c.is_control() => {
                let _ = write!(shown, "{}", c.escape_unicode());
            }
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::record;
    use proptest::prelude::*;

    fn style(width: Option<usize>) -> Style {
        Style {
            paint: Paint::plain(),
            width,
            now: Duration::from_secs(1_700_000_000),
        }
    }

    fn shown(payload: &[u8], name: &str, width: Option<usize>) -> String {
        let mut record = record(payload);
        record.lost = 0;
        let text = style(width).record(&record, name);
        // Without the time, which depends on the time zone.
        assert_eq!(text.as_bytes()[2], b':');
        text["00:00:00 ".len()..].to_string()
    }

    #[test]
    fn sender_is_the_kernels_and_the_nickname_stands_beside_it() {
        for (payload, text) in [
            (&b"hello\n"[..], "alice: hello\n"),
            (b"hello", "alice: hello\n"),
            (b"<bob> hello\n", "alice (bob): hello\n"),
            (b"* alice joined\n", "* alice joined\n"),
            (b"* alice (al) left\n", "* alice (al) left\n"),
            (b"* bob joined\n", "alice: * bob joined\n"),
            (b"\xff\xfe\n", "alice: \u{fffd}\u{fffd}\n"),
        ] {
            assert_eq!(shown(payload, "alice", None), text);
        }
        let mut other = record(b"hello");
        other.lost = 3;
        other.privileged = true;
        let text = style(None).record(&other, "alice");
        assert!(text.starts_with("-- 3 messages lost\n"), "{text}");
        assert!(text.ends_with(" alice*: hello\n"), "{text}");
    }

    #[test]
    fn no_text_imitates_another_message() {
        let forged = "hi\n10:15:00 bob: I agree";
        assert_eq!(
            shown(forged.as_bytes(), "mallory", None),
            format!("mallory: hi\n{INDENT}10:15:00 bob: I agree\n")
        );
        let padded = format!("{}10:15:00 bob: I agree", " ".repeat(31 + 41));
        let text = shown(padded.as_bytes(), "mallory", Some(40));
        assert!(
            text.lines().skip(1).all(|line| line.starts_with(INDENT)),
            "{text}"
        );
        assert_eq!(
            shown(b"a\rb\x1b[2J\x9b", "alice", None),
            "alice: a\\u{d}b\\u{1b}[2J\u{fffd}\n"
        );
    }

    #[test]
    fn long_text_is_broken_behind_spaces() {
        let text = shown(b"one two three four five six seven", "alice", Some(40));
        assert_eq!(
            text,
            format!("alice: one two three four\n{INDENT}five six seven\n")
        );
        // Wide characters take two columns.
        assert_eq!(fitting("\u{65e5}\u{672c}\u{8a9e}", 5), 6);
        assert_eq!(fitting("\u{65e5}", 1), 3);
        assert_eq!(fitting("ab cd", 4), 3);
        assert_eq!(fitting("abcde", 4), 4);
        assert_eq!(fitting("", 4), 0);
    }

    #[test]
    fn other_days_have_a_date() {
        let style = style(None);
        assert_eq!(style.time(style.now).len(), "16:12:11".len());
        let before = style.now - Duration::from_secs(86_400);
        assert!(
            style.time(before).starts_with("Nov 1"),
            "{}",
            style.time(before)
        );
    }

    #[test]
    fn users_without_a_name_have_a_number() {
        let mut names = Names::default();
        assert_eq!(names.of(0), "root");
        assert_eq!(names.of(0), "root");
        assert_eq!(names.of(4_294_967_294), "uid 4294967294");
    }

    proptest! {
        #[test]
        fn nothing_controls_the_terminal(text in "\\PC{0,20}[\\x00-\\u{9f}\u{200e}-\u{2030}]{0,20}") {
            let safe = harmless(&text);
            prop_assert!(!safe.chars().any(char::is_control), "{safe:?}");
            prop_assert!(!safe.contains(['\u{202e}', '\u{2028}', '\u{200f}']), "{safe:?}");
        }

        #[test]
        fn lines_fit_and_nothing_is_lost(text in "[a-z ]{0,200}", width in 32..80_usize) {
            let broken = style(Some(width)).broken(&text, 9);
            for (number, line) in broken.lines().enumerate() {
                let column = if number == 0 { 9 } else { 0 };
                prop_assert!(column + line.len() < width, "{line:?}");
            }
            let letters = |text: &str| text.replace([' ', '\n'], "");
            prop_assert_eq!(letters(&broken), letters(&text));
        }
    }
}
