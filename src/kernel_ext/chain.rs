// SPDX-License-Identifier: GPL-2.0

//! A singly linked chain of boxes.
//!
//! Joining, leaving and taking the whole chain move no element and allocate and free nothing, so
//! all of it may happen under a lock.

use core::{
    marker::PhantomData,
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    alloc::{
        AllocError,
        Flags, //
    },
    prelude::*, //
};

/// A value that can be in a [`Chain`].
pub(crate) struct Node<T> {
    /// The node behind this one; without meaning while the node is in no chain.
    next: *mut Node<T>,
    value: T,
}

impl<T> Node<T> {
    /// Allocates a node.
    pub(crate) fn new(value: T, flags: Flags) -> Result<KBox<Self>, AllocError> {
        KBox::new(
            Self {
                next: ptr::null_mut(),
                value,
            },
            flags,
        )
    }
}

impl<T> Deref for Node<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Node<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

// SAFETY: `next` is meaningful to the chain alone that owns the node; a node that somebody else can
// move is in no chain.
unsafe impl<T: Send> Send for Node<T> {}

// SAFETY: A shared reference to a node gives access to a shared reference to its value only.
unsafe impl<T: Sync> Sync for Node<T> {}

/// The first and the last node of a chain.
type Ends<T> = (NonNull<Node<T>>, NonNull<Node<T>>);

/// A chain of boxes that can be joined at both ends and left at the front.
///
/// # Invariants
///
/// - `ends` is [`None`] if and only if the chain is empty. Otherwise its first pointer is the first
///   node, and its second the last one.
/// - Each node of the chain comes from [`KBox::into_raw`] and is owned by the chain.
/// - `next` of each node points to the node behind it, and is null in the last one.
pub(crate) struct Chain<T> {
    ends: Option<Ends<T>>,
    _owns: PhantomData<KBox<Node<T>>>,
}

// SAFETY: A chain owns its nodes as a vector of boxes would, and hands out nothing else.
unsafe impl<T: Send> Send for Chain<T> {}

// SAFETY: A shared reference to a chain gives access to shared references to its values only.
unsafe impl<T: Sync> Sync for Chain<T> {}

impl<T> Chain<T> {
    /// Makes an empty chain.
    pub(crate) const fn new() -> Self {
        // INVARIANT: The chain is empty, `ends` is `None`, and there is no node.
        Self {
            ends: None,
            _owns: PhantomData,
        }
    }

    /// Returns whether there is nothing in the chain.
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_none()
    }

    /// Returns the first value.
    pub(crate) fn front(&self) -> Option<&T> {
        let (first, _) = self.ends?;
        // SAFETY: By the invariants, `first` is a node that this chain owns; it stays so for the
        // lifetime of the shared borrow of the chain.
        Some(unsafe { &(*first.as_ptr()).value })
    }

    /// Adds a node at the end.
    pub(crate) fn push_back(&mut self, mut node: KBox<Node<T>>) {
        node.next = ptr::null_mut();
        // SAFETY: `into_raw` never returns null.
        let node = unsafe { NonNull::new_unchecked(KBox::into_raw(node)) };

        // INVARIANT: `node` comes from `into_raw`, is owned by the chain from here on, and is its
        // last node: `next` of the former last one points to it and its own is null.
        self.ends = match self.ends {
            None => Some((node, node)),
            Some((first, last)) => {
                // SAFETY: By the invariants, `last` is a node that this chain owns, and the
                // mutable borrow of the chain makes this access exclusive.
                unsafe { (*last.as_ptr()).next = node.as_ptr() };
                Some((first, node))
            }
        };
    }

    /// Adds a node at the front.
    pub(crate) fn push_front(&mut self, mut node: KBox<Node<T>>) {
        node.next = self
            .ends
            .map_or(ptr::null_mut(), |(first, _)| first.as_ptr());
        // SAFETY: `into_raw` never returns null.
        let node = unsafe { NonNull::new_unchecked(KBox::into_raw(node)) };
        // INVARIANT: `node` comes from `into_raw`, is owned by the chain from here on, and is its
        // first node: its `next` is the former first one, or null if there was none.
        self.ends = Some((node, self.ends.map_or(node, |(_, last)| last)));
    }

    /// Takes the first node out.
    pub(crate) fn pop_front(&mut self) -> Option<KBox<Node<T>>> {
        let (first, last) = self.ends?;
        // SAFETY: By the invariants, `first` comes from `KBox::into_raw` and is owned by the chain.
        // It leaves the chain below, so that it is turned back into a box once only.
        let node = unsafe { KBox::from_raw(first.as_ptr()) };
        // INVARIANT: The node behind `first` becomes the first one; if there is none, then the chain
        // is empty.
        self.ends = NonNull::new(node.next).map(|second| (second, last));
        Some(node)
    }

    /// Takes everything out, in one step.
    pub(crate) fn take(&mut self) -> Self {
        core::mem::replace(self, Self::new())
    }
}

impl<T> Drop for Chain<T> {
    fn drop(&mut self) {
        while self.pop_front().is_some() {}
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_chain)]
mod tests {
    use super::*;

    fn chain(values: &[u32]) -> Result<Chain<u32>> {
        let mut chain = Chain::new();
        for value in values {
            chain.push_back(Node::new(*value, GFP_KERNEL)?);
        }
        Ok(chain)
    }

    fn check(mut chain: Chain<u32>, expected: &[u32]) {
        for value in expected {
            assert_eq!(chain.front(), Some(value));
            assert_eq!(chain.pop_front().map(|node| **node), Some(*value));
        }
        assert!(chain.is_empty());
        assert!(chain.front().is_none());
        assert!(chain.pop_front().is_none());
    }

    #[test]
    fn joins_at_both_ends() -> Result {
        let mut numbers = chain(&[2, 3])?;
        numbers.push_front(Node::new(1, GFP_KERNEL)?);
        numbers.push_back(Node::new(4, GFP_KERNEL)?);
        check(numbers, &[1, 2, 3, 4]);

        let mut single = Chain::new();
        single.push_front(Node::new(7, GFP_KERNEL)?);
        single.push_back(Node::new(8, GFP_KERNEL)?);
        check(single, &[7, 8]);
        Ok(())
    }

    #[test]
    fn refills_after_it_was_emptied() -> Result {
        let mut numbers = chain(&[1])?;
        assert_eq!(numbers.pop_front().map(|node| **node), Some(1));
        numbers.push_back(Node::new(2, GFP_KERNEL)?);
        numbers.push_back(Node::new(3, GFP_KERNEL)?);
        check(numbers, &[2, 3]);
        Ok(())
    }

    #[test]
    fn takes_everything() -> Result {
        let mut numbers = chain(&[1, 2])?;
        let taken = numbers.take();
        assert!(numbers.is_empty());
        numbers.push_back(Node::new(3, GFP_KERNEL)?);
        check(taken, &[1, 2]);
        check(numbers, &[3]);
        Ok(())
    }
}
