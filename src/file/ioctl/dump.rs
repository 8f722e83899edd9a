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

/// The size of the bounce buffer, and so the number of bytes copied in one critical section.
const BATCH: usize = 16384;

/// Copies all messages of a pipe to the buffer that the caller's `struct kmsgpipe_dump` names.
///
/// Messages pass through a bounce buffer, because user memory may fault, and no page fault may
/// happen under the pipe's lock.
///
/// # Errors
///
/// - [`ENODEV`]: the pipe is destroyed.
/// - [`ERESTARTSYS`]: a signal arrived while another dump was in progress.
/// - [`EFAULT`]: some of the user memory cannot be accessed.
/// - [`EINVAL`]: a reserved field is not zero.
/// - [`EIO`]: the memory of the pipe does not hold what its records promise, which is a bug.
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
        let progress = dump.fill(&mut batch, &mut room)?;
        let (Progress::More(bytes) | Progress::Done { bytes, .. }) = progress;
        let place = usize::try_from(request.used)
            .ok()
            .and_then(|used| buffer.checked_add(used))
            .ok_or(EFAULT)?;
        if bytes > 0 {
            UserSlice::new(UserPtr::from_addr(place), bytes)
                .writer()
                .write_slice(batch.get(..bytes).ok_or(EIO)?)?;
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
