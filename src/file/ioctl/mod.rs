// SPDX-License-Identifier: GPL-2.0

//! The ioctls: decoding, permission checks and dispatch.
//!
//! No code outside of this module copies ioctl structures from or to user memory.

mod attach;
mod dump;
mod stats;

use kernel::{
    fs::File,
    prelude::*,
    sync::Arc,
    transmute::{
        AsBytes,
        FromBytes, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

use super::OpenPipe;
use crate::{
    control::registry,
    kernel_ext::{
        cred,
        dev::{
            chrdev::OpenFile,
            file, //
        }, //
    },
    pipe::{
        kind::Kind,
        mode::Modes,
        name::Name,
        node::Node,
        overflow::Overflow,
        Expiry,
        Pipe,
        Spec, //
    },
    uapi, //
};

/// Executes the ioctl `cmd` with the argument `arg` on an open file.
///
/// The checks are in this order: the privilege of the caller, that the pipe exists, the argument.
///
/// # Errors
///
/// - [`ENOTTY`]: there is no such ioctl.
/// - [`EPERM`]: the ioctl needs `CAP_SYS_ADMIN`; nothing was read or changed.
/// - [`ENODEV`]: the pipe is destroyed.
/// - [`EFAULT`]: `arg` points to memory that cannot be accessed.
/// - [`EINVAL`]: the argument is invalid; nothing was changed.
/// - Those of the ioctl.
pub(crate) fn dispatch(
    open: &OpenFile<OpenPipe>,
    file: &File,
    cmd: u32,
    arg: usize,
) -> Result<isize> {
    let pipe = open.pipe();
    match cmd {
        uapi::CLEAR_QUEUE
        | uapi::SET_PARAMS
        | uapi::FLUSH_PERIODIC
        | uapi::CREATE_NEW
        | uapi::DESTROY
        | uapi::DUMP => cred::require_admin()?,
        uapi::ACK
        | uapi::NACK
        | uapi::ATTACH
        | uapi::GET_STATS
        | uapi::GET_PARAMS
        | uapi::TOGGLE_BLOCK
        | uapi::SET_MODE
        | uapi::GET_MODE
        | file::FIONREAD => {}
        _ => return Err(ENOTTY),
    }
    pipe.alive()?;

    match cmd {
        uapi::GET_STATS => write(arg, &stats::get(open)?)?,
        uapi::CLEAR_QUEUE => pipe.clear()?,
        uapi::SET_PARAMS => set_params(pipe, read(arg)?)?,
        uapi::GET_PARAMS => write(arg, &get_params(pipe)?)?,
        uapi::TOGGLE_BLOCK => file::toggle_nonblock(file),
        uapi::FLUSH_PERIODIC => Pipe::set_expiry(pipe, flush_periodic(read(arg)?)?)?,
        uapi::CREATE_NEW => return Ok(create_new(&read(arg)?)? as isize),
        uapi::DESTROY => registry::destroy(pipe)?,
        uapi::DUMP => dump::dump(pipe, arg)?,
        uapi::SET_MODE => open.set_modes(file, modes(read(arg)?)?)?,
        uapi::GET_MODE => write(arg, &pipe.modes(open.handle())?.bits())?,
        uapi::ATTACH => attach::attach(open, file, &read(arg)?)?,
        uapi::ACK => attach::ack(open, &read(arg)?)?,
        uapi::NACK => attach::nack(open, &read(arg)?)?,
        file::FIONREAD => write(arg, &next_len(open)?)?,
        _ => return Err(ENOTTY),
    }
    Ok(0)
}

/// Copies a structure from the caller.
fn read<T: FromBytes>(arg: usize) -> Result<T> {
    UserSlice::new(UserPtr::from_addr(arg), size_of::<T>())
        .reader()
        .read()
}

/// Copies a structure to the caller.
fn write<T: AsBytes>(arg: usize, value: &T) -> Result {
    UserSlice::new(UserPtr::from_addr(arg), size_of::<T>())
        .writer()
        .write(value)
}

/// Returns [`EINVAL`] unless all `words`, which are reserved, are zero.
fn require_zero(words: &[u64]) -> Result {
    if words.iter().all(|word| *word == 0) {
        Ok(())
    } else {
        Err(EINVAL)
    }
}

/// Sets the limits of the pipe.
fn set_params(pipe: &Arc<Pipe>, params: uapi::Params) -> Result {
    require_zero(&params.reserved.map(u64::from))?;
    pipe.set_limits(registry::check_limits(params.msg_size, params.max_msgs)?)
}

/// Returns the limits of the pipe.
fn get_params(pipe: &Pipe) -> Result<uapi::Params> {
    let limits = pipe.limits()?;
    Ok(uapi::Params {
        msg_size: limits.msg_size(),
        max_msgs: limits.max_msgs(),
        ..pin_init::zeroed()
    })
}

/// Decodes a change of the expiry settings.
fn flush_periodic(flush: uapi::Flush) -> Result<impl FnOnce(Expiry) -> Expiry> {
    let uapi::Flush {
        enable,
        interval_ms,
        expiry_ms,
        reserved,
    } = flush;
    require_zero(&[reserved.into()])?;
    let enabled = match enable {
        0 => {
            require_zero(&[interval_ms.into(), expiry_ms.into()])?;
            false
        }
        1 => true,
        _ => return Err(EINVAL),
    };
    Ok(move |old| {
        if enabled {
            Expiry::new(true, interval_ms, expiry_ms)
        } else {
            // The times are kept for when expiry is enabled again.
            Expiry { enabled, ..old }
        }
    })
}

/// Creates a pipe and returns its number.
fn create_new(create: &uapi::Create) -> Result<u32> {
    require_zero(&create.reserved.map(u64::from))?;
    require_zero(&[create.flags.into()])?;
    let default_modes = modes(create.default_mode)?;
    let limits = registry::check_limits(create.msg_size, create.max_msgs)?;
    let name = if create.name.iter().all(|byte| *byte == 0) {
        None
    } else {
        Some(Name::from_field(&create.name).ok_or(EINVAL)?)
    };
    let kind = Kind::from_number(create.kind, create.history, limits.max_msgs()).ok_or(EINVAL)?;
    registry::create(&Spec {
        limits,
        kind,
        priorities: kind.priorities(create.priorities).ok_or(EINVAL)?,
        default_modes,
        overflow: Overflow::from_number(create.overflow).ok_or(EINVAL)?,
        node: Node::new(create.mode, create.uid, create.gid, name).ok_or(EINVAL)?,
    })
}

/// Decodes a set of modes.
fn modes(bits: u32) -> Result<Modes> {
    Modes::from_bits(bits).ok_or(EINVAL)
}

/// Returns the largest number of bytes that the next read can get, for `FIONREAD`. The result is an
/// `int`, so larger numbers, which records can add up to, become [`i32::MAX`].
///
/// # Errors
///
/// [`EBADF`]: the file is not open for reading.
fn next_len(open: &OpenPipe) -> Result<i32> {
    if !open.access().read {
        return Err(EBADF);
    }
    let len = open.pipe().next_len(open.handle())?;
    Ok(i32::try_from(len).unwrap_or(i32::MAX))
}
