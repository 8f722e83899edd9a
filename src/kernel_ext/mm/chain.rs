// SPDX-License-Identifier: GPL-2.0

//! Singly linked list of owning pointers. [`Segment`](super::segment::Segment) has an example.
//!
//! Adding and removing elements, and taking the whole list, neither move an element nor allocate or
//! free memory. All of them may be done under a lock.

use core::{
    marker::PhantomData,
    mem::take, //
};

/// Owning pointer to an object with room for a link, by which it can be in a [`Chain`].
///
/// # Safety
///
/// - A result of [`Linked::into_raw`] identifies its object until it is passed to
///   [`Linked::from_raw`]. No two objects have equal ones at a time.
/// - [`Linked::next`] returns the value last passed to [`Linked::set_next`].
/// - [`Linked::value`] points to a valid value. References to it may be made under the usual
///   aliasing rules.
pub(crate) unsafe trait Linked: Sized {
    /// Type of the value in the object.
    type Value;

    /// Identifies an object that a chain owns.
    type Raw: Copy + PartialEq;

    /// Gives up the ownership of the object.
    fn into_raw(this: Self) -> Self::Raw;

    /// Takes the ownership of the object back.
    ///
    /// # Safety
    ///
    /// `raw` must come from [`Linked::into_raw`], and must not be used afterwards.
    unsafe fn from_raw(raw: Self::Raw) -> Self;

    /// Returns a pointer to the value of the object.
    ///
    /// # Safety
    ///
    /// `raw` must come from [`Linked::into_raw`] and not have been passed to [`Linked::from_raw`].
    unsafe fn value(raw: Self::Raw) -> *mut Self::Value;

    /// Returns the link of the object.
    ///
    /// # Safety
    ///
    /// `raw` must come from [`Linked::into_raw`] and not have been passed to [`Linked::from_raw`].
    /// [`Linked::set_next`] must have been called for it.
    unsafe fn next(raw: Self::Raw) -> Option<Self::Raw>;

    /// Sets the link of the object.
    ///
    /// # Safety
    ///
    /// `raw` must come from [`Linked::into_raw`] and not have been passed to [`Linked::from_raw`].
    /// The link must not be accessed concurrently.
    unsafe fn set_next(raw: Self::Raw, next: Option<Self::Raw>);
}

/// Singly linked list that owns its elements. Elements are added at both ends and removed at the
/// front. One element can carry a mark, which can be moved along the list.
///
/// # Invariants
///
/// - `ends` is [`None`] if and only if the chain is empty. Otherwise it is the first and last
///   element.
/// - Each element comes from [`Linked::into_raw`] and is owned by the chain. There are `len` of
///   them.
/// - The link of each element is the next element, or [`None`] for the last one.
/// - `mark` is [`None`] or an element of the chain.
pub(crate) struct Chain<P: Linked> {
    ends: Option<(P::Raw, P::Raw)>,
    len: usize,
    mark: Option<P::Raw>,
    _owns: PhantomData<P>,
}

// SAFETY: A chain owns its elements, as a vector does, and each `P` may move to another thread.
unsafe impl<P: Linked + Send> Send for Chain<P> {}

// SAFETY: A shared reference to a chain only gives access to shared references to its values.
unsafe impl<P: Linked> Sync for Chain<P> where P::Value: Sync {}

impl<P: Linked> Chain<P> {
    /// Makes an empty chain.
    pub(crate) const fn new() -> Self {
        // INVARIANT: The chain has no elements, so `ends` and `mark` are `None` and `len` is zero.
        Self {
            ends: None,
            len: 0,
            mark: None,
            _owns: PhantomData,
        }
    }

    /// Returns whether the chain is empty.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_none()
    }

    /// Returns the number of elements.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the first element, which stays in the chain.
    #[inline]
    pub(super) fn first_raw(&self) -> Option<P::Raw> {
        self.ends.map(|(first, _)| first)
    }

    /// Returns the first value.
    #[inline]
    pub(crate) fn front(&self) -> Option<&P::Value> {
        let (first, _) = self.ends?;
        // SAFETY: By the type invariants the chain owns `first`, and keeps it for the lifetime of
        // the shared borrow of the chain.
        Some(unsafe { &*P::value(first) })
    }

    /// Returns the first value for modification.
    #[inline]
    pub(crate) fn front_mut(&mut self) -> Option<&mut P::Value> {
        let (first, _) = self.ends?;
        // SAFETY: By the type invariants the chain owns `first`. The mutable borrow of the chain
        // makes the access exclusive for the lifetime of the result.
        Some(unsafe { &mut *P::value(first) })
    }

    /// Returns the last value for modification.
    #[inline]
    pub(crate) fn back_mut(&mut self) -> Option<&mut P::Value> {
        let (_, last) = self.ends?;
        // SAFETY: By the type invariants the chain owns `last`. The mutable borrow of the chain
        // makes the access exclusive for the lifetime of the result.
        Some(unsafe { &mut *P::value(last) })
    }

    /// Adds an element at the end.
    pub(crate) fn push_back(&mut self, element: P) {
        let raw = P::into_raw(element);
        // SAFETY: `raw` was just returned by `into_raw` and is in no chain, so its link has no
        // other users.
        unsafe { P::set_next(raw, None) };
        self.len += 1;
        // INVARIANT: `raw` comes from `into_raw`, and the chain owns it from here on. It is the
        // last element: the former last one links to it, and its own link is `None`.
        self.ends = match self.ends {
            None => Some((raw, raw)),
            Some((first, last)) => {
                // SAFETY: By the type invariants the chain owns `last`. The mutable borrow of the
                // chain makes the access to its link exclusive.
                unsafe { P::set_next(last, Some(raw)) };
                Some((first, raw))
            }
        };
    }

    /// Adds an element at the front.
    pub(crate) fn push_front(&mut self, element: P) {
        let raw = P::into_raw(element);
        // SAFETY: `raw` was just returned by `into_raw` and is in no chain, so its link has no
        // other users.
        unsafe { P::set_next(raw, self.ends.map(|(first, _)| first)) };
        self.len += 1;
        // INVARIANT: `raw` comes from `into_raw`, and the chain owns it from here on. It is the
        // first element: its link is the former first one, or `None` if the chain was empty.
        self.ends = Some((raw, self.ends.map_or(raw, |(_, last)| last)));
    }

    /// Removes the first element. If the element carried the mark, the mark moves to the next one,
    /// if any.
    pub(crate) fn pop_front(&mut self) -> Option<P> {
        let (first, last) = self.ends?;
        // SAFETY: By the type invariants the chain owns `first`, and its link was set.
        let next = unsafe { P::next(first) };
        self.len -= 1;
        if self.mark == Some(first) {
            // INVARIANT: `next` is `None` or an element that stays in the chain.
            self.mark = next;
        }
        // INVARIANT: The element behind `first` becomes the first one. If there is none, the chain
        // is now empty, and `ends` is `None`.
        self.ends = next.map(|second| (second, last));
        // SAFETY: By the type invariants `first` comes from `into_raw`. It has just left the chain,
        // so this happens once.
        Some(unsafe { P::from_raw(first) })
    }

    /// Moves all elements of `other` to the end of this chain. The mark of `other` is lost.
    pub(crate) fn append(&mut self, other: &mut Self) {
        // INVARIANT: `take` leaves an empty chain in place of `other`.
        let other = core::mem::ManuallyDrop::new(take(other));
        let Some((other_first, other_last)) = other.ends else {
            return;
        };
        self.len += other.len;
        // INVARIANT: The elements of `other` come from `into_raw`. This chain owns them from here
        // on, as `other` is never dropped. The former last element links to the first of them, and
        // the link of the last of them is `None`.
        self.ends = match self.ends {
            None => Some((other_first, other_last)),
            Some((first, last)) => {
                // SAFETY: By the type invariants the chain owns `last`. The mutable borrow of the
                // chain makes the access to its link exclusive.
                unsafe { P::set_next(last, Some(other_first)) };
                Some((first, other_last))
            }
        };
    }

    /// Removes the first `count` elements, or all if there are fewer, and returns them as a chain.
    /// The mark is lost if one of them carried it.
    pub(crate) fn take_front(&mut self, count: usize) -> Self {
        if count >= self.len {
            let mut all = self.take();
            all.mark = None;
            return all;
        }
        let Some((first, last)) = self.ends.filter(|_| count > 0) else {
            return Self::new();
        };
        let mut end = first;
        for taken in 1..=count {
            if self.mark == Some(end) {
                // INVARIANT: `None` is no mark.
                self.mark = None;
            }
            // SAFETY: By the type invariants the chain owns `end`, and its link was set.
            let next = unsafe { P::next(end) };
            // Always present: the chain has more than `count` elements.
            let Some(next) = next else {
                break;
            };
            if taken == count {
                // SAFETY: By the type invariants the chain owns `end`. The mutable borrow of the
                // chain makes the access to its link exclusive.
                unsafe { P::set_next(end, None) };
                // INVARIANT: The elements from `next` to `last` stay, which is at least one. The
                // mark is on none of those that leave.
                self.ends = Some((next, last));
                self.len -= count;
                // INVARIANT: These are the elements from `first` to `end`, whose link is `None`.
                // `self` no longer owns them.
                return Self {
                    ends: Some((first, end)),
                    len: count,
                    mark: None,
                    _owns: PhantomData,
                };
            }
            end = next;
        }
        Self::new()
    }

    /// Removes all elements but the first in constant time, and returns them as a chain. The mark
    /// is lost unless the first element carries it.
    pub(crate) fn take_rest(&mut self) -> Self {
        let Some((first, last)) = self.ends else {
            return Self::new();
        };
        // SAFETY: By the type invariants the chain owns `first`, and its link was set.
        let Some(second) = (unsafe { P::next(first) }) else {
            return Self::new();
        };
        // SAFETY: By the type invariants the chain owns `first`. The mutable borrow of the chain
        // makes the access to its link exclusive.
        unsafe { P::set_next(first, None) };
        // INVARIANT: These are the elements from the second to the last one, whose link is `None`.
        // `self` no longer owns them.
        let rest = Self {
            ends: Some((second, last)),
            len: self.len - 1,
            mark: None,
            _owns: PhantomData,
        };
        // INVARIANT: One element is left. Its link is `None`, and the mark is on it or `None`.
        self.ends = Some((first, first));
        self.len = 1;
        self.mark = self.mark.filter(|mark| *mark == first);
        rest
    }

    /// Removes all elements in constant time, and returns them as a chain, together with the mark.
    pub(crate) fn take(&mut self) -> Self {
        take(self)
    }

    /// Sets the mark on the first element, if there is one.
    pub(crate) fn mark_front(&mut self) {
        // INVARIANT: The mark becomes `None` or the first element.
        self.mark = self.ends.map(|(first, _)| first);
    }

    /// Moves the mark to the next element. A mark on the last element is lost.
    pub(crate) fn advance_mark(&mut self) {
        // SAFETY: By the type invariants the chain owns the marked element, and its link was set.
        // INVARIANT: The link of an element is `None` or an element of the chain.
        self.mark = self.mark.and_then(|marked| unsafe { P::next(marked) });
    }

    /// Returns whether the first element carries the mark.
    pub(crate) fn is_front_marked(&self) -> bool {
        self.ends.is_some_and(|(first, _)| Some(first) == self.mark)
    }

    /// Returns the value of the marked element.
    pub(crate) fn marked(&self) -> Option<&P::Value> {
        // SAFETY: By the type invariants the chain owns the marked element, and keeps it for the
        // lifetime of the shared borrow of the chain.
        self.mark.map(|marked| unsafe { &*P::value(marked) })
    }

    /// Iterates over all values, from the first to the last.
    #[inline]
    pub(crate) fn iter(&self) -> Iter<'_, P> {
        // INVARIANT: `next` is `None` or the first element of the chain, which is borrowed.
        Iter {
            next: self.ends.map(|(first, _)| first),
            _chain: PhantomData,
        }
    }

    /// Iterates over all values for modification, from the first to the last.
    #[inline]
    pub(crate) fn iter_mut(&mut self) -> IterMut<'_, P> {
        // INVARIANT: `next` is `None` or the first element of the chain, which is mutably borrowed.
        // No element was visited yet.
        IterMut {
            next: self.ends.map(|(first, _)| first),
            _chain: PhantomData,
        }
    }
}

impl<P: Linked> Default for Chain<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Linked> Drop for Chain<P> {
    fn drop(&mut self) {
        while self.pop_front().is_some() {}
    }
}

/// Iterator over the values of a [`Chain`].
///
/// # Invariants
///
/// `next` is [`None`] or an element of a chain that is borrowed for `'a`.
pub(crate) struct Iter<'a, P: Linked> {
    next: Option<P::Raw>,
    _chain: PhantomData<&'a Chain<P>>,
}

impl<P: Linked> Iter<'_, P> {
    /// Iterates over the values behind that of `raw`, to the end of its chain. Without `raw` there
    /// are none.
    ///
    /// # Safety
    ///
    /// A chain must own `raw`, and must be borrowed for the lifetime of the result.
    #[inline]
    pub(super) unsafe fn behind(raw: Option<P::Raw>) -> Self {
        let next = raw.and_then(|raw| {
            // SAFETY: By the safety requirements a chain owns `raw`, and its link was set when it
            // was added.
            unsafe { P::next(raw) }
        });
        // INVARIANT: The link of an element is `None` or an element of the same chain.
        Self {
            next,
            _chain: PhantomData,
        }
    }
}

impl<'a, P: Linked> Iterator for Iter<'a, P> {
    type Item = &'a P::Value;

    #[inline]
    fn next(&mut self) -> Option<&'a P::Value> {
        let element = self.next?;
        // SAFETY: By the type invariants `element` is in a chain that is borrowed, and so
        // unchanged, for `'a`.
        // INVARIANT: The link of an element is `None` or an element of the same chain.
        unsafe {
            self.next = P::next(element);
            Some(&*P::value(element))
        }
    }
}

/// Mutable iterator over the values of a [`Chain`].
///
/// # Invariants
///
/// `next` is [`None`] or an element of a chain that is mutably borrowed for `'a`, and was not
/// visited yet.
pub(crate) struct IterMut<'a, P: Linked> {
    next: Option<P::Raw>,
    _chain: PhantomData<&'a mut Chain<P>>,
}

impl<'a, P: Linked> Iterator for IterMut<'a, P> {
    type Item = &'a mut P::Value;

    #[inline]
    fn next(&mut self) -> Option<&'a mut P::Value> {
        let element = self.next?;
        // SAFETY: By the type invariants `element` is in a chain that is mutably borrowed for `'a`.
        // It was not visited yet, so there is no other reference to its value.
        // INVARIANT: The link of an element is `None` or the next element of the same chain, which
        // was not visited either.
        unsafe {
            self.next = P::next(element);
            Some(&mut *P::value(element))
        }
    }
}
