// SPDX-License-Identifier: GPL-2.0

//! Pages: small, so that a short message takes several, and counted.

use kernel::{alloc::AllocError, model};
use std::cell::Cell;

/// Size of a page in bytes: two records.
pub(crate) const SIZE: usize = 64;

thread_local! {
    /// Number of pages in use.
    static LIVE: Cell<usize> = const { Cell::new(0) };
    /// Number of pages that can still be allocated.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Returns the number of pages in use.
pub(crate) fn live() -> usize {
    LIVE.get()
}

/// Starts the next execution: no page is in use, and memory is not short.
pub(crate) fn reset() {
    LIVE.set(0);
    LEFT.set(usize::MAX);
}

/// Leaves memory for `pages` more pages.
pub(crate) fn leave(pages: usize) {
    LEFT.set(pages);
}

/// Allocates one more page.
///
/// # Errors
///
/// [`AllocError`] if no memory is left.
pub(crate) fn allocate() -> Result<(), AllocError> {
    model::assert_unlocked("an allocation");
    LEFT.set(LEFT.get().checked_sub(1).ok_or(AllocError)?);
    LIVE.set(LIVE.get() + 1);
    Ok(())
}

/// Frees a page.
pub(crate) fn free() {
    model::assert_unlocked("freeing memory");
    LIVE.set(LIVE.get().wrapping_sub(1));
    LEFT.set(LEFT.get().saturating_add(1));
}
