// SPDX-License-Identifier: GPL-2.0

//! The file operations of a pipe.

use kernel::{
    fs::{
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
};

use super::{
    ioctl,
    open::{
        access_of,
        call_path, //
    },
    OpenPipe, //
};

use crate::{
    control::registry,
    kernel_ext::{
        compat,
        cred::{
            self,
            Opener, //
        },
        dev::{
            chrdev::OpenFile,
            stream_device::{
                CallPath,
                StreamDevice, //
            }, //
        },
        sync::notify::Notifier,
        uaccess::{
            call::Call,
            kiocb::is_nonblocking,
            nofault::{
                Dest,
                Source, //
            },
            user::{
                UserDest,
                UserSource, //
            }, //
        }, //
    },
    pipe::{
        Access,
        Exclusivity,
        Pipe,
        Reads,
        SubscriptionSnapshot, //
    }, //
};

/// Shows what a file with the rights `access` reads, and where it is if it has a `position` of its
/// own.
fn show_position(m: &SeqFile, access: Access, position: Option<SubscriptionSnapshot>) {
    let reads = match position {
        _ if !access.read => "nothing",
        None => "queue",
        Some(shown) => Reads::Position(shown.subscription.kind()).as_str(),
    };
    seq_print!(m, "kmsgpipe-reads:\t{reads}\n");
    if let Some(shown) = position {
        let subscription = shown.subscription;
        seq_print!(m, "kmsgpipe-subscription:\t{}\n", shown.number);
        seq_print!(m, "kmsgpipe-next-seq:\t{}\n", subscription.next_seq());
        seq_print!(m, "kmsgpipe-lag-msgs:\t{}\n", shown.lag);
        seq_print!(m, "kmsgpipe-lost-msgs:\t{}\n", subscription.lost());
        seq_print!(m, "kmsgpipe-expired-msgs:\t{}\n", subscription.expired());
    }
}

#[vtable]
impl MiscDevice for OpenPipe {
    type Ptr = KBox<OpenFile<Self>>;

    /// Never called: [`StreamDevice::open_stream`] replaces it, as a misc device does not identify
    /// a pipe.
    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
        Err(ENODEV)
    }

    fn read_iter(kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterDest<'_>) -> Result<usize> {
        let open = kiocb.file();
        Pipe::receive(&open.pipe, &open.handle, iov, || is_nonblocking(&kiocb))
    }

    fn write_iter(kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterSource<'_>) -> Result<usize> {
        let open = kiocb.file();
        Pipe::send(&open.pipe, &open.handle, iov, &kiocb)
    }

    fn ioctl(open: &OpenFile<Self>, file: &File, cmd: u32, arg: usize) -> Result<isize> {
        ioctl::dispatch(open, file, cmd, arg)
    }

    fn show_fdinfo(open: &OpenFile<Self>, m: &SeqFile, _file: &File) {
        seq_print!(m, "kmsgpipe-id:\t{}\n", open.pipe.id());
        seq_print!(m, "kmsgpipe-mode:\t{}\n", open.access().as_str());
        let shown = open.pipe.show(&open.handle);
        let stats = shown.stats;
        for (name, tally) in [("sent", stats.sent), ("received", stats.received)] {
            seq_print!(m, "kmsgpipe-{name}-msgs:\t{}\n", tally.msgs);
            seq_print!(m, "kmsgpipe-{name}-bytes:\t{}\n", tally.bytes);
        }
        seq_print!(m, "kmsgpipe-modes:\t{}\n", shown.modes);
        seq_print!(m, "kmsgpipe-rest-bytes:\t{}\n", shown.rest);
        seq_print!(m, "kmsgpipe-line-bytes:\t{}\n", shown.line);
        show_position(m, open.access(), shown.subscription);
        let lease_ms = shown.terms.lease_ms;
        if lease_ms > 0 {
            seq_print!(m, "kmsgpipe-lease-ms:\t{lease_ms}\n");
            let leases = open.pipe.leases_of(&open.handle);
            seq_print!(m, "kmsgpipe-leased-msgs:\t{leases}\n");
        }
    }
}

impl StreamDevice for OpenPipe {
    const OWNER: &'static ThisModule = compat::this_module();

    fn open_stream(minor: u32, file: &File) -> Result<Self> {
        let access = access_of(file);
        let pipe = registry::find_to_open(minor)?;
        let attach = |readers| pipe.attach(access, Opener::of(file), readers);
        let handle = match attach(Exclusivity::Enforced) {
            Err(EBUSY) if cred::require_admin().is_ok() => attach(Exclusivity::Ignored)?,
            result => result?,
        };
        Ok(Self { pipe, handle })
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
        Pipe::send(&open.pipe, &open.handle, source, call)
    }

    fn call_path(&self) -> CallPath {
        call_path(&self.pipe.show(&self.handle))
    }

    #[inline]
    fn read_own(
        open: &OpenFile<Self>,
        dest: impl Dest,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize> {
        Pipe::receive_own(&open.pipe, &open.handle, dest, nonblocking)
    }

    #[inline]
    fn read_prioritized(
        open: &OpenFile<Self>,
        dest: impl Dest,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize> {
        Pipe::receive_prioritized(&open.pipe, &open.handle, dest, nonblocking)
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
        Pipe::send_records(&open.pipe, &open.handle, source, call)
    }

    #[inline]
    fn write_prioritized(
        open: &OpenFile<Self>,
        source: impl Source,
        call: &impl Call,
    ) -> Result<usize> {
        Pipe::send_prioritized(&open.pipe, &open.handle, source, call)
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
