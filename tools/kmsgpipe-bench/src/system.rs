// SPDX-License-Identifier: GPL-2.0

//! The machine: its limits, its processors, and an end to waiting.

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    libc,
    sched::{sched_setaffinity, CpuSet},
    sys::{
        prctl,
        resource::{setrlimit, Resource},
        signal::{sigaction, SaFlags, SigAction, SigHandler, SigSet, Signal},
    },
    unistd::{alarm, Pid},
};
use std::{fs, thread};

/// Limits that are in the way of equal conditions, and what they are set to.
const LIMITS: [(&str, u64); 7] = [
    ("/proc/sys/fs/mqueue/msg_max", 65536),
    ("/proc/sys/fs/mqueue/msgsize_max", 65536),
    ("/proc/sys/fs/pipe-max-size", 1 << 28),
    ("/proc/sys/kernel/msgmax", 65536),
    ("/proc/sys/kernel/msgmnb", 1 << 28),
    ("/proc/sys/net/unix/max_dgram_qlen", 65536),
    ("/proc/sys/fs/nr_open", 1 << 20),
];

/// Makes room for as many and as long messages in every mechanism. Root's.
pub fn raise_limits() -> Result<()> {
    for (path, value) in LIMITS {
        fs::write(path, value.to_string()).with_context(|| path.to_owned())?;
    }
    let unlimited = libc::RLIM_INFINITY;
    setrlimit(Resource::RLIMIT_MSGQUEUE, unlimited, unlimited).context("RLIMIT_MSGQUEUE")?;
    setrlimit(Resource::RLIMIT_NOFILE, 1 << 16, 1 << 16).context("RLIMIT_NOFILE")
}

/// How many processors there are.
pub fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Lets this task run on these processors only.
fn run_on_all(of: impl Iterator<Item = usize>) -> Result<()> {
    let mut set = CpuSet::new();
    for processor in of {
        set.set(processor)?;
    }
    sched_setaffinity(Pid::from_raw(0), &set).context("sched_setaffinity")
}

/// Lets this task run on one processor only.
pub fn run_on(processor: usize) -> Result<()> {
    run_on_all(processor..=processor)
}

/// Lets this task run on every processor.
pub fn run_anywhere(processors: usize) -> Result<()> {
    run_on_all(0..processors)
}

/// Ends this process when its parent ends.
pub fn end_with_parent() -> Result<(), Errno> {
    prctl::set_pdeathsig(Signal::SIGKILL)
}

/// Says that time is up, and ends the process.
extern "C" fn time_is_up(_: libc::c_int) {
    const TEXT: &str = "kmsgpipe-bench: a message does not arrive, or nobody takes it; giving up\n";
    // SAFETY: Both may be called by a handler, and the text is as long as is said.
    unsafe {
        libc::write(2, TEXT.as_ptr().cast(), TEXT.len());
        libc::_exit(1);
    }
}

/// Ends this process unless [`patience`] is called again within that time: a message that is lost
/// would be waited for without end.
pub fn patience(seconds: u32) -> Result<()> {
    let action = SigAction::new(
        SigHandler::Handler(time_is_up),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: The handler does nothing that handlers may not do.
    unsafe { sigaction(Signal::SIGALRM, &action) }.context("sigaction")?;
    alarm::set(seconds);
    Ok(())
}

/// Where the kernel is told to write every line of its log to the console.
const IGNORE_LOGLEVEL: &str = "/sys/module/printk/parameters/ignore_loglevel";
/// Which lines go to the console otherwise.
const PRINTK: &str = "/proc/sys/kernel/printk";

/// Keeps the kernel's log from a console that takes longer than what is measured, while it lives.
pub struct QuietConsole {
    ignore: String,
    levels: String,
}

impl QuietConsole {
    /// Begins.
    pub fn new() -> Result<Self> {
        let quiet = Self {
            ignore: fs::read_to_string(IGNORE_LOGLEVEL).context(IGNORE_LOGLEVEL)?,
            levels: fs::read_to_string(PRINTK).context(PRINTK)?,
        };
        fs::write(IGNORE_LOGLEVEL, "N").context(IGNORE_LOGLEVEL)?;
        fs::write(PRINTK, "4").context(PRINTK)?;
        Ok(quiet)
    }
}

impl Drop for QuietConsole {
    fn drop(&mut self) {
        // What fails here leaves the console too quiet, and nothing worse.
        let _ = fs::write(IGNORE_LOGLEVEL, &self.ignore);
        let _ = fs::write(PRINTK, &self.levels);
    }
}
