// SPDX-License-Identifier: GPL-2.0

//! Wait for tasks that still run code of the module when it is unloaded.
//!
//! C headers: [`include/linux/module.h`](srctree/include/linux/module.h),
//! [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h).

use kernel::{
    bindings,
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// Waits, when dropped, for the tasks that run code of the module. It must be the last object that
/// is dropped when the module is unloaded or fails to load: the kernel then frees the code.
///
/// # Examples
///
/// ```ignore
/// use crate::kernel_ext::{dev::proc::ListFile, sync::quiesce::Quiesce};
///
/// struct Driver {
///     _file: ListFile<Counters>,
///     // The last field, as fields are dropped in order.
///     _quiesce: Quiesce,
/// }
///
/// impl kernel::Module for Driver {
///     fn init(module: &'static ThisModule) -> Result<Self> {
///         // Declared first, and so dropped last if a later step fails.
///         let quiesce = Quiesce::of(module);
///         Ok(Self {
///             _file: ListFile::new(c"counters")?,
///             _quiesce: quiesce,
///         })
///     }
/// }
/// ```
pub(crate) struct Quiesce(&'static ThisModule);

impl Quiesce {
    /// Makes the object for the tasks of `module`.
    pub(crate) fn of(module: &'static ThisModule) -> Self {
        Self(module)
    }

    /// Returns the number of references to the module, besides that of the task that loads or
    /// unloads it.
    #[cfg(CONFIG_MODULE_UNLOAD)]
    fn others(&self) -> c_int {
        // During loading, the loading task holds one reference. During unloading, the base
        // reference is already dropped.
        //
        // SAFETY: The module is loaded, being loaded or being unloaded, so it is valid.
        unsafe { bindings::module_refcount(self.0.as_ptr()) - 1 }
    }

    /// Returns zero: without `CONFIG_MODULE_UNLOAD` no module is unloaded, and none has a count.
    #[cfg(not(CONFIG_MODULE_UNLOAD))]
    fn others(&self) -> c_int {
        0
    }
}

impl Drop for Quiesce {
    /// Waits until there are no other references and no task runs code of the module. All tasks in
    /// that code must be about to leave it, and no task must be able to enter it.
    fn drop(&mut self) {
        // A built-in module is never freed.
        if self.0.as_ptr().is_null() {
            return;
        }
        while self.others() > 0 {
            fsleep(Delta::from_millis(1));
        }
        wait_for_tasks();
    }
}

/// Waits for each task that has nothing left to do in its current code but to return.
///
/// For example, the release function of a device signals its end from code of the module, and may
/// be preempted before it returns. Tasks RCU covers that: a preempted task holds up the grace
/// period until it sleeps voluntarily, runs in user space, or is idle.
#[cfg(CONFIG_TASKS_RCU)]
fn wait_for_tasks() {
    // SAFETY: The task may sleep, as it holds no lock, and the scheduler runs.
    unsafe { bindings::synchronize_rcu_tasks() };
}

/// Waits for each task that has nothing left to do in its current code but to return.
///
/// Without preemption an RCU grace period is enough: a CPU that has switched to another task has
/// left that code. A kernel with preemption but without tasks RCU cannot wait for a task that was
/// preempted before it returned. Kernels with tracing or BPF have tasks RCU.
#[cfg(not(CONFIG_TASKS_RCU))]
fn wait_for_tasks() {
    // SAFETY: The task may sleep, as it holds no lock, and the scheduler runs.
    unsafe { bindings::synchronize_rcu() };
}
