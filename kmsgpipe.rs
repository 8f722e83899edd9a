// SPDX-License-Identifier: GPL-2.0

//! Bounded message queues in the kernel, as character devices: `/dev/kmsgpipeN`.
//!
//! `docs/architecture.md` describes how the parts work together.

#![deny(unsafe_code)]

use kernel::{
    prelude::*,
    sync::Arc, //
};

#[path = "src/control/mod.rs"]
mod control;
#[path = "src/file/mod.rs"]
mod file;
#[allow(unsafe_code, reason = "it calls C functions")]
#[path = "src/kernel_ext/mod.rs"]
mod kernel_ext;
#[path = "src/log/mod.rs"]
mod log;
#[path = "src/pipe/mod.rs"]
mod pipe;
#[allow(unsafe_code, reason = "its types are copied from and to user memory")]
#[path = "src/uapi/mod.rs"]
mod uapi;

use crate::{
    control::{
        debugfs::{
            self,
            PipesDir, //
        },
        procfs::{
            self,
            StatsFile,
            SubscriptionsFile, //
        },
        registry::{
            self,
            RegistryGuard,
            PIPES_MAX, //
        },
        sysfs, //
    },
    file::OpenPipe,
    kernel_ext::{
        compat,
        dev::{
            chrdev::CdevRegistration,
            class::{
                Class,
                Commands, //
            },
            param::mode_parameter,
            region::Region, //
        },
        sync::quiesce::Quiesce, //
    },
    log::limits::Limits,
    pipe::{
        kind::Kind,
        mode::Modes,
        node::Node,
        overflow::Overflow,
        Pipe,
        Spec, //
    }, //
};

/// The largest number of pipes that can be created when the module is loaded.
const PIPES_AT_LOAD_MAX: u32 = 4096;

module! {
    type: Kmsgpipe,
    name: "kmsgpipe",
    authors: ["The kmsgpipe developers"],
    description: "Bounded message queues that are files",
    license: "GPL",
    params: {
        msg_size: u32 {
            default: 256,
            description: "Longest message of pipes made at load (1 to 1048576 bytes, default 256)",
        },
        max_msgs: u32 {
            default: 128,
            description: "Messages that fit into each pipe made at load (1 to 65536, default 128)",
        },
        max_bytes: u64 {
            default: 67108864,
            description: "Bound on msg_size times max_msgs of a pipe (default 67108864)",
        },
        pipes: u32 {
            default: 1,
            description: "Pipes to make at load, /dev/kmsgpipe0 and on (1 to 4096, default 1)",
        },
    },
}

mode_parameter! {
    "kmsgpipe", mode: 0o666,
    "Permissions of the nodes made at load (octal, default 0666; 0 stands for 0600)"
}

/// The loaded module. Its fields are dropped in this order.
struct Kmsgpipe {
    // These come first: reading their files looks at the pipes.
    _stats: StatsFile,
    _subscriptions: SubscriptionsFile,
    _debug: PipesDir,
    // After these are dropped, no task can open or create a pipe.
    _cdev: CdevRegistration<OpenPipe>,
    _commands: Commands<Arc<Pipe>>,
    // Dropping it destroys all pipes. No file is open by then: each holds a reference to the
    // module.
    _pipes: RegistryGuard,
    // The last field: dropping it waits for tasks that still run code of the module.
    _quiesce: Quiesce,
}

impl kernel::Module for Kmsgpipe {
    fn init(module: &'static ThisModule) -> Result<Self> {
        let msg_size = compat::parameter(&module_parameters::msg_size);
        let max_msgs = compat::parameter(&module_parameters::max_msgs);
        let max_bytes = compat::parameter(&module_parameters::max_bytes);
        let pipes = compat::parameter(&module_parameters::pipes);

        let limits = Limits::new(msg_size, max_msgs, max_bytes).map_err(|refusal| {
            pr_err!(
                "msg_size={} max_msgs={} max_bytes={}: {}\n",
                msg_size,
                max_msgs,
                max_bytes,
                refusal
            );
            EINVAL
        })?;
        if !(1..=PIPES_AT_LOAD_MAX).contains(&pipes) {
            pr_err!("pipes={pipes}: must be 1 to {PIPES_AT_LOAD_MAX}\n");
            return Err(EINVAL);
        }

        // Declared first, and so dropped last if a later step fails.
        let quiesce = Quiesce::of(module);
        let stats = procfs::stats_file()?;
        let subscriptions = procfs::subscriptions_file()?;
        let spec = Spec {
            limits,
            kind: Kind::Queue,
            priorities: 1,
            default_modes: Modes::NONE,
            overflow: Overflow::Block,
            node: Node {
                mode: mode.get(),
                uid: 0,
                gid: 0,
                name: None,
            },
        };
        let class = Arc::new(Class::new(c"kmsgpipe", &sysfs::ATTRIBUTES)?, GFP_KERNEL)?;
        let region = Arc::new(Region::new(c"kmsgpipe", PIPES_MAX)?, GFP_KERNEL)?;
        let all = RegistryGuard::publish(max_bytes, class.clone(), region.clone())?;
        let cdev = CdevRegistration::new(region)?;
        for _ in 0..pipes {
            registry::create(&spec)?;
        }
        let commands = Commands::new(class, &sysfs::COMMANDS)?;
        all.loaded();
        registry::warn_of_foreign_nodes(pipes);
        Ok(Self {
            _stats: stats,
            _subscriptions: subscriptions,
            _cdev: cdev,
            _commands: commands,
            _pipes: all,
            // An open file in it holds a reference to the module, so no later step may fail.
            _debug: debugfs::pipes_dir(),
            _quiesce: quiesce,
        })
    }
}
