// SPDX-License-Identifier: GPL-2.0

//! A pipe of this module.

use super::{
    ends::{FileReceiver, FileSender},
    Channel, Shape,
};
use crate::mechanism::Mechanism;
use ::kmsgpipe::{Access, Create, Modes, Params, Pipe};
use anyhow::{Context, Result};
use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::fd::{AsRawFd, RawFd},
    sync::Arc,
};

/// A pipe that was made for this program, and is destroyed with the last end of it.
pub struct Made {
    /// Its number.
    pub id: u32,
    /// Open to read and to write.
    pub pipe: Pipe,
}

impl Drop for Made {
    fn drop(&mut self) {
        // What cannot be destroyed is left to the end of the machine.
        let _ = self.pipe.destroy();
    }
}

/// What the module is asked for.
fn request(shape: Shape) -> Result<Create> {
    Ok(Create {
        params: Params {
            msg_size: shape.size.try_into()?,
            max_msgs: shape.depth.try_into()?,
        },
        ..Create::default()
    })
}

/// Makes a pipe for `depth` messages of `size` bytes.
pub fn make(shape: Shape) -> Result<Arc<Made>> {
    let id = Pipe::open("0", Access::Read)?.create(&request(shape)?)?;
    let pipe = Pipe::open(id.to_string(), Access::ReadWrite)
        .with_context(|| format!("pipe {id} was just made"))?;
    Ok(Arc::new(Made { id, pipe }))
}

/// One open file of a pipe.
pub struct End {
    file: Pipe,
    /// The pipe's end comes after the file's.
    _made: Arc<Made>,
}

impl End {
    /// Opens the pipe.
    pub fn open(made: &Arc<Made>, access: Access) -> Result<Self> {
        Ok(Self {
            file: Pipe::open(made.id.to_string(), access)?,
            _made: Arc::clone(made),
        })
    }
}

impl End {
    /// Changes how the file reads and writes.
    pub fn set_mode(&self, modes: Modes) -> Result<()> {
        Ok(self.file.set_mode(modes)?)
    }
}

impl AsRawFd for End {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

/// Makes a pipe and opens it to write and to read.
pub fn ends(shape: Shape) -> Result<(End, End)> {
    let made = make(shape)?;
    Ok((
        End::open(&made, Access::Write)?,
        End::open(&made, Access::Read)?,
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

/// Many pipes that nobody opens, destroyed in the end.
pub struct Crowd {
    by: Pipe,
    destroy: File,
    ids: Vec<u32>,
}

impl Crowd {
    /// None yet.
    pub fn new() -> Result<Self> {
        let destroy = ::kmsgpipe::CLASS.to_owned() + "/destroy";
        let file = OpenOptions::new().write(true).open(&destroy);
        Ok(Self {
            by: Pipe::open("0", Access::Read)?,
            destroy: file.context(destroy)?,
            ids: Vec::new(),
        })
    }

    /// Makes more of them, with the limits that the module has by default.
    pub fn grow(&mut self, count: usize) -> Result<()> {
        let create = Create::default();
        self.ids.reserve(count);
        for _ in 0..count {
            self.ids.push(self.by.create(&create)?);
        }
        Ok(())
    }

    /// Destroys them all.
    pub fn disperse(&mut self) -> Result<()> {
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
        // What cannot be destroyed is left to the end of the machine.
        let _ = self.disperse();
    }
}
