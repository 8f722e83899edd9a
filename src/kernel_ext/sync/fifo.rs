// SPDX-License-Identifier: GPL-2.0

//! Intrusive FIFO whose entries can be removed from any position.
//!
//! The caller provides the memory of each [`Link`], for example on its stack.
//!
//! # Examples
//!
//! ```ignore
//! use crate::kernel_ext::sync::fifo::{
//!     Fifo,
//!     Link, //
//! };
//!
//! let mut fifo = Fifo::new();
//! let mut first = Link::new(1);
//! let mut second = Link::new(2);
//! // SAFETY: Both links are valid and in no FIFO. They stay where they are until they are removed,
//! // and are not accessed before.
//! unsafe {
//!     fifo.push_back(&raw mut first);
//!     fifo.push_back(&raw mut second);
//! }
//! assert_eq!(fifo.pop_first(|value| *value > 1), Some(2));
//! assert_eq!(fifo.pop_front(), Some(1));
//! assert!(first.is_removed() && second.is_removed());
//! ```

use core::ptr;

/// Entry of a [`Fifo`] that carries a `T`.
pub(crate) struct Link<T> {
    /// The value, until the entry is removed.
    value: Option<T>,
    previous: *mut Link<T>,
    next: *mut Link<T>,
}

impl<T> Link<T> {
    /// Makes an entry that is in no FIFO yet.
    pub(crate) const fn new(value: T) -> Self {
        Self {
            value: Some(value),
            previous: ptr::null_mut(),
            next: ptr::null_mut(),
        }
    }

    /// Returns whether [`Fifo::pop_front`] or [`Fifo::pop_first`] has removed the entry.
    pub(crate) fn is_removed(&self) -> bool {
        self.value.is_none()
    }
}

/// Doubly linked list of [`Link`]s, oldest first.
///
/// # Invariants
///
/// - `first` and `last` are the ends of a doubly linked list of `len` links. Both are null if the
///   list is empty.
/// - Each link in the list is valid, has a value, and is accessed only through the list.
pub(crate) struct Fifo<T> {
    first: *mut Link<T>,
    last: *mut Link<T>,
    len: u32,
}

// SAFETY: The list owns the values of its links, and a `T` may move to another thread.
unsafe impl<T: Send> Send for Fifo<T> {}

// SAFETY: A shared reference to a `Fifo` gives access to `len` only, never to a `T`.
unsafe impl<T> Sync for Fifo<T> {}

impl<T> Fifo<T> {
    /// Makes an empty FIFO.
    pub(crate) const fn new() -> Self {
        // INVARIANT: The list is empty, so both ends are null.
        Self {
            first: ptr::null_mut(),
            last: ptr::null_mut(),
            len: 0,
        }
    }

    /// Returns the number of entries.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// Adds an entry at the end.
    ///
    /// # Safety
    ///
    /// `link` must be valid, have a value, and be in no FIFO. Until it is removed again, it must
    /// stay valid, and must not be accessed while this FIFO may be.
    pub(crate) unsafe fn push_back(&mut self, link: *mut Link<T>) {
        // SAFETY: By the safety requirements, `link` is valid and has no other users.
        unsafe {
            (*link).previous = self.last;
            (*link).next = ptr::null_mut();
        }
        if self.last.is_null() {
            self.first = link;
        } else {
            // SAFETY: By the type invariants, `last` is valid if it is not null.
            unsafe { (*self.last).next = link };
        }
        // INVARIANT: `link` is linked behind the former last entry. By the safety requirements it
        // is valid and has a value. `len` cannot wrap: each link is on the stack of a task, and
        // there are far fewer than 2^32 tasks.
        self.last = link;
        self.len = self.len.wrapping_add(1);
    }

    /// Removes an entry from any position, and returns its value.
    ///
    /// # Safety
    ///
    /// `link` must be in this FIFO.
    pub(crate) unsafe fn remove(&mut self, link: *mut Link<T>) -> Option<T> {
        // SAFETY: By the safety requirements `link` is in the list. By the type invariants each
        // link in the list is valid.
        let (previous, next) = unsafe { ((*link).previous, (*link).next) };
        // INVARIANT: The neighbours of `link`, or the ends of the list, now skip it.
        if previous.is_null() {
            self.first = next;
        } else {
            // SAFETY: `previous` was in the list with `link`. By the type invariants it is valid.
            unsafe { (*previous).next = next };
        }
        if next.is_null() {
            self.last = previous;
        } else {
            // SAFETY: `next` was in the list with `link`. By the type invariants it is valid.
            unsafe { (*next).previous = previous };
        }
        self.len = self.len.wrapping_sub(1);
        // SAFETY: `link` was in the list until now, so it is valid and has no other users.
        unsafe { (*link).value.take() }
    }

    /// Removes the oldest entry, and returns its value.
    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let first = self.first;
        if first.is_null() {
            return None;
        }
        // SAFETY: By the type invariants, `first` is in the list if it is not null.
        unsafe { self.remove(first) }
    }

    /// Removes the oldest entry whose value satisfies `wanted`, and returns the value. The search
    /// is linear.
    pub(crate) fn pop_first(&mut self, wanted: impl Fn(&T) -> bool) -> Option<T> {
        let mut link = self.first;
        while !link.is_null() {
            // SAFETY: `link` is in the list, so by the type invariants it is valid and has no
            // other users.
            let (value, next) = unsafe { ((*link).value.as_ref(), (*link).next) };
            if value.is_some_and(&wanted) {
                // SAFETY: `link` is in the list.
                return unsafe { self.remove(link) };
            }
            link = next;
        }
        None
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_fifo)]
mod tests {
    use super::*;

    /// Removes all entries, whose values must be `expected`.
    fn pop_all(fifo: &mut Fifo<u32>, expected: &[u32]) {
        for value in expected {
            assert_eq!(fifo.pop_front(), Some(*value));
        }
        assert_eq!((fifo.pop_front(), fifo.len()), (None, 0));
    }

    #[test]
    fn entries_are_removed_in_order_of_arrival() {
        let mut fifo = Fifo::new();
        assert_eq!(fifo.pop_front(), None);
        let mut links = [const { Link::new(0) }; 3];
        let first = links.as_mut_ptr();
        for at in 0..3 {
            // SAFETY: `at` is within the array.
            let link = unsafe { first.add(at) };
            // SAFETY: `link` is valid, in no FIFO, and accessed through this pointer only.
            unsafe {
                (*link).value = Some(at as u32);
                fifo.push_back(link);
            }
        }
        assert_eq!(fifo.len(), 3);
        assert_eq!(fifo.pop_front(), Some(0));
        assert_eq!(fifo.len(), 2);
        // SAFETY: `first` is valid. It was removed, so the FIFO does not access it.
        unsafe {
            assert!((*first).is_removed());
            *first = Link::new(3);
            fifo.push_back(first);
        }
        pop_all(&mut fifo, &[1, 2, 3]);
    }

    #[test]
    fn pop_first_removes_the_oldest_wanted_entry() {
        let mut fifo = Fifo::new();
        assert_eq!(fifo.pop_first(|_| true), None);
        let mut links = [Link::new(0), Link::new(1), Link::new(2), Link::new(3)];
        let first = links.as_mut_ptr();
        for at in 0..4 {
            // SAFETY: `at` is within the array. The link is valid, has a value, is in no FIFO, and
            // is accessed through this pointer only.
            unsafe { fifo.push_back(first.add(at)) };
        }
        assert_eq!(fifo.pop_first(|value| *value > 3), None);
        assert_eq!(fifo.pop_first(|value| *value % 2 == 1), Some(1));
        assert_eq!(fifo.pop_first(|value| *value % 2 == 1), Some(3));
        assert_eq!(fifo.len(), 2);
        pop_all(&mut fifo, &[0, 2]);
    }

    #[test]
    fn an_entry_can_be_removed_from_any_position() {
        // The entries that `remove` removes, and the values that `pop_front` then returns.
        let cases: [(&[usize], &[u32]); 7] = [
            (&[0], &[1, 2]),
            (&[1], &[0, 2]),
            (&[2], &[0, 1]),
            (&[0, 1], &[2]),
            (&[1, 2], &[0]),
            (&[2, 0], &[1]),
            (&[1, 0, 2], &[]),
        ];
        for (removed, left) in cases {
            let mut fifo = Fifo::new();
            let mut links = [Link::new(0), Link::new(1), Link::new(2)];
            let first = links.as_mut_ptr();
            for at in 0..3 {
                // SAFETY: `at` is within the array. The link is valid, has a value, is in no FIFO,
                // and is accessed through this pointer only.
                unsafe { fifo.push_back(first.add(at)) };
            }
            for at in removed {
                // SAFETY: `at` is within the array, and its link is still in the FIFO.
                let value = unsafe { fifo.remove(first.add(*at)) };
                assert_eq!(value, Some(*at as u32));
            }
            assert_eq!(fifo.len(), 3 - removed.len() as u32);
            pop_all(&mut fifo, left);
        }
    }
}
