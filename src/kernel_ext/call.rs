// SPDX-License-Identifier: GPL-2.0

//! How a write is made, whichever system call it comes from.

/// What is to be known of a call beside its memory.
pub(crate) trait Call {
    /// Whether the call must fail with `EAGAIN` instead of waiting.
    fn is_nonblocking(&self) -> bool;

    /// Whether no program sees such a failure: io_uring tries without waiting, polls, and tries
    /// again. True of its calls with `RWF_NOWAIT`, too, which cannot be told from these.
    fn is_attempt(&self) -> bool;

    /// Whether part of the call has succeeded, so that no program sees why it ends.
    fn is_partly_done(&self) -> bool {
        false
    }
}
