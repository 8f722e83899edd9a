// SPDX-License-Identifier: GPL-2.0

//! Vector of a fixed length.

use super::{AllocError, Flags};
use core::ops::{Deref, DerefMut};

/// Vector of a fixed length.
pub struct KVVec<T>(Vec<T>);

impl<T: Clone> KVVec<T> {
    /// Makes a vector of `n` copies of a value.
    ///
    /// # Errors
    ///
    /// [`AllocError`].
    pub fn from_elem(value: T, n: usize, _flags: Flags) -> Result<Self, AllocError> {
        let mut vec = Vec::new();
        vec.try_reserve_exact(n).map_err(|_| AllocError)?;
        vec.resize(n, value);
        Ok(Self(vec))
    }
}

impl<T> Deref for KVVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for KVVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alloc::flags::GFP_KERNEL;

    #[test]
    fn an_oversized_allocation_is_an_error() {
        assert!(KVVec::from_elem(0u8, usize::MAX, GFP_KERNEL).is_err());
        let vec = KVVec::from_elem(7u8, 3, GFP_KERNEL).map(|v| v.to_vec());
        assert_eq!(vec, Ok(vec![7, 7, 7]));
    }
}
