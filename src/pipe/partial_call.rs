// SPDX-License-Identifier: GPL-2.0

//! Calls that are partly done when an error ends them.

use kernel::prelude::*;

use crate::kernel_ext::uaccess::call::Call;

/// A call that is partly done: it returns its progress instead of the error that ends it.
pub(super) struct PartlyDone<'a, C>(pub(super) &'a C);

impl<C: Call> Call for PartlyDone<'_, C> {
    fn is_nonblocking(&self) -> bool {
        self.0.is_nonblocking()
    }

    fn is_attempt(&self) -> bool {
        true
    }

    fn is_partly_done(&self) -> bool {
        true
    }
}

/// Returns the result of a call that `err` has ended: the number of bytes that were `done`, or
/// `err` if there are none.
pub(super) fn done_or(done: usize, err: Error) -> Result<usize> {
    if done > 0 {
        Ok(done)
    } else {
        Err(err)
    }
}
