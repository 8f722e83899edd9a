// SPDX-License-Identifier: GPL-2.0

//! What the scenarios of broadcast pipes and of browsing share.

use super::*;
use crate::{log::subscription, pipe::SubscriptionSnapshot};

/// What a subscription reads.
pub(super) const OWN: Reads = Reads::Position(subscription::Kind::Own);

/// Sends one message for each tag.
pub(super) fn send(bench: &Bench, tags: &[u8]) {
    for tag in tags {
        assert_eq!(bench.user().send(*tag), Ok(()));
    }
}

/// Starts a task that reads one message through `file`, and returns its tag.
pub(super) fn reader(file: &Opened) -> model::Spawned<Result<u8>> {
    let file = file.clone();
    model::spawn(move || file.read(LONGEST as usize).map(|bytes| bytes[0]))
}

/// Returns the tags of all messages that `file`, which is in the mode `EOF`, reads without waiting.
pub(super) fn drain(file: &Opened) -> Vec<u8> {
    let mut tags = Vec::new();
    loop {
        let bytes = file.read(LONGEST as usize).expect("a message or the end");
        let Some(tag) = bytes.first() else {
            return tags;
        };
        tags.push(*tag);
    }
}

/// Returns how many messages `file` has yet to read, has lost, and that have expired before it read
/// them.
pub(super) fn account(file: &Opened) -> [u64; 3] {
    let shown = file.pipe.show(&file.handle).subscription;
    let shown = shown.expect("a position");
    let subscription = shown.subscription;
    [shown.lag, subscription.lost(), subscription.expired()]
}

/// Lists the subscriptions of a pipe as the view does. Checks that the counters of each add up.
pub(super) fn listed(pipe: &Pipe) -> Vec<SubscriptionSnapshot> {
    let mut all: Vec<SubscriptionSnapshot> = Vec::new();
    while let Some(shown) = pipe.subscription_at_or_after(all.last().map_or(0, |s| s.number + 1)) {
        let subscription = shown.subscription;
        let passed = subscription.received() + subscription.lost() + subscription.expired();
        assert_eq!(shown.published, passed + shown.lag);
        all.push(shown);
    }
    all
}

/// Waits until all tasks sleep or have ended. Checks that messages and segments are counted, and
/// that no writer waits beside a slot.
pub(super) fn settle(bench: &Bench) -> Snapshot {
    model::settle();
    let view = bench.pipe.snapshot();
    bench.check_accounting(&view);
    listed(&bench.pipe);
    let waiting = bench.calls.writers.load(Relaxed);
    assert_eq!(view.waiting_writers as usize, waiting, "waiting writers");
    if bench.pipe.alive().is_ok() {
        assert!(
            waiting == 0 || view.depth.msgs >= view.limits.max_msgs().into(),
            "a writer waits, and there is room"
        );
    }
    view
}

/// Closes `files`, which leaves no message in the backlog. Destroys the pipe, and checks that
/// nothing is left.
pub(super) fn finish<const N: usize>(bench: Bench, files: [Opened; N]) {
    let is_broadcast = bench.pipe.kind() != Kind::Queue;
    for file in files {
        file.close();
    }
    let view = settle(&bench);
    assert!(
        view.depth.msgs == 0 || !is_broadcast,
        "a message for nobody"
    );
    Pipe::shutdown(&bench.pipe);
    bench.dead();
}
