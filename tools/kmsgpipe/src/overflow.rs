// SPDX-License-Identifier: MIT OR Apache-2.0

//! Overflow policies of pipes.

use kmsgpipe_sys::{OVERFLOW_BLOCK, OVERFLOW_DROP_NEWEST, OVERFLOW_DROP_OLDEST};
use std::fmt;

/// What a write to a full pipe does. Messages that are dropped or discarded are counted as dropped.
///
/// The text form is that of sysfs.
///
/// ```
/// use kmsgpipe::Overflow;
///
/// assert_eq!(Overflow::DropOldest.to_string(), "drop-oldest");
/// assert_eq!("block".parse(), Ok(Overflow::default()));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// It waits until there is room, or fails if it must not wait.
    #[default]
    Block,
    /// It drops the oldest message to make room, and succeeds.
    DropOldest,
    /// It discards its own message, and succeeds.
    DropNewest,
}

impl Overflow {
    /// All policies, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Block, Self::DropOldest, Self::DropNewest];

    /// Returns the word for the policy.
    pub fn word(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::DropOldest => "drop-oldest",
            Self::DropNewest => "drop-newest",
        }
    }

    /// Returns the number of the policy in the kernel's header.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Block => OVERFLOW_BLOCK,
            Self::DropOldest => OVERFLOW_DROP_OLDEST,
            Self::DropNewest => OVERFLOW_DROP_NEWEST,
        }
    }

    /// Parses the word for a policy. `FromStr` is implemented beside its error type, in `error`.
    pub(crate) fn parse_word(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.word() == text)
    }
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Overflow {
    /// Serializes the text form.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn each_policy_has_a_word_and_a_number() {
        let words = Overflow::ALL.map(|policy| policy.to_string());
        assert_eq!(words, ["block", "drop-oldest", "drop-newest"]);
        assert_eq!(Overflow::ALL.map(Overflow::number), [0, 1, 2]);
        for policy in Overflow::ALL {
            assert_eq!(policy.word().parse(), Ok(policy));
        }
        for text in ["", "drop", "Block", "drop_oldest", "0"] {
            let error = Error::BadOverflow { text: text.into() };
            assert_eq!(text.parse::<Overflow>(), Err(error));
        }
    }
}
