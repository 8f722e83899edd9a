// SPDX-License-Identifier: GPL-2.0

//! Tests of [`Chain`](super::chain::Chain).

#[kernel::macros::kunit_tests(kmsgpipe_chain)]
mod tests {
    use core::{
        cell::Cell,
        ptr::NonNull, //
    };
    use kernel::prelude::*;

    use crate::kernel_ext::mm::chain::{
        Chain,
        Linked, //
    };

    /// A number that can be in a chain.
    struct Number(KBox<Node>);

    struct Node {
        value: u32,
        next: Option<NonNull<Node>>,
        /// Counts the nodes that were dropped. It outlives the node.
        dropped: Option<NonNull<Cell<u32>>>,
    }

    impl Drop for Node {
        fn drop(&mut self) {
            if let Some(dropped) = self.dropped {
                // SAFETY: The counter outlives the node.
                let dropped = unsafe { dropped.as_ref() };
                dropped.set(dropped.get() + 1);
            }
        }
    }

    impl Number {
        fn new(value: u32) -> Result<Self> {
            Self::counted(value, None)
        }

        /// Makes a number that counts its end in `dropped`, which must outlive it.
        fn counted(value: u32, dropped: Option<NonNull<Cell<u32>>>) -> Result<Self> {
            let node = Node {
                value,
                next: None,
                dropped,
            };
            Ok(Self(KBox::new(node, GFP_KERNEL)?))
        }
    }

    // SAFETY: A node keeps its address as long as its box exists, and has a link of its own.
    unsafe impl Linked for Number {
        type Value = u32;
        type Raw = NonNull<Node>;

        fn into_raw(this: Self) -> NonNull<Node> {
            // SAFETY: A pointer from `KBox::into_raw` is not null.
            unsafe { NonNull::new_unchecked(KBox::into_raw(this.0)) }
        }

        unsafe fn from_raw(raw: NonNull<Node>) -> Self {
            // SAFETY: By the safety requirements `raw` comes from `KBox::into_raw`.
            Self(unsafe { KBox::from_raw(raw.as_ptr()) })
        }

        unsafe fn value(raw: NonNull<Node>) -> *mut u32 {
            // SAFETY: By the safety requirements `raw` points to a node.
            unsafe { &raw mut (*raw.as_ptr()).value }
        }

        unsafe fn next(raw: NonNull<Node>) -> Option<NonNull<Node>> {
            // SAFETY: By the safety requirements `raw` points to a node.
            unsafe { (*raw.as_ptr()).next }
        }

        unsafe fn set_next(raw: NonNull<Node>, next: Option<NonNull<Node>>) {
            // SAFETY: By the safety requirements `raw` points to a node, whose link is not in use.
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
    fn a_chain_drops_its_elements() -> Result {
        let dropped = Cell::new(0);
        let mut numbers = Chain::new();
        for value in 0..3 {
            numbers.push_back(Number::counted(value, Some(NonNull::from(&dropped)))?);
        }
        drop(numbers.pop_front());
        assert_eq!(dropped.get(), 1);
        drop(numbers);
        assert_eq!(dropped.get(), 3);
        Ok(())
    }

    #[test]
    fn elements_are_added_at_both_ends() -> Result {
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
    fn an_emptied_chain_can_be_refilled() -> Result {
        let mut numbers = chain(&[1])?;
        assert_eq!(numbers.pop_front().map(|number| number.0.value), Some(1));
        numbers.push_back(Number::new(2)?);
        numbers.push_back(Number::new(3)?);
        check(numbers, &[2, 3]);
        Ok(())
    }

    #[test]
    fn take_leaves_an_empty_chain() -> Result {
        let mut numbers = chain(&[1, 2])?;
        let taken = numbers.take();
        assert!(numbers.is_empty());
        numbers.push_back(Number::new(3)?);
        check(taken, &[1, 2]);
        check(numbers, &[3]);
        Ok(())
    }

    #[test]
    fn append_adds_all_elements_in_order() -> Result {
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
    fn take_front_returns_the_first_elements() -> Result {
        for (count, front, back) in [
            (0, &[][..], &[1, 2, 3][..]),
            (1, &[1], &[2, 3]),
            (2, &[1, 2], &[3]),
            (3, &[1, 2, 3], &[]),
            (4, &[1, 2, 3], &[]),
        ] {
            let mut numbers = chain(&[1, 2, 3])?;
            // The mark stays if the marked element stays.
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
    fn take_rest_leaves_the_first_element() -> Result {
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
    fn iterators_visit_all_values_in_order() -> Result {
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
    fn the_mark_stays_on_its_element_until_it_is_removed() -> Result {
        let mut numbers = chain(&[1, 2, 3])?;
        numbers.mark_front();
        numbers.advance_mark();
        assert!(!numbers.is_front_marked());
        numbers.pop_front();
        assert!(numbers.is_front_marked());
        assert_eq!(numbers.marked(), Some(&2));

        // The mark moves to the next element when the marked one is removed.
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
