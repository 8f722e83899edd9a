// SPDX-License-Identifier: GPL-2.0

//! The allocator of pipe numbers.
//!
//! The number of a pipe is the minor number of its device. A copy of its node, such as container
//! runtimes make, outlives the pipe, and leads to the next pipe with the same number. To put that
//! off, numbers are allocated cyclically.

use kernel::{
    id_pool::IdPool,
    prelude::*, //
};

/// Allocates numbers from zero on.
///
/// # Invariants
///
/// `next` is less than the capacity of `used`, which is not zero.
pub(crate) struct Numbers {
    used: IdPool,
    /// The number after the one that was taken last.
    next: usize,
}

impl Numbers {
    /// Creates an allocator of at least `count` numbers, none of which is in use. It starts at
    /// zero.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`]: `count` is zero.
    /// - [`ENOMEM`].
    pub(crate) fn new(count: u32) -> Result<Self> {
        if count == 0 {
            return Err(EINVAL);
        }
        // INVARIANT: `next` is zero. The capacity is at least `count`, which is not zero.
        Ok(Self {
            used: IdPool::with_capacity(count as usize, GFP_KERNEL)?,
            next: 0,
        })
    }

    /// Takes the next number that is not in use. A number is reused only after every other
    /// number has been in use since.
    ///
    /// Returns [`None`] if all are in use.
    pub(crate) fn take(&mut self) -> Option<u32> {
        let unused = match self.used.find_unused_id(self.next) {
            Some(unused) => unused,
            None => self.used.find_unused_id(0)?,
        };
        let number = unused.as_u32();
        let next = unused.acquire() + 1;
        // INVARIANT: `next` is less than the capacity: either it was just checked, or it is zero.
        self.next = if next < self.used.capacity() { next } else { 0 };
        Some(number)
    }

    /// Frees a number that was taken.
    pub(crate) fn release(&mut self, number: u32) {
        self.used.release_id(number as usize);
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_numbers)]
mod tests {
    use super::*;

    /// The number of numbers. An `IdPool` cannot have fewer numbers than a `usize` has bits.
    const COUNT: u32 = 100;

    #[test]
    fn a_number_is_reused_after_all_others() -> Result {
        let mut numbers = Numbers::new(COUNT)?;
        assert_eq!(numbers.take(), Some(0));
        for _ in 0..3 {
            for number in 1..COUNT {
                assert_eq!(numbers.take(), Some(number));
                numbers.release(number);
            }
        }
        Ok(())
    }

    #[test]
    fn take_skips_numbers_in_use() -> Result {
        let mut numbers = Numbers::new(COUNT)?;
        for number in 0..COUNT {
            assert_eq!(numbers.take(), Some(number));
        }
        assert_eq!(numbers.take(), None);
        for number in [COUNT - 1, 7, 64, 6] {
            numbers.release(number);
        }
        for number in [6, 7, 64, COUNT - 1] {
            assert_eq!(numbers.take(), Some(number));
        }
        assert_eq!(numbers.take(), None);
        Ok(())
    }

    #[test]
    fn take_returns_the_only_free_number() -> Result {
        let mut numbers = Numbers::new(COUNT)?;
        while numbers.take().is_some() {}
        for number in [5, 5, COUNT - 1, COUNT - 1, 0] {
            numbers.release(number);
            assert_eq!(numbers.take(), Some(number));
            assert_eq!(numbers.take(), None);
        }
        Ok(())
    }

    #[test]
    fn an_allocator_of_no_numbers_is_refused() {
        assert!(Numbers::new(0).is_err());
    }
}
