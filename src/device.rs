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
    sync::{
        poll::PollTable,
        Arc, //
    },
};

use crate::{
    ioctl,
    kernel_ext::{
        kiocb::is_nonblocking,
        misc::StreamDevice, //
    },
    pipe::Pipe,
    THIS_MODULE, //
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
}

/// One open file: what `open` made and `release` drops.
pub(crate) struct OpenPipe {
    pipe: Arc<Pipe>,
    access: Access,
}

impl OpenPipe {
    /// The pipe that was opened.
    pub(crate) fn pipe(&self) -> &Pipe {
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
    type Ptr = KBox<Self>;

    /// Never called by our registration, which has [`StreamDevice::open_stream`] instead; any other
    /// one knows no pipe.
    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
        Err(ENODEV)
    }

    fn read_iter(kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterDest<'_>) -> Result<usize> {
        kiocb.file().pipe.receive(iov, is_nonblocking(&kiocb))
    }

    fn write_iter(kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterSource<'_>) -> Result<usize> {
        kiocb.file().pipe.send(iov, is_nonblocking(&kiocb))
    }

    fn ioctl(open: &Self, _file: &File, cmd: u32, arg: usize) -> Result<isize> {
        ioctl::dispatch(open, cmd, arg)
    }
}

impl StreamDevice for OpenPipe {
    const OWNER: &'static ThisModule = &THIS_MODULE;

    type Data = Arc<Pipe>;

    fn open_stream(pipe: &Arc<Pipe>, file: &File) -> Result<Self::Ptr> {
        let access = Access::of(file);
        let open = KBox::<Self>::new_uninit(GFP_KERNEL_ACCOUNT)?;
        pipe.attach(access);
        Ok(open.write(Self {
            pipe: pipe.clone(),
            access,
        }))
    }

    fn poll(open: &Self, file: &File, table: &PollTable<'_>) -> u32 {
        open.pipe.poll(file, table, open.access)
    }
}
