// SPDX-License-Identifier: GPL-2.0

//! Tasks.

use crate::model;

/// The task that runs.
#[derive(Clone, Copy, Debug)]
pub struct Current;

impl Current {
    /// Whether it has a signal.
    pub fn signal_pending(self) -> bool {
        model::signal_pending()
    }
}
