// SPDX-License-Identifier: MIT OR Apache-2.0

//! What an open file reads, and from where.

use crate::sys::RawAttach;
use kmsgpipe_sys::{
    ATTACH_BROWSE, ATTACH_GROUP, ATTACH_OWN, START_NOW, START_OLDEST, START_SEQ, START_TIME,
};

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
            Self::Group => (ATTACH_GROUP, Start::Now),
            Self::Browse(start) => (ATTACH_BROWSE, start),
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
            ..RawAttach::default()
        }
    }
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
            assert_eq!((raw.flags, raw.reserved), (0, [0; 11]));
        }
        assert_eq!(size_of::<RawAttach>(), 64);
    }
}
