// SPDX-License-Identifier: GPL-2.0

//! Bounded, kernel-owned message queues that are files: `/dev/kmsgpipeN`.
//!
//! `docs/architecture.md` describes how the parts work together.

use kernel::prelude::*;

#[path = "src/debug.rs"]
#[deny(unsafe_code)]
mod debug;
#[path = "src/device.rs"]
#[deny(unsafe_code)]
mod device;
#[path = "src/ioctl/mod.rs"]
#[deny(unsafe_code)]
mod ioctl;
#[path = "src/kernel_ext/mod.rs"]
mod kernel_ext;
#[path = "src/limits.rs"]
#[deny(unsafe_code)]
mod limits;
#[path = "src/listing.rs"]
#[deny(unsafe_code)]
mod listing;
#[path = "src/message.rs"]
#[deny(unsafe_code)]
mod message;
#[path = "src/mode.rs"]
#[deny(unsafe_code)]
mod mode;
#[path = "src/name.rs"]
#[deny(unsafe_code)]
mod name;
#[path = "src/node.rs"]
#[deny(unsafe_code)]
mod node;
#[path = "src/numbers.rs"]
#[deny(unsafe_code)]
mod numbers;
#[path = "src/pipe/mod.rs"]
#[deny(unsafe_code)]
mod pipe;
#[path = "src/procfs.rs"]
#[deny(unsafe_code)]
mod procfs;
#[path = "src/queue.rs"]
#[deny(unsafe_code)]
mod queue;
#[path = "src/registry.rs"]
#[deny(unsafe_code)]
mod registry;
#[path = "src/stats.rs"]
#[deny(unsafe_code)]
mod stats;
#[path = "src/store.rs"]
#[deny(unsafe_code)]
mod store;
#[path = "src/stream.rs"]
#[deny(unsafe_code)]
mod stream;
#[path = "src/sysfs.rs"]
#[deny(unsafe_code)]
mod sysfs;
#[path = "src/uapi/mod.rs"]
mod uapi;
#[path = "src/walk.rs"]
#[deny(unsafe_code)]
mod walk;
#[path = "src/wire.rs"]
#[deny(unsafe_code)]
mod wire;

use crate::{
    debug::PipesDir,
    kernel_ext::{
        compat,
        param::mode_parameter,
        users::Users, //
    },
    limits::Limits,
    mode::Modes,
    node::Node,
    procfs::StatsFile,
    registry::{
        Registered,
        Spec, //
    },
};

/// The number of pipes that can be asked for when the module is loaded.
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

/// The loaded module.
struct Kmsgpipe {
    // Both are dropped first, as they look at the pipes.
    _stats: StatsFile,
    _debug: PipesDir,
    // Dropping it destroys all pipes. No file is open then: each holds a reference to the module.
    _registered: Registered,
    // Dropped last, when all has been told to go: some may not have returned from code of ours.
    _users: Users,
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

        // Declared first, and so dropped last where this fails.
        let users = Users::of(module);
        let stats = procfs::stats_file()?;
        let spec = Spec {
            limits,
            default_modes: Modes::NONE,
            node: Node {
                mode: mode.get(),
                uid: 0,
                gid: 0,
                name: None,
            },
        };
        let registered = registry::register(max_bytes, pipes, &spec)?;
        registry::warn_of_strays(pipes);
        Ok(Self {
            _stats: stats,
            _registered: registered,
            // An open file of it holds the module, so that nothing may fail after this.
            _debug: debug::pipes_dir(),
            _users: users,
        })
    }
}
