// SPDX-License-Identifier: GPL-2.0

//! Delayed work. It is run by tasks of the scenario, at any time after it was queued: how long it
//! was to be delayed does not matter.

use crate::{
    model,
    sync::Arc,
    time::Jiffies, //
};
use core::{any::Any, marker::PhantomData};
use std::collections::VecDeque;

pub use crate::{impl_has_delayed_work, new_delayed_work};

/// What is done when it is time.
pub trait WorkItem<const ID: u64> {
    /// What stands for the object while the work is queued.
    type Pointer;

    /// Does it.
    fn run(this: Self::Pointer);
}

/// A delayed work; what is known of it is in [`Works`].
pub struct DelayedWork<T, const ID: u64>(PhantomData<fn(T)>);

impl<T, const ID: u64> DelayedWork<T, ID> {
    /// Makes one that is not queued.
    pub fn new(_name: &'static str) -> Self {
        Self(PhantomData)
    }
}

/// Says that there is a delayed work in an object.
pub trait HasDelayedWork<T, const ID: u64> {
    /// It.
    fn delayed_work(&self) -> &DelayedWork<T, ID>;
}

/// Which work of which object.
type Key = (usize, u64);

/// A work that is queued.
struct Pending {
    key: Key,
    this: Arc<dyn Any + Send + Sync>,
    run: fn(Arc<dyn Any + Send + Sync>),
}

/// All works that are queued, run, or may not be queued.
#[derive(Default)]
pub(crate) struct Works {
    pending: VecDeque<Pending>,
    running: Option<Key>,
    disabled: Vec<Key>,
    /// Tasks that wait for the one that runs.
    waiting: Vec<usize>,
}

fn key<T, const ID: u64>(this: &Arc<T>) -> Key {
    (Arc::as_ptr(this).cast::<()>() as usize, ID)
}

fn run<T, const ID: u64>(this: Arc<dyn Any + Send + Sync>)
where
    T: WorkItem<ID, Pointer = Arc<T>> + Send + Sync + 'static,
{
    if let Ok(this) = this.downcast::<T>() {
        T::run(this);
    }
}

/// What can be queued.
pub trait DelayedWorkItem<const ID: u64>: Sized {
    /// Queues it.
    ///
    /// # Errors
    ///
    /// It is returned if it is queued already, or disabled.
    fn enqueue(self) -> Result<(), Self>;
}

impl<T, const ID: u64> DelayedWorkItem<ID> for Arc<T>
where
    T: WorkItem<ID, Pointer = Arc<T>> + HasDelayedWork<T, ID> + Send + Sync + 'static,
{
    fn enqueue(self) -> Result<(), Self> {
        model::point();
        let key = key::<T, ID>(&self);
        model::with_works(|works| {
            let queued = works.pending.iter().any(|work| work.key == key);
            if queued || works.disabled.contains(&key) {
                return Err(self);
            }
            works.pending.push_back(Pending {
                key,
                this: self,
                run: run::<T, ID>,
            });
            Ok(())
        })
    }
}

/// A queue for works.
#[derive(Debug)]
pub struct Queue(());

impl Queue {
    /// The one that there is.
    pub const SYSTEM: &'static Queue = &Queue(());

    /// Queues a work.
    ///
    /// # Errors
    ///
    /// It is returned if it is queued already, or disabled.
    pub fn enqueue_delayed<W: DelayedWorkItem<ID>, const ID: u64>(
        &self,
        work: W,
        _delay: Jiffies,
    ) -> Result<(), W> {
        work.enqueue()
    }
}

/// Takes a work off the queue and returns the reference that the queue had; `sync` waits until it
/// does not run, and has it never be queued again.
pub fn cancel<T: Send + Sync + 'static, const ID: u64>(
    this: &Arc<T>,
    sync: bool,
) -> Option<Arc<T>> {
    if sync {
        model::assert_unlocked("waiting for a work");
    }
    model::point();
    let key = key::<T, ID>(this);
    let taken = model::with_works(|works| {
        if sync {
            works.disabled.push(key);
        }
        let at = works.pending.iter().position(|work| work.key == key)?;
        works.pending.remove(at)
    });
    while sync
        && model::with_works(|works| {
            let runs = works.running == Some(key);
            if runs {
                works.waiting.push(model::me());
            }
            runs
        })
    {
        model::block();
    }
    taken.and_then(|work| work.this.downcast().ok())
}

/// Runs up to `limit` works that are queued, one after the other, as a worker of the kernel does;
/// says how many there were.
pub fn run_pending(limit: usize) -> usize {
    for done in 0..limit {
        model::point();
        let taken = model::with_works(|works| {
            let work = works.pending.pop_front()?;
            works.running = Some(work.key);
            Some(work)
        });
        let Some(work) = taken else {
            return done;
        };
        (work.run)(work.this);
        model::point();
        let waiting = model::with_works(|works| {
            works.running = None;
            core::mem::take(&mut works.waiting)
        });
        waiting.into_iter().for_each(model::unblock);
    }
    limit
}

/// Which works are queued.
pub fn pending() -> Vec<u64> {
    model::with_works(|works| works.pending.iter().map(|work| work.key.1).collect())
}

/// Makes a delayed work.
#[macro_export]
macro_rules! new_delayed_work {
    ($name:literal) => {
        $crate::workqueue::DelayedWork::new($name)
    };
}

/// Says which fields are delayed works.
#[macro_export]
macro_rules! impl_has_delayed_work {
    ($(impl HasDelayedWork<Self, { $id:expr }> for $type:ty { self.$field:ident })*) => {$(
        impl $crate::workqueue::HasDelayedWork<$type, { $id }> for $type {
            fn delayed_work(&self) -> &$crate::workqueue::DelayedWork<$type, { $id }> {
                &self.$field
            }
        }
    )*};
}
