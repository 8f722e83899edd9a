// SPDX-License-Identifier: GPL-2.0

//! Abstractions that the kernel crate lacks.
//!
//! Each file is a small, sound and safe interface in the style of the crate, in a form that could
//! be submitted to it. `unsafe` and `bindings::` occur in this directory and in `uapi` only.

pub(crate) mod attribute;
mod cache;
pub(crate) mod call;
pub(crate) mod chain;
pub(crate) mod chrdev;
pub(crate) mod class;
pub(crate) mod clock;
pub(crate) mod compat;
pub(crate) mod cred;
pub(crate) mod debugfs;
mod fifo;
pub(crate) mod file;
pub(crate) mod global;
mod iov;
pub(crate) mod kiocb;
mod layout;
pub(crate) mod lock;
pub(crate) mod nofault;
pub(crate) mod notify;
pub(crate) mod param;
pub(crate) mod path;
pub(crate) mod pieces;
pub(crate) mod proc;
pub(crate) mod region;
pub(crate) mod segment;
pub(crate) mod seq;
mod splice;
pub(crate) mod user;
pub(crate) mod users;
pub(crate) mod view;
pub(crate) mod wait_list;
pub(crate) mod words;
pub(crate) mod work;
