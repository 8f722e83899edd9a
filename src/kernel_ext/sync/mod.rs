// SPDX-License-Identifier: GPL-2.0

//! Locks, waiting and waking, notification, deferred work, and shared objects.

mod fifo;
pub(crate) mod global;
pub(crate) mod lock;
pub(crate) mod notify;
pub(crate) mod quiesce;
pub(crate) mod wait_list;
pub(crate) mod work;
