// SPDX-License-Identifier: GPL-2.0

//! Abstractions that the kernel crate lacks.
//!
//! Each file is a small, sound and safe interface in the style of the crate, in a form that could
//! be submitted to it. No file uses another part of the module; `compat` finds the module itself.
//! `unsafe` and `bindings::` occur in this directory and in `uapi` only.

pub(crate) mod clock;
pub(crate) mod compat;
pub(crate) mod cred;
pub(crate) mod dev;
mod layout;
pub(crate) mod mm;
pub(crate) mod sync;
pub(crate) mod text;
pub(crate) mod uaccess;
pub(crate) mod view;
