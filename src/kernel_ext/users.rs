// SPDX-License-Identifier: GPL-2.0

//! Who uses the module's code.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h).

use kernel::{
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// Who uses the module, as long as it exists. It is to be the last thing that goes when the module
/// cannot be loaded: the kernel frees it then, whoever uses it.
pub(crate) struct Users(&'static ThisModule);

impl Users {
    /// Those of `module`.
    pub(crate) fn of(module: &'static ThisModule) -> Self {
        Self(module)
    }

    /// How many there are but who is loading or unloading it.
    #[cfg(CONFIG_MODULE_UNLOAD)]
    fn others(&self) -> c_int {
        let module = self.0.as_ptr();
        // What is built in stays.
        if module.is_null() {
            return 0;
        }
        // SAFETY: It is a module that is loaded, being loaded or being unloaded. Who loads it is one
        // user; who unloads it has taken one away that there is otherwise.
        unsafe { kernel::bindings::module_refcount(module) - 1 }
    }

    /// The kernel does not count them, as no module ever goes.
    #[cfg(not(CONFIG_MODULE_UNLOAD))]
    fn others(&self) -> c_int {
        let _ = self.0;
        0
    }
}

impl Drop for Users {
    /// Waits until there are no others. They must be about to go by themselves.
    fn drop(&mut self) {
        while self.others() > 0 {
            fsleep(Delta::from_millis(1));
        }
    }
}
