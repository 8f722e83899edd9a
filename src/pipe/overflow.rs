// SPDX-License-Identifier: GPL-2.0

//! Overflow policy of a pipe: what happens to a message for which there is no slot.

use crate::uapi::{
    OVERFLOW_BLOCK,
    OVERFLOW_DROP_NEWEST,
    OVERFLOW_DROP_OLDEST, //
};

/// What a write to a full pipe does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// It waits for a slot, or fails with `EAGAIN`.
    Block,
    /// It drops the oldest message to make room.
    DropOldest,
    /// It discards its own message, and succeeds.
    DropNewest,
}

/// The policies, with their words and their numbers in the UAPI header.
const POLICIES: [(Overflow, &str, u32); 3] = [
    (Overflow::Block, "block", OVERFLOW_BLOCK),
    (Overflow::DropOldest, "drop-oldest", OVERFLOW_DROP_OLDEST),
    (Overflow::DropNewest, "drop-newest", OVERFLOW_DROP_NEWEST),
];

impl Overflow {
    /// Returns the policy with this number in the UAPI header, or [`None`] if there is none.
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        let policy = POLICIES.iter().find(|(_, _, own)| *own == number)?;
        Some(policy.0)
    }

    /// Returns the policy with this word, or [`None`] if there is none.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let policy = POLICIES
            .iter()
            .find(|(_, word, _)| word.as_bytes() == text)?;
        Some(policy.0)
    }

    /// Returns the word for the policy.
    pub(crate) fn as_str(self) -> &'static str {
        let policy = POLICIES.iter().find(|(policy, _, _)| *policy == self);
        policy.map_or("", |(_, word, _)| word)
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_overflow)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_has_a_word_and_a_number() {
        for (number, word, policy) in [
            (0, "block", Overflow::Block),
            (1, "drop-oldest", Overflow::DropOldest),
            (2, "drop-newest", Overflow::DropNewest),
        ] {
            assert_eq!(Overflow::from_number(number), Some(policy));
            assert_eq!(Overflow::parse(word.as_bytes()), Some(policy));
            assert_eq!(policy.as_str(), word);
        }
    }

    #[test]
    fn other_numbers_and_words_are_rejected() {
        for number in [3, 4, 1 << 31, u32::MAX] {
            assert_eq!(Overflow::from_number(number), None);
        }
        for word in ["", "drop", "drop_oldest", "Block", "block ", "0", "none"] {
            assert_eq!(Overflow::parse(word.as_bytes()), None);
        }
    }
}
