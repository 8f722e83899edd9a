// SPDX-License-Identifier: GPL-2.0

//! Telling those who do not sleep in a call of ours: pollers, and processes that asked for `SIGIO`.
//!
//! C headers: [`include/linux/wait.h`](srctree/include/linux/wait.h),
//! [`include/linux/fs.h`](srctree/include/linux/fs.h).
//!
//! Other than [`PollCondVar`](kernel::sync::poll::PollCondVar), wakeups name the event that they
//! are for, so that nobody wakes up for another one, and no grace period passes when a [`Notifier`]
//! is dropped: only open files register with it, and each holds a reference to it.

use core::cell::UnsafeCell;
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    sync::LockClassKey,
    types::Opaque, //
};

use super::layout::{
    FMODE_READ,
    FMODE_WRITE, //
};

/// What `poll` may answer, as in `poll(2)`.
pub(crate) mod events {
    use kernel::bindings;

    /// Reading will not wait.
    pub(crate) const IN: u32 = bindings::POLLIN | bindings::POLLRDNORM;

    /// Writing will not wait.
    pub(crate) const OUT: u32 = bindings::POLLOUT | bindings::POLLWRNORM;

    /// The device is gone.
    pub(crate) const GONE: u32 = bindings::POLLHUP | bindings::POLLERR;
}

/// Who is to be told that reading or writing has become possible.
#[pin_data]
pub(crate) struct Notifier {
    #[pin]
    pollers: Opaque<bindings::wait_queue_head>,
    /// Files by what they are open for: nothing, reading, writing, both. Each is in one list at
    /// most: by a single flag the kernel knows of a file whether it must be removed when it is
    /// released.
    neither: AsyncList,
    readers: AsyncList,
    writers: AsyncList,
    both: AsyncList,
}

// SAFETY: The wait queue has a lock of its own; the lists are `Send`.
unsafe impl Send for Notifier {}

// SAFETY: The wait queue has a lock of its own; the lists are `Sync`.
unsafe impl Sync for Notifier {}

impl Notifier {
    /// Makes one that nobody is registered with.
    pub(crate) fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            pollers <- Opaque::ffi_init(|slot| {
                // SAFETY: `slot` is to be initialised, and pinned from then on. The name and the
                // key live for ever.
                unsafe {
                    bindings::__init_waitqueue_head(slot, name.as_char_ptr(), key.as_ptr());
                }
            }),
            neither: AsyncList::new(),
            readers: AsyncList::new(),
            writers: AsyncList::new(),
            both: AsyncList::new(),
        })
    }

    /// Tells pollers of a message to read: all but those that want to be told one at a time, and
    /// one of these; or all of them of many messages.
    pub(crate) fn readable(&self, many: bool) {
        self.wake(events::IN, c_int::from(!many));
    }

    /// Tells pollers of room for a message: all but the exclusive ones, and one of these; or all of
    /// them of room for many.
    pub(crate) fn writable(&self, many: bool) {
        self.wake(events::OUT, c_int::from(!many));
    }

    /// Tells every process that asked for a signal that there is something to read.
    pub(crate) fn signal_readers(&self) {
        self.readers.signal(bindings::POLL_IN);
        self.both.signal(bindings::POLL_IN);
    }

    /// Tells every process that asked for a signal that there is room.
    pub(crate) fn signal_writers(&self) {
        self.writers.signal(bindings::POLL_OUT);
        self.both.signal(bindings::POLL_OUT);
    }

    /// Tells everybody that the device is gone.
    pub(crate) fn gone(&self) {
        self.wake(events::GONE | events::IN | events::OUT, 0);
        for list in [&self.neither, &self.readers, &self.writers, &self.both] {
            list.signal(bindings::POLL_HUP);
        }
    }

    /// Whether nobody polls. With a lock held that pollers take after they have registered, this
    /// does not miss one who found the state as it was before.
    #[inline]
    pub(crate) fn is_unpolled(&self) -> bool {
        // SAFETY: The wait queue is initialised.
        let head = unsafe { &raw const (*self.pollers.get()).head };
        // SAFETY: It is valid. Others may change it meanwhile, so that it is read as `READ_ONCE` of
        // C does.
        let first = unsafe { (&raw const (*head).next).read_volatile() };
        core::ptr::eq(first, head)
    }

    /// Whether nobody has asked for signals. With a lock held that others take after they have
    /// registered, this does not miss one who found the state as it was before.
    pub(crate) fn is_unsignalled(&self) -> bool {
        [&self.neither, &self.readers, &self.writers, &self.both]
            .iter()
            .all(|list| list.is_empty())
    }

    /// Wakes the pollers that wait for one of `events`; of those that share a wakeup only
    /// `exclusive` many, or all of them for 0.
    fn wake(&self, events: u32, exclusive: c_int) {
        let key = core::ptr::without_provenance_mut(events as usize);
        // SAFETY: The wait queue is initialised. Its callbacks take the key for a mask of events.
        unsafe {
            bindings::__wake_up(self.pollers.get(), bindings::TASK_NORMAL, exclusive, key);
        }
    }

    /// Registers a poller.
    ///
    /// # Safety
    ///
    /// - `file` must be a valid file that holds a reference to this object until it is released.
    /// - `table` must be null or valid.
    pub(super) unsafe fn register_poll(
        &self,
        file: *mut bindings::file,
        table: *mut bindings::poll_table,
    ) {
        // SAFETY: Both are as `poll_wait` wants them by the safety requirements. The wait queue
        // outlives every registration: pollers hold the file, and those of epoll are removed before
        // the file is released.
        unsafe { bindings::poll_wait(file, self.pollers.get(), table) };
    }

    /// Lets signals be sent for `file`, for what it is open for, or stops that.
    ///
    /// # Safety
    ///
    /// The arguments must be those of `file_operations::fasync` for a file that holds a reference
    /// to this object until it is released.
    pub(super) unsafe fn register_async(
        &self,
        fd: c_int,
        file: *mut bindings::file,
        on: c_int,
    ) -> Result {
        // SAFETY: The file is valid, and its mode does not change while it is open.
        let mode = unsafe { (*file).f_mode };
        let list = match (mode & FMODE_READ != 0, mode & FMODE_WRITE != 0) {
            (false, false) => &self.neither,
            (true, false) => &self.readers,
            (false, true) => &self.writers,
            (true, true) => &self.both,
        };
        // SAFETY: By the safety requirements.
        unsafe { list.register(fd, file, on) }
    }
}

/// Files whose owners want a signal.
///
/// # Invariants
///
/// The pointer is that of a list that `fasync_helper` alone changes, and whose files are not
/// released.
struct AsyncList(UnsafeCell<*mut bindings::fasync_struct>);

// SAFETY: The list is not bound to a thread.
unsafe impl Send for AsyncList {}

// SAFETY: `fasync_helper` and `kill_fasync` lock what they touch.
unsafe impl Sync for AsyncList {}

impl AsyncList {
    /// Makes an empty list.
    const fn new() -> Self {
        // INVARIANT: A null pointer is the empty list.
        Self(UnsafeCell::new(core::ptr::null_mut()))
    }

    /// Adds or removes a file.
    ///
    /// # Safety
    ///
    /// As for [`Notifier::register_async`].
    unsafe fn register(&self, fd: c_int, file: *mut bindings::file, on: c_int) -> Result {
        // SAFETY: By the invariants and the safety requirements.
        // INVARIANT: A file that is in the list has `FASYNC` set, as that is changed together with
        // the list, and by this list alone. `__fput` then has the file removed before it is
        // released.
        let ret = unsafe { bindings::fasync_helper(fd, file, on, self.0.get()) };
        to_result(ret.min(0))
    }

    /// Whether no file is in it.
    fn is_empty(&self) -> bool {
        // SAFETY: The pointer is valid. Others may change it meanwhile, so that it is read as
        // `READ_ONCE` of C does.
        unsafe { self.0.get().read_volatile() }.is_null()
    }

    /// Sends the signal for `band` to all.
    fn signal(&self, band: u32) {
        // SAFETY: By the invariants; `kill_fasync` reads the list under RCU.
        unsafe { bindings::kill_fasync(self.0.get(), bindings::SIGIO as c_int, band as c_int) };
    }
}
