// SPDX-License-Identifier: GPL-2.0

//! `/proc/kmsgpipe_stats`: statistics of all pipes, one line per pipe.
//! `/proc/kmsgpipe_subscriptions`: all subscriptions, one line per subscription.

use kernel::{
    prelude::*,
    seq_file::{
        seq_print,
        SeqFile, //
    },
};

use super::listing::{
    LineFormat,
    Pipes,
    Subscriptions, //
};

use crate::{
    kernel_ext::dev::proc::ListFile,
    pipe::Pipe, //
};

/// The file with the statistics. Dropping it removes it, and waits for reads that are in progress.
pub(crate) type StatsFile = ListFile<Pipes<StatsLine>>;

/// The file with the subscriptions. Dropping it removes it, and waits for reads that are in
/// progress.
pub(crate) type SubscriptionsFile = ListFile<Subscriptions>;

/// The statistics of a pipe, as one line in the format of the specification.
pub(crate) struct StatsLine;

impl LineFormat for StatsLine {
    fn write(pipe: &Pipe, file: &SeqFile) {
        let snapshot = pipe.snapshot();
        seq_print!(
            file,
            "pipe{}: msgs={}, drops={}, expired={}, writers={}, readers={}\n",
            snapshot.id,
            snapshot.depth.msgs,
            snapshot.counters.dropped.msgs,
            snapshot.counters.expired.msgs,
            snapshot.open_counts.writers,
            snapshot.open_counts.readers
        );
    }
}

/// Creates the file with the statistics.
///
/// # Errors
///
/// [`ENOMEM`].
pub(crate) fn stats_file() -> Result<StatsFile> {
    ListFile::new(c"kmsgpipe_stats")
}

/// Creates the file with the subscriptions.
///
/// # Errors
///
/// [`ENOMEM`].
pub(crate) fn subscriptions_file() -> Result<SubscriptionsFile> {
    ListFile::new(c"kmsgpipe_subscriptions")
}
