// SPDX-License-Identifier: GPL-2.0

//! Chain whose elements can also be found by their numbers, if it has an index.
//!
//! Elements are numbered in the order in which they were added. The index is allocated by the
//! caller, and may cover only the first elements: [`IndexedChain::index_more`] extends it in
//! bounded steps.

use core::ops::Deref;
use kernel::{
    alloc::{
        AllocError,
        KBox,
        KVVec, //
    },
    prelude::*, //
};

use super::chain::{
    Chain,
    Iter,
    IterMut,
    Linked, //
};

/// Memory for the index of a chain.
///
/// # Invariants
///
/// - The number of slots is a power of two.
/// - While the index belongs to an [`IndexedChain`], the first `len` elements of the chain, at most
///   one a slot, are in the slots of their numbers. The slot of a number is the number modulo the
///   number of slots.
pub(crate) struct Index<P: Linked> {
    slots: KVVec<Option<P::Raw>>,
    len: usize,
}

// SAFETY: The elements in `slots` are owned by a chain. An index only refers to them, and they are
// only accessed through the chain that has the index, which may move to another thread if `P` may.
unsafe impl<P: Linked + Send> Send for Index<P> {}

// SAFETY: A shared reference to an index gives no access to elements.
unsafe impl<P: Linked> Sync for Index<P> {}

impl<P: Linked> Index<P> {
    /// Allocates an index for at least `capacity` elements.
    ///
    /// # Errors
    ///
    /// [`AllocError`].
    pub(crate) fn new(capacity: usize) -> Result<KBox<Self>, AllocError> {
        let count = capacity.checked_next_power_of_two().ok_or(AllocError)?;
        // INVARIANT: The number of slots is a power of two. The index belongs to no chain yet.
        KBox::new(
            Self {
                slots: KVVec::from_elem(None, count, GFP_KERNEL_ACCOUNT)?,
                len: 0,
            },
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Returns the position of the slot of this number.
    #[inline]
    fn slot_of(&self, number: u64) -> usize {
        number as usize & self.slots.len().wrapping_sub(1)
    }

    /// Returns the element with this number, of a chain whose first element has the number `first`,
    /// if the index covers it.
    #[inline]
    fn get(&self, first: u64, number: u64) -> Option<P::Raw> {
        if number.wrapping_sub(first) >= self.len as u64 {
            return None;
        }
        *self.slots.get(self.slot_of(number))?
    }

    /// Adds the element behind those that the index covers, if there is a slot for it. The first
    /// element of the chain has the number `first`.
    fn add(&mut self, first: u64, raw: P::Raw) {
        if self.len >= self.slots.len() {
            return;
        }
        let slot = self.slot_of(first.wrapping_add(self.len as u64));
        if let Some(slot) = self.slots.get_mut(slot) {
            // INVARIANT: The caller passes the element behind the last one that is covered.
            *slot = Some(raw);
            self.len += 1;
        }
    }

    /// Removes the first `count` elements, which leave the chain.
    fn remove_front(&mut self, count: usize) {
        // INVARIANT: The element behind them becomes the first one.
        self.len = self.len.saturating_sub(count);
    }
}

/// Chain with an optional index.
///
/// # Invariants
///
/// The index, if there is one, fulfils the invariants of [`Index`] for `chain`. The first element
/// has the number `first`, and each other one the number behind that of the one before it.
pub(crate) struct IndexedChain<P: Linked> {
    chain: Chain<P>,
    first: u64,
    index: Option<KBox<Index<P>>>,
}

impl<P: Linked> IndexedChain<P> {
    /// Makes an empty chain without an index.
    pub(crate) const fn new() -> Self {
        Self {
            chain: Chain::new(),
            first: 0,
            index: None,
        }
    }

    /// Gives the chain another index, or none, and returns the one it had. The new index covers no
    /// element yet.
    pub(crate) fn replace_index(
        &mut self,
        mut index: Option<KBox<Index<P>>>,
    ) -> Option<KBox<Index<P>>> {
        if let Some(new) = &mut index {
            // INVARIANT: The index covers no element.
            new.len = 0;
        }
        core::mem::replace(&mut self.index, index)
    }

    /// Returns whether the chain has an index.
    pub(crate) fn is_indexed(&self) -> bool {
        self.index.is_some()
    }

    /// Extends the index by at most `limit` elements. Returns whether it covers all of them.
    pub(crate) fn index_more(&mut self, limit: usize) -> bool {
        let Some(index) = &mut self.index else {
            return true;
        };
        for _ in 0..limit {
            if index.len >= self.chain.len() {
                break;
            }
            let next = match index.len.checked_sub(1) {
                None => self.chain.first_raw(),
                Some(last) => {
                    let raw = index.get(self.first, self.first.wrapping_add(last as u64));
                    raw.and_then(|raw| {
                        // SAFETY: By the type invariants the chain owns the last element that the
                        // index covers, and its link was set when it was added.
                        unsafe { P::next(raw) }
                    })
                }
            };
            let Some(next) = next else {
                break;
            };
            index.add(self.first, next);
        }
        index.len >= self.chain.len() || index.len >= index.slots.len()
    }

    /// Returns the number of the first element, or of the next one to be added if there is none.
    #[inline]
    pub(crate) fn first_number(&self) -> u64 {
        self.first
    }

    /// Returns the value of the element with this number, if it is in the chain and the index
    /// covers it.
    #[inline]
    pub(crate) fn get(&self, number: u64) -> Option<&P::Value> {
        let raw = self.index.as_ref()?.get(self.first, number)?;
        // SAFETY: By the type invariants the chain owns `raw`, and keeps it for the lifetime of the
        // shared borrow of the chain.
        Some(unsafe { &*P::value(raw) })
    }

    /// Returns the value of the element behind the `ahead` first ones, if the index covers it.
    #[inline(always)]
    pub(crate) fn nth(&self, ahead: u64) -> Option<&P::Value> {
        if ahead == 0 {
            return self.chain.front();
        }
        let index = self.index.as_ref()?;
        let raw = index.get(self.first, self.first.wrapping_add(ahead))?;
        // SAFETY: By the type invariants the chain owns `raw`, and keeps it for the lifetime of the
        // shared borrow of the chain.
        Some(unsafe { &*P::value(raw) })
    }

    /// Iterates over the values behind that of the element with this number, which the index must
    /// cover. Otherwise there are none.
    #[inline]
    pub(crate) fn iter_behind(&self, number: u64) -> Iter<'_, P> {
        let raw = self
            .index
            .as_ref()
            .and_then(|index| index.get(self.first, number));
        // SAFETY: By the type invariants the chain owns `raw`, and its link was set when it was
        // added. The chain is borrowed for the lifetime of the result.
        unsafe { Iter::behind(raw) }
    }

    /// Iterates over all values, from the first to the last.
    pub(crate) fn iter(&self) -> Iter<'_, P> {
        self.chain.iter()
    }

    /// Iterates over all values for modification, from the first to the last.
    pub(crate) fn iter_mut(&mut self) -> IterMut<'_, P> {
        self.chain.iter_mut()
    }

    /// Returns the first value for modification.
    #[inline]
    pub(crate) fn back_mut(&mut self) -> Option<&mut P::Value> {
        self.chain.back_mut()
    }

    /// Adds an element at the end.
    #[inline]
    pub(crate) fn push_back(&mut self, element: P) {
        let is_covered = self.is_covered();
        self.chain.push_back(element);
        if is_covered {
            self.index_more(1);
        }
    }

    /// Moves all elements of `other` to the end of this chain.
    #[inline]
    pub(crate) fn append(&mut self, other: &mut Chain<P>) {
        let is_covered = self.is_covered();
        let added = other.len();
        self.chain.append(other);
        if is_covered {
            self.index_more(added);
        }
    }

    /// Returns whether there is an index that covers all elements.
    #[inline]
    fn is_covered(&self) -> bool {
        let index = self.index.as_ref();
        index.is_some_and(|index| index.len == self.chain.len())
    }

    /// Removes the first element. If it carried the mark, the mark moves to the next one, if any.
    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<P> {
        let element = self.chain.pop_front()?;
        // INVARIANT: The next element becomes the first one.
        self.first = self.first.wrapping_add(1);
        if let Some(index) = &mut self.index {
            index.remove_front(1);
        }
        Some(element)
    }

    /// Removes all elements but the first in constant time, and returns them as a chain.
    pub(crate) fn take_rest(&mut self) -> Chain<P> {
        let rest = self.chain.take_rest();
        if let Some(index) = &mut self.index {
            // INVARIANT: At most the first element is left.
            index.len = index.len.min(self.chain.len());
        }
        rest
    }

    /// Removes all elements in constant time, and returns them as a chain, together with the mark.
    pub(crate) fn take(&mut self) -> Chain<P> {
        let count = self.chain.len();
        // INVARIANT: The next element to be added becomes the first one.
        self.first = self.first.wrapping_add(count as u64);
        if let Some(index) = &mut self.index {
            index.remove_front(count);
        }
        self.chain.take()
    }

    /// Sets the mark on the first element, if there is one.
    pub(crate) fn mark_front(&mut self) {
        self.chain.mark_front();
    }

    /// Moves the mark to the next element. A mark on the last element is lost.
    pub(crate) fn advance_mark(&mut self) {
        self.chain.advance_mark();
    }
}

/// A chain can be read like one without an index.
impl<P: Linked> Deref for IndexedChain<P> {
    type Target = Chain<P>;

    #[inline]
    fn deref(&self) -> &Chain<P> {
        &self.chain
    }
}
