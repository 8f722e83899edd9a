// SPDX-License-Identifier: GPL-2.0

//! Misc devices that own their module, can be polled and spliced, and get their name at run time.
//!
//! C headers: [`include/linux/miscdevice.h`](srctree/include/linux/miscdevice.h),
//! [`include/linux/poll.h`](srctree/include/linux/poll.h).
//!
//! `kernel::miscdevice::MiscDeviceRegistration` leaves the owner of its file operations empty, so
//! that a module can be unloaded while its device is open, and has neither poll nor splice, nor a
//! mode, nor data of its own. The registration here starts from the operations of the crate and
//! adds what they lack.

use core::marker::PhantomData;
use kernel::{
    bindings, container_of,
    error::to_result,
    fs::File,
    miscdevice::{
        MiscDevice,
        MiscDeviceOptions, //
    },
    prelude::*,
    str::CString,
    sync::poll::PollTable,
    types::{
        ForeignOwnable,
        Opaque, //
    },
};

use super::layout::FMODE_NOWAIT;

/// What `poll` may answer, as in `poll(2)`.
pub(crate) mod events {
    use kernel::bindings;

    /// Reading will not wait.
    pub(crate) const IN: u32 = bindings::POLLIN | bindings::POLLRDNORM;

    /// Writing will not wait.
    pub(crate) const OUT: u32 = bindings::POLLOUT | bindings::POLLWRNORM;
}

/// A misc device as [`Registration`] registers it: a stream of messages that can be polled.
///
/// Its reads and writes must never wait when the caller asked for `IOCB_NOWAIT`.
pub(crate) trait StreamDevice: MiscDevice {
    /// The module that the code of this type is in: it stays while a file is open.
    const OWNER: &'static ThisModule;

    /// What a registration holds for the files that are opened through it.
    type Data: Send + Sync + 'static;

    /// Called when a device node is opened; takes the place of [`MiscDevice::open`].
    fn open_stream(data: &Self::Data, file: &File) -> Result<Self::Ptr>;

    /// Registers `table` with everything that can change the answer, and answers with [`events`].
    fn poll(
        device: <Self::Ptr as ForeignOwnable>::Borrowed<'_>,
        file: &File,
        table: &PollTable<'_>,
    ) -> u32;
}

/// A registered misc device.
///
/// # Invariants
///
/// `misc` is registered with `misc_register`, its name is `name`, and its operations are
/// [`Self::FOPS`].
#[pin_data(PinnedDrop)]
pub(crate) struct Registration<T: StreamDevice> {
    #[pin]
    misc: Opaque<bindings::miscdevice>,
    // Both are used by the device, so that they must be dropped after it was deregistered.
    name: CString,
    data: T::Data,
    _device: PhantomData<T>,
}

// SAFETY: A misc device may be deregistered by any thread, and the other fields may be sent.
unsafe impl<T: StreamDevice> Send for Registration<T> {}

// SAFETY: There is no method that takes a shared reference, and `data`, which every opener gets a
// reference to, is `Sync`.
unsafe impl<T: StreamDevice> Sync for Registration<T> {}

impl<T: StreamDevice> Registration<T> {
    /// The operations of the crate, and what they lack.
    const FOPS: &'static bindings::file_operations = &{
        let stock = MiscDeviceOptions { name: c"" }.into_raw::<T>().fops;
        // SAFETY: `into_raw` lets `fops` point to a constant of the crate.
        let mut fops = unsafe { *stock };
        fops.owner = T::OWNER.as_ptr();
        fops.open = Some(Self::open);
        fops.poll = Some(Self::poll);
        fops.splice_read = Some(bindings::copy_splice_read);
        fops.splice_write = Some(bindings::iter_file_splice_write);
        fops
    };

    /// Registers a device under `name`, with the permissions `mode`.
    ///
    /// # Errors
    ///
    /// Those of `misc_register`: [`EEXIST`] for a name in use, [`EBUSY`] when there is no free
    /// minor number, [`ENOMEM`].
    pub(crate) fn new(name: CString, mode: u16, data: T::Data) -> impl PinInit<Self, Error> {
        let name_ptr = name.as_char_ptr();
        try_pin_init!(Self {
            name,
            data,
            // Comes last: the device may be opened as soon as it is registered.
            misc <- Opaque::try_ffi_init(move |slot: *mut bindings::miscdevice| {
                let misc = bindings::miscdevice {
                    minor: bindings::MISC_DYNAMIC_MINOR as c_int,
                    name: name_ptr,
                    fops: Self::FOPS,
                    mode,
                    ..pin_init::zeroed()
                };
                // SAFETY: The initializer may write to `slot`.
                unsafe { slot.write(misc) };
                // SAFETY: `slot` was just filled in. It is pinned, and deregistered when it is
                // dropped. Its name is a C string on the heap that this object owns and drops after
                // that, and its operations are constant.
                // INVARIANT: If this succeeds, then `misc` is registered, by the name in `name`.
                to_result(unsafe { bindings::misc_register(slot) })
            }),
            _device: PhantomData,
        })
    }

    /// # Safety
    ///
    /// `inode` and `file` must be valid, and undergoing `misc_open` for a device of a
    /// `Registration<T>`.
    unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // Messages have no position: no seeking, no `pread`, and no lock around `read`.
        //
        // SAFETY: By the safety requirements both are valid and being opened.
        let ret = unsafe { bindings::stream_open(inode, file) };
        if ret != 0 {
            return ret;
        }

        // SAFETY: The file is valid, and its opener may access the private data, which `misc_open`
        // let point to the `struct miscdevice`.
        let misc = unsafe { (*file).private_data }.cast::<Opaque<bindings::miscdevice>>();
        // SAFETY: By the safety requirements it is the `misc` of a `Registration<T>`.
        let this = unsafe { container_of!(misc, Self, misc) };
        // SAFETY: `misc_open` holds the mutex that `misc_deregister` takes, so that the registration
        // cannot be dropped meanwhile. `data` was initialised before `misc` was registered, and
        // nobody makes a mutable reference to it.
        let data = unsafe { &(*this).data };
        // SAFETY: The file is valid for the duration of this call, and as it is being opened, its
        // position is not in use.
        match T::open_stream(data, unsafe { File::from_raw_file(file) }) {
            Ok(ptr) => {
                // SAFETY: As above; the operations of the crate expect the private data to be this.
                unsafe { (*file).private_data = ptr.into_foreign() };
                // SAFETY: The opener of a file may change its mode.
                unsafe { (*file).f_mode |= FMODE_NOWAIT };
                0
            }
            Err(err) => err.to_errno(),
        }
    }

    /// # Safety
    ///
    /// `file` must be a valid file that was opened by [`Self::open`]; `table` must be null or valid.
    unsafe extern "C" fn poll(
        file: *mut bindings::file,
        table: *mut bindings::poll_table,
    ) -> bindings::__poll_t {
        // SAFETY: The file was opened, so that its private data is a `T::Ptr`, which is not taken
        // back before the file is released.
        let device = unsafe { T::Ptr::borrow((*file).private_data) };
        // SAFETY: By the safety requirements it is null or valid for the duration of this call.
        let table = unsafe { PollTable::from_raw(table) };
        // SAFETY: The file is valid for the duration of this call, and `poll` is not called with its
        // position in use.
        T::poll(device, unsafe { File::from_raw_file(file) }, &table)
    }
}

#[pinned_drop]
impl<T: StreamDevice> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the invariants it is registered, and this happens once.
        unsafe { bindings::misc_deregister(self.misc.get()) };
    }
}
