// SPDX-License-Identifier: GPL-2.0

//! What a device does that is read and written in order and can be polled.

use kernel::{
    fs::File,
    miscdevice::MiscDevice,
    prelude::*, //
};

use super::chrdev::OpenFile;

use crate::kernel_ext::{
    sync::notify::Notifier,
    uaccess::{
        call::Call,
        nofault::{
            Dest,
            Source, //
        },
        user::{
            UserDest,
            UserSource, //
        }, //
    }, //
};

/// Functions that handle the reads and writes of an open file. Files with other functions spare
/// those with the first ones a test in each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallPath {
    /// Those for most files.
    Plain,
    /// [`StreamDevice::read_own`], and the writes of `Plain`.
    Own,
    /// [`StreamDevice::read_prioritized`], and the writes of `Plain`.
    Prioritized,
    /// [`StreamDevice::read_framed`] and [`StreamDevice::write_framed`].
    Framed,
    /// [`StreamDevice::read_framed`] and [`StreamDevice::write_prioritized`].
    PrioritizedFramed,
}

/// A device that is read and written in order and can be polled, opened through a [`Region`].
///
/// Reads and writes must never wait in a call with `IOCB_NOWAIT`.
///
/// # Examples
///
/// ```ignore
/// use crate::kernel_ext::{
///     compat,
///     dev::{
///         chrdev::{CdevRegistration, OpenFile},
///         region::Region,
///         stream_device::{CallPath, StreamDevice},
///     },
///     sync::notify::{events, Notifier},
///     uaccess::{call::Call, nofault::Dest, user::{UserDest, UserSource}},
/// };
///
/// /// An open counter: each read returns its next value.
/// struct OpenCounter {
///     next: Atomic<u64>,
///     notifier: Pin<KBox<Notifier>>,
/// }
///
/// impl OpenCounter {
///     fn read_next(&self, mut dest: impl Dest) -> Result<usize> {
///         if dest.len() < self.needed_len() {
///             return Err(EMSGSIZE);
///         }
///         let next = self.next.fetch_add(1, Relaxed).to_ne_bytes();
///         if dest.copy_last(&next) { Ok(next.len()) } else { Err(EFAULT) }
///     }
/// }
///
/// #[vtable]
/// impl MiscDevice for OpenCounter {
///     type Ptr = KBox<OpenFile<Self>>;
///
///     // Never called: `open_stream` replaces it.
///     fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
///         Err(ENODEV)
///     }
///
///     fn read_iter(kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterDest<'_>) -> Result<usize> {
///         kiocb.file().read_next(iov)
///     }
/// }
///
/// impl StreamDevice for OpenCounter {
///     const OWNER: &'static ThisModule = compat::this_module();
///
///     fn open_stream(_minor: u32, _file: &File) -> Result<Self> {
///         let notifier = Notifier::new(c"OpenCounter::notifier", static_lock_class!());
///         Ok(Self { next: Atomic::new(0), notifier: KBox::pin_init(notifier, GFP_KERNEL)? })
///     }
///
///     fn read(open: &OpenFile<Self>, dest: UserDest, _: impl Fn() -> bool) -> Result<usize> {
///         open.read_next(dest)
///     }
///
///     fn write(_: &OpenFile<Self>, _: UserSource, _: &impl Call) -> Result<usize> {
///         Err(EINVAL)
///     }
///
///     fn call_path(&self) -> CallPath {
///         CallPath::Plain
///     }
///
///     // ... `read_own`, `read_framed`, `write_framed`, and those for priorities, which are not
///     // called: no file has their path.
///
///     fn notifier(&self) -> &Notifier {
///         &self.notifier
///     }
///
///     fn poll(&self) -> u32 {
///         events::IN
///     }
///
///     fn signals_changed(&self) {}
///
///     fn needed_len(&self) -> usize {
///         size_of::<u64>()
///     }
/// }
///
/// let region = Arc::new(Region::new(c"counter", 1)?, GFP_KERNEL)?;
/// // The device can be opened until `registration` is dropped.
/// let registration = CdevRegistration::<OpenCounter>::new(region)?;
/// ```
pub(crate) trait StreamDevice: MiscDevice<Ptr = KBox<OpenFile<Self>>> + Send + Sync {
    /// Module with the code of this type. An open file holds a reference to it.
    const OWNER: &'static ThisModule;

    /// Handles `read(2)` by the path `Plain`. [`MiscDevice::read_iter`] handles other reads.
    fn read(open: &OpenFile<Self>, dest: UserDest, nonblocking: impl Fn() -> bool)
        -> Result<usize>;

    /// Handles `write(2)` by the paths `Plain`, `Own` and `Prioritized`.
    /// [`MiscDevice::write_iter`] handles other writes.
    fn write(open: &OpenFile<Self>, source: UserSource, call: &impl Call) -> Result<usize>;

    /// Returns the path of the calls of a file that was just opened. [`OpenFile::set_call_path`]
    /// changes it later.
    fn call_path(&self) -> CallPath;

    /// Handles all reads by the path `Own`.
    fn read_own(
        open: &OpenFile<Self>,
        dest: impl Dest,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize>;

    /// Handles all reads by the path `Prioritized`.
    fn read_prioritized(
        open: &OpenFile<Self>,
        dest: impl Dest,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize>;

    /// Handles all reads by the paths `Framed` and `PrioritizedFramed`.
    fn read_framed(
        open: &OpenFile<Self>,
        dest: impl Dest,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize>;

    /// Handles all writes by the path `Framed`.
    fn write_framed(open: &OpenFile<Self>, source: impl Source, call: &impl Call) -> Result<usize>;

    /// Handles all writes by the path `PrioritizedFramed`.
    fn write_prioritized(
        open: &OpenFile<Self>,
        source: impl Source,
        call: &impl Call,
    ) -> Result<usize>;

    /// Opens the device with this minor number, in place of [`MiscDevice::open`]. Returns the
    /// device for `file`.
    fn open_stream(minor: u32, file: &File) -> Result<Self>;

    /// Returns the notifier that pollers register with. Called once, when the file is opened.
    fn notifier(&self) -> &Notifier;

    /// Returns the current [`events`](crate::kernel_ext::sync::notify::events) for `poll`. Later
    /// changes of the result must be reported to the [`Notifier`].
    fn poll(&self) -> u32;

    /// Called after a file was added to or removed from the `fasync` lists of the [`Notifier`].
    fn signals_changed(&self);

    /// Returns the buffer length in bytes below which the next read may fail with [`EMSGSIZE`], or
    /// zero if it is unknown.
    fn needed_len(&self) -> usize;
}
