// SPDX-License-Identifier: GPL-2.0

//! A singly linked chain of owning pointers.
//!
//! Joining, leaving and taking the whole chain move no element and allocate and free nothing, so
//! all of it may happen under a lock.

use core::{
    marker::PhantomData,
    mem::take, //
};

/// An owning pointer that can be in a [`Chain`]: there is a place for a link beside what it points
/// to.
///
/// # Safety
///
/// - What [`Linked::into_raw`] returned stands for an object of its own until it is passed to
///   [`Linked::from_raw`], and no other one is equal to it.
/// - [`Linked::next`] returns what was passed to [`Linked::set_next`] last.
/// - [`Linked::value`] points to a valid value, for which the rules of references hold while
///   references to it exist.
pub(crate) unsafe trait Linked: Sized {
    /// What it owns.
    type Value;

    /// Stands for an object that is owned by a chain.
    type Raw: Copy + PartialEq;

    /// Gives the ownership up.
    fn into_raw(this: Self) -> Self::Raw;

    /// Takes the ownership back.
    ///
    /// # Safety
    ///
    /// `raw` must come from [`Linked::into_raw`], and must not be used any more.
    unsafe fn from_raw(raw: Self::Raw) -> Self;

    /// The value of the object.
    ///
    /// # Safety
    ///
    /// `raw` must come from [`Linked::into_raw`], and not have been passed to [`Linked::from_raw`].
    unsafe fn value(raw: Self::Raw) -> *mut Self::Value;

    /// The link of the object.
    ///
    /// # Safety
    ///
    /// As for [`Linked::value`], and [`Linked::set_next`] must have been called.
    unsafe fn next(raw: Self::Raw) -> Option<Self::Raw>;

    /// Sets the link of the object.
    ///
    /// # Safety
    ///
    /// As for [`Linked::value`], and nobody else may use its link at the same time.
    unsafe fn set_next(raw: Self::Raw, next: Option<Self::Raw>);
}

/// A chain of owning pointers that can be joined at both ends and left at the front.
///
/// One of its elements can be marked, from where it can be walked.
///
/// # Invariants
///
/// - `ends` is [`None`] if and only if the chain is empty. Otherwise its first half is the first
///   element, and its second the last one.
/// - Each element comes from [`Linked::into_raw`] and is owned by the chain.
/// - The link of each element is the element behind it, and is [`None`] in the last one.
/// - `mark` is [`None`] or an element of the chain.
pub(crate) struct Chain<P: Linked> {
    ends: Option<(P::Raw, P::Raw)>,
    len: usize,
    mark: Option<P::Raw>,
    _owns: PhantomData<P>,
}

// SAFETY: A chain owns its elements as a vector would, and hands out nothing else.
unsafe impl<P: Linked + Send> Send for Chain<P> {}

// SAFETY: A shared reference to a chain gives access to shared references to its values only.
unsafe impl<P: Linked> Sync for Chain<P> where P::Value: Sync {}

impl<P: Linked> Chain<P> {
    /// Makes an empty chain.
    pub(crate) const fn new() -> Self {
        // INVARIANT: The chain is empty, `ends` is `None`, there is no element and no mark.
        Self {
            ends: None,
            len: 0,
            mark: None,
            _owns: PhantomData,
        }
    }

    /// Returns whether there is nothing in the chain.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_none()
    }

    /// Returns the number of elements.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the first value.
    #[inline]
    pub(crate) fn front(&self) -> Option<&P::Value> {
        let (first, _) = self.ends?;
        // SAFETY: By the invariants, `first` is owned by this chain; it stays so for the lifetime
        // of the shared borrow of the chain.
        Some(unsafe { &*P::value(first) })
    }

    /// Returns the first value, to change it.
    #[inline]
    pub(crate) fn front_mut(&mut self) -> Option<&mut P::Value> {
        let (first, _) = self.ends?;
        // SAFETY: By the invariants, `first` is owned by this chain; the mutable borrow of the
        // chain makes the access exclusive for as long as the result is in use.
        Some(unsafe { &mut *P::value(first) })
    }

    /// Returns the last value.
    #[inline]
    pub(crate) fn back_mut(&mut self) -> Option<&mut P::Value> {
        let (_, last) = self.ends?;
        // SAFETY: By the invariants, `last` is owned by this chain; the mutable borrow of the chain
        // makes the access exclusive for as long as the result is in use.
        Some(unsafe { &mut *P::value(last) })
    }

    /// Adds an element at the end.
    pub(crate) fn push_back(&mut self, element: P) {
        let raw = P::into_raw(element);
        // SAFETY: It was just returned by `into_raw`, and is in no chain.
        unsafe { P::set_next(raw, None) };
        self.len += 1;
        // INVARIANT: `raw` comes from `into_raw`, is owned by the chain from here on, and is its
        // last element: the link of the former last one is set to it, and its own is `None`.
        self.ends = match self.ends {
            None => Some((raw, raw)),
            Some((first, last)) => {
                // SAFETY: By the invariants, `last` is owned by this chain, and the mutable borrow
                // of the chain makes this access exclusive.
                unsafe { P::set_next(last, Some(raw)) };
                Some((first, raw))
            }
        };
    }

    /// Adds an element at the front.
    pub(crate) fn push_front(&mut self, element: P) {
        let raw = P::into_raw(element);
        // SAFETY: It was just returned by `into_raw`, and is in no chain.
        unsafe { P::set_next(raw, self.ends.map(|(first, _)| first)) };
        self.len += 1;
        // INVARIANT: `raw` comes from `into_raw`, is owned by the chain from here on, and is its
        // first element: its link is the former first one, or `None` if there was none.
        self.ends = Some((raw, self.ends.map_or(raw, |(_, last)| last)));
    }

    /// Takes the first element out. If it was marked then the one behind it, if any, is so now.
    pub(crate) fn pop_front(&mut self) -> Option<P> {
        let (first, last) = self.ends?;
        // SAFETY: By the invariants `first` is owned by the chain, and its link was set.
        let next = unsafe { P::next(first) };
        self.len -= 1;
        if self.mark == Some(first) {
            // INVARIANT: It is `None` or an element of the chain, which it stays in.
            self.mark = next;
        }
        // INVARIANT: The element behind `first` becomes the first one; if there is none, then the
        // chain is empty.
        self.ends = next.map(|second| (second, last));
        // SAFETY: By the invariants, `first` comes from `into_raw`. It just left the chain, so that
        // this is done once only.
        Some(unsafe { P::from_raw(first) })
    }

    /// Moves all elements of another chain to the end of this one; its mark is lost.
    pub(crate) fn append(&mut self, other: &mut Self) {
        // INVARIANT: `other` is empty after this.
        let other = core::mem::ManuallyDrop::new(take(other));
        let Some((other_first, other_last)) = other.ends else {
            return;
        };
        self.len += other.len;
        // INVARIANT: The elements of `other`, all of which come from `into_raw`, are owned by this
        // chain from here on, as `other` is never dropped. The former last one is linked to the
        // first of them, and the link of the last of them is `None`.
        self.ends = match self.ends {
            None => Some((other_first, other_last)),
            Some((first, last)) => {
                // SAFETY: By the invariants, `last` is owned by this chain, and the mutable borrow
                // of the chain makes this access exclusive.
                unsafe { P::set_next(last, Some(other_first)) };
                Some((first, other_last))
            }
        };
    }

    /// Takes the first `count` elements out, or all if there are fewer. The mark is lost if it was
    /// on one of them.
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
                // INVARIANT: There is no mark.
                self.mark = None;
            }
            // SAFETY: By the invariants, `end` is owned by the chain, and its link was set.
            let next = unsafe { P::next(end) };
            // There is one, as the chain has more than `count` elements.
            let Some(next) = next else {
                break;
            };
            if taken == count {
                // SAFETY: By the invariants, `end` is owned by this chain, and the mutable borrow
                // of the chain makes this access exclusive.
                unsafe { P::set_next(end, None) };
                // INVARIANT: What is behind `end` stays, and is one element at least; the last one
                // does. The mark is on none that leaves.
                self.ends = Some((next, last));
                self.len -= count;
                // INVARIANT: These are the elements from `first` to `end`, whose link is `None`;
                // this chain no longer owns them.
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

    /// Takes all elements out but the first, in one step. The mark is lost unless it is on that.
    pub(crate) fn take_rest(&mut self) -> Self {
        let Some((first, last)) = self.ends else {
            return Self::new();
        };
        // SAFETY: By the invariants `first` is owned by the chain, and its link was set.
        let Some(second) = (unsafe { P::next(first) }) else {
            return Self::new();
        };
        // SAFETY: As above, and the mutable borrow of the chain makes this access exclusive.
        unsafe { P::set_next(first, None) };
        // INVARIANT: These are the elements from the second to the last one, whose link is `None`;
        // this chain no longer owns them.
        let rest = Self {
            ends: Some((second, last)),
            len: self.len - 1,
            mark: None,
            _owns: PhantomData,
        };
        // INVARIANT: One element is left, whose link is `None`; the mark is on it or on none.
        self.ends = Some((first, first));
        self.len = 1;
        self.mark = self.mark.filter(|mark| *mark == first);
        rest
    }

    /// Takes everything out, in one step, and the mark with it.
    pub(crate) fn take(&mut self) -> Self {
        take(self)
    }

    /// Marks the first element, if there is one.
    pub(crate) fn mark_front(&mut self) {
        // INVARIANT: It becomes `None` or the first element.
        self.mark = self.ends.map(|(first, _)| first);
    }

    /// Marks the element behind the marked one, or none if that was the last.
    pub(crate) fn advance_mark(&mut self) {
        // SAFETY: By the invariants it is an element of this chain.
        // INVARIANT: So is its link, if it has one.
        self.mark = self.mark.and_then(|marked| unsafe { P::next(marked) });
    }

    /// Returns whether the first element is the marked one.
    pub(crate) fn is_front_marked(&self) -> bool {
        self.ends.is_some_and(|(first, _)| Some(first) == self.mark)
    }

    /// Returns the marked value.
    pub(crate) fn marked(&self) -> Option<&P::Value> {
        // SAFETY: By the invariants it is owned by this chain; it stays so for the lifetime of the
        // shared borrow of the chain.
        self.mark.map(|marked| unsafe { &*P::value(marked) })
    }

    /// Walks all values, the first one first.
    #[inline]
    pub(crate) fn iter(&self) -> Iter<'_, P> {
        // INVARIANT: It is `None` or the first element of the chain, which is borrowed.
        Iter {
            next: self.ends.map(|(first, _)| first),
            _chain: PhantomData,
        }
    }

    /// Walks all values, the first one first, to change them.
    #[inline]
    pub(crate) fn iter_mut(&mut self) -> IterMut<'_, P> {
        // INVARIANT: It is `None` or the first element of the chain, which is mutably borrowed.
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

/// A walk along a [`Chain`].
///
/// # Invariants
///
/// `next` is [`None`] or an element of a chain that is borrowed for `'a`.
pub(crate) struct Iter<'a, P: Linked> {
    next: Option<P::Raw>,
    _chain: PhantomData<&'a Chain<P>>,
}

impl<'a, P: Linked> Iterator for Iter<'a, P> {
    type Item = &'a P::Value;

    #[inline]
    fn next(&mut self) -> Option<&'a P::Value> {
        let element = self.next?;
        // SAFETY: By the invariants it is an element of a chain that nobody changes for `'a`.
        // INVARIANT: By the invariants of the chain, so is its link, if it has one.
        unsafe {
            self.next = P::next(element);
            Some(&*P::value(element))
        }
    }
}

/// A walk along a [`Chain`] that may change its values.
///
/// # Invariants
///
/// `next` is [`None`] or an element of a chain that is mutably borrowed for `'a`, and that was not
/// yet walked over.
pub(crate) struct IterMut<'a, P: Linked> {
    next: Option<P::Raw>,
    _chain: PhantomData<&'a mut Chain<P>>,
}

impl<'a, P: Linked> Iterator for IterMut<'a, P> {
    type Item = &'a mut P::Value;

    #[inline]
    fn next(&mut self) -> Option<&'a mut P::Value> {
        let element = self.next?;
        // SAFETY: By the invariants it is an element of a chain that nobody else uses for `'a`, and
        // no reference to its value was handed out before.
        // INVARIANT: By the invariants of the chain, its link is such an element, too, if it has
        // one.
        unsafe {
            self.next = P::next(element);
            Some(&mut *P::value(element))
        }
    }
}

#[kernel::macros::kunit_tests(kmsgpipe_chain)]
mod tests {
    use super::*;
    use core::ptr::NonNull;
    use kernel::prelude::*;

    /// A number that can be chained.
    struct Number(KBox<Node>);

    struct Node {
        value: u32,
        next: Option<NonNull<Node>>,
    }

    impl Number {
        fn new(value: u32) -> Result<Self> {
            Ok(Self(KBox::new(Node { value, next: None }, GFP_KERNEL)?))
        }
    }

    // SAFETY: A node has an address of its own as long as its box exists, and a place for a link.
    unsafe impl Linked for Number {
        type Value = u32;
        type Raw = NonNull<Node>;

        fn into_raw(this: Self) -> NonNull<Node> {
            // SAFETY: A pointer from `into_raw` is not null.
            unsafe { NonNull::new_unchecked(KBox::into_raw(this.0)) }
        }

        unsafe fn from_raw(raw: NonNull<Node>) -> Self {
            // SAFETY: By the safety requirements it comes from `KBox::into_raw`.
            Self(unsafe { KBox::from_raw(raw.as_ptr()) })
        }

        unsafe fn value(raw: NonNull<Node>) -> *mut u32 {
            // SAFETY: By the safety requirements it points to a node.
            unsafe { &raw mut (*raw.as_ptr()).value }
        }

        unsafe fn next(raw: NonNull<Node>) -> Option<NonNull<Node>> {
            // SAFETY: By the safety requirements it points to a node.
            unsafe { (*raw.as_ptr()).next }
        }

        unsafe fn set_next(raw: NonNull<Node>, next: Option<NonNull<Node>>) {
            // SAFETY: By the safety requirements it points to a node whose link nobody else uses.
            unsafe { (*raw.as_ptr()).next = next };
        }
    }

    fn chain(values: &[u32]) -> Result<Chain<Number>> {
        let mut chain = Chain::new();
        for value in values {
            chain.push_back(Number::new(*value)?);
        }
        Ok(chain)
    }

    fn check(mut chain: Chain<Number>, expected: &[u32]) {
        check_front(&mut chain, expected);
        assert!(chain.is_empty());
        assert!(chain.front().is_none());
        assert!(chain.pop_front().is_none());
    }

    fn check_front(chain: &mut Chain<Number>, expected: &[u32]) {
        for value in expected {
            assert_eq!(chain.front(), Some(value));
            assert_eq!(chain.pop_front().map(|number| number.0.value), Some(*value));
        }
    }

    #[test]
    fn joins_at_both_ends() -> Result {
        let mut numbers = chain(&[2, 3])?;
        numbers.push_front(Number::new(1)?);
        numbers.push_back(Number::new(4)?);
        check(numbers, &[1, 2, 3, 4]);

        let mut single = Chain::new();
        single.push_front(Number::new(7)?);
        single.push_back(Number::new(8)?);
        check(single, &[7, 8]);
        Ok(())
    }

    #[test]
    fn refills_after_it_was_emptied() -> Result {
        let mut numbers = chain(&[1])?;
        assert_eq!(numbers.pop_front().map(|number| number.0.value), Some(1));
        numbers.push_back(Number::new(2)?);
        numbers.push_back(Number::new(3)?);
        check(numbers, &[2, 3]);
        Ok(())
    }

    #[test]
    fn takes_everything() -> Result {
        let mut numbers = chain(&[1, 2])?;
        let taken = numbers.take();
        assert!(numbers.is_empty());
        numbers.push_back(Number::new(3)?);
        check(taken, &[1, 2]);
        check(numbers, &[3]);
        Ok(())
    }

    #[test]
    fn joins_another_chain() -> Result {
        let mut numbers = chain(&[])?;
        numbers.append(&mut chain(&[1, 2])?);
        numbers.append(&mut chain(&[])?);
        numbers.append(&mut chain(&[3])?);
        numbers.push_back(Number::new(4)?);
        assert_eq!(numbers.len(), 4);
        check(numbers, &[1, 2, 3, 4]);
        Ok(())
    }

    #[test]
    fn splits() -> Result {
        for (count, front, back) in [
            (0, &[][..], &[1, 2, 3][..]),
            (1, &[1], &[2, 3]),
            (2, &[1, 2], &[3]),
            (3, &[1, 2, 3], &[]),
            (4, &[1, 2, 3], &[]),
        ] {
            let mut numbers = chain(&[1, 2, 3])?;
            // The mark stays if the marked one does.
            numbers.mark_front();
            numbers.advance_mark();
            let taken = numbers.take_front(count);
            assert_eq!(numbers.marked(), back.iter().find(|value| **value == 2));
            assert_eq!(taken.marked(), None);
            assert_eq!((taken.len(), numbers.len()), (front.len(), back.len()));
            check(taken, front);
            numbers.append(&mut chain(&[4])?);
            assert_eq!(numbers.back_mut(), Some(&mut 4));
            check_front(&mut numbers, back);
            check(numbers, &[4]);
        }
        Ok(())
    }

    #[test]
    fn splits_behind_the_first() -> Result {
        for values in [&[][..], &[1], &[1, 2], &[1, 2, 3]] {
            let mut numbers = chain(values)?;
            numbers.mark_front();
            let rest = numbers.take_rest();
            assert_eq!(numbers.marked(), values.first());
            check(rest, values.get(1..).unwrap_or_default());
            check(numbers, values.get(..1).unwrap_or_default());
        }
        let mut numbers = chain(&[1, 2])?;
        numbers.mark_front();
        numbers.advance_mark();
        drop(numbers.take_rest());
        assert_eq!(numbers.marked(), None);
        Ok(())
    }

    #[test]
    fn walks() -> Result {
        let mut numbers = chain(&[1, 2, 3])?;
        for value in numbers.iter_mut() {
            *value *= 10;
        }
        assert_eq!(numbers.back_mut(), Some(&mut 30));
        assert!(numbers.iter().copied().eq([10, 20, 30]));
        assert_eq!(numbers.marked(), None);
        Ok(())
    }

    #[test]
    fn the_mark_stays_with_its_node() -> Result {
        let mut numbers = chain(&[1, 2, 3])?;
        numbers.mark_front();
        numbers.advance_mark();
        assert!(!numbers.is_front_marked());
        numbers.pop_front();
        assert!(numbers.is_front_marked());
        assert_eq!(numbers.marked(), Some(&2));

        // It moves on rather than leave the chain.
        numbers.pop_front();
        assert!(numbers.is_front_marked());
        assert_eq!(numbers.marked(), Some(&3));
        numbers.pop_front();
        assert!(!numbers.is_front_marked());
        numbers.push_back(Number::new(4)?);
        assert_eq!(numbers.marked(), None);
        numbers.advance_mark();
        assert_eq!(numbers.marked(), None);
        Ok(())
    }
}
