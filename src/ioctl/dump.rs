// SPDX-License-Identifier: GPL-2.0

//! `KMSGPIPE_DUMP`.

use kernel::{
    prelude::*,
    sync::Arc,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

use super::{
    read,
    require_zero,
    write, //
};
use crate::{
    pipe::{
        Pipe,
        Progress, //
    },
    uapi, //
};

/// The bytes that are copied in one lock section.
const BATCH: usize = 16384;

/// Copies all messages of a pipe to the buffer that the caller's `struct kmsgpipe_dump` names.
///
/// They pass through memory of the kernel, so that no page fault happens with the lock held.
///
/// # Errors
///
/// - [`ENODEV`]: the pipe is destroyed.
/// - [`ERESTARTSYS`]: a signal came while somebody else did so.
/// - [`EFAULT`]: some of the memory cannot be accessed.
/// - [`EINVAL`]: a reserved field is not zero.
/// - [`ENOMEM`].
pub(super) fn dump(pipe: &Arc<Pipe>, arg: usize) -> Result {
    let mut request: uapi::Dump = read(arg)?;
    require_zero(&request.reserved)?;
    let buffer = usize::try_from(request.buffer).map_err(|_| EFAULT)?;
    let mut room = request.size;
    request.used = 0;
    request.records = 0;
    request.missing = 0;

    let mut batch = KVec::from_elem(0, BATCH, GFP_KERNEL_ACCOUNT)?;
    let mut dump = pipe.dump()?;
    loop {
        let progress = dump.fill(&mut batch, &mut room);
        let (Progress::More(bytes) | Progress::Done { bytes, .. }) = progress;
        let place = usize::try_from(request.used)
            .ok()
            .and_then(|used| buffer.checked_add(used))
            .ok_or(EFAULT)?;
        if bytes > 0 {
            UserSlice::new(UserPtr::from_addr(place), bytes)
                .writer()
                .write_slice(batch.get(..bytes).ok_or(EINVAL)?)?;
        }
        request.used += bytes as u64;
        if let Progress::Done {
            copied, missing, ..
        } = progress
        {
            request.records = copied;
            request.missing = missing;
            break;
        }
    }
    drop(dump);
    write(arg, &request)
}
