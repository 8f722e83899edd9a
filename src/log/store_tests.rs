// SPDX-License-Identifier: GPL-2.0

//! Tests of [`Store`](super::store::Store): messages that are written and read in place, and walks.

#[kernel::macros::kunit_tests(kmsgpipe_store)]
mod tests {
    use kernel::prelude::*;

    use crate::{
        kernel_ext::mm::segment::{
            Segment,
            SEGMENT_SIZE, //
        },
        log::{
            counters::Tally,
            cursor::CursorMemory,
            iter::Run,
            message::{
                Record,
                Stamp, //
            },
            store::{
                Place,
                Store, //
            },
            stream::Segments, //
        }, //
    };

    /// Returns the record of message `seq`, which has `len` bytes.
    fn record(seq: u64, len: usize) -> Record {
        Record {
            stamp: Stamp {
                monotonic: seq,
                realtime: 0,
            },
            len: len as u32,
            ..Record::default()
        }
    }

    /// Stores message `seq` with `len` bytes on the slow path, each of the value `seq`.
    fn push(store: &mut Store, seq: u64, len: usize) -> Result {
        let mut fresh = Segments::new();
        for _ in 0..store.provide(&mut fresh, len) {
            fresh.push_back(Segment::new()?);
        }
        let stored = store.push(&record(seq, len), &mut fresh, |piece| {
            piece.fill(seq as u8);
            true
        });
        stored.then_some(()).ok_or(EINVAL)
    }

    #[test]
    fn a_message_costs_at_most_39_bytes() -> Result {
        for (len, msgs) in [
            (1, 4096),
            (256, 4096),
            (257, 4096),
            (1000, 4096),
            (65536, 64),
            (1 << 20, 8),
        ] {
            let mut store = Store::new();
            for seq in 0..msgs {
                push(&mut store, seq as u64, len)?;
            }
            let used = |bytes: usize| (bytes * msgs).div_ceil(SEGMENT_SIZE);
            let payloads = used(len.next_multiple_of(8));
            assert_eq!(store.segments(), payloads + used(Record::SIZE));
        }
        Ok(())
    }

    #[test]
    fn preallocation_takes_what_a_message_needs_at_most() -> Result {
        let mut store = Store::new();
        let mut fresh = Segments::new();
        // One segment for the record, and those for the payload.
        for (len, most) in [(1, 2), (SEGMENT_SIZE, 2), (SEGMENT_SIZE + 1, 3)] {
            let missing = store.preallocate(&mut fresh, len);
            assert_eq!(missing, most - fresh.len());
            for _ in 0..missing {
                fresh.push_back(Segment::new()?);
            }
            assert_eq!(store.preallocate(&mut fresh, len), 0);
            assert_eq!(fresh.len(), most);
        }
        // The surplus becomes spare, and is taken from there again.
        assert_eq!(store.preallocate(&mut fresh, 1), 0);
        assert_eq!((fresh.len(), store.spare_segments()), (2, 1));
        assert_eq!(store.preallocate(&mut fresh, 2 * SEGMENT_SIZE), 0);
        assert_eq!((fresh.len(), store.spare_segments()), (3, 0));
        Ok(())
    }

    #[test]
    fn trimming_takes_what_is_not_needed() -> Result {
        let mut store = Store::new();
        for seq in 1..10 {
            push(&mut store, seq, SEGMENT_SIZE)?;
        }
        for _ in 1..10 {
            store.pop(SEGMENT_SIZE as u32);
        }
        assert_eq!(store.spare_segments(), 8);
        // The first trim takes all segments as needed.
        assert_eq!(store.trim(false).len(), 0);
        push(&mut store, 10, SEGMENT_SIZE)?;
        push(&mut store, 11, SEGMENT_SIZE)?;
        store.pop(SEGMENT_SIZE as u32);
        assert_eq!(store.front(), Some(record(11, SEGMENT_SIZE)));
        store.pop(SEGMENT_SIZE as u32);
        // The second message needed one of the eight.
        assert_eq!(store.trim(false).len(), 7);
        assert_eq!(store.spare_segments(), 1);

        assert_eq!(store.trim(true).len(), 3);
        assert_eq!(store.segments() + store.spare_segments(), 0);
        push(&mut store, 12, 5)?;
        assert_eq!(store.trim(true).len(), 0);
        assert_eq!(store.front(), Some(record(12, 5)));
        Ok(())
    }

    #[test]
    fn staged_messages_are_stored_by_a_commit() -> Result {
        let mut store = Store::new();
        let messages = || [(3, [1; 8]), (8, [2; 8]), (1, [3; 8])].into_iter();
        let stage = |store: &mut Store, limit| {
            let all = messages();
            let mut run = Run::NONE;
            for (len, payload) in all.take(limit) {
                let one = store.stage(&record(9, 0), 1, [(len, &payload[..])].into_iter());
                store.commit(one);
                run.merge(one);
            }
            run
        };
        // There is no segment yet.
        assert_eq!(stage(&mut store, 3), Run::NONE);
        push(&mut store, 1, 8)?;
        let run = stage(&mut store, 2);
        assert_eq!(run.tally, Tally { msgs: 2, bytes: 11 });
        assert_eq!(run.span, 16);
        assert_eq!(store.depth(), Tally { msgs: 3, bytes: 19 });

        // All messages of one call, at most as many as are wanted.
        let payloads = [[1; 8], [2; 8], [3; 8]];
        let all = || {
            [3, 8, 1]
                .into_iter()
                .zip(payloads.iter().map(|payload| &payload[..]))
        };
        assert_eq!(store.stage(&record(9, 0), 2, all()).tally.msgs, 2);
        let run = store.stage(&record(9, 0), 9, all());
        assert_eq!(run.tally, Tally { msgs: 3, bytes: 12 });
        // Nothing is stored before the commit.
        assert_eq!(store.depth(), Tally { msgs: 3, bytes: 19 });
        store.commit(run);
        assert_eq!(store.depth(), Tally { msgs: 6, bytes: 31 });
        Ok(())
    }

    #[test]
    fn walks_return_each_message_with_its_payload() -> Result {
        // The payloads of the third and the fifth message are in two segments.
        let lens = [5, 4000, 300, 16, SEGMENT_SIZE, 1];
        let mut store = Store::new();
        for (seq, len) in lens.into_iter().enumerate() {
            push(&mut store, seq as u64, len)?;
        }
        let mut walk = store.walk_at(Place::Front);
        for (seq, len) in lens.into_iter().enumerate() {
            assert_eq!(walk.record(), Some(record(seq as u64, len)));
            let mut bytes = 0;
            for piece in walk.payload() {
                assert!(piece.iter().all(|byte| *byte == seq as u8));
                bytes += piece.len();
            }
            assert_eq!(bytes, len);
        }
        assert_eq!(walk.record(), None);

        // Those in the first segment only.
        let mut seen = Run::NONE;
        for (seq, (packed, padded)) in store.contiguous_messages(Place::Front).enumerate() {
            let found = Record::decode(packed);
            assert_eq!(found, record(seq as u64, found.len as usize));
            assert_eq!(padded.len(), (found.len as usize).next_multiple_of(8));
            seen.merge(Run {
                span: padded.len(),
                ..Run::one(found.len)
            });
        }
        assert_eq!(
            seen.tally,
            Tally {
                msgs: 2,
                bytes: 4005
            }
        );
        assert_eq!(seen.span, 4008);
        store.pop_contiguous_run(seen);
        assert_eq!(store.front(), Some(record(2, 300)));
        Ok(())
    }

    #[test]
    fn the_only_message_leaves_an_empty_store() -> Result {
        let mut store = Store::new();
        push(&mut store, 1, 1000)?;
        assert!(store.front_contiguous().is_some());
        store.pop_only();
        assert_eq!(store.depth(), Tally::NONE);
        assert_eq!(store.payload_span(), 0);
        assert_eq!(store.front(), None);
        // The whole segment is free again.
        assert_eq!(store.provide(&mut Segments::new(), SEGMENT_SIZE), 0);
        Ok(())
    }

    #[test]
    fn the_last_message_frees_the_start_of_its_segment() -> Result {
        let mut store = Store::new();
        push(&mut store, 1, 1000)?;
        push(&mut store, 2, 1000)?;
        store.pop(1000);
        store.pop(1000);
        assert_eq!(store.provide(&mut Segments::new(), SEGMENT_SIZE), 0);
        Ok(())
    }

    #[test]
    fn a_segment_is_released_with_its_last_byte() -> Result {
        let mut store = Store::new();
        push(&mut store, 1, SEGMENT_SIZE)?;
        push(&mut store, 2, SEGMENT_SIZE)?;
        assert_eq!((store.segments(), store.spare_segments()), (3, 0));
        store.pop(SEGMENT_SIZE as u32);
        assert_eq!((store.segments(), store.spare_segments()), (2, 1));
        Ok(())
    }

    #[test]
    fn a_cursor_keeps_the_segments_that_it_has_not_passed() -> Result {
        let mut store = Store::new();
        push(&mut store, 1, SEGMENT_SIZE + 1)?;
        store.cursor_begin(CursorMemory::new()?);
        store.pop(SEGMENT_SIZE as u32 + 1);
        // The cursor has both segments of the payload, and that of the record.
        assert_eq!((store.segments(), store.spare_segments()), (0, 0));
        let CursorMemory([records, payloads]) = store.cursor_end().ok_or(EINVAL)?;
        assert_eq!((records.kept.len(), payloads.kept.len()), (1, 2));
        Ok(())
    }
}
