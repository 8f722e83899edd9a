// SPDX-License-Identifier: GPL-2.0

//! Numbers that are in use or not.

use crate::alloc::{AllocError, Flags};

/// A fixed number of numbers.
pub struct IdPool(Vec<bool>);

impl IdPool {
    /// Makes a pool of `num_ids` numbers, none of them in use.
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

    /// How many numbers there are.
    pub fn capacity(&self) -> usize {
        self.0.len()
    }

    /// Finds the first number from `offset` on that is not in use. As in the kernel with its checks on,
    /// there must be one with the number `offset`.
    pub fn find_unused_id(&mut self, offset: usize) -> Option<UnusedId<'_>> {
        let unused = self.0[offset..].iter().position(|used| !used)?;
        Some(UnusedId {
            id: offset + unused,
            pool: self,
        })
    }

    /// Makes a number one that is not in use.
    pub fn release_id(&mut self, id: usize) {
        self.0[id] = false;
    }
}

/// A number that is not in use.
pub struct UnusedId<'pool> {
    id: usize,
    pool: &'pool mut IdPool,
}

impl UnusedId<'_> {
    /// The number.
    pub fn as_u32(&self) -> u32 {
        self.id as u32
    }

    /// Takes it into use.
    pub fn acquire(self) -> usize {
        self.pool.0[self.id] = true;
        self.id
    }
}
