// SPDX-License-Identifier: GPL-2.0

//! `KMSGPIPE_GET_STATS`.

use kernel::{
    current,
    prelude::*, //
};

use crate::{
    device::OpenPipe,
    kernel_ext::view::View,
    pipe::Snapshot,
    uapi, //
};

/// What a snapshot of the pipe shows to the calling task.
///
/// # Errors
///
/// [`ENODEV`]: the pipe is destroyed.
pub(super) fn get(open: &OpenPipe) -> Result<uapi::Stats> {
    let mut snapshot = open.pipe().snapshot_alive()?;
    if !open.access().read {
        // Who may only write learns nothing of what others wrote.
        snapshot.head = None;
    }
    Ok(encode(&snapshot))
}

/// Translates a snapshot for the calling task.
fn encode(snapshot: &Snapshot) -> uapi::Stats {
    let Snapshot {
        id,
        limits,
        depth,
        account,
        refused,
        population,
        waiting_readers,
        waiting_writers,
        expiry,
        head,
        first_seq,
        now,
        internals: _,
    } = *snapshot;

    let mut stats = uapi::Stats {
        id,
        msg_size: limits.msg_size(),
        max_msgs: limits.max_msgs(),
        readers: population.readers,
        writers: population.writers,
        waiting_readers,
        waiting_writers,
        depth_msgs: depth.msgs,
        depth_bytes: depth.bytes,
        peak_msgs: account.peak.msgs,
        peak_bytes: account.peak.bytes,
        enqueued_msgs: account.enqueued.msgs,
        enqueued_bytes: account.enqueued.bytes,
        dequeued_msgs: account.dequeued.msgs,
        dequeued_bytes: account.dequeued.bytes,
        expired_msgs: account.expired.msgs,
        expired_bytes: account.expired.bytes,
        dropped_msgs: account.dropped.msgs,
        dropped_bytes: account.dropped.bytes,
        refused_full: refused.full,
        refused_size: refused.size,
        ..pin_init::zeroed()
    };
    if expiry.enabled {
        stats.flags |= uapi::STATS_FLUSH;
        stats.flush_interval_ms = expiry.interval_ms;
        stats.flush_expiry_ms = expiry.expiry_ms;
    }
    if let Some(head) = head {
        stats.flags |= uapi::STATS_HEAD;
        if head.sender.privileged {
            stats.flags |= uapi::STATS_HEAD_PRIVILEGED;
        }
        stats.head_seq = first_seq;
        stats.head_age_ns = now.saturating_sub(head.stamp.monotonic);
        stats.head_len = head.len;
        let task = current!();
        let view = View::of(task);
        stats.head_uid = view.uid(head.sender.uid);
        stats.head_gid = view.gid(head.sender.gid);
        stats.head_pid = view.pid(head.sender.pid);
    }
    stats
}
