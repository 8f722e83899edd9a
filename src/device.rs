// SPDX-License-Identifier: GPL-2.0

//! One open file of a pipe.

use kernel::{
    fs::{
        file::flags,
        File,
        Kiocb, //
    },
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    miscdevice::{
        MiscDevice,
        MiscDeviceRegistration, //
    },
    prelude::*,
    seq_file::{
        seq_print,
        SeqFile, //
    },
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};

use crate::{
    ioctl,
    kernel_ext::{
        chrdev::{
            OpenFile,
            StreamDevice, //
        },
        compat,
        kiocb::is_nonblocking,
        notify::Notifier, //
    },
    pipe::Pipe,
    registry, //
};

/// What a file was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// It may be read from.
    pub(crate) read: bool,
    /// It may be written to.
    pub(crate) write: bool,
}

impl Access {
    /// What `file` was opened for; a file opened for ioctls only may do neither.
    fn of(file: &File) -> Self {
        let mode = file.flags() & flags::O_ACCMODE;
        Self {
            read: matches!(mode, flags::O_RDONLY | flags::O_RDWR),
            write: matches!(mode, flags::O_WRONLY | flags::O_RDWR),
        }
    }

    /// As it is shown.
    fn as_str(self) -> &'static str {
        match (self.read, self.write) {
            (true, true) => "rw",
            (true, false) => "r",
            (false, true) => "w",
            (false, false) => "-",
        }
    }
}

/// What has passed through one open file in one direction.
struct Traffic {
    msgs: Atomic<u64>,
    bytes: Atomic<u64>,
}

impl Traffic {
    /// Nothing.
    const fn new() -> Self {
        Self {
            msgs: Atomic::new(0),
            bytes: Atomic::new(0),
        }
    }

    /// Counts a message of `len` bytes.
    fn count(&self, len: usize) {
        if len > 0 {
            self.msgs.add(1, Relaxed);
            self.bytes.add(len as u64, Relaxed);
        }
    }
}

/// One open file: what `open` made and `release` drops.
pub(crate) struct OpenPipe {
    pipe: Arc<Pipe>,
    access: Access,
    sent: Traffic,
    received: Traffic,
}

impl OpenPipe {
    /// The pipe that was opened.
    pub(crate) fn pipe(&self) -> &Arc<Pipe> {
        &self.pipe
    }

    /// What it was opened for.
    pub(crate) fn access(&self) -> Access {
        self.access
    }
}

impl Drop for OpenPipe {
    fn drop(&mut self) {
        self.pipe.detach(self.access);
    }
}

#[vtable]
impl MiscDevice for OpenPipe {
    type Ptr = KBox<OpenFile<Self>>;

    /// Never called, as [`StreamDevice::open_stream`] is instead; a misc device knows no pipe.
    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
        Err(ENODEV)
    }

    fn read_iter(kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterDest<'_>) -> Result<usize> {
        let open = kiocb.file();
        let len = Pipe::receive(&open.pipe, iov, is_nonblocking(&kiocb))?;
        open.received.count(len);
        Ok(len)
    }

    fn write_iter(kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterSource<'_>) -> Result<usize> {
        let open = kiocb.file();
        let len = Pipe::send(&open.pipe, iov, is_nonblocking(&kiocb))?;
        open.sent.count(len);
        Ok(len)
    }

    fn ioctl(open: &OpenFile<Self>, file: &File, cmd: u32, arg: usize) -> Result<isize> {
        ioctl::dispatch(open, file, cmd, arg)
    }

    fn show_fdinfo(open: &OpenFile<Self>, m: &SeqFile, _file: &File) {
        seq_print!(m, "kmsgpipe-id:\t{}\n", open.pipe.id());
        seq_print!(m, "kmsgpipe-mode:\t{}\n", open.access.as_str());
        for (name, traffic) in [("sent", &open.sent), ("received", &open.received)] {
            seq_print!(m, "kmsgpipe-{name}-msgs:\t{}\n", traffic.msgs.load(Relaxed));
            seq_print!(
                m,
                "kmsgpipe-{name}-bytes:\t{}\n",
                traffic.bytes.load(Relaxed)
            );
        }
    }
}

impl StreamDevice for OpenPipe {
    const OWNER: &'static ThisModule = compat::this_module();

    fn open_stream(minor: u32, file: &File) -> Result<(Self, Arc<Notifier>)> {
        let access = Access::of(file);
        let pipe = registry::find(minor).ok_or(ENXIO)?;
        pipe.attach(access)?;
        let notifier = pipe.notifier().clone();
        let open = Self {
            pipe,
            access,
            sent: Traffic::new(),
            received: Traffic::new(),
        };
        Ok((open, notifier))
    }

    fn poll(&self) -> u32 {
        self.pipe.poll(self.access)
    }

    fn watch(&self) {
        self.pipe.watch();
    }
}
