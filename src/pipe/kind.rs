// SPDX-License-Identifier: GPL-2.0

//! Kind of a pipe: who gets a message.

use crate::uapi::{
    KIND_BROADCAST,
    KIND_QUEUE,
    PRIORITIES_MAX, //
};

/// Kind of a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Each message goes to one reader.
    Queue,
    /// Each message goes to every subscription.
    Broadcast {
        /// Number of the newest messages that stay for subscriptions still to come.
        history: u32,
    },
}

/// Words for the kinds, with their numbers in the UAPI header.
const WORDS: [(&str, u32); 2] = [("queue", KIND_QUEUE), ("broadcast", KIND_BROADCAST)];

impl Kind {
    /// Returns the kind with this number in the UAPI header and this `history`, for a pipe of at
    /// most `max_msgs` messages. Returns [`None`] if there is no such kind, or if the history does
    /// not fit: a queue has none, and a pipe keeps at most `max_msgs` messages.
    pub(crate) fn from_number(number: u32, history: u32, max_msgs: u32) -> Option<Self> {
        match number {
            KIND_QUEUE if history == 0 => Some(Self::Queue),
            KIND_BROADCAST if history <= max_msgs => Some(Self::Broadcast { history }),
            _ => None,
        }
    }

    /// Returns the number of priorities of a pipe of this kind that is asked to have `number`, for
    /// which zero stands for one. Returns [`None`] if there are no such pipes: a broadcast pipe has
    /// one priority.
    pub(crate) fn priorities(self, number: u32) -> Option<u32> {
        match (self, number) {
            (_, 0 | 1) => Some(1),
            (Self::Queue, 2..=PRIORITIES_MAX) => Some(number),
            _ => None,
        }
    }

    /// Returns the number in the UAPI header of the kind with this word, or [`None`] if there is
    /// none.
    pub(crate) fn parse(text: &[u8]) -> Option<u32> {
        let kind = WORDS.iter().find(|(word, _)| word.as_bytes() == text)?;
        Some(kind.1)
    }

    /// Returns the word for the kind.
    pub(crate) fn as_str(self) -> &'static str {
        let number = match self {
            Self::Queue => KIND_QUEUE,
            Self::Broadcast { .. } => KIND_BROADCAST,
        };
        let kind = WORDS.iter().find(|(_, own)| *own == number);
        kind.map_or("", |(word, _)| word)
    }

    /// Returns the number of the newest messages that stay for subscriptions still to come.
    pub(crate) fn history(self) -> u32 {
        match self {
            Self::Queue => 0,
            Self::Broadcast { history } => history,
        }
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_kind)]
mod tests {
    use super::*;

    #[test]
    fn a_history_fits_the_pipe() {
        let broadcast = |history| Some(Kind::Broadcast { history });
        for (number, history, expected) in [
            (KIND_QUEUE, 0, Some(Kind::Queue)),
            (KIND_QUEUE, 1, None),
            (KIND_BROADCAST, 0, broadcast(0)),
            (KIND_BROADCAST, 4, broadcast(4)),
            (KIND_BROADCAST, 5, None),
            (KIND_BROADCAST, u32::MAX, None),
            (2, 0, None),
            (u32::MAX, 0, None),
        ] {
            assert_eq!(Kind::from_number(number, history, 4), expected);
        }
    }

    #[test]
    fn a_queue_has_up_to_32_priorities() {
        let broadcast = Kind::Broadcast { history: 0 };
        for (number, of_queue, of_broadcast) in [
            (0, Some(1), Some(1)),
            (1, Some(1), Some(1)),
            (2, Some(2), None),
            (32, Some(32), None),
            (33, None, None),
            (u32::MAX, None, None),
        ] {
            assert_eq!(Kind::Queue.priorities(number), of_queue);
            assert_eq!(broadcast.priorities(number), of_broadcast);
        }
    }

    #[test]
    fn each_kind_has_a_word() {
        for (word, number, kind) in [
            ("queue", 0, Kind::Queue),
            ("broadcast", 1, Kind::Broadcast { history: 3 }),
        ] {
            assert_eq!(Kind::parse(word.as_bytes()), Some(number));
            assert_eq!(Kind::from_number(number, kind.history(), 3), Some(kind));
            assert_eq!(kind.as_str(), word);
        }
        for word in ["", "Queue", "queue ", "broad", "0"] {
            assert_eq!(Kind::parse(word.as_bytes()), None);
        }
    }
}
