// SPDX-License-Identifier: GPL-2.0

//! What the C compiler says of the kernel, made from `layout.c` when the module is built.

use core::mem::offset_of;
use kernel::{
    bindings::{
        fmode_t,
        task_struct, //
    },
    ffi::c_int,
    static_assert, //
};

/// What Kbuild made of `layout.c`.
mod raw {
    include!(env!("KMSGPIPE_LAYOUT_RS"));
}

/// `IOCB_NOWAIT`: the call must not wait.
pub(super) const IOCB_NOWAIT: c_int = raw::IOCB_NOWAIT as c_int;

/// `FMODE_NOWAIT`: the file honours `IOCB_NOWAIT` everywhere.
pub(super) const FMODE_NOWAIT: fmode_t = raw::FMODE_NOWAIT as fmode_t;

// bindgen drops the alignment of empty structures, so that with some kernel configurations
// (`CONFIG_SCHEDSTATS=n`) it lays `task_struct` out wrongly. Refuse to be built then.
static_assert!(offset_of!(task_struct, cred) == raw::TASK_CRED);
static_assert!(offset_of!(task_struct, tgid) == raw::TASK_TGID);
static_assert!(offset_of!(task_struct, pagefault_disabled) == raw::TASK_PAGEFAULT_DISABLED);
