// SPDX-License-Identifier: GPL-2.0

//! Notification of pollers and of processes that asked for `SIGIO`.
//!
//! C headers: [`include/linux/wait.h`](srctree/include/linux/wait.h),
//! [`include/linux/fs.h`](srctree/include/linux/fs.h).
//!
//! Unlike with [`PollCondVar`](kernel::sync::poll::PollCondVar), a wakeup carries its event as key,
//! and does not wake pollers that wait for another event. Dropping a [`Notifier`] needs no grace
//! period: only open files register, and each holds a reference to the owner of the notifier.

use core::cell::UnsafeCell;
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    sync::LockClassKey,
    types::Opaque, //
};

use crate::kernel_ext::layout::{
    FMODE_READ,
    FMODE_WRITE, //
};

/// Event masks that a poll function returns, as in `poll(2)`.
pub(crate) mod events {
    use kernel::bindings;

    /// Reading does not block.
    pub(crate) const IN: u32 = bindings::POLLIN | bindings::POLLRDNORM;

    /// Writing does not block.
    pub(crate) const OUT: u32 = bindings::POLLOUT | bindings::POLLWRNORM;

    /// Data was lost.
    pub(crate) const LOST: u32 = bindings::POLLPRI;

    /// All writers have gone.
    pub(crate) const HUNG_UP: u32 = bindings::POLLHUP;

    /// The device was removed.
    pub(crate) const GONE: u32 = bindings::POLLHUP | bindings::POLLERR;
}

/// Pollers and `fasync` files that are notified of events.
///
/// # Examples
///
/// ```ignore
/// use crate::kernel_ext::sync::notify::{events, Notifier};
/// use kernel::{prelude::*, static_lock_class, sync::{new_mutex, Arc, Mutex}};
///
/// #[pin_data]
/// struct Mailbox {
///     #[pin]
///     letters: Mutex<u32>,
///     #[pin]
///     notifier: Notifier,
/// }
///
/// impl Mailbox {
///     fn new() -> Result<Arc<Self>> {
///         Arc::pin_init(
///             pin_init!(Self {
///                 letters <- new_mutex!(0, "Mailbox::letters"),
///                 notifier <- Notifier::new(c"Mailbox::notifier", static_lock_class!()),
///             }),
///             GFP_KERNEL,
///         )
///     }
///
///     fn put(&self) {
///         *self.letters.lock() += 1;
///         self.notifier.readable(false);
///         self.notifier.signal_readers();
///     }
///
///     /// For [`StreamDevice::poll`](crate::kernel_ext::dev::chrdev::StreamDevice::poll).
///     fn poll(&self) -> u32 {
///         let letters = *self.letters.lock();
///         if letters > 0 { events::OUT | events::IN } else { events::OUT }
///     }
/// }
/// ```
#[pin_data]
pub(crate) struct Notifier {
    #[pin]
    pollers: Opaque<bindings::wait_queue_head>,
    /// `fasync` files by open mode: neither, read-only, write-only, read-write. A file is on one
    /// list at most, because the one flag `FASYNC` tells `__fput` to have the file removed.
    neither: AsyncList,
    readers: AsyncList,
    writers: AsyncList,
    both: AsyncList,
}

// SAFETY: The wait queue may be used from any thread; the lists are `Send`.
unsafe impl Send for Notifier {}

// SAFETY: The wait queue has a lock of its own; the lists are `Sync`.
unsafe impl Sync for Notifier {}

impl Notifier {
    /// Makes a notifier without pollers or files.
    pub(crate) fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            pollers <- Opaque::ffi_init(|slot| {
                // SAFETY: `slot` is valid, uninitialised, and pinned from here on. `name` and `key`
                // are static.
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

    /// Wakes pollers that wait for data to read: all non-exclusive ones, and one exclusive one, or
    /// all exclusive ones with `many`.
    pub(crate) fn readable(&self, many: bool) {
        self.wake(events::IN, c_int::from(!many));
    }

    /// Wakes pollers that wait for room to write: all non-exclusive ones, and one exclusive one, or
    /// all exclusive ones with `many`.
    pub(crate) fn writable(&self, many: bool) {
        self.wake(events::OUT, c_int::from(!many));
    }

    /// Wakes all pollers that wait to learn that data was lost.
    pub(crate) fn lost(&self) {
        self.wake(events::LOST, 0);
    }

    /// Wakes all pollers that wait for data to read, and signals the owners of the `fasync` files
    /// that are open for reading, as all writers have gone.
    pub(crate) fn hung_up(&self) {
        self.wake(events::HUNG_UP | events::IN, 0);
        self.signal_readers();
    }

    /// Sends `SIGIO` for data to the owner of each `fasync` file that is open for reading.
    pub(crate) fn signal_readers(&self) {
        self.readers.signal(bindings::POLL_IN);
        self.both.signal(bindings::POLL_IN);
    }

    /// Sends `SIGIO` for room to the owner of each `fasync` file that is open for writing.
    pub(crate) fn signal_writers(&self) {
        self.writers.signal(bindings::POLL_OUT);
        self.both.signal(bindings::POLL_OUT);
    }

    /// Wakes all pollers, and signals the owners of all `fasync` files, as the device was removed.
    pub(crate) fn gone(&self) {
        self.wake(events::GONE | events::IN | events::OUT, 0);
        for list in [&self.neither, &self.readers, &self.writers, &self.both] {
            list.signal(bindings::POLL_HUP);
        }
    }

    /// Returns whether there are no pollers.
    ///
    /// Races with registration unless the caller holds a lock that each poller takes after it
    /// registers, to check the state. A poller that saw the old state under that lock is not missed
    /// here.
    #[inline]
    pub(crate) fn is_unpolled(&self) -> bool {
        // SAFETY: The wait queue is initialised.
        let head = unsafe { &raw const (*self.pollers.get()).head };
        // SAFETY: `head` is valid. Other tasks may change the list concurrently, so the load is
        // volatile, like `READ_ONCE` in C.
        let first = unsafe { (&raw const (*head).next).read_volatile() };
        core::ptr::eq(first, head)
    }

    /// Returns whether there are no `fasync` files.
    ///
    /// Races with registration unless the caller holds a lock that each task takes after it
    /// registers a file. A file whose task saw the old state under that lock is not missed here.
    pub(crate) fn is_unsignalled(&self) -> bool {
        [&self.neither, &self.readers, &self.writers, &self.both]
            .iter()
            .all(|list| list.is_empty())
    }

    /// Wakes the pollers that wait for one of `events`: all non-exclusive ones, and up to
    /// `exclusive` exclusive ones, or all of them if it is 0.
    fn wake(&self, events: u32, exclusive: c_int) {
        let key = core::ptr::without_provenance_mut(events as usize);
        // SAFETY: The wait queue is initialised. Its callbacks interpret the key as an event mask.
        unsafe {
            bindings::__wake_up(self.pollers.get(), bindings::TASK_NORMAL, exclusive, key);
        }
    }

    /// Registers a poller.
    ///
    /// # Safety
    ///
    /// - `file` must be a valid file that holds a reference to the owner of this notifier until it
    ///   is released.
    /// - `table` must be null or valid.
    pub(in crate::kernel_ext) unsafe fn register_poll(
        &self,
        file: *mut bindings::file,
        table: *mut bindings::poll_table,
    ) {
        // SAFETY: By the safety requirements `file` is valid, and `table` is null or valid. The
        // wait queue outlives each registration: a poller holds a reference to the file, and epoll
        // removes its entries before the file is released.
        unsafe { bindings::poll_wait(file, self.pollers.get(), table) };
    }

    /// Enables or disables `SIGIO` for `file`, for the events of its open mode.
    ///
    /// # Safety
    ///
    /// The arguments must be those of a `file_operations::fasync` call, for a file that holds a
    /// reference to the owner of this notifier until it is released.
    pub(in crate::kernel_ext) unsafe fn register_async(
        &self,
        fd: c_int,
        file: *mut bindings::file,
        on: c_int,
    ) -> Result {
        // SAFETY: `file` is valid. `FMODE_READ` and `FMODE_WRITE` do not change while it is open.
        let mode = unsafe { (*file).f_mode };
        let list = match (mode & FMODE_READ != 0, mode & FMODE_WRITE != 0) {
            (false, false) => &self.neither,
            (true, false) => &self.readers,
            (false, true) => &self.writers,
            (true, true) => &self.both,
        };
        // SAFETY: The safety requirements of `AsyncList::register` are those of this function.
        unsafe { list.register(fd, file, on) }
    }
}

/// List of files whose owners get `SIGIO`.
///
/// # Invariants
///
/// The pointer is the head of a list that only `fasync_helper` changes. No file in it is released.
struct AsyncList(UnsafeCell<*mut bindings::fasync_struct>);

// SAFETY: The list is not bound to a thread.
unsafe impl Send for AsyncList {}

// SAFETY: `fasync_helper` and `kill_fasync` take the locks that the list needs.
unsafe impl Sync for AsyncList {}

impl AsyncList {
    /// Makes an empty list.
    const fn new() -> Self {
        // INVARIANT: A null pointer is the empty list.
        Self(UnsafeCell::new(core::ptr::null_mut()))
    }

    /// Adds `file` if `on` is nonzero, and removes it otherwise.
    ///
    /// # Safety
    ///
    /// The arguments must be those of a `file_operations::fasync` call, for a file that holds a
    /// reference to the owner of this list until it is released.
    unsafe fn register(&self, fd: c_int, file: *mut bindings::file, on: c_int) -> Result {
        // SAFETY: By the type invariants the pointer is the head of a list. By the safety
        // requirements the other arguments are valid for `fasync_helper`.
        // INVARIANT: `fasync_helper` sets and clears `FASYNC` together with the list entry, and no
        // other list has the file. `__fput` removes a file with `FASYNC` set from the list before
        // it releases the file.
        let ret = unsafe { bindings::fasync_helper(fd, file, on, self.0.get()) };
        to_result(ret.min(0))
    }

    /// Returns whether no file is in the list.
    fn is_empty(&self) -> bool {
        // SAFETY: The pointer to the head is valid. Other tasks may change the head concurrently,
        // so the load is volatile, like `READ_ONCE` in C.
        unsafe { self.0.get().read_volatile() }.is_null()
    }

    /// Sends `SIGIO` with the code `band` to the owner of each file in the list.
    fn signal(&self, band: u32) {
        // SAFETY: By the type invariants the pointer is the head of a list. `kill_fasync` walks it
        // under RCU.
        unsafe { bindings::kill_fasync(self.0.get(), bindings::SIGIO as c_int, band as c_int) };
    }
}
