// SPDX-License-Identifier: GPL-2.0

//! The original plan of this project, in as few lines as it takes: misc devices registered by the crate's
//! `MiscDeviceRegistration`, a deque of messages behind a `Mutex`, and `CondVar` wait queues.
//!
//! It is not part of kmsgpipe. `docs/departures/run` builds it and compares it with kmsgpipe. Each open of
//! `/dev/plan` makes a queue, because `open` gets the registration and no data of the device: processes
//! share a queue by sharing an open file.

use kernel::{
    fs::{File, Kiocb},
    iov::{IovIterDest, IovIterSource},
    miscdevice::{MiscDevice, MiscDeviceOptions, MiscDeviceRegistration},
    new_condvar, new_mutex,
    prelude::*,
    str::CString,
    sync::{CondVar, Mutex},
};

module! {
    type: Plan,
    name: "plan",
    authors: ["kmsgpipe contributors"],
    description: "The original plan of kmsgpipe, for comparison",
    license: "GPL",
    params: {
        more: u32 {
            default: 0,
            description: "More misc devices, to open one among many",
        },
    },
}

/// The default limits of kmsgpipe.
const MAX_MSGS: usize = 128;
const MSG_SIZE: usize = 256;

/// Stands for `VecDeque`, which the kernel crate lacks: a ring of messages, each with its own allocation.
struct Deque {
    ring: KVec<Option<KVec<u8>>>,
    first: usize,
    len: usize,
}

impl Deque {
    fn new() -> Result<Self> {
        let mut ring = KVec::with_capacity(MAX_MSGS, GFP_KERNEL)?;
        for _ in 0..MAX_MSGS {
            ring.push(None, GFP_KERNEL)?;
        }
        Ok(Self {
            ring,
            first: 0,
            len: 0,
        })
    }

    fn push_back(&mut self, message: KVec<u8>) {
        self.ring[(self.first + self.len) % MAX_MSGS] = Some(message);
        self.len += 1;
    }

    fn pop_front(&mut self) -> Option<KVec<u8>> {
        let message = self.ring[self.first].take()?;
        self.first = (self.first + 1) % MAX_MSGS;
        self.len -= 1;
        Some(message)
    }
}

#[pin_data]
struct Pipe {
    #[pin]
    queue: Mutex<Deque>,
    #[pin]
    readq: CondVar,
    #[pin]
    writeq: CondVar,
}

#[vtable]
impl MiscDevice for Pipe {
    type Ptr = Pin<KBox<Self>>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
        let queue = Deque::new()?;
        KBox::pin_init(
            pin_init!(Self {
                queue <- new_mutex!(queue),
                readq <- new_condvar!(),
                writeq <- new_condvar!(),
            }),
            GFP_KERNEL,
        )
    }

    fn write_iter(kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterSource<'_>) -> Result<usize> {
        let pipe = kiocb.file();
        let len = iov.len();
        if len > MSG_SIZE {
            return Err(EMSGSIZE);
        }
        let mut message = KVec::new();
        if iov.copy_from_iter_vec(&mut message, GFP_KERNEL)? < len {
            return Err(EFAULT);
        }
        let mut queue = pipe.queue.lock();
        while queue.len == MAX_MSGS {
            if pipe.writeq.wait_interruptible(&mut queue) {
                return Err(ERESTARTSYS);
            }
        }
        queue.push_back(message);
        drop(queue);
        pipe.readq.notify_one();
        Ok(len)
    }

    fn read_iter(kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterDest<'_>) -> Result<usize> {
        let pipe = kiocb.file();
        let mut queue = pipe.queue.lock();
        let message = loop {
            if let Some(message) = queue.pop_front() {
                break message;
            }
            if pipe.readq.wait_interruptible(&mut queue) {
                return Err(ERESTARTSYS);
            }
        };
        drop(queue);
        pipe.writeq.notify_one();
        match iov.copy_to_iter(&message) {
            0 => Err(EFAULT),
            len => Ok(len),
        }
    }
}

struct Plan {
    _devices: KVec<Pin<KBox<MiscDeviceRegistration<Pipe>>>>,
}

impl kernel::Module for Plan {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let mut devices = KVec::new();
        for number in 0..=*module_parameters::more.value() {
            let name = match number {
                0 => c"plan",
                // The name must be `'static`, so it is leaked.
                _ => KBox::leak(KBox::new(
                    CString::try_from_fmt(fmt!("plan{number}"))?,
                    GFP_KERNEL,
                )?),
            };
            let device = MiscDeviceRegistration::register(MiscDeviceOptions { name });
            devices.push(KBox::pin_init(device, GFP_KERNEL)?, GFP_KERNEL)?;
        }
        Ok(Self { _devices: devices })
    }
}
