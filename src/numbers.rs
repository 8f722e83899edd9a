// SPDX-License-Identifier: GPL-2.0

//! Numbers of pipes.
//!
//! The number of a pipe is the minor number of its device. Others may have copies of its node, as
//! container runtimes make them, and a copy outlives the pipe. It leads nowhere until the number is
//! used again, so that this happens as late as can be: numbers go up and wrap around.

use kernel::{
    id_pool::IdPool,
    prelude::*, //
};

/// The numbers from zero on, and which of them are in use.
///
/// # Invariants
///
/// `next` is less than the capacity of `used`, which is not zero.
pub(crate) struct Numbers {
    used: IdPool,
    /// Follows the number that was taken last.
    next: usize,
}

impl Numbers {
    /// Makes `count` numbers, none of them in use; the first one to be taken is zero.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`]: `count` is zero.
    /// - [`ENOMEM`].
    pub(crate) fn new(count: u32) -> Result<Self> {
        if count == 0 {
            return Err(EINVAL);
        }
        // INVARIANT: The capacity is at least `count`, and that is not zero.
        Ok(Self {
            used: IdPool::with_capacity(count as usize, GFP_KERNEL)?,
            next: 0,
        })
    }

    /// Takes the next number that is not in use. It is one that was taken before only if since then
    /// every other number was in use.
    ///
    /// Returns [`None`] if all are in use.
    pub(crate) fn take(&mut self) -> Option<u32> {
        let unused = match self.used.find_unused_id(self.next) {
            Some(unused) => unused,
            None => self.used.find_unused_id(0)?,
        };
        let number = unused.as_u32();
        let next = unused.acquire() + 1;
        // INVARIANT: It is less than the capacity.
        self.next = if next < self.used.capacity() { next } else { 0 };
        Some(number)
    }

    /// Gives a number back that was taken.
    pub(crate) fn give_back(&mut self, number: u32) {
        self.used.release_id(number as usize);
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_numbers)]
mod tests {
    use super::*;

    /// The kernel's pools have no fewer numbers than an integer has bits.
    const COUNT: u32 = 100;

    #[test]
    fn each_is_taken_before_one_is_taken_again() -> Result {
        let mut numbers = Numbers::new(COUNT)?;
        assert_eq!(numbers.take(), Some(0));
        for _ in 0..3 {
            for number in 1..COUNT {
                assert_eq!(numbers.take(), Some(number));
                numbers.give_back(number);
            }
        }
        Ok(())
    }

    #[test]
    fn those_in_use_are_stepped_over() -> Result {
        let mut numbers = Numbers::new(COUNT)?;
        for number in 0..COUNT {
            assert_eq!(numbers.take(), Some(number));
        }
        assert_eq!(numbers.take(), None);
        for number in [COUNT - 1, 7, 64, 6] {
            numbers.give_back(number);
        }
        for number in [6, 7, 64, COUNT - 1] {
            assert_eq!(numbers.take(), Some(number));
        }
        assert_eq!(numbers.take(), None);
        Ok(())
    }

    #[test]
    fn the_only_one_is_taken_again_and_again() -> Result {
        let mut numbers = Numbers::new(COUNT)?;
        while numbers.take().is_some() {}
        for number in [5, 5, COUNT - 1, COUNT - 1, 0] {
            numbers.give_back(number);
            assert_eq!(numbers.take(), Some(number));
            assert_eq!(numbers.take(), None);
        }
        Ok(())
    }

    #[test]
    fn there_is_at_least_one() {
        assert!(Numbers::new(0).is_err());
    }
}
