// SPDX-License-Identifier: GPL-2.0

//! `KMSGPIPE_GET_STATS`.

use kernel::{
    current,
    prelude::*, //
};

use super::super::OpenPipe;
use crate::{
    kernel_ext::view::View,
    pipe::Snapshot,
    uapi, //
};

/// Takes a snapshot of the pipe, and encodes it for the calling task.
///
/// # Errors
///
/// [`ENODEV`]: the pipe is destroyed.
pub(super) fn get(open: &OpenPipe) -> Result<uapi::Stats> {
    let mut snapshot = open.pipe().snapshot_alive()?;
    if !open.access().read {
        // The head fields describe a message and its sender, which only a reader may know.
        snapshot.head = None;
    }
    Ok(encode(&snapshot))
}

/// Encodes a snapshot, with ids as the calling task's namespaces show them.
fn encode(snapshot: &Snapshot) -> uapi::Stats {
    let Snapshot {
        id,
        limits,
        depth,
        counters,
        refused,
        open_counts,
        waiting_readers,
        waiting_writers,
        expiry,
        head,
        first_seq,
        now,
        debug: _,
    } = *snapshot;

    let mut stats = uapi::Stats {
        id,
        msg_size: limits.msg_size(),
        max_msgs: limits.max_msgs(),
        readers: open_counts.readers,
        writers: open_counts.writers,
        waiting_readers,
        waiting_writers,
        depth_msgs: depth.msgs,
        depth_bytes: depth.bytes,
        peak_msgs: counters.peak.msgs,
        peak_bytes: counters.peak.bytes,
        enqueued_msgs: counters.enqueued.msgs,
        enqueued_bytes: counters.enqueued.bytes,
        dequeued_msgs: counters.dequeued.msgs,
        dequeued_bytes: counters.dequeued.bytes,
        expired_msgs: counters.expired.msgs,
        expired_bytes: counters.expired.bytes,
        dropped_msgs: counters.dropped.msgs,
        dropped_bytes: counters.dropped.bytes,
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
