// SPDX-License-Identifier: GPL-2.0

//! Debugfs files that list objects and hold a reference to their module while open.
//!
//! C header: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h).
//!
//! `kernel::debugfs` leaves the owner of its file operations null. A file that is open when its
//! module is unloaded then crashes the kernel when it is closed.

#[cfg(CONFIG_DEBUG_FS)]
use core::{
    marker::PhantomData,
    ptr, //
};
use kernel::prelude::*;
#[cfg(CONFIG_DEBUG_FS)]
use kernel::{
    bindings,
    error::from_err_ptr, //
};

use super::seq::List;
#[cfg(CONFIG_DEBUG_FS)]
use super::seq::Operations;
#[cfg(CONFIG_DEBUG_FS)]
use crate::kernel_ext::compat;

/// Directory in debugfs with one file, readable by root, that lists the objects of `T`.
///
/// As is usual for debugfs, failing to create it is not an error: the directory or the file is
/// missing then.
///
/// # Invariants
///
/// The pointer is null, or that of a directory that was created and not removed.
///
/// # Examples
///
/// `Counters` is the list in the example of [`List`].
///
/// ```ignore
/// use crate::kernel_ext::dev::debugfs::ListDir;
///
/// // The file `counter/values` in debugfs exists until `dir` is dropped.
/// let dir = ListDir::<Counters>::new(c"counter", c"values");
/// ```
#[cfg(CONFIG_DEBUG_FS)]
pub(crate) struct ListDir<T>(*mut bindings::dentry, PhantomData<T>);

/// Stand-in for kernels without debugfs.
#[cfg(not(CONFIG_DEBUG_FS))]
pub(crate) struct ListDir<T>(core::marker::PhantomData<T>);

#[cfg(CONFIG_DEBUG_FS)]
// SAFETY: A directory may be removed by any thread.
unsafe impl<T> Send for ListDir<T> {}

#[cfg(CONFIG_DEBUG_FS)]
// SAFETY: No method takes a shared reference.
unsafe impl<T> Sync for ListDir<T> {}

#[cfg(not(CONFIG_DEBUG_FS))]
impl<T: List> ListDir<T> {
    /// Creates nothing, as there is no debugfs.
    pub(crate) fn new(_dir: &CStr, _file: &CStr) -> Self {
        Self(core::marker::PhantomData)
    }
}

#[cfg(CONFIG_DEBUG_FS)]
impl<T: List> ListDir<T> {
    const FOPS: &'static bindings::file_operations = &bindings::file_operations {
        owner: compat::this_module().as_ptr(),
        open: Some(Self::open),
        read: Some(bindings::seq_read),
        llseek: Some(bindings::seq_lseek),
        release: Some(bindings::seq_release),
        ..pin_init::zeroed()
    };

    /// Creates the directory `dir` with the file `file`.
    pub(crate) fn new(dir: &CStr, file: &CStr) -> Self {
        // SAFETY: The name is copied. A null parent is the root of debugfs.
        let dir = from_err_ptr(unsafe {
            bindings::debugfs_create_dir(dir.as_char_ptr(), ptr::null_mut())
        });
        let Ok(dir) = dir else {
            // INVARIANT: The pointer is null.
            return Self(ptr::null_mut(), PhantomData);
        };
        // SAFETY: The name is copied, `dir` was just created, and the operations are constant. The
        // file is removed with the directory.
        let _ = unsafe {
            bindings::debugfs_create_file_full(
                file.as_char_ptr(),
                0o400,
                dir,
                ptr::null_mut(),
                ptr::null(),
                Self::FOPS,
            )
        };
        // INVARIANT: The directory was just created.
        Self(dir, PhantomData)
    }

    /// # Safety
    ///
    /// `file` must be valid and in the process of being opened.
    unsafe extern "C" fn open(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: By the safety requirements `file` is being opened. The operations are constant.
        unsafe { bindings::seq_open(file, Operations::<T>::OPS) }
    }
}

#[cfg(CONFIG_DEBUG_FS)]
impl<T> Drop for ListDir<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the pointer is null or that of a directory that was not
        // removed. The call waits for readers of the file.
        unsafe { bindings::debugfs_remove(self.0) };
    }
}
