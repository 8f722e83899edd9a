// SPDX-License-Identifier: GPL-2.0

//! Allocation of numbers.

use crate::alloc::{AllocError, Flags};

/// A range of numbers from zero, each of them in use or free.
pub struct IdPool(Vec<bool>);

impl IdPool {
    /// Makes a pool of `num_ids` free numbers.
    ///
    /// # Errors
    ///
    /// [`AllocError`].
    pub fn with_capacity(num_ids: usize, _flags: Flags) -> Result<Self, AllocError> {
        let mut ids = Vec::new();
        ids.try_reserve_exact(num_ids).map_err(|_| AllocError)?;
        ids.resize(num_ids, false);
        Ok(Self(ids))
    }

    /// Returns the size of the range.
    pub fn capacity(&self) -> usize {
        self.0.len()
    }

    /// Returns the first free number from `offset` on.
    ///
    /// # Panics
    ///
    /// Panics if `offset` is not in the range, like the kernel with its checks enabled.
    pub fn find_unused_id(&mut self, offset: usize) -> Option<UnusedId<'_>> {
        assert!(offset < self.capacity(), "no such number");
        let unused = self.0[offset..].iter().position(|used| !used)?;
        Some(UnusedId {
            id: offset + unused,
            pool: self,
        })
    }

    /// Frees a number.
    pub fn release_id(&mut self, id: usize) {
        self.0[id] = false;
    }
}

/// A free number.
pub struct UnusedId<'pool> {
    id: usize,
    pool: &'pool mut IdPool,
}

impl UnusedId<'_> {
    /// Returns the number.
    pub fn as_u32(&self) -> u32 {
        self.id as u32
    }

    /// Takes the number, which is then in use.
    pub fn acquire(self) -> usize {
        self.pool.0[self.id] = true;
        self.id
    }
}
