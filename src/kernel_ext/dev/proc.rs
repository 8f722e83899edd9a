// SPDX-License-Identifier: GPL-2.0

//! Files in `/proc` that list objects.
//!
//! C header: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h).

use core::{
    marker::PhantomData,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    bindings,
    prelude::*, //
};

use super::seq::{
    List,
    Operations, //
};

/// The opaque `struct proc_dir_entry`.
#[repr(C)]
struct ProcDirEntry {
    _opaque: [u8; 0],
}

// The crate's bindings do not include `linux/proc_fs.h`.
extern "C" {
    #[allow(
        improper_ctypes,
        reason = "rustc 1.85 objects to the empty lock_class_key behind the operations' pointers"
    )]
    fn proc_create_seq_private(
        name: *const c_char,
        mode: bindings::umode_t,
        parent: *mut ProcDirEntry,
        ops: *const bindings::seq_operations,
        state_size: c_uint,
        data: *mut c_void,
    ) -> *mut ProcDirEntry;
    fn proc_remove(entry: *mut ProcDirEntry);
}

/// File in `/proc` that lists the objects of `T`.
///
/// # Invariants
///
/// The entry was created with the operations for `T` and was not removed.
///
/// # Examples
///
/// `Counters` is the list in the example of [`List`].
///
/// ```ignore
/// use crate::kernel_ext::dev::proc::ListFile;
///
/// // `/proc/counters` exists until `file` is dropped.
/// let file = ListFile::<Counters>::new(c"counters")?;
/// ```
pub(crate) struct ListFile<T> {
    entry: NonNull<ProcDirEntry>,
    _list: PhantomData<T>,
}

// SAFETY: An entry may be removed by any thread.
unsafe impl<T> Send for ListFile<T> {}

// SAFETY: No method takes a shared reference.
unsafe impl<T> Sync for ListFile<T> {}

impl<T: List> ListFile<T> {
    /// Creates a file that all users may read.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`], also if a file of this name exists.
    pub(crate) fn new(name: &CStr) -> Result<Self> {
        // SAFETY: The name is copied. A null parent is the root of `/proc`. The operations are
        // constant.
        let entry = unsafe {
            proc_create_seq_private(
                name.as_char_ptr(),
                0o444,
                ptr::null_mut(),
                Operations::<T>::OPS,
                0,
                ptr::null_mut(),
            )
        };
        // INVARIANT: The entry was just created with the operations for `T`.
        Ok(Self {
            entry: NonNull::new(entry).ok_or(ENOMEM)?,
            _list: PhantomData,
        })
    }
}

impl<T> Drop for ListFile<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the entry was not removed. The call waits for readers of
        // the file.
        unsafe { proc_remove(self.entry.as_ptr()) };
    }
}
