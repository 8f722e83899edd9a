// SPDX-License-Identifier: MIT OR Apache-2.0

//! Kinds of pipes.

use crate::choice::choice;
use kmsgpipe_sys::{KIND_BROADCAST, KIND_QUEUE};

choice! {
    /// Which readers get a message.
    ///
    /// The text form is that of sysfs.
    ///
    /// ```
    /// use kmsgpipe::Kind;
    ///
    /// assert_eq!(Kind::Broadcast.to_string(), "broadcast");
    /// assert_eq!("queue".parse(), Ok(Kind::default()));
    /// ```
    pub enum Kind {
        /// One of all readers.
        #[default]
        Queue = KIND_QUEUE => "queue",
        /// Each subscription: each open file that may read has one.
        Broadcast = KIND_BROADCAST => "broadcast",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn each_kind_has_a_word_and_a_number() {
        assert_eq!(
            Kind::ALL.map(|kind| kind.to_string()),
            ["queue", "broadcast"]
        );
        assert_eq!(Kind::ALL.map(Kind::number), [0, 1]);
        for kind in Kind::ALL {
            assert_eq!(kind.word().parse(), Ok(kind));
        }
        for text in ["", "Queue", "log", "1"] {
            let error = Error::BadKind { text: text.into() };
            assert_eq!(text.parse::<Kind>(), Err(error));
        }
    }
}
