// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipe/pipes` in debugfs: what a developer needs to find out why a pipe is stuck, a line a
//! pipe.

use kernel::seq_file::{
    seq_print,
    SeqFile, //
};

use crate::{
    kernel_ext::debugfs::ListDir,
    listing::{
        Line,
        Pipes, //
    },
    pipe::Pipe, //
};

/// The directory; dropping it removes it, and waits for those who read the file in it.
pub(crate) type PipesDir = ListDir<Pipes<Internals>>;

/// What a developer wants to know. No payload is in it.
pub(crate) struct Internals;

impl Line for Internals {
    fn write(pipe: &Pipe, file: &SeqFile) {
        let snapshot = pipe.snapshot();
        let internals = snapshot.internals;
        let (head_seq, tail_seq, age) = match snapshot.head {
            Some(head) => {
                let age = snapshot.now.saturating_sub(head.stamp.monotonic);
                (snapshot.first_seq, internals.last_seq, age)
            }
            None => (0, 0, 0),
        };
        seq_print!(file, "pipe{}:", snapshot.id);
        for (key, value) in [
            ("waiting_readers", snapshot.waiting_readers.into()),
            ("waiting_writers", snapshot.waiting_writers.into()),
            ("depth_msgs", snapshot.depth.msgs),
            ("head_seq", head_seq),
            ("tail_seq", tail_seq),
            ("oldest_age_ns", age),
            ("segments", internals.segments as u64),
            ("spare_segments", internals.spare_segments as u64),
            ("polled", internals.watched.into()),
            ("dumping", internals.dumping.into()),
            ("sweeper_armed", internals.sweeping.into()),
            ("rests", internals.rests.into()),
        ] {
            seq_print!(file, " {key}={value}");
        }
        seq_print!(file, "\n");
    }
}

/// Makes the directory.
pub(crate) fn pipes_dir() -> PipesDir {
    ListDir::new(c"kmsgpipe", c"pipes")
}
