// SPDX-License-Identifier: GPL-2.0

//! Delayed work. Tasks of the scenario run it, at any time after it was queued: its delay does not
//! matter.

use crate::{
    model,
    sync::Arc,
    time::Jiffies, //
};
use core::{any::Any, marker::PhantomData};
use std::collections::VecDeque;

pub use crate::{impl_has_delayed_work, new_delayed_work};

/// The function of a work.
pub trait WorkItem<const ID: u64> {
    /// The pointer that a queue holds while the work is queued.
    type Pointer;

    /// Runs the work.
    fn run(this: Self::Pointer);
}

/// A delayed work. Its state is in [`Works`].
pub struct DelayedWork<T, const ID: u64>(PhantomData<fn(T)>);

impl<T, const ID: u64> DelayedWork<T, ID> {
    /// Makes a work that is not queued.
    pub fn new(_name: &'static str) -> Self {
        Self(PhantomData)
    }
}

/// An object that has a delayed work.
pub trait HasDelayedWork<T, const ID: u64> {
    /// Returns the work.
    fn delayed_work(&self) -> &DelayedWork<T, ID>;
}

/// Identifies a work: the address of the object, and the id of the work in it.
type Key = (usize, u64);

/// A queued work.
struct Pending {
    key: Key,
    this: Arc<dyn Any + Send + Sync>,
    run: fn(Arc<dyn Any + Send + Sync>),
}

/// State of all works: queued, running, and disabled.
#[derive(Default)]
pub(crate) struct Works {
    pending: VecDeque<Pending>,
    running: Option<Key>,
    disabled: Vec<Key>,
    /// Tasks that wait for the running work.
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

/// A pointer that can be queued.
pub trait DelayedWorkItem<const ID: u64>: Sized {
    /// Queues the work.
    ///
    /// # Errors
    ///
    /// Returns the pointer if the work is queued already, or disabled.
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

/// A workqueue.
#[derive(Debug)]
pub struct Queue(());

impl Queue {
    /// The only workqueue.
    pub const SYSTEM: &'static Queue = &Queue(());

    /// Queues a work.
    ///
    /// # Errors
    ///
    /// Returns the pointer if the work is queued already, or disabled.
    pub fn enqueue_delayed<W: DelayedWorkItem<ID>, const ID: u64>(
        &self,
        work: W,
        _delay: Jiffies,
    ) -> Result<(), W> {
        work.enqueue()
    }
}

/// Removes a work from the queue, and returns the reference that the queue held. With `sync`, also
/// waits until the work does not run, and prevents further queueing.
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

/// Runs up to `limit` queued works, one after the other, like a worker of the kernel. Returns their
/// number.
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

/// Returns the ids of the queued works.
pub fn pending() -> Vec<u64> {
    model::with_works(|works| works.pending.iter().map(|work| work.key.1).collect())
}

/// Makes a delayed work that is not queued.
#[macro_export]
macro_rules! new_delayed_work {
    ($name:literal) => {
        $crate::workqueue::DelayedWork::new($name)
    };
}

/// Declares the fields that are delayed works.
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
