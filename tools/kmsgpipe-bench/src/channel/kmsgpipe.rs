// SPDX-License-Identifier: GPL-2.0

//! A pipe of this module.

use super::{
    ends::{FileReceiver, FileSender},
    Channel, Shape,
};
use crate::mechanism::Mechanism;
use ::kmsgpipe::{Access, Attach, Create, Kind, Modes, Params, Pipe};
use anyhow::{Context, Result};
use std::{
    fs::{File, OpenOptions},
    io::Write,
    ops::RangeInclusive,
    os::fd::{AsRawFd, RawFd},
    sync::Arc,
};

/// A pipe created by this program, and destroyed with its last end.
pub struct OwnedPipe {
    /// Number of the pipe.
    pub id: u32,
    /// An open file that cannot read, and so has no subscription.
    pub pipe: Pipe,
}

impl Drop for OwnedPipe {
    fn drop(&mut self) {
        // A failure leaves the pipe until the machine stops.
        let _ = self.pipe.destroy();
    }
}

/// Returns the attributes for a channel.
fn request(shape: Shape, kind: Kind) -> Result<Create> {
    Ok(Create {
        kind,
        params: Params {
            msg_size: shape.size.try_into()?,
            max_msgs: shape.depth.try_into()?,
        },
        ..Create::default()
    })
}

/// Creates a queue for `depth` messages of `size` bytes.
pub fn make(shape: Shape) -> Result<Arc<OwnedPipe>> {
    make_kind(shape, Kind::Queue)
}

/// Creates a queue with priorities for `depth` messages of `size` bytes.
pub fn make_prioritized(shape: Shape, priorities: u32) -> Result<Arc<OwnedPipe>> {
    create(&Create {
        priorities,
        ..request(shape, Kind::Queue)?
    })
}

/// Creates a pipe of a kind for `depth` messages of `size` bytes.
fn make_kind(shape: Shape, kind: Kind) -> Result<Arc<OwnedPipe>> {
    create(&request(shape, kind)?)
}

/// Creates a pipe.
fn create(request: &Create) -> Result<Arc<OwnedPipe>> {
    let id = Pipe::open("0", Access::Read)?.create(request)?;
    let pipe = Pipe::open(id.to_string(), Access::Write)
        .with_context(|| format!("opening pipe {id}, which was just created"))?;
    Ok(Arc::new(OwnedPipe { id, pipe }))
}

/// An open file of a pipe.
pub struct End {
    file: Pipe,
    /// Dropped after the file.
    _pipe: Arc<OwnedPipe>,
}

impl End {
    /// Opens the pipe.
    pub fn open(made: &Arc<OwnedPipe>, access: Access) -> Result<Self> {
        Ok(Self {
            file: Pipe::open(made.id.to_string(), access)?,
            _pipe: Arc::clone(made),
        })
    }

    /// Changes the mode of the file.
    pub fn set_mode(&self, modes: Modes) -> Result<()> {
        Ok(self.file.set_mode(modes)?)
    }

    /// Changes what the file reads.
    pub fn attach(&self, attach: Attach) -> Result<()> {
        Ok(self.file.attach(attach)?)
    }

    /// Acknowledges messages that the file has on trust.
    #[inline(always)]
    pub fn ack(&self, seqs: RangeInclusive<u64>) -> Result<()> {
        Ok(self.file.ack(seqs)?)
    }
}

impl AsRawFd for End {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// Creates a pipe, and opens it for writing and for reading.
pub fn ends(shape: Shape) -> Result<(End, End)> {
    let made = make(shape)?;
    Ok((
        End::open(&made, Access::Write)?,
        End::open(&made, Access::Read)?,
    ))
}

/// Creates a pipe of a kind, and opens it once for writing and by a number of files for reading.
pub fn fan(
    shape: Shape,
    kind: Kind,
    readers: usize,
) -> Result<(FileSender<End>, Vec<FileReceiver<End>>)> {
    let made = make_kind(shape, kind)?;
    let reader = || {
        let file = End::open(&made, Access::Read)?;
        Ok(FileReceiver::new(file, shape.size))
    };
    Ok((
        FileSender::new(End::open(&made, Access::Write)?, shape.size),
        (0..readers).map(|_| reader()).collect::<Result<_>>()?,
    ))
}

/// A pipe of this module.
pub struct Kmsgpipe;

impl Channel for Kmsgpipe {
    const MECHANISM: Mechanism = Mechanism::Kmsgpipe;
    type Sender = FileSender<End>;
    type Receiver = FileReceiver<End>;

    fn open(shape: Shape) -> Result<(Self::Sender, Self::Receiver)> {
        let (writer, reader) = ends(shape)?;
        Ok((
            FileSender::new(writer, shape.size),
            FileReceiver::new(reader, shape.size),
        ))
    }
}

/// Idle pipes, destroyed when dropped.
pub struct Crowd {
    by: Pipe,
    destroy: File,
    ids: Vec<u32>,
}

impl Crowd {
    /// Creates an empty set.
    pub fn new() -> Result<Self> {
        let destroy = ::kmsgpipe::CLASS.to_owned() + "/destroy";
        let file = OpenOptions::new().write(true).open(&destroy);
        Ok(Self {
            by: Pipe::open("0", Access::Read)?,
            destroy: file.context(destroy)?,
            ids: Vec::new(),
        })
    }

    /// Creates more pipes with the default limits.
    pub fn grow(&mut self, count: usize) -> Result<()> {
        let create = Create::default();
        self.ids.reserve(count);
        for _ in 0..count {
            self.ids.push(self.by.create(&create)?);
        }
        Ok(())
    }

    /// Destroys all pipes.
    pub fn destroy_all(&mut self) -> Result<()> {
        while let Some(id) = self.ids.pop() {
            let text = id.to_string();
            let done = self.destroy.write_all(text.as_bytes());
            done.with_context(|| format!("destroying pipe {id}"))?;
        }
        Ok(())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // A failure leaves the pipes until the machine stops.
        let _ = self.destroy_all();
    }
}
