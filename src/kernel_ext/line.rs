// SPDX-License-Identifier: GPL-2.0

//! A line that one joins at the end, with a place of one's own, and leaves from wherever one is.
//!
//! Nothing is allocated: a place is wherever who joins wants it to be, such as on his stack.

use core::ptr;

/// A place in a [`Line`], for a `T`.
pub(crate) struct Place<T> {
    /// What is in line, until it is called.
    value: Option<T>,
    previous: *mut Place<T>,
    next: *mut Place<T>,
}

impl<T> Place<T> {
    /// Makes a place that is not in line yet.
    pub(crate) const fn new(value: T) -> Self {
        Self {
            value: Some(value),
            previous: ptr::null_mut(),
            next: ptr::null_mut(),
        }
    }

    /// Whether it was called, and so is not in line.
    pub(crate) fn is_called(&self) -> bool {
        self.value.is_none()
    }
}

/// Who is in line, first come first.
///
/// # Invariants
///
/// `first` and `last` are the ends of a doubly linked list of `len` places, all of them valid and
/// not referred to by anything else while the line can be accessed, or null if there is none. Each
/// of them has a value.
pub(crate) struct Line<T> {
    first: *mut Place<T>,
    last: *mut Place<T>,
    len: u32,
}

// SAFETY: Values in line may be taken out by any thread that has the line.
unsafe impl<T: Send> Send for Line<T> {}

// SAFETY: A shared reference to a line gives access to its length only.
unsafe impl<T> Sync for Line<T> {}

impl<T> Line<T> {
    /// Makes an empty line.
    pub(crate) const fn new() -> Self {
        // INVARIANT: Nobody is in line.
        Self {
            first: ptr::null_mut(),
            last: ptr::null_mut(),
            len: 0,
        }
    }

    /// How many are in line.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// Joins at the end.
    ///
    /// # Safety
    ///
    /// `place` must be valid, in no line, have a value, and not be referred to by anything else
    /// while the line can be accessed, until it has left the line or was called.
    pub(crate) unsafe fn join(&mut self, place: *mut Place<T>) {
        // SAFETY: By the safety requirements.
        unsafe {
            (*place).previous = self.last;
            (*place).next = ptr::null_mut();
        }
        if self.last.is_null() {
            self.first = place;
        } else {
            // SAFETY: By the invariants it is valid.
            unsafe { (*self.last).next = place };
        }
        // INVARIANT: It is linked to the one before it, and by the safety requirements it is valid
        // and has a value. Each is on the stack of a task, of which there are far fewer than four
        // billion.
        self.last = place;
        self.len = self.len.wrapping_add(1);
    }

    /// Leaves before it was called, and takes the value back.
    ///
    /// # Safety
    ///
    /// `place` must be in the line.
    pub(crate) unsafe fn leave(&mut self, place: *mut Place<T>) -> Option<T> {
        // SAFETY: By the safety requirements and the invariants it is valid.
        let (previous, next) = unsafe { ((*place).previous, (*place).next) };
        // INVARIANT: Those at its sides, or the ends, are linked past it.
        if previous.is_null() {
            self.first = next;
        } else {
            // SAFETY: By the invariants it is valid.
            unsafe { (*previous).next = next };
        }
        if next.is_null() {
            self.last = previous;
        } else {
            // SAFETY: By the invariants it is valid.
            unsafe { (*next).previous = previous };
        }
        self.len = self.len.wrapping_sub(1);
        // SAFETY: By the safety requirements and the invariants it is valid.
        unsafe { (*place).value.take() }
    }

    /// Calls the first in line, who has left it then.
    #[inline]
    pub(crate) fn call(&mut self) -> Option<T> {
        let first = self.first;
        if first.is_null() {
            return None;
        }
        // SAFETY: It is in the line.
        unsafe { self.leave(first) }
    }

    /// Calls the first in line for which `wanted` holds, which has left it then. That looks at all
    /// before it.
    pub(crate) fn call_first(&mut self, wanted: impl Fn(&T) -> bool) -> Option<T> {
        let mut place = self.first;
        while !place.is_null() {
            // SAFETY: By the invariants it is valid, and referred to by nothing else.
            let (value, next) = unsafe { ((*place).value.as_ref(), (*place).next) };
            if value.is_some_and(&wanted) {
                // SAFETY: It is in the line.
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

    /// Calls everybody, who must be `expected`.
    fn call_all(line: &mut Line<u32>, expected: &[u32]) {
        for value in expected {
            assert_eq!(line.call(), Some(*value));
        }
        assert_eq!((line.call(), line.len()), (None, 0));
    }

    #[test]
    fn first_come_first_called() {
        let mut line = Line::new();
        assert_eq!(line.call(), None);
        let mut places = [const { Place::new(0) }; 3];
        let first = places.as_mut_ptr();
        for at in 0..3 {
            // SAFETY: It is one of the places.
            let place = unsafe { first.add(at) };
            // SAFETY: It is valid, in no line, and referred to by this pointer only.
            unsafe {
                (*place).value = Some(at as u32);
                line.join(place);
            }
        }
        assert_eq!(line.len(), 3);
        assert_eq!(line.call(), Some(0));
        assert_eq!(line.len(), 2);
        // SAFETY: It is valid, and called, so that the line does not refer to it.
        unsafe {
            assert!((*first).is_called());
            *first = Place::new(3);
            line.join(first);
        }
        call_all(&mut line, &[1, 2, 3]);
    }

    #[test]
    fn one_may_be_called_out_of_turn() {
        let mut line = Line::new();
        assert_eq!(line.call_first(|_| true), None);
        let mut places = [Place::new(0), Place::new(1), Place::new(2), Place::new(3)];
        let first = places.as_mut_ptr();
        for at in 0..4 {
            // SAFETY: It is one of the places, valid, in no line, and referred to by this pointer
            // only.
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
        // Who leaves, one after the other, and who is called then.
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
            let mut line = Line::new();
            let mut places = [Place::new(0), Place::new(1), Place::new(2)];
            let first = places.as_mut_ptr();
            for at in 0..3 {
                // SAFETY: It is one of the places, valid, in no line, and referred to by this
                // pointer only.
                unsafe { line.join(first.add(at)) };
            }
            for at in leaving {
                // SAFETY: It is one of the places, which are in the line.
                let value = unsafe { line.leave(first.add(*at)) };
                assert_eq!(value, Some(*at as u32));
            }
            assert_eq!(line.len(), 3 - leaving.len() as u32);
            call_all(&mut line, called);
        }
    }
}
