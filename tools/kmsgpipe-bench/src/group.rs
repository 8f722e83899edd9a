// SPDX-License-Identifier: GPL-2.0

//! Memory of the kernel: charged to a control group, and in total.

use anyhow::{Context, Result};
use nix::mount::{mount, MsFlags};
use std::{fs, path::PathBuf, thread, time::Duration};

/// Mount point of cgroup v2.
const ROOT: &str = "/sys/fs/cgroup";

/// Directory of the slab caches.
const SLABS: &str = "/sys/kernel/slab";

/// A memory control group.
pub struct Group {
    path: PathBuf,
}

impl Group {
    /// Creates a group without a limit, and mounts the file system if necessary.
    pub fn new() -> Result<Self> {
        let root = PathBuf::from(ROOT);
        if !root.join("cgroup.procs").exists() {
            let kind = Some("cgroup2");
            mount(kind, ROOT, kind, MsFlags::empty(), None::<&str>).context("mounting cgroup2")?;
        }
        fs::write(root.join("cgroup.subtree_control"), "+memory").context("+memory")?;
        let path = root.join("kmsgpipe-bench");
        fs::create_dir(&path).context("creating a control group")?;
        Ok(Self { path })
    }

    /// Writes a file of the group.
    fn write(&self, file: &str, text: &str) -> Result<()> {
        fs::write(self.path.join(file), text).with_context(|| file.to_owned())
    }

    /// Moves this task into the group.
    pub fn enter(&self) -> Result<()> {
        self.write("cgroup.procs", "0")
    }

    /// Returns the current charge in bytes. The kernel charges in batches, and returns the surplus when a
    /// group reaches its limit.
    fn charged_now(&self) -> Result<u64> {
        self.write("memory.high", "0")?;
        self.write("memory.high", "max")?;
        let text = fs::read_to_string(self.path.join("memory.current"))?;
        text.trim().parse().context("memory.current")
    }

    /// Returns the charge after it was stable for 100 ms, because the memory of a task that exited is
    /// uncharged with a delay.
    pub fn charged(&self) -> Result<u64> {
        let mut last = self.charged_now()?;
        let mut same = 0;
        while same < 10 {
            thread::sleep(Duration::from_millis(10));
            let now = self.charged_now()?;
            same = if now == last { same + 1 } else { 0 };
            last = now;
        }
        Ok(last)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group that is still in use remains until the machine stops.
        let _ = fs::remove_dir(&self.path);
    }
}

/// Returns the kernel memory allocated from slabs, as pages and per CPU, in bytes. The selftest `memcg`
/// counts in the same way.
pub fn kernel_memory() -> Result<u64> {
    // Release free objects that caches retain.
    for cache in fs::read_dir(SLABS).context(SLABS)? {
        fs::write(cache?.path().join("shrink"), "1").context("shrinking a cache")?;
    }
    // Fold the per-CPU counters.
    fs::write("/proc/sys/vm/stat_refresh", "1").context("vm/stat_refresh")?;
    let text = fs::read_to_string("/proc/meminfo")?;
    let fields = ["Slab:", "VmallocUsed:", "Percpu:", "KernelStack:"];
    let mut sum = 0;
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if words.next().is_some_and(|word| fields.contains(&word)) {
            let kib: u64 = words.next().unwrap_or_default().parse()?;
            sum += kib << 10;
        }
    }
    Ok(sum)
}
