// SPDX-License-Identifier: GPL-2.0

//! Properties with which a pipe is created.

use super::{
    kind::Kind,
    mode::Modes,
    node::Node,
    overflow::Overflow, //
};

use crate::log::limits::Limits;

/// Properties with which a pipe is created.
pub(crate) struct Spec {
    /// Limits.
    pub(crate) limits: Limits,
    /// Kind. The history fits the limits.
    pub(crate) kind: Kind,
    /// Number of priorities, which the kind allows.
    pub(crate) priorities: u32,
    /// Mode of newly opened files.
    pub(crate) default_modes: Modes,
    /// What a write to the full pipe does.
    pub(crate) overflow: Overflow,
    /// Node, with the name of the pipe.
    pub(crate) node: Node,
}
