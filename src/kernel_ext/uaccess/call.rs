// SPDX-License-Identifier: GPL-2.0

//! Properties of a read or write call, independent of the system call that it comes from.

/// A call, apart from its memory.
///
/// # Examples
///
/// ```ignore
/// use crate::kernel_ext::uaccess::call::Call;
///
/// /// Takes a letter, and waits for one if the call allows it.
/// fn take(mailbox: &Mailbox, call: &impl Call) -> Result<Letter> {
///     loop {
///         if let Some(letter) = mailbox.try_take() {
///             return Ok(letter);
///         }
///         if call.is_nonblocking() {
///             if !call.is_attempt() {
///                 mailbox.count_refusal();
///             }
///             return Err(EAGAIN);
///         }
///         mailbox.wait()?;
///     }
/// }
/// ```
pub(crate) trait Call {
    /// Returns whether the call must fail with `EAGAIN` instead of waiting.
    fn is_nonblocking(&self) -> bool;

    /// Returns whether no program sees an `EAGAIN` of this call: io_uring tries without waiting,
    /// polls, and tries again. Also true for io_uring calls with `RWF_NOWAIT`, which look the same.
    fn is_attempt(&self) -> bool;

    /// Returns whether part of the call has succeeded. No program sees an error after that.
    fn is_partly_done(&self) -> bool {
        false
    }
}
