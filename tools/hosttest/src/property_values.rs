// SPDX-License-Identifier: GPL-2.0

//! Random values of records, limits, numbers and names, compared with what must become of each.
//!
//! Each test has 256 cases, or as many as the variable `PROPTEST_CASES` says.

use crate::{
    control::numbers::Numbers,
    log::{
        limits::{Limits, Refusal},
        message::{Record, Sender, Stamp},
    },
    pipe::name::Name,
    uapi::{MAX_MSGS_MAX, MSG_SIZE_MAX, NAME_SIZE},
};
use proptest::{collection::vec, prelude::*};

proptest! {
    #[test]
    fn decoded_record_equals_the_encoded_one(
        monotonic: u64, realtime: i64, len: u32,
        uid: u32, gid: u32, pid in 0..1u32 << 31, privileged: bool
    ) {
        let record = Record {
            stamp: Stamp { monotonic, realtime },
            len,
            sender: Sender { uid, gid, pid, privileged },
        };
        prop_assert_eq!(Record::decode(&record.encode()), record);
    }

    #[test]
    fn limits_out_of_bounds_are_refused(
        msg_size in prop_oneof![any::<u32>(), 0..3u32, MSG_SIZE_MAX - 2..MSG_SIZE_MAX + 3],
        max_msgs in prop_oneof![any::<u32>(), 0..3u32, MAX_MSGS_MAX - 2..MAX_MSGS_MAX + 3],
        max_bytes in prop_oneof![any::<u64>(), 0..1u64 << 37],
    ) {
        let bytes = u128::from(msg_size) * u128::from(max_msgs);
        let want = if msg_size == 0 || msg_size > MSG_SIZE_MAX {
            Err(Refusal::MsgSize)
        } else if max_msgs == 0 || max_msgs > MAX_MSGS_MAX {
            Err(Refusal::MaxMsgs)
        } else if bytes > max_bytes.into() {
            Err(Refusal::Product)
        } else {
            Ok((msg_size, max_msgs, bytes as u64))
        };
        let got = Limits::new(msg_size, max_msgs, max_bytes);
        if let Err(refusal) = got {
            prop_assert!(!refusal.to_string().is_empty());
        }
        prop_assert_eq!(got.map(|l| (l.msg_size(), l.max_msgs(), l.bytes())), want);
    }

    #[test]
    fn number_is_reused_only_after_all_others(
        count in 64..80u32,
        // `None` takes a number, and `Some` gives one of those in use back.
        ops in vec(prop_oneof![3 => Just(None), 2 => any::<prop::sample::Index>().prop_map(Some)], 1..600),
    ) {
        let mut numbers = Numbers::new(count).expect("numbers");
        let mut used = Vec::new();
        // For each number that was taken, the numbers that were in use since then.
        let mut since = vec![None; count as usize];
        for op in ops {
            match op {
                None => {
                    let number = numbers.take();
                    prop_assert_eq!(number.is_none(), used.len() == count as usize);
                    let Some(number) = number else { continue };
                    prop_assert!(number < count && !used.contains(&number));
                    let all = (1u128 << count) - 1;
                    let before = since[number as usize].unwrap_or(all);
                    prop_assert_eq!(before | (1 << number), all);
                    used.push(number);
                    for others in since.iter_mut().flatten() {
                        *others |= 1 << number;
                    }
                    since[number as usize] = Some(used.iter().fold(0, |set, used| set | (1 << used)));
                }
                Some(index) if !used.is_empty() => {
                    numbers.release(used.swap_remove(index.index(used.len())));
                }
                Some(_) => {}
            }
        }
    }

    #[test]
    fn only_valid_names_are_accepted(
        start in "[a-zA-Z0-9._-]{0,34}",
        between in vec(any::<u8>(), 0..2),
        end in "[a-z]{0,4}|[.]peer|[.]{1,2}",
        rest in prop_oneof![4 => Just(0u8), 1 => any::<u8>()],
    ) {
        let text = [start.as_bytes(), &between, end.as_bytes()].concat();
        let allowed = |byte: &u8| matches!(*byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        let kept = [&b"."[..], b".."].contains(&&text[..]) || text.ends_with(b".peer");
        let right = !text.is_empty() && text.len() < NAME_SIZE as usize && text.iter().all(allowed) && !kept;
        let name = Name::new(&text);
        prop_assert_eq!(name.is_some(), right);
        if let Some(name) = name {
            prop_assert_eq!(name.to_string().into_bytes(), text.clone());
        }
        // In a field, the name ends at the first zero, which may be within `text`. Other bytes may
        // follow.
        let mut field = [rest; NAME_SIZE as usize];
        if text.len() < field.len() {
            field[..text.len()].copy_from_slice(&text);
            field[text.len()] = 0;
            let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
            let want = Name::new(&text[..end]).filter(|_| field[end..].iter().all(|byte| *byte == 0));
            prop_assert_eq!(Name::from_field(&field), want);
        }
    }
}
