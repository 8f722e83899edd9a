// SPDX-License-Identifier: GPL-2.0

//! Intrusive FIFO whose entries can be removed from any position.
//!
//! The caller provides the memory of each [`Link`], for example on its stack.

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

    /// Returns whether [`Fifo::call`] or [`Fifo::call_first`] has removed the entry.
    pub(crate) fn is_called(&self) -> bool {
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
    /// `place` must be valid, have a value, and be in no FIFO. Until it is removed again, it must
    /// stay valid, and must not be accessed while this FIFO may be.
    pub(crate) unsafe fn join(&mut self, place: *mut Link<T>) {
        // SAFETY: By the safety requirements, `place` is valid and has no other users.
        unsafe {
            (*place).previous = self.last;
            (*place).next = ptr::null_mut();
        }
        if self.last.is_null() {
            self.first = place;
        } else {
            // SAFETY: By the type invariants, `last` is valid if it is not null.
            unsafe { (*self.last).next = place };
        }
        // INVARIANT: `place` is linked behind the former last entry. By the safety requirements it
        // is valid and has a value. `len` cannot wrap: each link is on the stack of a task, and
        // there are far fewer than 2^32 tasks.
        self.last = place;
        self.len = self.len.wrapping_add(1);
    }

    /// Removes an entry from any position, and returns its value.
    ///
    /// # Safety
    ///
    /// `place` must be in this FIFO.
    pub(crate) unsafe fn leave(&mut self, place: *mut Link<T>) -> Option<T> {
        // SAFETY: By the safety requirements `place` is in the list. By the type invariants each
        // link in the list is valid.
        let (previous, next) = unsafe { ((*place).previous, (*place).next) };
        // INVARIANT: The neighbours of `place`, or the ends of the list, now skip it.
        if previous.is_null() {
            self.first = next;
        } else {
            // SAFETY: `previous` was in the list with `place`. By the type invariants it is valid.
            unsafe { (*previous).next = next };
        }
        if next.is_null() {
            self.last = previous;
        } else {
            // SAFETY: `next` was in the list with `place`. By the type invariants it is valid.
            unsafe { (*next).previous = previous };
        }
        self.len = self.len.wrapping_sub(1);
        // SAFETY: `place` was in the list until now, so it is valid and has no other users.
        unsafe { (*place).value.take() }
    }

    /// Removes the oldest entry, and returns its value.
    #[inline]
    pub(crate) fn call(&mut self) -> Option<T> {
        let first = self.first;
        if first.is_null() {
            return None;
        }
        // SAFETY: By the type invariants, `first` is in the list if it is not null.
        unsafe { self.leave(first) }
    }

    /// Removes the oldest entry whose value satisfies `wanted`, and returns the value. The search
    /// is linear.
    pub(crate) fn call_first(&mut self, wanted: impl Fn(&T) -> bool) -> Option<T> {
        let mut place = self.first;
        while !place.is_null() {
            // SAFETY: `place` is in the list, so by the type invariants it is valid and has no
            // other users.
            let (value, next) = unsafe { ((*place).value.as_ref(), (*place).next) };
            if value.is_some_and(&wanted) {
                // SAFETY: `place` is in the list.
                return unsafe { self.leave(place) };
            }
            place = next;
        }
        None
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_line)]
mod tests {
    use super::*;

    /// Removes all entries, whose values must be `expected`.
    fn call_all(line: &mut Fifo<u32>, expected: &[u32]) {
        for value in expected {
            assert_eq!(line.call(), Some(*value));
        }
        assert_eq!((line.call(), line.len()), (None, 0));
    }

    #[test]
    fn first_come_first_called() {
        let mut line = Fifo::new();
        assert_eq!(line.call(), None);
        let mut places = [const { Link::new(0) }; 3];
        let first = places.as_mut_ptr();
        for at in 0..3 {
            // SAFETY: `at` is within the array.
            let place = unsafe { first.add(at) };
            // SAFETY: `place` is valid, in no FIFO, and accessed through this pointer only.
            unsafe {
                (*place).value = Some(at as u32);
                line.join(place);
            }
        }
        assert_eq!(line.len(), 3);
        assert_eq!(line.call(), Some(0));
        assert_eq!(line.len(), 2);
        // SAFETY: `first` is valid. It was removed, so the FIFO does not access it.
        unsafe {
            assert!((*first).is_called());
            *first = Link::new(3);
            line.join(first);
        }
        call_all(&mut line, &[1, 2, 3]);
    }

    #[test]
    fn one_may_be_called_out_of_turn() {
        let mut line = Fifo::new();
        assert_eq!(line.call_first(|_| true), None);
        let mut places = [Link::new(0), Link::new(1), Link::new(2), Link::new(3)];
        let first = places.as_mut_ptr();
        for at in 0..4 {
            // SAFETY: `at` is within the array. The link is valid, has a value, is in no FIFO, and
            // is accessed through this pointer only.
            unsafe { line.join(first.add(at)) };
        }
        assert_eq!(line.call_first(|value| *value > 3), None);
        assert_eq!(line.call_first(|value| *value % 2 == 1), Some(1));
        assert_eq!(line.call_first(|value| *value % 2 == 1), Some(3));
        assert_eq!(line.len(), 2);
        call_all(&mut line, &[0, 2]);
    }

    #[test]
    fn anybody_may_leave() {
        // The entries that are removed by `leave`, and the values that `call` then returns.
        let cases: [(&[usize], &[u32]); 7] = [
            (&[0], &[1, 2]),
            (&[1], &[0, 2]),
            (&[2], &[0, 1]),
            (&[0, 1], &[2]),
            (&[1, 2], &[0]),
            (&[2, 0], &[1]),
            (&[1, 0, 2], &[]),
        ];
        for (leaving, called) in cases {
            let mut line = Fifo::new();
            let mut places = [Link::new(0), Link::new(1), Link::new(2)];
            let first = places.as_mut_ptr();
            for at in 0..3 {
                // SAFETY: `at` is within the array. The link is valid, has a value, is in no FIFO,
                // and is accessed through this pointer only.
                unsafe { line.join(first.add(at)) };
            }
            for at in leaving {
                // SAFETY: `at` is within the array, and its link is still in the FIFO.
                let value = unsafe { line.leave(first.add(*at)) };
                assert_eq!(value, Some(*at as u32));
            }
            assert_eq!(line.len(), 3 - leaving.len() as u32);
            call_all(&mut line, called);
        }
    }
}
