// SPDX-License-Identifier: GPL-2.0

//! Files in debugfs that list objects, and own their module.
//!
//! C header: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h).
//!
//! `kernel::debugfs` leaves the owner of its file operations empty: a file that is open when its
//! module is unloaded takes the kernel down when it is closed.

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
use super::{
    compat,
    seq::Operations, //
};

/// A directory in debugfs with one file that lists what `T` says, for root.
///
/// As always with debugfs, that it could not be made is no error; it is missing then.
///
/// # Invariants
///
/// The pointer is null or that of a directory that was created and not removed.
#[cfg(CONFIG_DEBUG_FS)]
pub(crate) struct ListDir<T>(*mut bindings::dentry, PhantomData<T>);

/// A directory in debugfs with one file that lists what `T` says: this kernel has no debugfs.
#[cfg(not(CONFIG_DEBUG_FS))]
pub(crate) struct ListDir<T>(core::marker::PhantomData<T>);

#[cfg(CONFIG_DEBUG_FS)]
// SAFETY: A directory may be removed by any thread.
unsafe impl<T> Send for ListDir<T> {}

#[cfg(CONFIG_DEBUG_FS)]
// SAFETY: There is no method that takes a shared reference.
unsafe impl<T> Sync for ListDir<T> {}

#[cfg(not(CONFIG_DEBUG_FS))]
impl<T: List> ListDir<T> {
    /// Makes the directory `dir` and in it the file `file`.
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

    /// Makes the directory `dir` and in it the file `file`.
    pub(crate) fn new(dir: &CStr, file: &CStr) -> Self {
        // SAFETY: The name is copied; a null pointer is the root of debugfs.
        let dir = from_err_ptr(unsafe {
            bindings::debugfs_create_dir(dir.as_char_ptr(), ptr::null_mut())
        });
        let Ok(dir) = dir else {
            // INVARIANT: It is null.
            return Self(ptr::null_mut(), PhantomData);
        };
        // SAFETY: The name is copied, the directory was just created, and the operations are
        // constant. The file goes with the directory.
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
        // INVARIANT: It was just created.
        Self(dir, PhantomData)
    }

    /// # Safety
    ///
    /// `file` must be valid and being opened.
    unsafe extern "C" fn open(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: By the safety requirements, and the operations are constant.
        unsafe { bindings::seq_open(file, Operations::<T>::OPS) }
    }
}

#[cfg(CONFIG_DEBUG_FS)]
impl<T> Drop for ListDir<T> {
    fn drop(&mut self) {
        // SAFETY: By the invariants it is null or was not removed. This waits for those who are
        // reading.
        unsafe { bindings::debugfs_remove(self.0) };
    }
}
