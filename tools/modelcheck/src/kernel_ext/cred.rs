// SPDX-License-Identifier: GPL-2.0

//! Who the current task is.

use kernel::model;

/// Effective user id, effective group id, and process id of the current task.
pub(crate) fn current_ids() -> (u32, u32, u32) {
    (0, 0, model::me() as u32)
}
