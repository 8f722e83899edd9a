// SPDX-License-Identifier: MIT OR Apache-2.0

//! What an open file reads, and from where.

use crate::sys::RawAttach;
use kmsgpipe_sys::{
    ATTACH_BROWSE, ATTACH_GROUP, ATTACH_OWN, START_NOW, START_OLDEST, START_SEQ, START_TIME,
};
use std::{num::NonZeroU32, time::Duration};

/// What an open file reads.
///
/// ```no_run
/// use kmsgpipe::{Access, Attach, Pipe, Start};
///
/// // Prints all stored messages, and leaves them in the pipe.
/// let pipe = Pipe::open("log", Access::Read)?;
/// pipe.attach(Attach::Browse(Start::Oldest))?;
/// let mut buffer = Vec::new();
/// while let Ok(message) = pipe.try_receive(&mut buffer) {
///     println!("{}", String::from_utf8_lossy(message));
/// }
/// # Ok::<(), kmsgpipe::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Attach {
    /// A subscription of a broadcast pipe: each message once. A file that is opened for reading has one, which
    /// begins with the history of the pipe, or with the next message.
    Own(Start),
    /// The messages of a queue, each of which goes to one of its readers. A file that is opened for reading
    /// does this.
    Group,
    /// The messages of a queue, on trust: a message stays in the queue, and takes a slot, until
    /// [`Pipe::ack`](crate::Pipe::ack). [`Pipe::nack`](crate::Pipe::nack), the end of the lease, and the end of
    /// the process give it back, to be delivered again before all newer ones. So no message is lost when a
    /// program fails while it works on one.
    ///
    /// ```no_run
    /// use kmsgpipe::{Access, Attach, ReceiveBatch, RecordPipe};
    /// use std::time::Duration;
    ///
    /// # fn work_on(job: &[u8]) -> bool { true }
    /// let pipe = RecordPipe::open("jobs", Access::Read)?;
    /// pipe.pipe().attach(Attach::Lease {
    ///     lease: Duration::from_secs(30),
    ///     max_deliveries: None,
    /// })?;
    /// let mut batch = ReceiveBatch::new();
    /// loop {
    ///     let record = pipe.receive_record(&mut batch)?;
    ///     let seq = record.seq;
    ///     if work_on(record.payload) {
    ///         pipe.pipe().ack(seq..=seq)?;
    ///     } else {
    ///         pipe.pipe().nack(seq..=seq, Duration::from_secs(5))?;
    ///     }
    /// }
    /// # #[allow(unreachable_code)]
    /// # Ok::<(), kmsgpipe::Error>(())
    /// ```
    Lease {
        /// How long the file has a message on trust, from the moment it received it. Rounded up to whole
        /// milliseconds, at least 1 ms, and at most `u32::MAX` ms, which is 49 days.
        lease: Duration,
        /// Number of deliveries after which a message that comes back is dropped.
        max_deliveries: Option<NonZeroU32>,
    },
    /// Copies of the stored messages of a pipe of any kind. Nothing is consumed or held back: messages that
    /// leave the pipe before the file has read them count as lost for it.
    Browse(Start),
}

/// The first message that an open file reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Start {
    /// The next one to be sent.
    #[default]
    Now,
    /// The oldest stored one.
    Oldest,
    /// The first stored one from this sequence number on. Without one, the next one to be sent.
    Seq(u64),
    /// The first stored one that was sent at this time or later, in nanoseconds of `CLOCK_REALTIME`, as
    /// [`Record::realtime_ns`](crate::Record::realtime_ns). Without one, the next one to be sent.
    Time(u64),
}

impl Attach {
    /// Returns the request.
    pub(crate) fn request(self) -> RawAttach {
        let (kind, start) = match self {
            Self::Own(start) => (ATTACH_OWN, start),
            Self::Group | Self::Lease { .. } => (ATTACH_GROUP, Start::Now),
            Self::Browse(start) => (ATTACH_BROWSE, start),
        };
        let (lease_ms, max_deliveries) = match self {
            Self::Lease {
                lease,
                max_deliveries,
            } => (
                milliseconds(lease).max(1),
                max_deliveries.map_or(0, NonZeroU32::get),
            ),
            _ => (0, 0),
        };
        let (start, at) = match start {
            Start::Now => (START_NOW, 0),
            Start::Oldest => (START_OLDEST, 0),
            Start::Seq(seq) => (START_SEQ, seq),
            Start::Time(realtime_ns) => (START_TIME, realtime_ns),
        };
        RawAttach {
            kind,
            start,
            at,
            lease_ms,
            max_deliveries,
            ..RawAttach::default()
        }
    }
}

/// Returns a duration in milliseconds as the kernel takes it: rounded up, so that it is not shorter, but at most the
/// maximum.
pub(crate) fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_has_kind_and_start() {
        for (attach, kind, start, at) in [
            (Attach::Own(Start::default()), 0, 0, 0),
            (Attach::Group, 1, 0, 0),
            (Attach::Browse(Start::Oldest), 2, 1, 0),
            (Attach::Browse(Start::Seq(u64::MAX)), 2, 2, u64::MAX),
            (Attach::Own(Start::Time(7)), 0, 3, 7),
        ] {
            let raw = attach.request();
            assert_eq!(
                (raw.kind, raw.start, raw.at),
                (kind, start, at),
                "{attach:?}"
            );
            assert_eq!((raw.lease_ms, raw.max_deliveries), (0, 0));
        }
        assert_eq!(size_of::<RawAttach>(), 64);
    }

    #[test]
    fn lease_is_in_whole_milliseconds() {
        for (lease, lease_ms) in [
            (Duration::ZERO, 1),
            (Duration::from_nanos(1), 1),
            (Duration::from_millis(1), 1),
            (Duration::from_micros(1_001), 2),
            (Duration::from_secs(30), 30_000),
            (Duration::MAX, u32::MAX),
        ] {
            for (max_deliveries, raw_max) in [(None, 0), (NonZeroU32::new(7), 7)] {
                let raw = Attach::Lease {
                    lease,
                    max_deliveries,
                }
                .request();
                assert_eq!((raw.kind, raw.start, raw.at), (1, 0, 0), "{lease:?}");
                assert_eq!(
                    (raw.lease_ms, raw.max_deliveries),
                    (lease_ms, raw_max),
                    "{lease:?}"
                );
                assert_eq!((raw.flags, raw.group, raw.reserved), (0, [0; 32], 0));
            }
        }
        assert_eq!(milliseconds(Duration::ZERO), 0);
    }
}
