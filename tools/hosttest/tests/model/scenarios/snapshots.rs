// SPDX-License-Identifier: GPL-2.0

//! Snapshots of a pipe while tasks use it.

use super::*;

#[test]
fn a_snapshot_is_of_one_moment() {
    model::check("a_snapshot_is_of_one_moment", 3, || {
        let bench = Bench::new(2, b"x");
        bench.receiver();
        bench.sender(b'a');
        let pipe = bench.pipe.clone();
        let snapshot = model::spawn(move || pipe.snapshot_alive());
        bench.settle();
        let view = snapshot.result().and_then(Result::ok).expect("a snapshot");
        bench.check_accounting(&view);
        let depth = view.depth.msgs;
        assert_eq!(view.head.is_some(), depth > 0);
        assert_eq!(view.first_seq + depth, view.counters.enqueued.msgs + 1);
        bench.finish();
    });
}
