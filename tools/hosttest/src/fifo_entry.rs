// SPDX-License-Identifier: GPL-2.0

//! Test of an entry that no FIFO has removed.

use crate::kernel_ext::sync::fifo::Link;

#[test]
fn new_entry_is_not_removed() {
    assert!(!Link::new(1).is_removed());
}
