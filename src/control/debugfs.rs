// SPDX-License-Identifier: GPL-2.0

//! `kmsgpipe/pipes` in debugfs: the debug state of all pipes, one line per pipe. It helps to find
//! out why a pipe is stuck.

use kernel::seq_file::{
    seq_print,
    SeqFile, //
};

use super::listing::{
    LineFormat,
    Pipes, //
};
use crate::{
    kernel_ext::dev::debugfs::ListDir,
    pipe::Pipe, //
};

/// The debugfs directory. Dropping it removes it, and waits for reads that are in progress.
pub(crate) type PipesDir = ListDir<Pipes<DebugLine>>;

/// The debug state of a pipe, as one line. It contains no payload.
pub(crate) struct DebugLine;

impl LineFormat for DebugLine {
    fn write(pipe: &Pipe, file: &SeqFile) {
        let snapshot = pipe.snapshot();
        let debug = snapshot.debug;
        let (head_seq, tail_seq, age) = match snapshot.head {
            Some(head) => {
                let age = snapshot.now.saturating_sub(head.stamp.monotonic);
                (snapshot.first_seq, debug.last_seq, age)
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
            ("segments", debug.segments as u64),
            ("spare_segments", debug.spare_segments as u64),
            ("polled", debug.watched.into()),
            ("dumping", debug.dumping.into()),
            ("sweeper_armed", debug.sweeping.into()),
            ("rests", debug.rests.into()),
        ] {
            seq_print!(file, " {key}={value}");
        }
        seq_print!(file, "\n");
    }
}

/// Creates the debugfs directory.
pub(crate) fn pipes_dir() -> PipesDir {
    ListDir::new(c"kmsgpipe", c"pipes")
}
