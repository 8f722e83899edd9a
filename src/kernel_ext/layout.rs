// SPDX-License-Identifier: GPL-2.0

//! What the C compiler says of the kernel, made from `layout.c` when the module is built.

use core::mem::offset_of;
use kernel::{
    bindings::{
        cred,
        file,
        fmode_t,
        kiocb,
        task_struct, //
    },
    ffi::c_int,
    static_assert, //
};

/// What Kbuild made of `layout.c`.
mod raw {
    #![allow(dead_code, reason = "some compilers do not count what assertions use")]

    include!(env!("KMSGPIPE_LAYOUT_RS"));
}

/// `IOCB_NOWAIT`: the call must not wait.
pub(super) const IOCB_NOWAIT: c_int = raw::IOCB_NOWAIT as c_int;

/// `FMODE_NOWAIT`: the file honours `IOCB_NOWAIT` everywhere.
pub(super) const FMODE_NOWAIT: fmode_t = raw::FMODE_NOWAIT as fmode_t;

// bindgen drops the alignment of empty structures, so that with some kernel configurations
// (`CONFIG_SCHEDSTATS=n`) it lays `task_struct` out wrongly. Refuse to be built then: every field that
// this directory reads or writes by itself is here.
static_assert!(offset_of!(cred, euid) == raw::CRED_EUID);
static_assert!(offset_of!(cred, egid) == raw::CRED_EGID);
static_assert!(offset_of!(file, f_mode) == raw::FILE_F_MODE);
static_assert!(offset_of!(file, private_data) == raw::FILE_PRIVATE_DATA);
static_assert!(offset_of!(kiocb, ki_flags) == raw::KIOCB_KI_FLAGS);
static_assert!(offset_of!(task_struct, cred) == raw::TASK_CRED);
static_assert!(offset_of!(task_struct, tgid) == raw::TASK_TGID);
static_assert!(offset_of!(task_struct, pagefault_disabled) == raw::TASK_PAGEFAULT_DISABLED);
