// SPDX-License-Identifier: GPL-2.0

//! Room in the pipes of `pipe(2)`, to which splice copies.
//!
//! C header: [`include/linux/pipe_fs_i.h`](srctree/include/linux/pipe_fs_i.h).
//!
//! bindgen makes `struct pipe_inode_info` opaque, so its fields are found by offsets from the C
//! compiler.

use kernel::{
    bindings,
    page::PAGE_SIZE, //
};

use crate::kernel_ext::layout::{
    PipeIndex,
    PIPE_HEAD,
    PIPE_MAX_USAGE,
    PIPE_TAIL, //
};

/// Returns whether a copy of `needed` bytes that asked for `len` bytes failed because of the data
/// in `pipe`: they do not fit now, and will fit once the pipe is empty.
///
/// The kernel limits `len` to the room in the pipe. If `len` is that large, the caller may have
/// asked for more.
///
/// # Safety
///
/// `pipe` must be valid. Its mutex must be held, or it must have no other users.
///
/// # Examples
///
/// ```ignore
/// // SAFETY: These are the arguments of a `splice_read` call for `file`.
/// let ret = unsafe { bindings::copy_splice_read(file, pos, pipe, len, flags) };
/// // `needed` is the length of the next message.
/// //
/// // SAFETY: The caller of `splice_read` holds the mutex of the pipe.
/// if ret == EMSGSIZE.to_errno() as isize && unsafe { splice::has_room_later(pipe, len, needed) } {
///     // The message will fit once the pipe is empty.
///     return EAGAIN.to_errno() as isize;
/// }
/// ret
/// ```
pub(super) unsafe fn has_room_later(
    pipe: *const bindings::pipe_inode_info,
    len: usize,
    needed: usize,
) -> bool {
    let pipe = pipe.cast::<u8>();
    // SAFETY: By the safety requirements `pipe` is valid, and its fields do not change during the
    // call. The C compiler has determined the offsets and types of the fields.
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
