// SPDX-License-Identifier: GPL-2.0

//! Polling: no poller sleeps through the event that it waits for.

use super::*;
use crate::kernel_ext::sync::notify::events;

#[test]
fn a_new_poller_gets_a_message() {
    model::check("a_new_poller_gets_a_message", 4, || {
        let bench = Bench::new(1, b"");
        let pollers = [bench.poller(events::IN), bench.poller(events::IN)];
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
        let poller = bench.poller(events::OUT);
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
        let poller = bench.poller(events::OUT);
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
        let poller = bench.poller(events::IN);
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
        let poller = bench.poller(events::IN);
        let reader = bench.receiver();
        let sender = bench.user();
        model::spawn(move || [sender.send(b'a'), sender.send(b'b')]);
        bench.settle();
        assert_eq!(reader.result(), Some(Ok(b'a')));
        assert_eq!(poller.result(), Some(events::IN));
        bench.finish();
    });
}
