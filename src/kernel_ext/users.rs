// SPDX-License-Identifier: GPL-2.0

//! The tasks that run the module's code.
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

/// The tasks that run the code of the module. It must be dropped last when the module is unloaded,
/// or cannot be loaded: the kernel frees the code then.
pub(crate) struct Users(&'static ThisModule);

impl Users {
    /// Those of `module`.
    pub(crate) fn of(module: &'static ThisModule) -> Self {
        Self(module)
    }

    /// How many references to the module there are beside that of the task that loads or unloads
    /// it.
    #[cfg(CONFIG_MODULE_UNLOAD)]
    fn others(&self) -> c_int {
        // SAFETY: It is a module that is loaded, being loaded or being unloaded. The task that
        // loads it holds one reference; the task that unloads it has dropped the one that there is
        // otherwise.
        unsafe { bindings::module_refcount(self.0.as_ptr()) - 1 }
    }

    /// The kernel does not count them, as no module ever goes.
    #[cfg(not(CONFIG_MODULE_UNLOAD))]
    fn others(&self) -> c_int {
        0
    }
}

impl Drop for Users {
    /// Waits until there are no other references and no task is left in the module's code. All
    /// tasks there must be about to leave, and no task must be able to enter.
    fn drop(&mut self) {
        // What is built in stays.
        if self.0.as_ptr().is_null() {
            return;
        }
        while self.others() > 0 {
            fsleep(Delta::from_millis(1));
        }
        wait_for_tasks();
    }
}

/// Waits until every task has been outside of the code that it was in, if it has to do nothing more
/// there than to return.
///
/// The release function of a device, for one, tells that it is through by code of the module, and
/// may be preempted before it has returned from there. Tasks RCU waits for that, too: a task that
/// was preempted is where it was until it has slept by itself or been in user space or idle.
#[cfg(CONFIG_TASKS_RCU)]
fn wait_for_tasks() {
    // SAFETY: No lock is held, and the scheduler runs, as this task was started.
    unsafe { bindings::synchronize_rcu_tasks() };
}

/// Waits until every task has been outside of the code that it was in, if it has to do nothing more
/// there than to return.
///
/// Without preemption a grace period is enough, as a processor that passes through another task has
/// left that code. With preemption and without tasks RCU, a kernel has nothing to wait for a
/// task that was preempted on its way out; kernels with tracing or BPF have it.
#[cfg(not(CONFIG_TASKS_RCU))]
fn wait_for_tasks() {
    // SAFETY: No lock is held, and the scheduler runs, as this task was started.
    unsafe { bindings::synchronize_rcu() };
}
