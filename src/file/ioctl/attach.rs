// SPDX-License-Identifier: GPL-2.0

//! What an open file reads, and what it does with messages that it has on trust.

use kernel::{
    fs::File,
    prelude::*, //
};

use super::{
    require_zero,
    OpenPipe, //
};

use crate::{
    kernel_ext::{
        clock,
        dev::chrdev::OpenFile, //
    },
    log::{
        leased_queue::Verdict,
        subscription::{
            self,
            Start, //
        }, //
    },
    pipe::{
        LeaseTerms, //
        Pipe,
        Reads,
    },
    uapi, //
};

/// Nanoseconds in a millisecond.
const NSEC_PER_MSEC: u64 = 1_000_000;

/// Changes what the file reads, and where it begins.
///
/// # Errors
///
/// - [`EBADF`]: the file is not open for reading.
/// - [`EINVAL`]: the request is invalid, or the pipe is of the wrong kind for it.
/// - Those of [`Pipe::read_from`].
pub(super) fn attach(open: &OpenFile<OpenPipe>, file: &File, attach: &uapi::Attach) -> Result {
    if !open.access().read {
        return Err(EBADF);
    }
    require_zero(&[attach.reserved.into(), attach.flags.into()])?;
    require_zero(&attach.group.map(u64::from))?;
    let start = match attach.start {
        uapi::START_NOW if attach.at == 0 => Start::Now,
        uapi::START_OLDEST if attach.at == 0 => Start::Oldest,
        uapi::START_SEQ => Start::Seq(attach.at),
        uapi::START_TIME => Start::Time(attach.at),
        _ => return Err(EINVAL),
    };
    let terms = LeaseTerms {
        lease_ms: attach.lease_ms,
        max_deliveries: attach.max_deliveries,
    };
    if attach.kind != uapi::ATTACH_GROUP || terms.lease_ms == 0 {
        require_zero(&[terms.lease_ms.into(), terms.max_deliveries.into()])?;
    }
    let reads = match attach.kind {
        uapi::ATTACH_OWN => Reads::Position(subscription::Kind::Own),
        uapi::ATTACH_GROUP if start == Start::Now => Reads::Queue(terms),
        uapi::ATTACH_BROWSE => Reads::Position(subscription::Kind::Browse),
        _ => return Err(EINVAL),
    };
    open.read_from(file, reads, start)
}

/// Consumes messages that the file has on trust.
///
/// # Errors
///
/// Those of [`settle`]. [`EINVAL`] also means that a delay is given.
pub(super) fn ack(open: &OpenPipe, ack: &uapi::Ack) -> Result {
    require_zero(&[ack.delay_ms.into()])?;
    settle(open, ack, Verdict::Consume)
}

/// Gives back messages that the file has on trust.
///
/// # Errors
///
/// Those of [`settle`].
pub(super) fn nack(open: &OpenPipe, ack: &uapi::Ack) -> Result {
    let delay = u64::from(ack.delay_ms) * NSEC_PER_MSEC;
    let later = (delay > 0).then(|| clock::monotonic().saturating_add(delay));
    settle(open, ack, Verdict::GiveBack { later })
}

/// Ends the leases that the file has of the messages that `ack` names, by `verdict`.
///
/// # Errors
///
/// - [`EBADF`]: the file is not open for reading.
/// - [`EINVAL`]: the request is invalid.
/// - Those of [`Pipe::settle_leases`].
fn settle(open: &OpenPipe, ack: &uapi::Ack, verdict: Verdict) -> Result {
    if !open.access().read {
        return Err(EBADF);
    }
    require_zero(&[ack.reserved.into()])?;
    if ack.last < ack.first {
        return Err(EINVAL);
    }
    Pipe::settle_leases(open.pipe(), open.handle(), (ack.first, ack.last), verdict)
}
