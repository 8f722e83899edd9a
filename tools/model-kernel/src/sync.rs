// SPDX-License-Identifier: GPL-2.0

//! Locks and condition variables, as the kernel has them.

use crate::{
    alloc::Flags,
    error::Result,
    model::{self, State},
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ops::{Deref, DerefMut},
};
use std::{
    collections::VecDeque,
    sync::{self, PoisonError},
};

/// Unlike the kernel's it cannot be told to be pinned, nor need it be.
pub use std::sync::Arc;

pub use crate::{new_condvar, new_mutex, new_spinlock};

/// References that are counted.
pub mod aref {
    use core::ops::Deref;

    /// A counted reference, to what is never gone here.
    #[derive(Debug)]
    pub struct ARef<T>(T);

    impl<T: Copy> From<&T> for ARef<T> {
        fn from(value: &T) -> Self {
            Self(*value)
        }
    }

    impl<T> Deref for ARef<T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0
        }
    }
}

/// A class of locks.
#[derive(Debug)]
pub struct LockClassKey;

/// Makes an [`Arc`] of what `pin_init!` made.
pub trait PinInitArc<T>: Sized {
    /// Moves a value into memory of its own.
    ///
    /// # Errors
    ///
    /// None here.
    fn pin_init(value: T, flags: Flags) -> Result<Self>;
}

impl<T> PinInitArc<T> for Arc<T> {
    fn pin_init(value: T, _flags: Flags) -> Result<Self> {
        Ok(Arc::new(value))
    }
}

/// A kind of lock.
pub trait Backend {
    /// Who waits for it sleeps.
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

/// A lock, and what it protects. Whoever comes when it is free gets it, whether others have waited
/// or not.
pub struct Lock<T, B> {
    name: &'static str,
    raw: sync::Mutex<Raw>,
    // Locked by who has the lock only, so that nobody waits for it.
    data: sync::Mutex<T>,
    _backend: PhantomData<B>,
}

/// Who has a lock, and who wants it.
#[derive(Default)]
struct Raw {
    held: bool,
    waiting: Vec<usize>,
}

/// A lock whose waiters sleep.
pub type Mutex<T> = Lock<T, MutexBackend>;

/// A lock whose waiters keep their processor busy.
pub type SpinLock<T> = Lock<T, SpinLockBackend>;

impl<T, B: Backend> Lock<T, B> {
    /// Makes a lock that nobody has.
    pub fn new(value: T, name: &'static str) -> Self {
        Self {
            name,
            raw: sync::Mutex::default(),
            data: sync::Mutex::new(value),
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
            // There is no order in which a task might take two of them.
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
                model::set_state(State::Uninterruptible);
            }
            model::block();
            model::set_state(State::Running);
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

/// Whoever has it has the lock.
pub struct Guard<'a, T, B: Backend> {
    lock: &'a Lock<T, B>,
    data: Option<sync::MutexGuard<'a, T>>,
}

/// Whoever has it has the mutex.
pub type MutexGuard<'a, T> = Guard<'a, T, MutexBackend>;

/// Whoever has it has the spinlock.
pub type SpinLockGuard<'a, T> = Guard<'a, T, SpinLockBackend>;

impl<'a, T, B: Backend> Guard<'a, T, B> {
    /// The lock.
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

/// What the lock of something else protects.
pub struct LockedBy<T, U> {
    owner: *const U,
    data: UnsafeCell<T>,
}

// SAFETY: As in the kernel: the data is accessed only with the owner's lock held.
unsafe impl<T: Send, U> Send for LockedBy<T, U> {}

// SAFETY: As above; a reference to the data is exclusive as one to the owner is.
unsafe impl<T: Send, U> Sync for LockedBy<T, U> {}

impl<T, U> LockedBy<T, U> {
    /// Puts data under the protection of a lock.
    pub fn new<B: Backend>(owner: &Lock<U, B>, data: T) -> Self {
        // Nobody waits here: it is the task that makes the lock that has it.
        let owner = &raw const *owner.data();
        Self {
            owner,
            data: UnsafeCell::new(data),
        }
    }

    /// The data, for whoever has the lock.
    ///
    /// # Panics
    ///
    /// If it is another lock.
    pub fn access_mut<'a>(&'a self, owner: &'a mut U) -> &'a mut T {
        assert!(core::ptr::eq(owner, self.owner), "mismatched owners");
        // SAFETY: There is one exclusive reference to the owner at a time, and by the check it is
        // that of this data.
        unsafe { &mut *self.data.get() }
    }
}

/// A condition variable on a wait queue of `kernel/sched/wait.c`.
///
/// Waiters are in the queue from before the lock is released until after it was taken again, unless
/// they are woken: that takes them out. A wakeup for one goes to the first that sleeps, be it for
/// the lock: one that a signal has woken, and that waits for the lock, uses the wakeup up.
pub struct CondVar(sync::Mutex<VecDeque<usize>>);

impl CondVar {
    /// Makes one that nobody waits for.
    pub fn new(_name: &'static str) -> Self {
        Self(sync::Mutex::default())
    }

    fn queue(&self) -> sync::MutexGuard<'_, VecDeque<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who waits, in the order in which they will be woken.
    pub fn waiters(&self) -> Vec<usize> {
        self.queue().iter().copied().collect()
    }

    /// Releases the lock and sleeps until there is a wakeup or a signal; says whether there is a
    /// signal.
    #[must_use]
    pub fn wait_interruptible<T, B: Backend>(&self, guard: &mut Guard<'_, T, B>) -> bool {
        self.wait_in(State::Interruptible, guard);
        model::signal_pending()
    }

    /// Releases the lock and sleeps until there is a wakeup.
    pub fn wait<T, B: Backend>(&self, guard: &mut Guard<'_, T, B>) {
        self.wait_in(State::Uninterruptible, guard);
    }

    fn wait_in<T, B: Backend>(&self, state: State, guard: &mut Guard<'_, T, B>) {
        // prepare_to_wait_exclusive
        self.queue().push_back(model::me());
        model::set_state(state);
        guard.do_unlocked(model::schedule);
        // finish_wait
        model::set_state(State::Running);
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
