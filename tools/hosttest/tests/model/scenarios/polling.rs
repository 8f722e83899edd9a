// SPDX-License-Identifier: GPL-2.0

//! Polling: no poller sleeps through the event that it waits for.

use super::*;
use crate::kernel_ext::sync::notify::events;

/// Starts a task that polls for `events`.
fn poller(bench: &Bench, wanted: u32) -> model::Spawned<u32> {
    let (pipe, handle) = (bench.pipe.clone(), bench.handle.clone());
    model::spawn(move || pipe.notifier().poll(wanted, || pipe.poll(&handle)))
}

#[test]
fn a_new_poller_gets_a_message() {
    model::check("a_new_poller_gets_a_message", 4, || {
        let bench = Bench::new(1, b"");
        let pollers = [poller(&bench, events::IN), poller(&bench, events::IN)];
        bench.sender(b'a');
        bench.settle();
        assert_eq!(pollers.map(|poller| poller.result()), [Some(events::IN); 2]);
        bench.finish();
    });
}

#[test]
fn a_new_poller_gets_room() {
    model::check("a_new_poller_gets_room", 4, || {
        let bench = Bench::new(1, b"x");
        let poller = poller(&bench, events::OUT);
        bench.receiver();
        bench.settle();
        assert_eq!(poller.result(), Some(events::OUT));
        bench.finish();
    });
}

#[test]
fn new_pollers_get_room_for_many() {
    model::check("new_pollers_get_room_for_many", 4, || {
        let bench = Bench::new(2, b"xy");
        let poller = poller(&bench, events::OUT);
        let pipe = bench.pipe.clone();
        model::spawn(move || pipe.clear());
        bench.settle();
        assert_eq!(poller.result(), Some(events::OUT));
        bench.finish();
    });
}

#[test]
fn a_new_poller_gets_the_end() {
    model::check("a_new_poller_gets_the_end", 4, || {
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
fn a_poller_takes_no_waiters_wakeup() {
    model::check("a_poller_takes_no_waiters_wakeup", 3, || {
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
