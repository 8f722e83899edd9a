// SPDX-License-Identifier: GPL-2.0

//! Fuzzer that compares random calls on pipes with a model.

pub mod concurrent;
pub mod linear;
pub mod memory;
pub mod model;
pub mod rng;
pub mod sequential;
pub mod storm;
pub mod sys;
pub mod trace;
pub mod user;

use nix::libc;
use trace::{Checked, Fault};

/// Destroys all pipes except pipe 0, and restores the limits, expiry times and overflow policy of pipe 0.
pub fn tidy() -> Checked {
    let fault = |what: &str| Err(Fault(format!("{what} after all files were closed")));
    let fd = sys::open("/dev/kmsgpipe0", libc::O_RDWR) as i32;
    let text = std::fs::read_to_string("/proc/kmsgpipe_stats").unwrap_or_default();
    for line in text.lines() {
        let id = line
            .trim_start_matches("pipe")
            .split(':')
            .next()
            .unwrap_or_default();
        if id != "0" && std::fs::write("/sys/class/kmsgpipe/destroy", id).is_err() {
            return fault("a pipe could not be destroyed");
        }
        let users = if id == "0" { 1 } else { 0 };
        if !line.ends_with(&format!("writers={users}, readers={users}")) {
            return fault(line);
        }
    }
    let mut params = kmsgpipe_sys::raw::kmsgpipe_params {
        msg_size: kmsgpipe_sys::MSG_SIZE_DEFAULT,
        max_msgs: kmsgpipe_sys::MAX_MSGS_DEFAULT,
        ..Default::default()
    };
    let mut off = kmsgpipe_sys::raw::kmsgpipe_flush::default();
    // Expiry keeps its times while disabled; 0 selects the default.
    let mut usual = kmsgpipe_sys::raw::kmsgpipe_flush {
        enable: 1,
        ..Default::default()
    };
    if sys::ioctl_of(fd, kmsgpipe_sys::CLEAR_QUEUE, &mut params) != 0
        || sys::ioctl_of(fd, kmsgpipe_sys::SET_PARAMS, &mut params) != 0
        || sys::ioctl_of(fd, kmsgpipe_sys::FLUSH_PERIODIC, &mut usual) != 0
        || sys::ioctl_of(fd, kmsgpipe_sys::FLUSH_PERIODIC, &mut off) != 0
        || std::fs::write("/sys/class/kmsgpipe/pipe0/overflow", "block").is_err()
    {
        return fault("pipe 0 cannot be restored");
    }
    sys::close(fd);
    Ok(())
}
