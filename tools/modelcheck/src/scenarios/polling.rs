// SPDX-License-Identifier: GPL-2.0

//! Polling: nobody sleeps through what they wait for.

use super::*;
use crate::kernel_ext::notify::events;

/// Starts a task that polls for some events.
fn poller(bench: &Bench, wanted: u32) -> model::Spawned<u32> {
    let (pipe, handle) = (bench.pipe.clone(), bench.handle.clone());
    model::spawn(move || pipe.notifier().poll(wanted, || pipe.poll(&handle)))
}

#[test]
fn a_message_is_announced_to_who_begins_to_poll() {
    model::check("a_message_is_announced_to_who_begins_to_poll", 4, || {
        let bench = Bench::new(1, b"");
        let pollers = [poller(&bench, events::IN), poller(&bench, events::IN)];
        bench.sender(b'a');
        bench.settle();
        assert_eq!(pollers.map(|poller| poller.result()), [Some(events::IN); 2]);
        bench.finish();
    });
}

#[test]
fn room_is_announced_to_who_begins_to_poll() {
    model::check("room_is_announced_to_who_begins_to_poll", 4, || {
        let bench = Bench::new(1, b"x");
        let poller = poller(&bench, events::OUT);
        bench.receiver();
        bench.settle();
        assert_eq!(poller.result(), Some(events::OUT));
        bench.finish();
    });
}

#[test]
fn room_for_many_is_announced_to_who_begins_to_poll() {
    model::check(
        "room_for_many_is_announced_to_who_begins_to_poll",
        4,
        || {
            let bench = Bench::new(2, b"xy");
            let poller = poller(&bench, events::OUT);
            let pipe = bench.pipe.clone();
            model::spawn(move || pipe.clear());
            bench.settle();
            assert_eq!(poller.result(), Some(events::OUT));
            bench.finish();
        },
    );
}

#[test]
fn the_end_is_announced_to_who_begins_to_poll() {
    model::check("the_end_is_announced_to_who_begins_to_poll", 4, || {
        let bench = Bench::new(1, b"");
        let poller = poller(&bench, events::IN);
        let pipe = bench.pipe.clone();
        model::spawn(move || Pipe::shutdown(&pipe));
        model::join();
        assert_eq!(poller.result(), Some(events::GONE | events::IN));
        bench.dead();
    });
}

#[test]
fn a_poller_takes_no_sleepers_wakeup() {
    model::check("a_poller_takes_no_sleepers_wakeup", 3, || {
        let bench = Bench::new(1, b"");
        let poller = poller(&bench, events::IN);
        let reader = bench.receiver();
        let sender = bench.user();
        model::spawn(move || [sender.send(b'a'), sender.send(b'b')]);
        bench.settle();
        assert_eq!(reader.result(), Some(Ok(b'a')));
        assert_eq!(poller.result(), Some(events::IN));
        bench.finish();
    });
}
