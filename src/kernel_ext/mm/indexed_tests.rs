// SPDX-License-Identifier: GPL-2.0

//! Tests of [`IndexedChain`](super::indexed::IndexedChain).

#[kernel::macros::kunit_tests(kmsgpipe_indexed)]
mod tests {
    use kernel::prelude::*;

    use crate::kernel_ext::mm::{
        chain::Chain,
        indexed::{
            Index,
            IndexedChain, //
        },
        segment::Segment, //
    };

    type Segments = IndexedChain<Segment>;

    /// Returns a segment whose first byte is `value`.
    fn segment(value: u8) -> Result<Segment> {
        let mut segment = Segment::new()?;
        if let Some(first) = segment.first_mut() {
            *first = value;
        }
        Ok(segment)
    }

    /// Returns a chain without an index of segments with these values.
    fn chain(values: &[u8]) -> Result<Chain<Segment>> {
        let mut chain = Chain::new();
        for value in values {
            chain.push_back(segment(*value)?);
        }
        Ok(chain)
    }

    /// Returns a chain of segments with these values, which an index with `slots` slots covers as
    /// far as it can.
    fn indexed(values: &[u8], slots: usize) -> Result<Segments> {
        let mut indexed = Segments::new();
        assert!(indexed.replace_index(Some(Index::new(slots)?)).is_none());
        indexed.append(&mut chain(values)?);
        Ok(indexed)
    }

    /// Returns the value of the element with this number.
    fn value(chain: &Segments, number: u64) -> Option<u8> {
        chain.get(number)?.first().copied()
    }

    /// Checks that the elements from number `first` on have these values, that no others are found,
    /// and that iteration behind each of them is right.
    fn check(chain: &Segments, first: u64, values: &[u8]) {
        assert_eq!(chain.first_number(), first);
        assert_eq!(chain.len(), values.len());
        for (number, expected) in (first..).zip(values) {
            assert_eq!(value(chain, number), Some(*expected));
            let behind = (number - first + 1) as usize;
            let found = chain
                .iter_behind(number)
                .map(|bytes| bytes.first().copied());
            let left = values.get(behind..).unwrap_or_default();
            assert!(found.eq(left.iter().copied().map(Some)));
        }
        let end = first + values.len() as u64;
        for absent in [first.wrapping_sub(1), end, end + 1, u64::MAX] {
            assert_eq!(value(chain, absent), None);
            assert_eq!(chain.iter_behind(absent).count(), 0);
        }
    }

    #[test]
    fn numbers_count_all_that_were_added() -> Result {
        let mut chain = indexed(&[10, 11], 4)?;
        check(&chain, 0, &[10, 11]);
        // The slots are used again and again.
        for next in 12..40 {
            chain.push_back(segment(next)?);
            check(&chain, u64::from(next) - 12, &[next - 2, next - 1, next]);
            assert!(chain.pop_front().is_some());
            check(&chain, u64::from(next) - 11, &[next - 1, next]);
        }
        Ok(())
    }

    #[test]
    fn an_emptied_chain_keeps_its_numbers() -> Result {
        let mut chain = indexed(&[1], 2)?;
        assert!(chain.pop_front().is_some());
        check(&chain, 1, &[]);
        assert!(chain.pop_front().is_none());
        check(&chain, 1, &[]);
        chain.append(&mut Chain::new());
        chain.append(&mut self::chain(&[2, 3])?);
        check(&chain, 1, &[2, 3]);
        if let Some(first) = chain.back_mut().and_then(|bytes| bytes.first_mut()) {
            *first = 4;
        }
        check(&chain, 1, &[2, 4]);
        Ok(())
    }

    #[test]
    fn take_moves_the_numbers_on() -> Result {
        let mut chain = indexed(&[1, 2, 3], 4)?;
        chain.mark_front();
        chain.advance_mark();
        let taken = chain.take();
        assert_eq!((taken.len(), taken.marked().is_some()), (3, true));
        check(&chain, 3, &[]);
        chain.push_back(segment(4)?);
        check(&chain, 3, &[4]);
        assert_eq!(chain.take().len(), 1);
        assert!(chain.take().is_empty());
        check(&chain, 4, &[]);
        Ok(())
    }

    #[test]
    fn take_rest_leaves_the_first_element_with_its_number() -> Result {
        let mut chain = indexed(&[0, 1, 2, 3], 4)?;
        assert!(chain.pop_front().is_some());
        assert_eq!(chain.take_rest().len(), 2);
        check(&chain, 1, &[1]);
        assert!(chain.take_rest().is_empty());
        // The numbers of those that were taken are used again.
        chain.push_back(segment(7)?);
        check(&chain, 1, &[1, 7]);
        let mut empty = indexed(&[], 4)?;
        assert!(empty.take_rest().is_empty());
        check(&empty, 0, &[]);
        Ok(())
    }

    #[test]
    fn an_index_of_a_long_chain_grows_in_steps() -> Result {
        let mut chain = Segments::new();
        assert!(!chain.is_indexed());
        assert!(chain.index_more(0));
        chain.append(&mut self::chain(&[1, 2, 3, 4, 5])?);
        assert_eq!((value(&chain, 0), chain.first_number()), (None, 0));
        assert!(chain.replace_index(Some(Index::new(5)?)).is_none());
        assert!(chain.is_indexed());

        assert!(!chain.index_more(0));
        assert_eq!(value(&chain, 0), None);
        assert!(!chain.index_more(2));
        assert_eq!([1, 2].map(|number| value(&chain, number)), [Some(2), None]);
        // What is added or removed meanwhile waits for its turn.
        chain.push_back(segment(6)?);
        assert_eq!(value(&chain, 2), None);
        assert!(chain.pop_front().is_some());
        assert_eq!([1, 2].map(|number| value(&chain, number)), [Some(2), None]);
        assert!(!chain.index_more(3));
        assert!(chain.index_more(1));
        check(&chain, 1, &[2, 3, 4, 5, 6]);
        assert!(chain.index_more(9));
        chain.push_back(segment(7)?);
        check(&chain, 1, &[2, 3, 4, 5, 6, 7]);
        Ok(())
    }

    #[test]
    fn another_index_continues_the_numbers() -> Result {
        let mut chain = indexed(&[0, 1, 2], 4)?;
        assert!(chain.pop_front().is_some());
        let old = chain.replace_index(Some(Index::new(1)?));
        assert!(old.is_some());
        assert_eq!((chain.first_number(), value(&chain, 1)), (1, None));
        // It has a slot for the first element only.
        assert!(chain.index_more(9));
        assert_eq!([1, 2].map(|number| value(&chain, number)), [Some(1), None]);
        // The old one covers nothing when it is used again.
        assert!(chain.replace_index(old).is_some());
        assert_eq!(value(&chain, 1), None);
        assert!(chain.index_more(2));
        check(&chain, 1, &[1, 2]);
        assert!(chain.replace_index(None).is_some());
        assert!(!chain.is_indexed());
        assert_eq!((chain.first_number(), value(&chain, 1)), (1, None));
        assert!(chain.pop_front().is_some());
        assert_eq!(chain.len(), 1);
        Ok(())
    }

    #[test]
    fn elements_without_a_slot_are_not_found() -> Result {
        let mut chain = indexed(&[0, 1, 2], 2)?;
        let found = |chain: &Segments| [0, 1, 2, 3].map(|number| value(chain, number));
        assert_eq!(found(&chain), [Some(0), Some(1), None, None]);
        // The index covers as many as it can.
        assert!(chain.index_more(1));
        chain.push_back(segment(3)?);
        assert_eq!(found(&chain), [Some(0), Some(1), None, None]);
        assert!(chain.pop_front().is_some());
        assert_eq!(found(&chain), [None, Some(1), None, None]);
        assert!(chain.index_more(1));
        assert_eq!(found(&chain), [None, Some(1), Some(2), None]);
        // More elements leave than the index covers.
        assert_eq!(chain.take().len(), 3);
        check(&chain, 4, &[]);
        chain.push_back(segment(4)?);
        check(&chain, 4, &[4]);
        Ok(())
    }

    #[test]
    fn an_index_has_as_many_slots_as_it_needs() -> Result {
        for capacity in [0, 1, 2, 3, 5] {
            let mut values = [0; 5];
            for (value, place) in (0..).zip(&mut values) {
                *place = value;
            }
            let values = values.get(..capacity).unwrap_or_default();
            check(&indexed(values, capacity)?, 0, values);
        }
        assert!(Index::<Segment>::new(usize::MAX).is_err());
        Ok(())
    }
}
