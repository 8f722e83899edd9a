// SPDX-License-Identifier: GPL-2.0

//! The machine: system limits, processors, timeouts and console.

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

/// System limits that would favour some mechanisms, and their new values.
const LIMITS: [(&str, u64); 7] = [
    ("/proc/sys/fs/mqueue/msg_max", 65536),
    ("/proc/sys/fs/mqueue/msgsize_max", 65536),
    ("/proc/sys/fs/pipe-max-size", 1 << 28),
    ("/proc/sys/kernel/msgmax", 65536),
    ("/proc/sys/kernel/msgmnb", 1 << 28),
    ("/proc/sys/net/unix/max_dgram_qlen", 65536),
    ("/proc/sys/fs/nr_open", 1 << 20),
];

/// Raises limits so that every mechanism can queue the same messages. Requires root.
pub fn raise_limits() -> Result<()> {
    for (path, value) in LIMITS {
        fs::write(path, value.to_string()).with_context(|| path.to_owned())?;
    }
    let unlimited = libc::RLIM_INFINITY;
    setrlimit(Resource::RLIMIT_MSGQUEUE, unlimited, unlimited).context("RLIMIT_MSGQUEUE")?;
    setrlimit(Resource::RLIMIT_NOFILE, 1 << 16, 1 << 16).context("RLIMIT_NOFILE")
}

/// Returns the number of processors.
pub fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Restricts this task to some processors.
fn run_on_all(of: impl Iterator<Item = usize>) -> Result<()> {
    let mut set = CpuSet::new();
    for processor in of {
        set.set(processor)?;
    }
    sched_setaffinity(Pid::from_raw(0), &set).context("sched_setaffinity")
}

/// Restricts this task to one processor.
pub fn run_on(processor: usize) -> Result<()> {
    run_on_all(processor..=processor)
}

/// Allows this task to run on every processor.
pub fn run_anywhere(processors: usize) -> Result<()> {
    run_on_all(0..processors)
}

/// Lets the kernel kill this process when its parent exits.
pub fn end_with_parent() -> Result<(), Errno> {
    prctl::set_pdeathsig(Signal::SIGKILL)
}

/// Reports the timeout and exits.
extern "C" fn on_timeout(_: libc::c_int) {
    const TEXT: &str = "kmsgpipe-bench: timeout: a message was lost, or its receiver hangs\n";
    // SAFETY: Both functions are async-signal-safe, and the length is that of the text.
    unsafe {
        libc::write(2, TEXT.as_ptr().cast(), TEXT.len());
        libc::_exit(1);
    }
}

/// Exits this process after a timeout, unless called again before. Without it, a lost message would be awaited
/// forever.
pub fn set_timeout(seconds: u32) -> Result<()> {
    let action = SigAction::new(
        SigHandler::Handler(on_timeout),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: The handler is async-signal-safe.
    unsafe { sigaction(Signal::SIGALRM, &action) }.context("sigaction")?;
    alarm::set(seconds);
    Ok(())
}

/// Parameter that sends all messages of the kernel log to the console.
const IGNORE_LOGLEVEL: &str = "/sys/module/printk/parameters/ignore_loglevel";
/// Log level of the console.
const PRINTK: &str = "/proc/sys/kernel/printk";

/// Suppresses the kernel log on the console until dropped, because a slow console would distort figures.
pub struct QuietConsole {
    ignore: String,
    levels: String,
}

impl QuietConsole {
    /// Suppresses the log.
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
        // A failure only leaves the console quiet.
        let _ = fs::write(IGNORE_LOGLEVEL, &self.ignore);
        let _ = fs::write(PRINTK, &self.levels);
    }
}
