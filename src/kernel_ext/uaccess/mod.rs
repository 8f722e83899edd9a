// SPDX-License-Identifier: GPL-2.0

//! Read and write calls: the memory of the caller, and the properties of the call.

pub(crate) mod call;
mod iov;
pub(crate) mod kiocb;
pub(crate) mod nofault;
pub(crate) mod user;
