// SPDX-License-Identifier: GPL-2.0

//! Locks and condition variables.

use crate::{
    alloc::Flags,
    error::Result,
    model,
    task::{TASK_INTERRUPTIBLE, TASK_RUNNING, TASK_UNINTERRUPTIBLE},
};
use core::{
    cell::UnsafeCell,
    ffi::c_int,
    marker::PhantomData,
    ops::{Deref, DerefMut},
};
use std::{
    collections::VecDeque,
    sync::{self, PoisonError},
};

/// Reference-counted pointer. Nothing needs to be pinned on the host.
pub use std::sync::Arc;

pub use crate::{new_condvar, new_mutex, new_spinlock};

/// Reference counting.
pub mod aref {
    use core::ops::Deref;
    use std::sync::Arc;

    /// An object whose references are counted.
    pub trait AlwaysRefCounted {
        /// Returns another reference to the object.
        fn get(&self) -> Arc<Self>;
    }

    /// A counted reference.
    #[derive(Debug)]
    pub struct ARef<T>(Arc<T>);

    impl<T: AlwaysRefCounted> From<&T> for ARef<T> {
        fn from(value: &T) -> Self {
            Self(value.get())
        }
    }

    impl<T> Deref for ARef<T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0
        }
    }
}

/// A lock class, which only lockdep needs.
#[derive(Debug)]
pub struct LockClassKey;

/// Creation of an [`Arc`] from the result of `pin_init!`.
pub trait PinInitArc<T>: Sized {
    /// Moves a value to a new [`Arc`].
    ///
    /// # Errors
    ///
    /// None on the host.
    fn pin_init(value: T, flags: Flags) -> Result<Self>;
}

impl<T> PinInitArc<T> for Arc<T> {
    fn pin_init(value: T, _flags: Flags) -> Result<Self> {
        Ok(Arc::new(value))
    }
}

/// A kind of lock.
pub trait Backend {
    /// Whether a task that waits for the lock sleeps.
    const SLEEPS: bool;
}

/// A mutex.
#[derive(Debug)]
pub struct MutexBackend;

impl Backend for MutexBackend {
    const SLEEPS: bool = true;
}

/// A spinlock.
#[derive(Debug)]
pub struct SpinLockBackend;

impl Backend for SpinLockBackend {
    const SLEEPS: bool = false;
}

/// A lock, and the data that it protects. A task that finds it free gets it, even if others have
/// waited longer.
pub struct Lock<T, B> {
    name: &'static str,
    raw: sync::Mutex<Raw>,
    // Only the holder of the lock takes this mutex of the host, so it is never contended.
    // The lock may be moved after `LockedBy` has noted the address of the data.
    data: Box<sync::Mutex<T>>,
    _backend: PhantomData<B>,
}

/// State of a lock.
#[derive(Default)]
struct Raw {
    held: bool,
    /// Numbers of the tasks that wait.
    waiting: Vec<usize>,
}

/// A lock whose waiters sleep.
pub type Mutex<T> = Lock<T, MutexBackend>;

/// A lock whose waiters spin.
pub type SpinLock<T> = Lock<T, SpinLockBackend>;

impl<T, B: Backend> Lock<T, B> {
    /// Makes a lock that is free.
    pub fn new(value: T, name: &'static str) -> Self {
        Self {
            name,
            raw: sync::Mutex::default(),
            data: Box::new(sync::Mutex::new(value)),
            _backend: PhantomData,
        }
    }

    fn raw(&self) -> sync::MutexGuard<'_, Raw> {
        self.raw.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn data(&self) -> sync::MutexGuard<'_, T> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lock.
    pub fn lock(&self) -> Guard<'_, T, B> {
        if B::SLEEPS {
            // The module never holds two locks, so there is no lock order.
            model::assert_unlocked("sleeping");
        }
        self.acquire();
        Guard {
            lock: self,
            data: Some(self.data()),
        }
    }

    fn acquire(&self) {
        model::point();
        loop {
            {
                let mut raw = self.raw();
                if !raw.held {
                    raw.held = true;
                    break;
                }
                raw.waiting.push(model::me());
            }
            if B::SLEEPS {
                model::set_state(TASK_UNINTERRUPTIBLE);
            }
            model::block();
            model::set_state(TASK_RUNNING);
        }
        model::took(self.name);
    }

    fn release(&self) {
        let waiting = {
            let mut raw = self.raw();
            raw.held = false;
            core::mem::take(&mut raw.waiting)
        };
        if std::thread::panicking() {
            return;
        }
        model::released(self.name);
        for task in waiting {
            model::set_running(task);
            model::unblock(task);
        }
    }
}

/// Guard of a lock: its owner holds the lock.
pub struct Guard<'a, T, B: Backend> {
    lock: &'a Lock<T, B>,
    data: Option<sync::MutexGuard<'a, T>>,
}

/// Guard of a mutex.
pub type MutexGuard<'a, T> = Guard<'a, T, MutexBackend>;

/// Guard of a spinlock.
pub type SpinLockGuard<'a, T> = Guard<'a, T, SpinLockBackend>;

impl<'a, T, B: Backend> Guard<'a, T, B> {
    /// Returns the lock.
    pub fn lock_ref(&self) -> &'a Lock<T, B> {
        self.lock
    }

    fn do_unlocked(&mut self, f: impl FnOnce()) {
        self.data = None;
        self.lock.release();
        f();
        self.lock.acquire();
        self.data = Some(self.lock.data());
    }
}

impl<T, B: Backend> Deref for Guard<'_, T, B> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.data {
            Some(data) => data,
            None => unreachable!("the lock is held"),
        }
    }
}

impl<T, B: Backend> DerefMut for Guard<'_, T, B> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.data {
            Some(data) => data,
            None => unreachable!("the lock is held"),
        }
    }
}

impl<T, B: Backend> Drop for Guard<'_, T, B> {
    fn drop(&mut self) {
        self.data = None;
        self.lock.release();
    }
}

/// Data that is protected by the lock of another object.
pub struct LockedBy<T, U> {
    owner: *const U,
    data: UnsafeCell<T>,
}

// SAFETY: The data is accessed only with the lock of the owner held.
unsafe impl<T: Send, U> Send for LockedBy<T, U> {}

// SAFETY: A reference to the data is shared or exclusive as that to the owner is, which the lock
// protects.
unsafe impl<T: Send, U> Sync for LockedBy<T, U> {}

impl<T, U> LockedBy<T, U> {
    /// Makes data that `owner` protects.
    pub fn new<B: Backend>(owner: &Lock<U, B>, data: T) -> Self {
        // The caller has just made the lock, so no task holds it.
        let owner = &raw const *owner.data();
        Self {
            owner,
            data: UnsafeCell::new(data),
        }
    }

    /// Returns the data, for a task that holds the lock.
    ///
    /// # Panics
    ///
    /// Panics if `owner` is protected by another lock.
    pub fn access<'a>(&'a self, owner: &'a U) -> &'a T {
        assert!(core::ptr::eq(owner, self.owner), "mismatched owners");
        // SAFETY: By the check `owner` is the owner of this data, and it is borrowed: no task has an
        // exclusive reference to it.
        unsafe { &*self.data.get() }
    }

    /// Returns the data for modification, for a task that holds the lock.
    ///
    /// # Panics
    ///
    /// Panics if `owner` is protected by another lock.
    pub fn access_mut<'a>(&'a self, owner: &'a mut U) -> &'a mut T {
        assert!(core::ptr::eq(owner, self.owner), "mismatched owners");
        // SAFETY: By the check `owner` is the owner of this data, and it is borrowed mutably: there
        // is no other reference to it.
        unsafe { &mut *self.data.get() }
    }
}

/// An object that is set at most once.
#[derive(Debug)]
pub struct SetOnce<T>(sync::OnceLock<T>);

impl<T> Default for SetOnce<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> SetOnce<T> {
    /// Makes an object that is not set.
    pub const fn new() -> Self {
        Self(sync::OnceLock::new())
    }

    /// Returns the object, if it is set.
    pub fn as_ref(&self) -> Option<&T> {
        self.0.get()
    }

    /// Sets the object. Returns whether it was not set.
    pub fn populate(&self, value: T) -> bool {
        self.0.set(value).is_ok()
    }
}

/// A condition variable on a wait queue of `kernel/sched/wait.c`.
///
/// A waiter is in the queue from before it releases the lock until after it has taken the lock
/// again, unless it is woken: a wakeup removes it. A wakeup goes to the first waiter that sleeps,
/// even if that one sleeps because it waits for the lock: a waiter that a signal has woken, and that
/// waits for the lock, uses the wakeup up.
pub struct CondVar(sync::Mutex<VecDeque<usize>>);

impl CondVar {
    /// Makes a condition variable without waiters.
    pub fn new(_name: &'static str) -> Self {
        Self(sync::Mutex::default())
    }

    fn queue(&self) -> sync::MutexGuard<'_, VecDeque<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the numbers of the waiters, in the order in which they will be woken.
    pub fn waiters(&self) -> Vec<usize> {
        self.queue().iter().copied().collect()
    }

    /// Releases the lock, sleeps until a wakeup or a signal, and takes the lock again. Returns
    /// whether a signal is pending.
    #[must_use]
    pub fn wait_interruptible<T, B: Backend>(&self, guard: &mut Guard<'_, T, B>) -> bool {
        self.wait_in(TASK_INTERRUPTIBLE, guard);
        model::signal_pending(model::me())
    }

    /// Releases the lock, sleeps until a wakeup, and takes the lock again.
    pub fn wait<T, B: Backend>(&self, guard: &mut Guard<'_, T, B>) {
        self.wait_in(TASK_UNINTERRUPTIBLE, guard);
    }

    fn wait_in<T, B: Backend>(&self, state: c_int, guard: &mut Guard<'_, T, B>) {
        // prepare_to_wait_exclusive
        self.queue().push_back(model::me());
        model::set_state(state);
        guard.do_unlocked(model::schedule);
        // finish_wait
        model::set_state(TASK_RUNNING);
        self.queue().retain(|task| *task != model::me());
    }

    fn notify(&self, limit: usize) {
        model::point();
        let mut woken = 0;
        for task in self.waiters() {
            if woken < limit && model::wake(task) {
                // autoremove_wake_function
                self.queue().retain(|other| *other != task);
                woken += 1;
            }
        }
    }

    /// Wakes the first waiter that sleeps.
    pub fn notify_one(&self) {
        self.notify(1);
    }

    /// Wakes all waiters.
    pub fn notify_all(&self) {
        self.notify(usize::MAX);
    }
}

/// Makes a mutex.
#[macro_export]
macro_rules! new_mutex {
    ($value:expr, $name:literal) => {
        $crate::sync::Mutex::new($value, $name)
    };
}

/// Makes a spinlock.
#[macro_export]
macro_rules! new_spinlock {
    ($value:expr, $name:literal) => {
        $crate::sync::SpinLock::new($value, $name)
    };
}

/// Makes a condition variable.
#[macro_export]
macro_rules! new_condvar {
    ($name:literal) => {
        $crate::sync::CondVar::new($name)
    };
}
