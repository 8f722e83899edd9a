// SPDX-License-Identifier: GPL-2.0

//! The limits of a pipe.

use kernel::fmt;

use crate::uapi::{
    MAX_MSGS_MAX,
    MAX_MSGS_MIN,
    MSG_SIZE_MAX,
    MSG_SIZE_MIN, //
};

/// The limits of one pipe.
///
/// # Invariants
///
/// `msg_size` and `max_msgs` lie within the bounds of the UAPI header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    msg_size: u32,
    max_msgs: u32,
}

/// The reason why limits were refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `msg_size` is out of bounds.
    MsgSize,
    /// `max_msgs` is out of bounds.
    MaxMsgs,
    /// Both are within bounds, but their product exceeds the `max_bytes` of the administrator.
    Product,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MsgSize => write!(f, "msg_size must be {MSG_SIZE_MIN} to {MSG_SIZE_MAX}"),
            Self::MaxMsgs => write!(f, "max_msgs must be {MAX_MSGS_MIN} to {MAX_MSGS_MAX}"),
            Self::Product => f.write_str("msg_size times max_msgs must not exceed max_bytes"),
        }
    }
}

impl Limits {
    /// Creates limits if `msg_size` in bytes and `max_msgs` are within bounds, and their product
    /// does not exceed `max_bytes`.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] says which check failed.
    pub(crate) fn new(msg_size: u32, max_msgs: u32, max_bytes: u64) -> Result<Self, Refusal> {
        if !(MSG_SIZE_MIN..=MSG_SIZE_MAX).contains(&msg_size) {
            return Err(Refusal::MsgSize);
        }
        if !(MAX_MSGS_MIN..=MAX_MSGS_MAX).contains(&max_msgs) {
            return Err(Refusal::MaxMsgs);
        }

        // INVARIANT: Both were just checked against their bounds.
        let limits = Self { msg_size, max_msgs };
        if limits.bytes() > max_bytes {
            return Err(Refusal::Product);
        }
        Ok(limits)
    }

    /// Returns the length of the longest message, in bytes.
    pub(crate) const fn msg_size(&self) -> u32 {
        self.msg_size
    }

    /// Returns the largest number of messages.
    pub(crate) const fn max_msgs(&self) -> u32 {
        self.max_msgs
    }

    /// Returns the payload of a pipe that is full of messages of maximum length, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        // OVERFLOW: The product of two `u32` fits into a `u64`.
        u64::from(self.msg_size) * u64::from(self.max_msgs)
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_limits)]
mod tests {
    use super::*;

    const ANY: u64 = u64::MAX;

    #[test]
    fn a_limit_out_of_its_bounds_is_refused() {
        for (msg_size, max_msgs, expected) in [
            (0, 1, Some(Refusal::MsgSize)),
            (1, 1, None),
            (MSG_SIZE_MAX, 1, None),
            (MSG_SIZE_MAX + 1, 1, Some(Refusal::MsgSize)),
            (1 << 31, 1, Some(Refusal::MsgSize)),
            (u32::MAX, 1, Some(Refusal::MsgSize)),
            (1, 0, Some(Refusal::MaxMsgs)),
            (1, MAX_MSGS_MAX, None),
            (1, MAX_MSGS_MAX + 1, Some(Refusal::MaxMsgs)),
            (1, 1 << 31, Some(Refusal::MaxMsgs)),
            (1, u32::MAX, Some(Refusal::MaxMsgs)),
            (0, 0, Some(Refusal::MsgSize)),
        ] {
            assert_eq!(Limits::new(msg_size, max_msgs, ANY).err(), expected);
        }
    }

    #[test]
    fn a_product_above_max_bytes_is_refused() {
        assert_eq!(Limits::new(256, 128, 32767).err(), Some(Refusal::Product));
        assert_eq!(Limits::new(256, 128, 32768).map(|l| l.bytes()), Ok(32768));
        let largest = Limits::new(MSG_SIZE_MAX, MAX_MSGS_MAX, ANY).map(|l| l.bytes());
        assert_eq!(largest, Ok(1 << 36));
        assert_eq!(Limits::new(1, 1, 0).err(), Some(Refusal::Product));
    }
}
