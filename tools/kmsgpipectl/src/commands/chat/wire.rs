// SPDX-License-Identifier: GPL-2.0

//! The messages of a chat as they are in the pipe: lines that also make sense to a reader such as `cat`.
//!
//! | line | meaning |
//! |---|---|
//! | `* alice joined`, `* alice (al) joined` | the user alice has joined, with the nickname `al` |
//! | `* alice left`, `* alice (al) left` | the user alice has left |
//! | `<al> hello` | a message of a user with a nickname |
//! | any other text | a message, such as one of `echo` |
//!
//! Who sent a message is known from its record, which the kernel makes. A line that says that a user has joined or
//! left is taken for that only if that user has sent it; otherwise it is a message with that text.

use std::{fmt, str::FromStr};

/// The maximum length of a nickname in characters.
const NICK_MAX: usize = 20;

/// A nickname: letters, digits, `.`, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nick(String);

impl Nick {
    /// Parses a nickname for the command line.
    ///
    /// # Errors
    ///
    /// A text that says what a nickname is.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|()| {
            format!("a nickname has 1 to {NICK_MAX} letters, digits, '.', '_' and '-'")
        })
    }
}

impl FromStr for Nick {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        match text.len() {
            1..=NICK_MAX if text.bytes().all(allowed) => Ok(Self(text.into())),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Nick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a user does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Joins.
    Join,
    /// Leaves.
    Leave,
    /// Says a text, which may have several lines.
    Say(&'a str),
}

/// A message of a chat without its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content<'a> {
    /// The nickname that the sender gives.
    pub nick: Option<Nick>,
    /// What the sender does.
    pub action: Action<'a>,
}

impl<'a> Content<'a> {
    /// Interprets a message of the user `name`.
    pub fn of(message: &'a str, name: &str) -> Self {
        let text = message.strip_suffix('\n').unwrap_or(message);
        announcement(text, name).unwrap_or_else(|| said(text))
    }

    /// Returns the message of the user `name`, with a newline at its end.
    pub fn to_message(&self, name: &str) -> String {
        match (self.action, &self.nick) {
            (Action::Join, _) => format!("* {} joined\n", who(name, self.nick.as_ref())),
            (Action::Leave, _) => format!("* {} left\n", who(name, self.nick.as_ref())),
            (Action::Say(text), Some(nick)) => format!("<{nick}> {text}\n"),
            (Action::Say(text), None) => {
                // A space distinguishes a text that looks like something else.
                let plain = Self::of(text, name) == *self;
                format!("{}{text}\n", if plain { "" } else { " " })
            }
        }
    }
}

/// Formats a user with a nickname.
pub fn who(name: &str, nick: Option<&Nick>) -> String {
    match nick {
        Some(nick) => format!("{name} ({nick})"),
        None => name.to_string(),
    }
}

/// Interprets a text that says that the user `name` has joined or left.
fn announcement(text: &str, name: &str) -> Option<Content<'static>> {
    let rest = text.strip_prefix("* ")?.strip_prefix(name)?;
    let (rest, action) = match rest.strip_suffix(" joined") {
        Some(rest) => (rest, Action::Join),
        None => (rest.strip_suffix(" left")?, Action::Leave),
    };
    let nick = match rest {
        "" => None,
        rest => {
            let nick = rest.strip_prefix(" (")?.strip_suffix(')')?;
            Some(nick.parse().ok()?)
        }
    };
    Some(Content { nick, action })
}

/// Interprets a text that a user says.
fn said(text: &str) -> Content<'_> {
    let with_nick = || {
        let (nick, text) = text.strip_prefix('<')?.split_once("> ")?;
        Some((nick.parse().ok()?, text))
    };
    match with_nick() {
        Some((nick, text)) => Content {
            nick: Some(nick),
            action: Action::Say(text),
        },
        None => Content {
            nick: None,
            action: Action::Say(text),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nick(text: &str) -> Option<Nick> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn nickname_has_few_characters() {
        for text in ["al", "a", "A.b_c-9", "12345678901234567890"] {
            assert_eq!(Nick::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "a b",
            "a)",
            "gr\u{fc}n",
            "123456789012345678901",
            "\x1b",
        ] {
            assert!(Nick::parse(text).unwrap_err().contains("1 to 20"), "{text}");
        }
    }

    #[test]
    fn only_the_user_itself_joins_and_leaves() {
        let join = |nick| Content {
            nick,
            action: Action::Join,
        };
        let say = |text| Content {
            nick: None,
            action: Action::Say(text),
        };
        assert_eq!(Content::of("* alice joined\n", "alice"), join(None));
        assert_eq!(
            Content::of("* alice (al) joined", "alice"),
            join(nick("al"))
        );
        assert_eq!(Content::of("* alice left\n", "alice").action, Action::Leave);
        for text in [
            "* alice joined",
            "* alice (bob) joined",
            "* alice left",
            "* mallory (a b) joined",
            "* mallory () joined",
            "* mallory joined now",
            "* mallory\njoined",
            "* malloryjoined",
            " * mallory joined",
            "mallory joined",
        ] {
            assert_eq!(Content::of(text, "mallory"), say(text));
        }
    }

    #[test]
    fn nickname_stands_before_the_text() {
        for (message, expected, text) in [
            ("<al> hello\n", nick("al"), "hello"),
            ("<al>  two  spaces", nick("al"), " two  spaces"),
            ("<a b> hello", None, "<a b> hello"),
            ("<al>hello", None, "<al>hello"),
            ("<> hello", None, "<> hello"),
            ("hello\n", None, "hello"),
            ("two\nlines\n\n", None, "two\nlines\n"),
            ("\n", None, ""),
        ] {
            let content = Content {
                nick: expected,
                action: Action::Say(text),
            };
            assert_eq!(Content::of(message, "alice"), content, "{message:?}");
        }
    }

    #[test]
    fn text_that_looks_like_something_else_gets_a_space() {
        for (text, message) in [
            ("hello", "hello\n"),
            ("<b> hello", " <b> hello\n"),
            ("* alice left", " * alice left\n"),
            ("* bob left", "* bob left\n"),
        ] {
            let content = Content {
                nick: None,
                action: Action::Say(text),
            };
            assert_eq!(content.to_message("alice"), message);
        }
    }

    proptest! {
        #[test]
        fn what_is_said_is_understood(
            text in "(<[a-z]{1,3}> |\\* alice (\\(x\\) )?(left|joined))?[ -~]{0,20}",
            nick in proptest::option::of("[a-z]{1,3}"),
        ) {
            let nick: Option<Nick> = nick.map(|nick| nick.parse().unwrap());
            let content = Content { nick: nick.clone(), action: Action::Say(&text) };
            let message = content.to_message("alice");
            let read = Content::of(&message, "alice");
            prop_assert_eq!(&read.nick, &nick);
            let Action::Say(got) = read.action else {
                panic!("{message:?} is no text");
            };
            prop_assert_eq!(got.trim_start(), text.trim_start());
        }

        #[test]
        fn nobody_joins_for_another_user(message in "\\PC{0,30}") {
            let content = Content::of(&message, "mallory");
            let claims = message.starts_with("* mallory");
            prop_assert!(claims || matches!(content.action, Action::Say(_)), "{content:?}");
        }

        #[test]
        fn joining_and_leaving_are_understood(nick in proptest::option::of("[a-z]{1,3}"), leave: bool) {
            let nick = nick.map(|nick| nick.parse().unwrap());
            let action = if leave { Action::Leave } else { Action::Join };
            let content = Content { nick, action };
            let message = content.to_message("uid 7");
            prop_assert_eq!(Content::of(&message, "uid 7"), content);
        }
    }
}
