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

/// The C side of a file in `/proc`.
#[repr(C)]
struct ProcDirEntry {
    _opaque: [u8; 0],
}

// `linux/proc_fs.h` is not among the headers that the crate's bindings are made of.
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

/// A file in `/proc` that lists what `T` says.
///
/// # Invariants
///
/// The entry is one that was created with the operations for `T`, and was not removed.
pub(crate) struct ListFile<T> {
    entry: NonNull<ProcDirEntry>,
    _list: PhantomData<T>,
}

// SAFETY: An entry may be removed by any thread.
unsafe impl<T> Send for ListFile<T> {}

// SAFETY: There is no method that takes a shared reference.
unsafe impl<T> Sync for ListFile<T> {}

impl<T: List> ListFile<T> {
    /// Makes a file that everybody may read.
    ///
    /// # Errors
    ///
    /// [`ENOMEM`], also if there is a file of this name.
    pub(crate) fn new(name: &CStr) -> Result<Self> {
        // SAFETY: The name is copied; a null pointer is the root of `/proc`, and the operations are
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
        // INVARIANT: It was just created.
        Ok(Self {
            entry: NonNull::new(entry).ok_or(ENOMEM)?,
            _list: PhantomData,
        })
    }
}

impl<T> Drop for ListFile<T> {
    fn drop(&mut self) {
        // SAFETY: By the invariants it was not removed. This waits for those who are reading.
        unsafe { proc_remove(self.entry.as_ptr()) };
    }
}
