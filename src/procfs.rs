// SPDX-License-Identifier: GPL-2.0

//! `/proc/kmsgpipe_stats`: a line a pipe.

use kernel::{
    prelude::*,
    seq_file::{
        seq_print,
        SeqFile, //
    },
};

use crate::{
    kernel_ext::proc::ListFile,
    listing::{
        Line,
        Pipes, //
    },
    pipe::Pipe, //
};

/// The file; dropping it removes the file, and waits for those who read it.
pub(crate) type StatsFile = ListFile<Pipes<Stats>>;

/// The line that the specification has.
pub(crate) struct Stats;

impl Line for Stats {
    fn write(pipe: &Pipe, file: &SeqFile) {
        let snapshot = pipe.snapshot();
        seq_print!(
            file,
            "pipe{}: msgs={}, drops={}, expired={}, writers={}, readers={}\n",
            snapshot.id,
            snapshot.depth.msgs,
            snapshot.account.dropped.msgs,
            snapshot.account.expired.msgs,
            snapshot.population.writers,
            snapshot.population.readers
        );
    }
}

/// Makes the file.
///
/// # Errors
///
/// [`ENOMEM`].
pub(crate) fn stats_file() -> Result<StatsFile> {
    ListFile::new(c"kmsgpipe_stats")
}
