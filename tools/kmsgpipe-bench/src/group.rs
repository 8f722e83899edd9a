// SPDX-License-Identifier: GPL-2.0

//! What the kernel has allocated: for the tasks of a control group, and for itself.

use anyhow::{Context, Result};
use nix::mount::{mount, MsFlags};
use std::{fs, path::PathBuf, thread, time::Duration};

/// Where control groups are.
const ROOT: &str = "/sys/fs/cgroup";

/// Where the caches of the allocator are.
const SLABS: &str = "/sys/kernel/slab";

/// A memory control group.
pub struct Group {
    path: PathBuf,
}

impl Group {
    /// Makes one without a limit, and mounts the file system if need be.
    pub fn new() -> Result<Self> {
        let root = PathBuf::from(ROOT);
        if !root.join("cgroup.procs").exists() {
            let kind = Some("cgroup2");
            mount(kind, ROOT, kind, MsFlags::empty(), None::<&str>).context("mounting cgroup2")?;
        }
        fs::write(root.join("cgroup.subtree_control"), "+memory").context("+memory")?;
        let path = root.join("kmsgpipe-bench");
        fs::create_dir(&path).context("making a control group")?;
        Ok(Self { path })
    }

    /// Writes to one of its files.
    fn write(&self, file: &str, text: &str) -> Result<()> {
        fs::write(self.path.join(file), text).with_context(|| file.to_owned())
    }

    /// Moves this task into it.
    pub fn enter(&self) -> Result<()> {
        self.write("cgroup.procs", "0")
    }

    /// What is charged to it now, in bytes. The kernel charges in advance, and gives that back when a
    /// group comes to its limit.
    fn charged_now(&self) -> Result<u64> {
        self.write("memory.high", "0")?;
        self.write("memory.high", "max")?;
        let text = fs::read_to_string(self.path.join("memory.current"))?;
        text.trim().parse().context("memory.current")
    }

    /// What is charged to it, once that is the same for a tenth of a second: what a task that has ended
    /// used itself goes soon, but not at once.
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
        // One that is still in use stays to the end of the machine.
        let _ = fs::remove_dir(&self.path);
    }
}

/// What the kernel has allocated by size, by page or for each processor, in bytes: as `memcg` of the
/// selftests counts it.
pub fn kernel_memory() -> Result<u64> {
    // What caches keep for later is no part of it.
    for cache in fs::read_dir(SLABS).context(SLABS)? {
        fs::write(cache?.path().join("shrink"), "1").context("shrinking a cache")?;
    }
    // Counts of each processor that have not been added up yet.
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
