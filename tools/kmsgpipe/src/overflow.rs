// SPDX-License-Identifier: MIT OR Apache-2.0

//! Overflow policies of pipes.

use crate::choice::choice;
use kmsgpipe_sys::{OVERFLOW_BLOCK, OVERFLOW_DROP_NEWEST, OVERFLOW_DROP_OLDEST};

choice! {
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
    pub enum Overflow {
        /// It waits until there is room, or fails if it must not wait.
        #[default]
        Block = OVERFLOW_BLOCK => "block",
        /// It drops the oldest message to make room, and succeeds.
        DropOldest = OVERFLOW_DROP_OLDEST => "drop-oldest",
        /// It discards its own message, and succeeds.
        DropNewest = OVERFLOW_DROP_NEWEST => "drop-newest",
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
