// SPDX-License-Identifier: GPL-2.0

//! Requests: decode, check the caller's right, dispatch.
//!
//! The only reader and writer of the structures of the UAPI header.

use kernel::{
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

use crate::{
    device::OpenPipe,
    kernel_ext::cred,
    pipe::Snapshot,
    uapi, //
};

/// Carries out the request `cmd` with the argument `arg`.
///
/// # Errors
///
/// - [`ENOTTY`]: there is no such request.
/// - [`EPERM`]: the request needs `CAP_SYS_ADMIN`; nothing was read or changed.
/// - [`EFAULT`]: `arg` points to memory that cannot be accessed.
pub(crate) fn dispatch(open: &OpenPipe, cmd: u32, arg: usize) -> Result<isize> {
    match cmd {
        uapi::GET_STATS => get_stats(open, arg),
        uapi::CLEAR_QUEUE => {
            require_admin()?;
            open.pipe().clear();
            Ok(0)
        }
        _ => Err(ENOTTY),
    }
}

/// Fails unless the caller is an administrator of the machine, not just of a container.
fn require_admin() -> Result {
    if cred::is_admin() {
        Ok(())
    } else {
        Err(EPERM)
    }
}

/// Copies a snapshot of the pipe to the caller's `struct kmsgpipe_stats`.
fn get_stats(open: &OpenPipe, arg: usize) -> Result<isize> {
    let mut snapshot = open.pipe().snapshot();
    if !open.access().read {
        // Who may only write learns nothing of what others wrote.
        snapshot.head = None;
    }
    let stats = encode(&snapshot);
    UserSlice::new(UserPtr::from_addr(arg), size_of::<uapi::Stats>())
        .writer()
        .write(&stats)?;
    Ok(0)
}

/// Translates a snapshot for the calling task.
fn encode(snapshot: &Snapshot) -> uapi::Stats {
    let Snapshot {
        id,
        limits,
        account,
        refused,
        population,
        head,
        now,
    } = *snapshot;

    let mut stats = uapi::Stats {
        id,
        msg_size: limits.msg_size(),
        max_msgs: limits.max_msgs(),
        readers: population.readers,
        writers: population.writers,
        waiting_readers: population.waiting_readers,
        waiting_writers: population.waiting_writers,
        depth_msgs: account.depth.msgs,
        depth_bytes: account.depth.bytes,
        peak_msgs: account.peak.msgs,
        peak_bytes: account.peak.bytes,
        enqueued_msgs: account.enqueued.msgs,
        enqueued_bytes: account.enqueued.bytes,
        dequeued_msgs: account.dequeued.msgs,
        dequeued_bytes: account.dequeued.bytes,
        dropped_msgs: account.dropped.msgs,
        dropped_bytes: account.dropped.bytes,
        refused_full: refused.full,
        refused_size: refused.size,
        ..pin_init::zeroed()
    };
    if let Some(head) = head {
        stats.flags |= uapi::STATS_HEAD;
        stats.head_seq = head.record.seq;
        stats.head_age_ns = now
            .saturating_sub(head.record.stamp.monotonic)
            .try_into()
            .unwrap_or(0);
        stats.head_len = head.len;
        stats.head_uid = cred::uid_for_current(head.record.sender.uid);
        stats.head_gid = cred::gid_for_current(head.record.sender.gid);
        stats.head_pid = cred::pid_for_current(head.record.sender.pid)
            .try_into()
            .unwrap_or(0);
    }
    stats
}
