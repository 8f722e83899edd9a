// SPDX-License-Identifier: GPL-2.0

//! Character devices that own their module, and can be polled, spliced and asked for signals.
//!
//! C headers: [`include/linux/cdev.h`](srctree/include/linux/cdev.h),
//! [`include/linux/poll.h`](srctree/include/linux/poll.h).
//!
//! `kernel::miscdevice::MiscDeviceRegistration` leaves the owner of its file operations empty, so
//! that a module can be unloaded while its device is open, has neither poll nor splice nor fasync,
//! and opens a device by a walk along a list of all, under a mutex that all share. The [`Region`]
//! here starts from the file operations of the crate, adds what they lack, and is found by number.
//! Among that are `read` and `write`, which `read(2)` and `write(2)` prefer to those of I/O
//! vectors, and which spare them a vector and a control block for each call. The
//! kernel itself (`kernel_read`, as of 9p with `trans=fd`) does not use files that have both.

use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    bindings,
    error::to_result,
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
        MiscDeviceOptions, //
    },
    prelude::*,
    sync::Arc,
    types::ForeignOwnable, //
};

use super::{
    call::Call,
    kiocb::{
        is_file_nonblocking,
        is_nonblocking,
        FileCall, //
    },
    layout::FMODE_NOWAIT,
    nofault::{
        Dest,
        Source, //
    },
    notify::Notifier,
    splice,
    user::{
        UserDest,
        UserSource, //
    },
};

/// The number of bits of a minor number.
const MINOR_BITS: u32 = 20;

/// A device that can be opened through a [`Region`]: a stream of messages that can be polled.
///
/// Its reads and writes must never wait when the caller asked for `IOCB_NOWAIT`.
pub(crate) trait StreamDevice: MiscDevice<Ptr = KBox<OpenFile<Self>>> + Send + Sync {
    /// The module that the code of this type is in: it stays while a file is open.
    const OWNER: &'static ThisModule;

    /// Answers `read(2)`, as [`MiscDevice::read_iter`] does calls of other kinds.
    fn read(open: &OpenFile<Self>, dest: UserDest, nonblocking: impl Fn() -> bool)
        -> Result<usize>;

    /// Answers `write(2)`, as [`MiscDevice::write_iter`] does calls of other kinds.
    fn write(open: &OpenFile<Self>, source: UserSource, call: &impl Call) -> Result<usize>;

    /// Whether reads and writes of the file that was just opened are answered by
    /// [`StreamDevice::read_framed`] and [`StreamDevice::write_framed`]. From then on
    /// [`OpenFile::answer_framed`] decides.
    fn is_framed(&self) -> bool;

    /// Answers reads of all kinds when others answer those that are not framed.
    fn read_framed(
        open: &OpenFile<Self>,
        dest: impl Dest,
        nonblocking: impl Fn() -> bool,
    ) -> Result<usize>;

    /// Answers writes of all kinds when others answer those that are not framed.
    fn write_framed(open: &OpenFile<Self>, source: impl Source, call: &impl Call) -> Result<usize>;

    /// Called when the device number with this minor is opened; takes the place of
    /// [`MiscDevice::open`]. Returns the device for this file.
    fn open_stream(minor: u32, file: &File) -> Result<Self>;

    /// What pollers of it are to register with. It is asked once, when the file is opened.
    fn notifier(&self) -> &Notifier;

    /// Answers `poll` with [`events`](super::notify::events). What changes the answer afterwards
    /// must be told to the [`Notifier`].
    fn poll(&self) -> u32;

    /// Called after a file was registered with the [`Notifier`] for signals, or unregistered.
    fn signals_changed(&self);

    /// The number of bytes without which the next read may fail with [`EMSGSIZE`]: zero if that is
    /// not known.
    fn needed_len(&self) -> usize;
}

/// What an open file of a [`StreamDevice`] holds.
///
/// # Invariants
///
/// `notifier` is borrowed from `device`, which stays where it is, and unchanged, until it is
/// dropped.
#[repr(C)]
pub(crate) struct OpenFile<T> {
    // At the address of the object itself, as it is used by each call.
    device: T,
    // What is registered with it is gone when the file is released.
    notifier: NonNull<Notifier>,
}

// SAFETY: The notifier is one that a shared reference to the device gives access to.
unsafe impl<T: Send + Sync> Send for OpenFile<T> {}

// SAFETY: As above.
unsafe impl<T: Sync> Sync for OpenFile<T> {}

impl<T: StreamDevice> OpenFile<T> {
    /// Lets [`StreamDevice::read_framed`] and [`StreamDevice::write_framed`] answer reads and
    /// writes of `file`, which holds this, from the next call on, or no longer. Of two calls at a
    /// time, either may decide.
    pub(crate) fn answer_framed(&self, file: &File, framed: bool) {
        let fops = if framed {
            Region::<T>::FRAMED
        } else {
            Region::<T>::FOPS
        };
        let file = file.as_ptr();
        // SAFETY: The file is valid, and after it was opened its private data does not change.
        let held = unsafe { (*file).private_data };
        if !ptr::eq(held.cast_const().cast(), self) {
            return;
        }
        // SAFETY: The file is valid. As it holds this, it was opened by `Region::<T>::open`, to
        // which both operations belong: they have the same owner, and expect the same private data.
        // Each call loads the pointer, and what it finds there stays valid, as those of sound cards
        // that are disconnected do (`snd_card_disconnect`).
        unsafe { (&raw mut (*file).f_op).write_volatile(fops) };
    }
}

impl<T> OpenFile<T> {
    /// What pollers register with.
    fn notifier(&self) -> &Notifier {
        // SAFETY: By the invariants.
        unsafe { self.notifier.as_ref() }
    }
}

impl<T> Deref for OpenFile<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.device
    }
}

/// What a read or write that ends with `result` returns to the kernel.
#[inline(always)]
fn to_ret(result: Result<usize>) -> isize {
    match result {
        // CAST: The kernel asks for less than `isize::MAX` bytes.
        Ok(len) => len as isize,
        Err(err) => err.to_errno() as isize,
    }
}

/// A range of device numbers, of one major number, for devices that are opened as a `T`.
///
/// # Invariants
///
/// The numbers from `first` on, `minors` many, are allocated.
pub(crate) struct Region<T> {
    first: bindings::dev_t,
    minors: u32,
    _device: PhantomData<fn(T)>,
}

/// Lets the devices of a [`Region`] be opened, as long as it exists.
///
/// # Invariants
///
/// `cdev` is added for the numbers of the region.
pub(crate) struct Opened<T> {
    cdev: NonNull<bindings::cdev>,
    // The numbers are given back after this.
    _region: Arc<Region<T>>,
}

// SAFETY: Opening may be ended by any thread.
unsafe impl<T> Send for Opened<T> {}

// SAFETY: There is no method that takes a shared reference.
unsafe impl<T> Sync for Opened<T> {}

impl<T: StreamDevice> Region<T> {
    /// The operations of the crate, and what they lack.
    const FOPS: &'static bindings::file_operations = &{
        let stock = MiscDeviceOptions { name: c"" }.into_raw::<T>().fops;
        // SAFETY: `into_raw` lets `fops` point to a constant of the crate.
        let mut fops = unsafe { *stock };
        fops.owner = T::OWNER.as_ptr();
        fops.open = Some(Self::open);
        fops.read = Some(Self::read);
        fops.write = Some(Self::write);
        fops.poll = Some(Self::poll);
        fops.fasync = Some(Self::fasync);
        fops.splice_read = Some(Self::splice_read);
        fops.splice_write = Some(bindings::iter_file_splice_write);
        fops
    };

    /// Those of a file whose reads and writes are framed. The others pay nothing for that there are
    /// such.
    const FRAMED: &'static bindings::file_operations = &{
        let mut fops = *Self::FOPS;
        fops.read = Some(Self::read_framed);
        fops.write = Some(Self::write_framed);
        fops.read_iter = Some(Self::read_iter_framed);
        fops.write_iter = Some(Self::write_iter_framed);
        fops
    };

    /// Lets the devices be opened, from now on. Until then that fails with [`ENXIO`], and takes the
    /// time that the kernel needs to look for another module that has them.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(crate) fn open_up(this: Arc<Self>) -> Result<Opened<T>> {
        // SAFETY: There are no preconditions.
        let cdev = NonNull::new(unsafe { bindings::cdev_alloc() }).ok_or(ENOMEM)?;
        // SAFETY: It was just allocated, and nobody else has it.
        unsafe {
            (*cdev.as_ptr()).owner = T::OWNER.as_ptr();
            (*cdev.as_ptr()).ops = Self::FOPS;
        }
        // SAFETY: It is valid, its operations are constant, and by the invariants the numbers are
        // allocated.
        let ret = unsafe { bindings::cdev_add(cdev.as_ptr(), this.first, this.minors) };
        if let Err(err) = to_result(ret) {
            // SAFETY: It was not added; this drops the only reference.
            unsafe { bindings::cdev_del(cdev.as_ptr()) };
            return Err(err);
        }
        // INVARIANT: It was just added.
        Ok(Opened {
            cdev,
            _region: this,
        })
    }

    /// # Safety
    ///
    /// `inode` and `file` must be valid, and undergoing `chrdev_open` for a number of a
    /// `Region<T>`.
    unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // Messages have no position: no seeking, no `pread`, and no lock around `read`.
        //
        // SAFETY: By the safety requirements both are valid and being opened.
        let ret = unsafe { bindings::stream_open(inode, file) };
        if ret != 0 {
            return ret;
        }

        // SAFETY: The inode is valid, and its device number does not change.
        let minor = unsafe { (*inode).i_rdev } & ((1 << MINOR_BITS) - 1);
        // SAFETY: The file is valid for the duration of this call, and as it is being opened, its
        // position is not in use.
        match Self::open_file(minor, unsafe { File::from_raw_file(file) }) {
            Ok(open) => {
                let framed = open.device.is_framed();
                // SAFETY: As above; the operations of the crate expect the private data to be this.
                unsafe { (*file).private_data = open.into_foreign() };
                if framed {
                    // SAFETY: The opener of a file may change its operations.
                    unsafe { (*file).f_op = Self::FRAMED };
                }
                // SAFETY: The opener of a file may change its mode.
                unsafe { (*file).f_mode |= FMODE_NOWAIT };
                0
            }
            Err(err) => err.to_errno(),
        }
    }

    /// Makes what `file` is to hold.
    fn open_file(minor: u32, file: &File) -> Result<KBox<OpenFile<T>>> {
        let open = KBox::<OpenFile<T>>::new_uninit(GFP_KERNEL_ACCOUNT)?;
        let device = T::open_stream(minor, file)?;
        let mut open = open.write(OpenFile {
            device,
            notifier: NonNull::dangling(),
        });
        // INVARIANT: It is borrowed from there, and from here on nobody has more than a shared
        // reference to the device.
        open.notifier = NonNull::from(open.device.notifier());
        Ok(open)
    }

    /// # Safety
    ///
    /// `file` must be a valid file that was opened by [`Self::open`].
    unsafe extern "C" fn read(
        file: *mut bindings::file,
        buf: *mut c_char,
        len: usize,
        _pos: *mut bindings::loff_t,
    ) -> isize {
        // SAFETY: The file was opened, so that its private data is a `T::Ptr`, which is not taken
        // back before the file is released.
        let open = unsafe { T::Ptr::borrow((*file).private_data) };
        // SAFETY: The file is valid for the duration of this call.
        let nonblocking = move || unsafe { is_file_nonblocking(file) };
        to_ret(T::read(open, UserDest::new(buf, len), nonblocking))
    }

    /// # Safety
    ///
    /// As for [`Self::read`].
    unsafe extern "C" fn read_framed(
        file: *mut bindings::file,
        buf: *mut c_char,
        len: usize,
        _pos: *mut bindings::loff_t,
    ) -> isize {
        // SAFETY: As in `read`.
        let open = unsafe { T::Ptr::borrow((*file).private_data) };
        // SAFETY: As in `read`.
        let nonblocking = move || unsafe { is_file_nonblocking(file) };
        to_ret(T::read_framed(open, UserDest::new(buf, len), nonblocking))
    }

    /// # Safety
    ///
    /// As for [`Self::read`].
    unsafe extern "C" fn write(
        file: *mut bindings::file,
        buf: *const c_char,
        len: usize,
        _pos: *mut bindings::loff_t,
    ) -> isize {
        // SAFETY: As in `read`.
        let open = unsafe { T::Ptr::borrow((*file).private_data) };
        // SAFETY: The file is valid for the duration of this call.
        let call = unsafe { FileCall::new(file) };
        to_ret(T::write(open, UserSource::new(buf, len), &call))
    }

    /// # Safety
    ///
    /// As for [`Self::read`].
    unsafe extern "C" fn write_framed(
        file: *mut bindings::file,
        buf: *const c_char,
        len: usize,
        _pos: *mut bindings::loff_t,
    ) -> isize {
        // SAFETY: As in `read`.
        let open = unsafe { T::Ptr::borrow((*file).private_data) };
        // SAFETY: The file is valid for the duration of this call.
        let call = unsafe { FileCall::new(file) };
        to_ret(T::write_framed(open, UserSource::new(buf, len), &call))
    }

    /// # Safety
    ///
    /// The arguments must be those of `file_operations::read_iter` for a file that was opened by
    /// [`Self::open`].
    unsafe extern "C" fn read_iter_framed(
        kiocb: *mut bindings::kiocb,
        iter: *mut bindings::iov_iter,
    ) -> isize {
        // SAFETY: By the safety requirements it is valid, and the private data of its file is a
        // `T::Ptr`.
        let kiocb = unsafe { Kiocb::<T::Ptr>::from_raw(kiocb) };
        // SAFETY: By the safety requirements it is a valid I/O vector to write to.
        let iov = unsafe { IovIterDest::from_raw(iter) };
        to_ret(T::read_framed(kiocb.file(), iov, || is_nonblocking(&kiocb)))
    }

    /// # Safety
    ///
    /// The arguments must be those of `file_operations::write_iter` for a file that was opened by
    /// [`Self::open`].
    unsafe extern "C" fn write_iter_framed(
        kiocb: *mut bindings::kiocb,
        iter: *mut bindings::iov_iter,
    ) -> isize {
        // SAFETY: As in `read_iter_framed`.
        let kiocb = unsafe { Kiocb::<T::Ptr>::from_raw(kiocb) };
        // SAFETY: By the safety requirements it is a valid I/O vector to read from.
        let iov = unsafe { IovIterSource::from_raw(iter) };
        to_ret(T::write_framed(kiocb.file(), iov, &kiocb))
    }

    /// # Safety
    ///
    /// `file` must be a valid file that was opened by [`Self::open`]; `table` must be null or
    /// valid.
    unsafe extern "C" fn poll(
        file: *mut bindings::file,
        table: *mut bindings::poll_table,
    ) -> bindings::__poll_t {
        // SAFETY: The file was opened, so that its private data is a `T::Ptr`, which is not taken
        // back before the file is released.
        let open = unsafe { T::Ptr::borrow((*file).private_data) };
        // SAFETY: The file is valid and holds `open`, and so the notifier, until it is released;
        // `table` is null or valid.
        unsafe { open.notifier().register_poll(file, table) };
        open.device.poll()
    }

    /// # Safety
    ///
    /// The arguments must be those of `file_operations::splice_read` for a file that was opened by
    /// [`Self::open`].
    unsafe extern "C" fn splice_read(
        file: *mut bindings::file,
        pos: *mut bindings::loff_t,
        pipe: *mut bindings::pipe_inode_info,
        len: usize,
        flags: c_uint,
    ) -> isize {
        // SAFETY: By the safety requirements.
        let ret = unsafe { bindings::copy_splice_read(file, pos, pipe, len, flags) };
        if ret != EMSGSIZE.to_errno() as isize {
            return ret;
        }
        // SAFETY: As in `poll`.
        let open = unsafe { T::Ptr::borrow((*file).private_data) };
        let next = open.device.needed_len();
        // The read was as long as there is room in the pipe. If an empty pipe has enough, the
        // caller may try again when this one was read from.
        //
        // SAFETY: The caller of `splice_read` holds the mutex of the pipe.
        if unsafe { splice::has_room_later(pipe, len, next) } {
            return EAGAIN.to_errno() as isize;
        }
        ret
    }

    /// # Safety
    ///
    /// The arguments must be those of `file_operations::fasync` for a file that was opened by
    /// [`Self::open`].
    unsafe extern "C" fn fasync(fd: c_int, file: *mut bindings::file, on: c_int) -> c_int {
        // SAFETY: As in `poll`.
        let open = unsafe { T::Ptr::borrow((*file).private_data) };
        // SAFETY: By the safety requirements, and the file holds `open`, and so the notifier,
        // until it is released.
        let result = unsafe { open.notifier().register_async(fd, file, on) };
        open.device.signals_changed();
        match result {
            Ok(()) => 0,
            Err(err) => err.to_errno(),
        }
    }
}

impl<T> Region<T> {
    /// Allocates a major number with `minors` minor numbers, from zero on.
    ///
    /// # Errors
    ///
    /// - [`EINVAL`]: there are not so many minor numbers.
    /// - [`EBUSY`]: there is no free major number.
    /// - [`ENOMEM`].
    pub(crate) fn new(name: &'static CStr, minors: u32) -> Result<Self> {
        if minors == 0 || minors > 1 << MINOR_BITS {
            return Err(EINVAL);
        }
        let mut first = 0;
        // SAFETY: `first` may be written to, and the name lives for ever.
        to_result(unsafe {
            bindings::alloc_chrdev_region(&mut first, 0, minors, name.as_char_ptr())
        })?;
        // INVARIANT: They were just allocated.
        Ok(Self {
            first,
            minors,
            _device: PhantomData,
        })
    }

    /// The device number with this minor number.
    pub(crate) fn number(&self, minor: u32) -> Result<bindings::dev_t> {
        if minor < self.minors {
            Ok(self.first | minor)
        } else {
            Err(EINVAL)
        }
    }
}

impl<T> Drop for Region<T> {
    fn drop(&mut self) {
        // SAFETY: By the invariants they are allocated.
        unsafe { bindings::unregister_chrdev_region(self.first, self.minors) };
    }
}

impl<T> Drop for Opened<T> {
    fn drop(&mut self) {
        // SAFETY: By the invariants it is added, and it is not used after this. Files that are open
        // hold references of their own, and the module.
        unsafe { bindings::cdev_del(self.cdev.as_ptr()) };
    }
}
