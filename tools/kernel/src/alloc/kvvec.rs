// SPDX-License-Identifier: GPL-2.0

//! Vector that never grows beyond its first allocation.

use super::{AllocError, Flags};
use core::ops::{Deref, DerefMut};

/// Vector that never grows beyond its first allocation.
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

impl<T> KVVec<T> {
    /// Makes an empty vector with room for `capacity` values.
    ///
    /// # Errors
    ///
    /// [`AllocError`].
    pub fn with_capacity(capacity: usize, _flags: Flags) -> Result<Self, AllocError> {
        let mut vec = Vec::new();
        vec.try_reserve_exact(capacity).map_err(|_| AllocError)?;
        Ok(Self(vec))
    }

    /// Appends a value, if there is room.
    ///
    /// # Errors
    ///
    /// The value, for which there is no room.
    pub fn push_within_capacity(&mut self, value: T) -> Result<(), T> {
        if self.0.len() == self.0.capacity() {
            return Err(value);
        }
        self.0.push(value);
        Ok(())
    }

    /// Removes the last value.
    pub fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    /// Removes all values.
    pub fn clear(&mut self) {
        self.0.clear();
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
        assert!(KVVec::<u8>::with_capacity(usize::MAX, GFP_KERNEL).is_err());
        let vec = KVVec::from_elem(7u8, 3, GFP_KERNEL).map(|v| v.to_vec());
        assert_eq!(vec, Ok(vec![7, 7, 7]));
    }

    #[test]
    fn a_vector_does_not_grow_beyond_its_capacity() {
        let Ok(mut vec) = KVVec::with_capacity(2, GFP_KERNEL) else {
            panic!("no memory");
        };
        assert_eq!(
            [1, 2, 3].map(|value| vec.push_within_capacity(value)),
            [Ok(()), Ok(()), Err(3)]
        );
        assert_eq!((vec.pop(), vec.to_vec()), (Some(2), vec![1]));
        vec.clear();
        assert_eq!((vec.pop(), vec.to_vec()), (None, vec![]));
    }
}
