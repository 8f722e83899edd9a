// SPDX-License-Identifier: GPL-2.0

//! The pipes of `pipe(2)`, which splice copies to.
//!
//! C header: [`include/linux/pipe_fs_i.h`](srctree/include/linux/pipe_fs_i.h).
//!
//! bindgen knows no fields of them, so that they are found by what the C compiler says.

use kernel::{
    bindings,
    page::PAGE_SIZE, //
};

use super::layout::{
    PipeIndex,
    PIPE_HEAD,
    PIPE_MAX_USAGE,
    PIPE_TAIL, //
};

/// Whether it is what `pipe` holds that kept `needed` bytes from being copied to it, when `len`
/// were asked for: there is not enough room now, and there is once the pipe is empty.
///
/// The kernel reduces `len` to the room in the pipe. So one that is as large as the room says
/// nothing of what the caller asked for.
///
/// # Safety
///
/// `pipe` must be valid, and its mutex be held, or nobody else know it.
pub(super) unsafe fn has_room_later(
    pipe: *const bindings::pipe_inode_info,
    len: usize,
    needed: usize,
) -> bool {
    let pipe = pipe.cast::<u8>();
    // SAFETY: By the safety requirements it is valid, and the C compiler says that there are fields
    // of these types at these places. Nobody changes them meanwhile.
    let (head, tail, max_usage) = unsafe {
        (
            pipe.add(PIPE_HEAD).cast::<PipeIndex>().read(),
            pipe.add(PIPE_TAIL).cast::<PipeIndex>().read(),
            pipe.add(PIPE_MAX_USAGE).cast::<u32>().read(),
        )
    };
    let used = head.wrapping_sub(tail) as usize;
    let room = (max_usage as usize).saturating_sub(used) * PAGE_SIZE;
    let is_limited_by_room = needed <= len || len >= room;
    used > 0 && is_limited_by_room && needed.div_ceil(PAGE_SIZE) <= max_usage as usize
}
