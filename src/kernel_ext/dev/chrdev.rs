// SPDX-License-Identifier: GPL-2.0

//! Character devices with poll, splice and fasync that pin their module while open.
//!
//! C headers: [`include/linux/cdev.h`](srctree/include/linux/cdev.h),
//! [`include/linux/poll.h`](srctree/include/linux/poll.h).
//!
//! `kernel::miscdevice::MiscDeviceRegistration` leaves the owner of its file operations null, so a
//! module can be unloaded while its device is open. It has neither poll nor splice nor fasync, and
//! opens a device by walking the list of all misc devices under a mutex that they share.
//!
//! [`CdevRegistration`] looks devices up by number. It starts from the file operations of the crate
//! and adds what they lack. That includes `read` and `write`: the kernel prefers them for `read(2)`
//! and `write(2)`, and needs neither an I/O vector nor a `struct kiocb` for such a call. In-kernel
//! users (`kernel_read`, as in 9p with `trans=fd`) reject files that have both kinds.

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
    miscdevice::MiscDeviceOptions,
    prelude::*,
    sync::Arc,
    types::ForeignOwnable, //
};

use crate::kernel_ext::{
    layout::FMODE_NOWAIT,
    sync::notify::Notifier,
    uaccess::{
        kiocb::{
            is_file_nonblocking,
            is_nonblocking,
            FileCall, //
        },
        user::{
            UserDest,
            UserSource, //
        }, //
    }, //
};

use super::{
    region::{
        Region,
        MINOR_BITS, //
    },
    splice,
    stream_device::{
        CallPath,
        StreamDevice, //
    }, //
};

/// Private data of an open file of a [`StreamDevice`].
///
/// # Invariants
///
/// `notifier` is borrowed from `device`. `device` neither moves nor is mutably borrowed until it is
/// dropped.
#[repr(C)]
pub(crate) struct OpenFile<T> {
    // At offset zero, as each call uses it.
    device: T,
    // Pollers and `fasync` entries are removed before the file is released.
    notifier: NonNull<Notifier>,
}

// SAFETY: `notifier` only gives access that a shared reference to the device gives too, and `T` may
// be sent and shared.
unsafe impl<T: Send + Sync> Send for OpenFile<T> {}

// SAFETY: `notifier` only gives access that a shared reference to the device gives too, and `T` may
// be shared.
unsafe impl<T: Sync> Sync for OpenFile<T> {}

impl<T: StreamDevice> OpenFile<T> {
    /// Switches the calls of `file` to `path`, from the next call on. `file` must hold this object,
    /// otherwise nothing happens. A call that runs concurrently may take either path.
    pub(crate) fn set_call_path(&self, file: &File, path: CallPath) {
        let fops = CdevRegistration::<T>::operations(path);
        let file = file.as_ptr();
        // SAFETY: `file` is valid, and its private data does not change after it was opened.
        let held = unsafe { (*file).private_data };
        if !ptr::eq(held.cast_const().cast(), self) {
            return;
        }
        // SAFETY: `file` is valid. It holds this object, so `CdevRegistration::<T>::open` has
        // opened it. All tables of operations are for such files: they have the same owner and
        // expect the same private data. All are constants, so a concurrent call may use any.
        // `snd_card_disconnect` replaces `f_op` of an open file in the same way.
        unsafe { (&raw mut (*file).f_op).write_volatile(fops) };
    }
}

impl<T> OpenFile<T> {
    /// Returns the notifier of the device.
    fn notifier(&self) -> &Notifier {
        // SAFETY: By the type invariants `notifier` is borrowed from `device`, which `self` owns.
        unsafe { self.notifier.as_ref() }
    }
}

impl<T> Deref for OpenFile<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.device
    }
}

/// Converts the result of a read or write to the return value of the file operation.
#[inline(always)]
fn to_ret(result: Result<usize>) -> isize {
    match result {
        // CAST: The kernel limits the length of a call to less than `isize::MAX` bytes.
        Ok(len) => len as isize,
        Err(err) => err.to_errno() as isize,
    }
}

/// Registration of a cdev. Until it is dropped, the devices of a [`Region`] can be opened as a `T`.
///
/// # Invariants
///
/// `cdev` is added for the numbers of the region.
pub(crate) struct CdevRegistration<T> {
    cdev: NonNull<bindings::cdev>,
    // Dropped after `drop` has removed the cdev: only then may the numbers be freed.
    _region: Arc<Region>,
    _device: PhantomData<fn(T)>,
}

// SAFETY: A cdev may be removed by any thread.
unsafe impl<T> Send for CdevRegistration<T> {}

// SAFETY: No method takes a shared reference.
unsafe impl<T> Sync for CdevRegistration<T> {}

/// Defines the operation `read` that calls `$method` of [`StreamDevice`]. Each path has code of its
/// own, into which the method is inlined.
macro_rules! read_operation {
    ($name:ident, $method:ident) => {
        /// # Safety
        ///
        /// `file` must be a valid file that was opened by [`Self::open`].
        unsafe extern "C" fn $name(
            file: *mut bindings::file,
            buf: *mut c_char,
            len: usize,
            _pos: *mut bindings::loff_t,
        ) -> isize {
            // SAFETY: The file was opened by `Self::open`, so its private data is a foreign
            // `T::Ptr`. It is taken back on release only.
            let open = unsafe { T::Ptr::borrow((*file).private_data) };
            // SAFETY: By the safety requirements `file` is valid for the duration of this call.
            let nonblocking = move || unsafe { is_file_nonblocking(file) };
            to_ret(T::$method(open, UserDest::new(buf, len), nonblocking))
        }
    };
}

/// Defines the operation `write` that calls `$method` of [`StreamDevice`].
macro_rules! write_operation {
    ($name:ident, $method:ident) => {
        /// # Safety
        ///
        /// `file` must be a valid file that was opened by [`Self::open`].
        unsafe extern "C" fn $name(
            file: *mut bindings::file,
            buf: *const c_char,
            len: usize,
            _pos: *mut bindings::loff_t,
        ) -> isize {
            // SAFETY: The file was opened by `Self::open`, so its private data is a foreign
            // `T::Ptr`. It is taken back on release only.
            let open = unsafe { T::Ptr::borrow((*file).private_data) };
            // SAFETY: By the safety requirements `file` is valid for the duration of this call.
            let call = unsafe { FileCall::new(file) };
            to_ret(T::$method(open, UserSource::new(buf, len), &call))
        }
    };
}

/// Defines the operation `read_iter` that calls `$method` of [`StreamDevice`].
macro_rules! read_iter_operation {
    ($name:ident, $method:ident) => {
        /// # Safety
        ///
        /// The arguments must be those of a `file_operations::read_iter` call for a file that was
        /// opened by [`Self::open`].
        unsafe extern "C" fn $name(
            kiocb: *mut bindings::kiocb,
            iter: *mut bindings::iov_iter,
        ) -> isize {
            // SAFETY: By the safety requirements `kiocb` is valid, and the private data of its file
            // is a foreign `T::Ptr`.
            let kiocb = unsafe { Kiocb::<T::Ptr>::from_raw(kiocb) };
            // SAFETY: By the safety requirements `iter` is a valid I/O vector to write to.
            let iov = unsafe { IovIterDest::from_raw(iter) };
            to_ret(T::$method(kiocb.file(), iov, || is_nonblocking(&kiocb)))
        }
    };
}

/// Defines the operation `write_iter` of files, which calls a method of [`StreamDevice`].
macro_rules! write_iter_operation {
    ($name:ident, $method:ident) => {
        /// # Safety
        ///
        /// The arguments must be those of a `file_operations::write_iter` call for a file that was
        /// opened by [`Self::open`].
        unsafe extern "C" fn $name(
            kiocb: *mut bindings::kiocb,
            iter: *mut bindings::iov_iter,
        ) -> isize {
            // SAFETY: By the safety requirements `kiocb` is valid, and the private data of its file
            // is a foreign `T::Ptr`.
            let kiocb = unsafe { Kiocb::<T::Ptr>::from_raw(kiocb) };
            // SAFETY: By the safety requirements `iter` is a valid I/O vector to read from.
            let iov = unsafe { IovIterSource::from_raw(iter) };
            to_ret(T::$method(kiocb.file(), iov, &kiocb))
        }
    };
}

impl<T: StreamDevice> CdevRegistration<T> {
    /// File operations of the crate, with what they lack.
    const FOPS: &'static bindings::file_operations = &{
        let stock = MiscDeviceOptions { name: c"" }.into_raw::<T>().fops;
        // SAFETY: `into_raw` sets `fops` to a constant of the crate.
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

    /// Operations of a file with the path `Own`.
    const OWN: &'static bindings::file_operations = &{
        let mut fops = *Self::FOPS;
        fops.read = Some(Self::read_own);
        fops.read_iter = Some(Self::read_iter_own);
        fops
    };

    /// Operations of a file with the path `Prioritized`.
    const PRIORITIZED: &'static bindings::file_operations = &{
        let mut fops = *Self::FOPS;
        fops.read = Some(Self::read_prioritized);
        fops.read_iter = Some(Self::read_iter_prioritized);
        fops
    };

    /// Operations of a file with the path `Framed`.
    ///
    /// The functions are separate from those of other paths. One generic function for both
    /// (`const FRAMED: bool`) took two more instructions for each call with rustc 1.95.
    const FRAMED: &'static bindings::file_operations = &{
        let mut fops = *Self::FOPS;
        fops.read = Some(Self::read_framed);
        fops.write = Some(Self::write_framed);
        fops.read_iter = Some(Self::read_iter_framed);
        fops.write_iter = Some(Self::write_iter_framed);
        fops
    };

    /// Operations of a file with the path `PrioritizedFramed`.
    const PRIORITIZED_FRAMED: &'static bindings::file_operations = &{
        let mut fops = *Self::FRAMED;
        fops.write = Some(Self::write_prioritized);
        fops.write_iter = Some(Self::write_iter_prioritized);
        fops
    };

    /// Returns the operations of a file with this path.
    fn operations(path: CallPath) -> &'static bindings::file_operations {
        match path {
            CallPath::Plain => Self::FOPS,
            CallPath::Own => Self::OWN,
            CallPath::Prioritized => Self::PRIORITIZED,
            CallPath::Framed => Self::FRAMED,
            CallPath::PrioritizedFramed => Self::PRIORITIZED_FRAMED,
        }
    }

    /// Makes the devices of `region` available for opening. Before that, opening one fails with
    /// [`ENXIO`], after the kernel has tried to load a module for its number.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`].
    pub(crate) fn new(region: Arc<Region>) -> Result<Self> {
        // SAFETY: `cdev_alloc` has no preconditions.
        let cdev = NonNull::new(unsafe { bindings::cdev_alloc() }).ok_or(ENOMEM)?;
        // SAFETY: `cdev` was just allocated and has no other users.
        unsafe {
            (*cdev.as_ptr()).owner = T::OWNER.as_ptr();
            (*cdev.as_ptr()).ops = Self::FOPS;
        }
        // SAFETY: `cdev` is valid, and its operations are constant. By the type invariants of
        // `Region` the numbers are allocated.
        let ret = unsafe { bindings::cdev_add(cdev.as_ptr(), region.first(), region.minors()) };
        if let Err(err) = to_result(ret) {
            // SAFETY: `cdev` was not added. `cdev_del` drops the only reference.
            unsafe { bindings::cdev_del(cdev.as_ptr()) };
            return Err(err);
        }
        // INVARIANT: `cdev` was just added for the numbers of `region`.
        Ok(Self {
            cdev,
            _region: region,
            _device: PhantomData,
        })
    }

    /// # Safety
    ///
    /// `inode` and `file` must be valid, and be in a call of `chrdev_open` for a number of a
    /// `Region` that is opened as a `T`.
    unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // A stream has no position: the file supports neither seeking nor `pread`, and reads do not
        // take `f_pos_lock`.
        //
        // SAFETY: By the safety requirements `inode` and `file` are valid and in the process of
        // being opened.
        let ret = unsafe { bindings::stream_open(inode, file) };
        if ret != 0 {
            return ret;
        }

        // SAFETY: `inode` is valid, and its device number does not change.
        let minor = unsafe { (*inode).i_rdev } & ((1 << MINOR_BITS) - 1);
        // SAFETY: `file` is valid for the duration of this call. It is being opened, so its
        // position is not in use.
        match Self::open_file(minor, unsafe { File::from_raw_file(file) }) {
            Ok(open) => {
                let fops = Self::operations(open.device.call_path());
                // SAFETY: `file` is valid, and other tasks cannot use it yet. The operations of the
                // crate expect the private data to be a foreign `T::Ptr`.
                unsafe { (*file).private_data = open.into_foreign() };
                // SAFETY: `file` is valid, and other tasks cannot use it yet. An open function may
                // replace the operations.
                unsafe { (*file).f_op = fops };
                // SAFETY: `file` is valid, and other tasks cannot use it yet. An open function may
                // change the mode.
                unsafe { (*file).f_mode |= FMODE_NOWAIT };
                0
            }
            Err(err) => err.to_errno(),
        }
    }

    /// Makes the private data of `file`.
    fn open_file(minor: u32, file: &File) -> Result<KBox<OpenFile<T>>> {
        let open = KBox::<OpenFile<T>>::new_uninit(GFP_KERNEL_ACCOUNT)?;
        let device = T::open_stream(minor, file)?;
        let mut open = open.write(OpenFile {
            device,
            notifier: NonNull::dangling(),
        });
        // INVARIANT: `notifier` is borrowed from `device` in the box, so `device` does not move.
        // From here on only shared references to it are made.
        open.notifier = NonNull::from(open.device.notifier());
        Ok(open)
    }

    read_operation!(read, read);
    read_operation!(read_own, read_own);
    read_operation!(read_prioritized, read_prioritized);
    read_operation!(read_framed, read_framed);
    write_operation!(write, write);
    write_operation!(write_framed, write_framed);
    write_operation!(write_prioritized, write_prioritized);
    read_iter_operation!(read_iter_own, read_own);
    read_iter_operation!(read_iter_prioritized, read_prioritized);
    read_iter_operation!(read_iter_framed, read_framed);
    write_iter_operation!(write_iter_framed, write_framed);
    write_iter_operation!(write_iter_prioritized, write_prioritized);

    /// # Safety
    ///
    /// `file` must be a valid file that was opened by [`Self::open`]; `table` must be null or
    /// valid.
    unsafe extern "C" fn poll(
        file: *mut bindings::file,
        table: *mut bindings::poll_table,
    ) -> bindings::__poll_t {
        // SAFETY: The file was opened by `Self::open`, so its private data is a foreign `T::Ptr`.
        // It is taken back on release only.
        let open = unsafe { T::Ptr::borrow((*file).private_data) };
        // SAFETY: `file` is valid, and holds `open` and so the notifier until it is released.
        // `table` is null or valid.
        unsafe { open.notifier().register_poll(file, table) };
        open.device.poll()
    }

    /// # Safety
    ///
    /// The arguments must be those of a `file_operations::splice_read` call for a file that was
    /// opened by [`Self::open`].
    unsafe extern "C" fn splice_read(
        file: *mut bindings::file,
        pos: *mut bindings::loff_t,
        pipe: *mut bindings::pipe_inode_info,
        len: usize,
        flags: c_uint,
    ) -> isize {
        // SAFETY: `copy_splice_read` has the safety requirements of this function.
        let ret = unsafe { bindings::copy_splice_read(file, pos, pipe, len, flags) };
        if ret != EMSGSIZE.to_errno() as isize {
            return ret;
        }
        // SAFETY: The file was opened by `Self::open`, so its private data is a foreign `T::Ptr`.
        // It is taken back on release only.
        let open = unsafe { T::Ptr::borrow((*file).private_data) };
        let next = open.device.needed_len();
        // The kernel has limited `len` to the room in the pipe. If the next read fits into the
        // empty pipe, the caller may retry after the pipe was read from.
        //
        // SAFETY: The caller of `splice_read` holds the mutex of the pipe.
        if unsafe { splice::has_room_later(pipe, len, next) } {
            return EAGAIN.to_errno() as isize;
        }
        ret
    }

    /// # Safety
    ///
    /// The arguments must be those of a `file_operations::fasync` call for a file that was opened
    /// by [`Self::open`].
    unsafe extern "C" fn fasync(fd: c_int, file: *mut bindings::file, on: c_int) -> c_int {
        // SAFETY: The file was opened by `Self::open`, so its private data is a foreign `T::Ptr`.
        // It is taken back on release only.
        let open = unsafe { T::Ptr::borrow((*file).private_data) };
        // SAFETY: By the safety requirements the arguments are those of a `fasync` call. The file
        // holds `open` and so the notifier until it is released.
        let result = unsafe { open.notifier().register_async(fd, file, on) };
        open.device.signals_changed();
        match result {
            Ok(()) => 0,
            Err(err) => err.to_errno(),
        }
    }
}

impl<T> Drop for CdevRegistration<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants `cdev` is added. It is not used after this. Open files
        // hold separate references to it and to the module.
        unsafe { bindings::cdev_del(self.cdev.as_ptr()) };
    }
}
