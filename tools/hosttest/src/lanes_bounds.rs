// SPDX-License-Identifier: GPL-2.0

//! Tests of a queue with lanes at its bounds, which random operations do not reach.

use crate::{
    log::{
        counters::Tally,
        lanes::{Lanes, SweepPosition},
        limits::Limits,
        queue::Queue,
    },
    property::{padded, push, sender, stamp},
    property_priorities::push_slow,
};

/// Makes an empty queue with two priorities, for 20 messages of up to 64 KiB.
fn queue() -> Queue {
    let mut queue = Queue::new(Limits::new(65536, 20, u64::MAX).expect("limits"));
    queue.set_lanes(Lanes::new(2).expect("memory"));
    queue
}

#[test]
fn fast_path_takes_a_message_from_a_lane() {
    let mut queue = queue();
    assert!(push_slow(&mut queue, (1, 1, 8), 0, None, false));
    assert_eq!(queue.try_pop_in_lane(|_| false), None);
    assert_eq!(queue.depth(), Tally::one(8));
    assert_eq!(queue.try_pop_in_lane(|_| true), Some(8));
    assert_eq!(queue.depth(), Tally::NONE);
    assert_eq!(queue.try_pop_in_lane(|_| true), None);
}

#[test]
fn lane_has_a_segment_for_each_of_three_streams() {
    let mut queue = queue();
    assert_eq!(queue.segments(), 0);
    assert!(push_slow(&mut queue, (1, 1, 8), 0, None, false));
    assert_eq!(queue.segments(), 3);
}

#[test]
fn expiry_stops_after_a_mebibyte() {
    let mut queue = queue();
    for seq in 1..=17 {
        assert!(push_slow(&mut queue, (seq, 0, 65536), 0, None, false));
    }
    assert_eq!(queue.expire_oldest(0, Some(17), 100), (16, true));
    assert_eq!(queue.depth().msgs, 1);
    assert_eq!(queue.expire_oldest(0, Some(17), 100), (1, false));
}

#[test]
fn only_messages_with_a_time_to_live_have_deadlines() {
    let mut queue = queue();
    assert!(!queue.has_deadlines());
    assert!(push_slow(&mut queue, (1, 0, 8), 0, None, false));
    assert!(!queue.has_deadlines());
    assert_eq!(queue.earliest_deadline(), None);
    assert!(push_slow(&mut queue, (2, 0, 8), 5, None, false));
    assert!(queue.has_deadlines());
    // The time of a message is its number.
    assert_eq!(queue.earliest_deadline(), Some(7));
}

#[test]
fn holes_and_messages_are_at_most_twice_max_msgs() {
    let mut queue = queue();
    assert!(push_slow(&mut queue, (1, 0, 8), 1000, None, false));
    let mut sent = 1;
    loop {
        let before = sent;
        while push_slow(&mut queue, (sent + 1, 0, 8), 1, None, false) {
            sent += 1;
        }
        if sent == before {
            break;
        }
        let (holes, is_done) = queue.sweep(&mut SweepPosition::default(), 500, 1000);
        assert_eq!((holes, is_done), (sent - before, true));
    }
    assert_eq!(sent, 40);
    assert_eq!(queue.depth().msgs, 1);
}

#[test]
fn messages_are_delivered_together_from_one_store_only() {
    let plain = Queue::new(Limits::new(64, 2, u64::MAX).expect("limits"));
    assert_eq!(plain.most_in_order(), usize::MAX);
    assert_eq!(queue().most_in_order(), 1);
}

#[test]
fn message_in_the_store_beside_lanes_can_make_room() {
    assert!(!queue().has_oldest_for(1));
    let mut queue = Queue::new(Limits::new(64, 2, u64::MAX).expect("limits"));
    assert!(push(&mut queue, 1, 8, None));
    queue.set_lanes(Lanes::new(1).expect("memory"));
    assert!(queue.has_oldest_for(0));
}

#[test]
fn fast_path_puts_a_message_in_a_lane() {
    let mut queue = queue();
    assert!(push_slow(&mut queue, (1, 1, 8), 0, None, false));
    let signed = (sender(2), stamp(2));
    assert!(queue.try_push_in_lane(1, 8, &padded(2, 8), signed));
    assert_eq!(queue.depth().msgs, 2);
}

#[test]
fn longest_time_to_live_is_a_deadline() {
    let mut queue = queue();
    assert!(push_slow(&mut queue, (1, 0, 8), u64::MAX, None, false));
    assert_eq!(queue.earliest_deadline(), Some(u64::MAX - 1));
}
