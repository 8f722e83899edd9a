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
    sync::Arc, //
};

use crate::{
    ioctl,
    kernel_ext::{
        call::Call,
        chrdev::{
            OpenFile,
            StreamDevice, //
        },
        compat,
        cred::{
            self,
            Opener, //
        },
        kiocb::is_nonblocking,
        nofault::{
            Dest,
            Source, //
        },
        notify::Notifier,
        user::{
            UserDest,
            UserSource, //
        },
    },
    mode::Modes,
    pipe::{
        Handle,
        Pipe,
        Readers, //
    },
    registry, //
};

/// What a file was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    /// It may be read from.
    pub(crate) read: bool,
    /// It may be written to.
    pub(crate) write: bool,
    /// It may be read from, and no other file may.
    pub(crate) exclusive: bool,
}

impl Access {
    /// What `file` was opened for; a file opened for ioctls only may do neither.
    fn of(file: &File) -> Self {
        let mode = file.flags() & flags::O_ACCMODE;
        let read = matches!(mode, flags::O_RDONLY | flags::O_RDWR);
        Self {
            read,
            write: matches!(mode, flags::O_WRONLY | flags::O_RDWR),
            // The kernel takes the flag away when the file is open.
            exclusive: read && file.flags() & flags::O_EXCL != 0,
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

/// One open file: what `open` made and `release` drops.
#[repr(C)]
pub(crate) struct OpenPipe {
    // At the address of the object itself, which calls of the pipe then need not work out.
    pipe: Arc<Pipe>,
    handle: Handle,
    opener: Opener,
}

impl OpenPipe {
    /// The pipe that was opened.
    pub(crate) fn pipe(&self) -> &Arc<Pipe> {
        &self.pipe
    }

    /// What the pipe keeps for it.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// What it was opened for.
    pub(crate) fn access(&self) -> Access {
        self.handle.access()
    }
}

impl Drop for OpenPipe {
    fn drop(&mut self) {
        Pipe::detach(&self.pipe, &self.handle);
    }
}

impl OpenFile<OpenPipe> {
    /// Changes how `file`, which holds this, reads and writes.
    ///
    /// # Errors
    ///
    /// Those of [`Pipe::set_modes`].
    pub(crate) fn set_modes(&self, file: &File, modes: Modes) -> Result {
        let switch = || self.answer_framed(file, modes.contains(Modes::RECORDS));
        self.pipe.set_modes(&self.handle, modes, switch)
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
        Pipe::receive(&open.pipe, &open.handle, iov, || is_nonblocking(&kiocb))
    }

    fn write_iter(kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterSource<'_>) -> Result<usize> {
        let open = kiocb.file();
        Pipe::send(&open.pipe, &open.handle, &open.opener, iov, &kiocb)
    }

    fn ioctl(open: &OpenFile<Self>, file: &File, cmd: u32, arg: usize) -> Result<isize> {
        ioctl::dispatch(open, file, cmd, arg)
    }

    fn show_fdinfo(open: &OpenFile<Self>, m: &SeqFile, _file: &File) {
        seq_print!(m, "kmsgpipe-id:\t{}\n", open.pipe.id());
        seq_print!(m, "kmsgpipe-mode:\t{}\n", open.access().as_str());
        let shown = open.pipe.show(&open.handle);
        let passed = shown.passed;
        for (name, tally) in [("sent", passed.sent), ("received", passed.received)] {
            seq_print!(m, "kmsgpipe-{name}-msgs:\t{}\n", tally.msgs);
            seq_print!(m, "kmsgpipe-{name}-bytes:\t{}\n", tally.bytes);
        }
        seq_print!(m, "kmsgpipe-modes:\t{}\n", shown.modes);
        seq_print!(m, "kmsgpipe-rest-bytes:\t{}\n", shown.rest);
        seq_print!(m, "kmsgpipe-line-bytes:\t{}\n", shown.line);
    }
}

impl StreamDevice for OpenPipe {
    const OWNER: &'static ThisModule = compat::this_module();

    fn open_stream(minor: u32, file: &File) -> Result<Self> {
        let access = Access::of(file);
        let pipe = registry::find_to_open(minor)?;
        let handle = match pipe.attach(access, Readers::OneIfSo) {
            Err(EBUSY) if cred::require_admin().is_ok() => pipe.attach(access, Readers::Any)?,
            result => result?,
        };
        Ok(Self {
            pipe,
            handle,
            opener: Opener::of(file),
        })
    }

    fn notifier(&self) -> &Notifier {
        self.pipe.notifier()
    }

    #[inline]
    fn read(
        open: &OpenFile<Self>,
        dest: UserDest,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize> {
        Pipe::receive(&open.pipe, &open.handle, dest, nonblocking)
    }

    #[inline]
    fn write(open: &OpenFile<Self>, source: UserSource, call: &impl Call) -> Result<usize> {
        Pipe::send(&open.pipe, &open.handle, &open.opener, source, call)
    }

    fn is_framed(&self) -> bool {
        self.pipe
            .modes(&self.handle)
            .is_ok_and(|modes| modes.contains(Modes::RECORDS))
    }

    #[inline]
    fn read_framed(
        open: &OpenFile<Self>,
        dest: impl Dest,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize> {
        Pipe::receive_records(&open.pipe, &open.handle, dest, nonblocking)
    }

    #[inline]
    fn write_framed(open: &OpenFile<Self>, source: impl Source, call: &impl Call) -> Result<usize> {
        Pipe::send_records(&open.pipe, &open.handle, &open.opener, source, call)
    }

    fn poll(&self) -> u32 {
        self.pipe.poll(&self.handle)
    }

    fn signals_changed(&self) {
        self.pipe.signals_changed();
    }

    fn needed_len(&self) -> usize {
        self.pipe.needed_len(&self.handle).unwrap_or(0)
    }
}
