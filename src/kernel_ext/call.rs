// SPDX-License-Identifier: GPL-2.0

//! How a write is made, whichever system call it comes from.

use super::cred::Opener;

/// What is to be known of a call beside its memory.
pub(crate) trait Call {
    /// The credentials with which the file was opened.
    fn opener(&self) -> Opener<'_>;

    /// Whether the call must fail with `EAGAIN` instead of waiting.
    fn is_nonblocking(&self) -> bool;
}
