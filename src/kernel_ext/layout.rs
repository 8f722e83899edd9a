// SPDX-License-Identifier: GPL-2.0

//! Kernel constants and field offsets from the C compiler, generated from `layout.c` at build time.

use core::mem::offset_of;
use kernel::{
    bindings::{
        attribute_group,
        cdev,
        class_attribute,
        cred,
        dev_pm_info,
        device,
        device_attribute,
        device_type,
        file,
        file_operations,
        fmode_t,
        gfp_t,
        inode,
        kiocb,
        kmem_cache_args,
        list_head,
        nsproxy,
        page,
        pid,
        seq_operations,
        task_struct,
        timespec64,
        wait_queue_head, //
    },
    ffi::c_int,
    static_assert, //
};

/// The constants that Kbuild generates from `layout.c`.
mod raw {
    #![allow(dead_code, reason = "some compilers ignore uses in assertions")]

    include!(env!("KMSGPIPE_LAYOUT_RS"));
}

/// `IOCB_AIO_RW`: the call comes from `io_submit(2)`.
pub(super) const IOCB_AIO_RW: c_int = raw::IOCB_AIO_RW as c_int;

/// `IOCB_NOWAIT`: the call must not wait.
pub(super) const IOCB_NOWAIT: c_int = raw::IOCB_NOWAIT as c_int;

/// `FMODE_NOWAIT`: the file honours `IOCB_NOWAIT` everywhere.
pub(super) const FMODE_NOWAIT: fmode_t = raw::FMODE_NOWAIT as fmode_t;

/// `FMODE_READ`: the file is open for reading.
pub(super) const FMODE_READ: fmode_t = raw::FMODE_READ as fmode_t;

/// `FMODE_WRITE`: the file is open for writing.
pub(super) const FMODE_WRITE: fmode_t = raw::FMODE_WRITE as fmode_t;

/// `__GFP_NOFAIL`: the allocation never fails.
pub(super) const GFP_NOFAIL: gfp_t = raw::GFP_NOFAIL as gfp_t;

/// `__GFP_NORETRY`: the allocation fails rather than try hard, and does not invoke the OOM killer.
pub(super) const GFP_NORETRY: gfp_t = raw::GFP_NORETRY as gfp_t;

/// `FIONREAD`: request for the number of readable bytes.
pub(super) const FIONREAD: u32 = raw::FIONREAD as u32;

/// Offset of `head` in `struct pipe_inode_info`.
pub(super) const PIPE_HEAD: usize = raw::PIPE_HEAD;

/// `pipe_index_t`: index into the ring of a pipe.
#[cfg(CONFIG_64BIT)]
pub(super) type PipeIndex = u32;

/// `pipe_index_t`: index into the ring of a pipe.
#[cfg(not(CONFIG_64BIT))]
pub(super) type PipeIndex = u16;

/// Offset of `max_usage` in `struct pipe_inode_info`: the maximum number of buffers, an `unsigned
/// int`.
pub(super) const PIPE_MAX_USAGE: usize = raw::PIPE_MAX_USAGE;

/// Offset of `tail` in `struct pipe_inode_info`.
pub(super) const PIPE_TAIL: usize = raw::PIPE_TAIL;

/// Offset of the `CLOCK_MONOTONIC` offset in `struct time_namespace`, a `struct timespec64`.
#[cfg(CONFIG_TIME_NS)]
pub(super) const TIME_NS_MONOTONIC: usize = raw::TIME_NS_MONOTONIC;

// bindgen drops the alignment of empty structures. With some kernel configurations
// (`CONFIG_SCHEDSTATS=n`) it therefore gets the layout of `task_struct` wrong. These assertions
// make the build fail then. They cover each field that this directory accesses directly, and the
// size of each structure that it makes.
static_assert!(offset_of!(cdev, ops) == raw::CDEV_OPS);
static_assert!(offset_of!(cdev, owner) == raw::CDEV_OWNER);
static_assert!(offset_of!(cred, egid) == raw::CRED_EGID);
static_assert!(offset_of!(cred, euid) == raw::CRED_EUID);
static_assert!(offset_of!(cred, gid) == raw::CRED_GID);
static_assert!(offset_of!(cred, uid) == raw::CRED_UID);
static_assert!(offset_of!(cred, user_ns) == raw::CRED_USER_NS);
static_assert!(offset_of!(device, class) == raw::DEVICE_CLASS);
// `set_no_pm_raw` sets a bit field. The offset of the field behind the bits stands for it.
static_assert!(offset_of!(dev_pm_info, driver_flags) == raw::DEV_PM_INFO_DRIVER_FLAGS);
static_assert!(offset_of!(device, devt) == raw::DEVICE_DEVT);
static_assert!(offset_of!(device, power) == raw::DEVICE_POWER);
static_assert!(offset_of!(device, release) == raw::DEVICE_RELEASE);
static_assert!(offset_of!(device, type_) == raw::DEVICE_TYPE);
static_assert!(offset_of!(file, f_flags) == raw::FILE_F_FLAGS);
static_assert!(offset_of!(file, f_lock) == raw::FILE_F_LOCK);
static_assert!(offset_of!(file, f_mode) == raw::FILE_F_MODE);
static_assert!(offset_of!(file, f_op) == raw::FILE_F_OP);
static_assert!(offset_of!(file, private_data) == raw::FILE_PRIVATE_DATA);
static_assert!(offset_of!(inode, i_rdev) == raw::INODE_I_RDEV);
static_assert!(offset_of!(kiocb, ki_complete) == raw::KIOCB_KI_COMPLETE);
static_assert!(offset_of!(kiocb, ki_filp) == raw::KIOCB_KI_FILP);
static_assert!(offset_of!(kiocb, ki_flags) == raw::KIOCB_KI_FLAGS);
static_assert!(offset_of!(list_head, next) == raw::LIST_HEAD_NEXT);
static_assert!(offset_of!(nsproxy, time_ns) == raw::NSPROXY_TIME_NS);
static_assert!(offset_of!(page, __bindgen_anon_1.__bindgen_anon_1.private) == raw::PAGE_PRIVATE);
static_assert!(offset_of!(pid, level) == raw::PID_LEVEL);
static_assert!(offset_of!(task_struct, __state) == raw::TASK_STATE);
static_assert!(offset_of!(task_struct, cred) == raw::TASK_CRED);
static_assert!(offset_of!(task_struct, nsproxy) == raw::TASK_NSPROXY);
static_assert!(offset_of!(task_struct, pagefault_disabled) == raw::TASK_PAGEFAULT_DISABLED);
static_assert!(offset_of!(task_struct, tgid) == raw::TASK_TGID);
static_assert!(offset_of!(task_struct, thread_pid) == raw::TASK_THREAD_PID);
static_assert!(offset_of!(wait_queue_head, head) == raw::WAIT_QUEUE_HEAD_HEAD);
static_assert!(size_of::<PipeIndex>() == raw::PIPE_INDEX_SIZE);
static_assert!(size_of::<attribute_group>() == raw::ATTRIBUTE_GROUP_SIZE);
static_assert!(size_of::<class_attribute>() == raw::CLASS_ATTRIBUTE_SIZE);
static_assert!(size_of::<device>() == raw::DEVICE_SIZE);
static_assert!(size_of::<device_attribute>() == raw::DEVICE_ATTRIBUTE_SIZE);
static_assert!(size_of::<device_type>() == raw::DEVICE_TYPE_SIZE);
static_assert!(size_of::<file_operations>() == raw::FILE_OPERATIONS_SIZE);
static_assert!(size_of::<kmem_cache_args>() == raw::KMEM_CACHE_ARGS_SIZE);
static_assert!(size_of::<seq_operations>() == raw::SEQ_OPERATIONS_SIZE);
static_assert!(size_of::<timespec64>() == raw::TIMESPEC_SIZE);
static_assert!(size_of::<wait_queue_head>() == raw::WAIT_QUEUE_HEAD_SIZE);
