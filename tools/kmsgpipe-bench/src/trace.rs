// SPDX-License-Identifier: GPL-2.0

//! Tracing of allocations by this task.

use anyhow::{ensure, Context, Result};
use nix::mount::{mount, MsFlags};
use std::{collections::BTreeMap, fs, path::Path};

/// Mount point of tracefs.
const ROOT: &str = "/sys/kernel/tracing";

/// Allocation events: of an object by size, of an object of a cache, of pages. An object for which a new slab
/// is allocated counts twice.
const EVENTS: [&str; 3] = ["kmalloc", "kmem_cache_alloc", "mm_page_alloc"];

/// The tracer, disabled when dropped.
pub struct Trace(());

/// Writes a file of tracefs.
fn set(file: &str, text: &str) -> Result<()> {
    fs::write(Path::new(ROOT).join(file), text).with_context(|| format!("{ROOT}/{file}"))
}

/// Reads a file of tracefs.
fn get(file: &str) -> Result<String> {
    fs::read_to_string(Path::new(ROOT).join(file)).with_context(|| format!("{ROOT}/{file}"))
}

impl Trace {
    /// Sets up the tracer.
    pub fn new() -> Result<Self> {
        if !Path::new(ROOT).join("trace").exists() {
            let kind = Some("tracefs");
            mount(kind, ROOT, kind, MsFlags::empty(), None::<&str>)
                .context("mounting tracefs; does the kernel have FTRACE?")?;
        }
        set("tracing_on", "0")?;
        let trace = Self(());
        set("set_event_pid", &std::process::id().to_string())?;
        for event in EVENTS {
            set(&format!("events/kmem/{event}/enable"), "1")?;
        }
        Ok(trace)
    }

    /// Counts the allocations during `work`, by event and call site.
    pub fn count(&self, work: impl FnOnce() -> Result<()>) -> Result<BTreeMap<String, usize>> {
        set("trace", "")?;
        set("tracing_on", "1")?;
        let done = work();
        set("tracing_on", "0")?;
        done?;
        let text = get("trace")?;
        // "# entries-in-buffer/entries-written: 12/12   #P:1"
        let entries = text
            .lines()
            .find_map(|line| line.split_once("entries-written: "))
            .and_then(|(_, counts)| counts.split_whitespace().next()?.split_once('/'))
            .context("the header of the trace cannot be parsed")?;
        ensure!(
            entries.0 == entries.1,
            "the trace buffer overflowed: {entries:?}"
        );
        Ok(counts(&text))
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // A failure is ignored, because the machine stops soon.
        let _ = set("tracing_on", "0");
        let _ = set("events/enable", "0");
    }
}

/// Counts the events of a trace, by event and call site.
fn counts(text: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let Some(event) = words.find(|word| {
            let name = word.strip_suffix(':');
            name.is_some_and(|name| EVENTS.contains(&name))
        }) else {
            continue;
        };
        let Some(place) =
            words.find(|word| word.starts_with("call_site=") || word.starts_with("order="))
        else {
            continue;
        };
        *counts.entry(format!("{event} {place}")).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_counted_by_call_site() {
        let text = "\
# tracer: nop
#
# entries-in-buffer/entries-written: 4/4   #P:1
  bench-71 [000] .....  12.3: kmalloc: call_site=load_msg+0x2c/0x90 ptr=0 bytes_req=112
  bench-71 [000] .....  12.4: kmalloc: call_site=load_msg+0x2c/0x90 ptr=0 bytes_req=112
  bench-71 [000] d....  12.5: mm_page_alloc: page=0 pfn=0x1 order=0 migratetype=0
  bench-71 [000] .....  12.6: sys_enter: NR 1
";
        let counts = counts(text);
        assert_eq!(counts["kmalloc: call_site=load_msg+0x2c/0x90"], 2);
        assert_eq!(counts["mm_page_alloc: order=0"], 1);
        assert_eq!(counts.len(), 2);
    }
}
