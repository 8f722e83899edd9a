// SPDX-License-Identifier: GPL-2.0

//! Bounded, kernel-owned message queues that are files: `/dev/kmsgpipeN`.
//!
//! `docs/architecture.md` describes how the parts work together.

use kernel::{
    prelude::*,
    str::CString, //
};

#[path = "src/device.rs"]
#[deny(unsafe_code)]
mod device;
#[path = "src/ioctl.rs"]
#[deny(unsafe_code)]
mod ioctl;
#[path = "src/kernel_ext/mod.rs"]
mod kernel_ext;
#[path = "src/limits.rs"]
#[deny(unsafe_code)]
mod limits;
#[path = "src/message.rs"]
#[deny(unsafe_code)]
mod message;
#[path = "src/pipe.rs"]
#[deny(unsafe_code)]
mod pipe;
#[path = "src/pool.rs"]
#[deny(unsafe_code)]
mod pool;
#[path = "src/queue.rs"]
#[deny(unsafe_code)]
mod queue;
#[path = "src/stats.rs"]
#[deny(unsafe_code)]
mod stats;
#[path = "src/uapi/mod.rs"]
mod uapi;

use crate::{
    device::OpenPipe,
    kernel_ext::misc,
    limits::Limits,
    pipe::Pipe, //
};

module! {
    type: Kmsgpipe,
    name: "kmsgpipe",
    authors: ["The kmsgpipe developers"],
    description: "Bounded message queues that are files",
    license: "GPL",
    params: {
        msg_size: u32 {
            default: 256,
            description: "Longest message of pipe 0, in bytes (1 to 1048576, default 256)",
        },
        max_msgs: u32 {
            default: 128,
            description: "Messages that fit into pipe 0 (1 to 65536, default 128)",
        },
        max_bytes: u64 {
            default: 67108864,
            description: "Bound on msg_size times max_msgs of a pipe (default 67108864)",
        },
        mode: u16 {
            default: 0o666,
            description: "Permissions of /dev/kmsgpipe0 (default 0666; 0 stands for 0600)",
        },
    },
}

/// The loaded module: pipe 0, which lives as long as the module does.
struct Kmsgpipe {
    // Dropping it removes the node. No file is open then: each holds a reference to the module.
    _pipe0: Pin<KBox<misc::Registration<OpenPipe>>>,
}

impl kernel::Module for Kmsgpipe {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let msg_size = *module_parameters::msg_size.value();
        let max_msgs = *module_parameters::max_msgs.value();
        let max_bytes = *module_parameters::max_bytes.value();
        let mode = *module_parameters::mode.value();

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
        if mode & !0o777 != 0 {
            pr_err!(
                "mode={:#o}: only permission bits (0 to 0777) make sense\n",
                mode
            );
            return Err(EINVAL);
        }

        let pipe = Pipe::new(0, limits)?;
        let registration =
            misc::Registration::new(CString::try_from_fmt(fmt!("kmsgpipe0"))?, mode, pipe);
        Ok(Self {
            _pipe0: KBox::pin_init(registration, GFP_KERNEL)?,
        })
    }
}
