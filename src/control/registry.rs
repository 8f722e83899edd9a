// SPDX-License-Identifier: GPL-2.0

//! The registry: it creates, finds and destroys pipes.

use kernel::{
    fmt::{
        self,
        Write, //
    },
    new_condvar, new_mutex,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNode,
        RBTreeNodeReservation, //
    },
    str::{
        CString,
        Formatter, //
    },
    sync::{
        Arc,
        CondVar,
        Mutex, //
    },
};

use super::numbers::Numbers;
use crate::{
    kernel_ext::{
        dev::{
            class::Class,
            device::{
                Device,
                HasNode,
                Permissions, //
            },
            path,
            region::Region, //
        },
        sync::global::{
            Global,
            Published, //
        }, //
    },
    log::limits::Limits,
    pipe::{
        name::Name,
        Pipe,
        Spec, //
    }, //
};

/// The largest number of pipes. Their numbers are less than this.
pub(crate) const PIPES_MAX: u32 = 65536;

/// The number of the pipe that lives as long as the module.
const PERMANENT: u32 = 0;

/// Where callbacks find the registry while the module is loaded.
static REGISTRY: Global<Registry> = Global::new();

/// A pipe in the registry.
struct Entry {
    pipe: Arc<Pipe>,
    // `None` while the pipe is being created. Dropping the device removes its node and its
    // attributes, and waits for reads and writes of attributes that are in progress.
    device: Option<Device<Arc<Pipe>>>,
}

impl HasNode for Arc<Pipe> {
    fn permissions(&self) -> Permissions {
        let node = self.node();
        Permissions {
            // As in devtmpfs, zero stands for 0600.
            mode: if node.mode == 0 { 0o600 } else { node.mode },
            uid: node.uid,
            gid: node.gid,
        }
    }

    fn write_node_name(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.node().name {
            Some(name) => write!(f, "kmsgpipe/{name}"),
            None => write!(f, "kmsgpipe{}", self.id()),
        }
    }
}

/// The pipes, by number and by name.
struct Table {
    pipes: RBTree<u32, Entry>,
    /// Names in use, with the numbers of their pipes. A name is taken before its pipe is in
    /// `pipes`, and freed when the device is gone.
    names: RBTree<Name, u32>,
    /// Numbers in use. A number is taken before its pipe is in `pipes`, and freed when the device
    /// is gone.
    numbers: Numbers,
    /// Whether the module is still being loaded, which may fail.
    loading: bool,
}

/// The registry of pipes.
#[pin_data]
struct Registry {
    /// Serializes creation and destruction, which take several critical sections of `table` each:
    /// no pipe is destroyed before its device is in `table`. Taken before `table`.
    #[pin]
    changes: Mutex<()>,
    #[pin]
    table: Mutex<Table>,
    /// Tasks that open a pipe and wait for the module to be loaded.
    #[pin]
    openers: CondVar,
    region: Arc<Region>,
    class: Arc<Class<Arc<Pipe>>>,
    /// The largest payload that a full pipe may have, in bytes.
    max_bytes: u64,
}

/// Owns the registry and keeps it published. Dropping it destroys all pipes, even the permanent
/// one. Tasks that still wait for the module to be loaded then find no pipe.
///
/// When it is dropped, no task may be able to open or create a pipe any more. No file is open by
/// then: each holds a reference to the module.
pub(crate) struct RegistryGuard {
    registry: Arc<Registry>,
    // Dropped after all pipes are destroyed: until then, callbacks find the registry.
    _published: Published<Registry>,
}

impl RegistryGuard {
    /// Creates an empty registry and publishes it. The devices of pipes are added to `class` with
    /// the numbers of `region`; `max_bytes` bounds the payload of each pipe.
    ///
    /// A pipe can be opened as soon as it has a node, which may be before the module is loaded. If
    /// loading failed then, an open file would keep the module in use. So a task that opens a pipe
    /// waits for [`RegistryGuard::loaded`], and finds no pipe if loading fails.
    /// [`Quiesce`](crate::kernel_ext::sync::quiesce::Quiesce) waits for these tasks to leave the
    /// module.
    ///
    /// # Errors
    ///
    /// - [`EBUSY`]: another registry is published.
    /// - [`ENOMEM`].
    pub(crate) fn publish(
        max_bytes: u64,
        class: Arc<Class<Arc<Pipe>>>,
        region: Arc<Region>,
    ) -> Result<Self> {
        let numbers = Numbers::new(PIPES_MAX)?;
        let registry = Arc::pin_init(
            pin_init!(Registry {
                changes <- new_mutex!((), "Registry::changes"),
                table <- new_mutex!(
                    Table {
                        pipes: RBTree::new(),
                        names: RBTree::new(),
                        numbers,
                        loading: true,
                    },
                    "Registry::table"
                ),
                openers <- new_condvar!("Registry::openers"),
                region,
                class,
                max_bytes,
            }),
            GFP_KERNEL,
        )?;
        Ok(Self {
            registry: registry.clone(),
            _published: REGISTRY.publish(registry)?,
        })
    }

    /// Lets tasks open pipes: the module is loaded, and no later step can fail.
    pub(crate) fn loaded(&self) {
        self.registry.loaded();
    }
}

impl Drop for RegistryGuard {
    fn drop(&mut self) {
        while let Some(pipe) = self.registry.at_or_after(0) {
            // No other task can have destroyed it.
            let _ = self.registry.remove(&pipe);
        }
        self.registry.loaded();
    }
}

/// Creates a pipe and returns its number. Its node exists when this returns. The number is not used
/// again before all others were.
///
/// # Errors
///
/// - [`EEXIST`]: the name is in use.
/// - [`ENOSPC`]: no number is free.
/// - [`ENODEV`]: the module is being unloaded.
/// - [`ENOMEM`].
pub(crate) fn create(spec: &Spec) -> Result<u32> {
    REGISTRY.get().ok_or(ENODEV)?.create(spec)
}

/// Destroys a pipe.
///
/// # Errors
///
/// - [`EBUSY`]: the pipe lives as long as the module.
/// - [`ENODEV`]: the pipe is destroyed already.
pub(crate) fn destroy(pipe: &Arc<Pipe>) -> Result {
    if pipe.id() == PERMANENT {
        return Err(EBUSY);
    }
    REGISTRY.get().ok_or(ENODEV)?.remove(pipe)
}

/// Finds a pipe by its number, to open it. Waits while the module is being loaded.
///
/// # Errors
///
/// - [`ENXIO`]: there is no such pipe.
/// - [`ERESTARTSYS`]: a signal arrived during the wait.
pub(crate) fn find_to_open(id: u32) -> Result<Arc<Pipe>> {
    REGISTRY.get().ok_or(ENXIO)?.get_when_loaded(id)
}

/// Finds a pipe by its number.
pub(crate) fn find(id: u32) -> Option<Arc<Pipe>> {
    REGISTRY.get()?.get(id)
}

/// Finds a pipe by its name.
pub(crate) fn find_name(name: &Name) -> Option<Arc<Pipe>> {
    let registry = REGISTRY.get()?;
    let table = registry.table.lock();
    let id = table.names.get(name)?;
    table.pipes.get(id).map(|entry| entry.pipe.clone())
}

/// Finds the pipe with the lowest number that is at least `id`.
pub(crate) fn at_or_after(id: u32) -> Option<Arc<Pipe>> {
    REGISTRY.get()?.at_or_after(id)
}

/// Warns if the node of one of the first `pipes` pipes is not its device. devtmpfs does not replace
/// an existing file, and the driver core ignores that error, so data for the pipe would go to the
/// file.
pub(crate) fn warn_of_foreign_nodes(pipes: u32) {
    let Some(registry) = REGISTRY.get() else {
        return;
    };
    for id in 0..pipes {
        if registry.is_foreign_node(id) == Ok(true) {
            pr_warn!("/dev/kmsgpipe{id} is not pipe {id}: remove it, and load the module again\n");
        }
    }
}

/// Creates limits within the bounds of the module.
///
/// # Errors
///
/// - [`EINVAL`]: they are out of bounds.
/// - [`ENODEV`]: the module is being unloaded.
pub(crate) fn check_limits(msg_size: u32, max_msgs: u32) -> Result<Limits> {
    let max_bytes = REGISTRY.get().ok_or(ENODEV)?.max_bytes;
    Limits::new(msg_size, max_msgs, max_bytes).map_err(|_| EINVAL)
}

impl Registry {
    /// Finds a pipe by its number.
    fn get(&self, id: u32) -> Option<Arc<Pipe>> {
        let table = self.table.lock();
        table.pipes.get(&id).map(|entry| entry.pipe.clone())
    }

    /// Finds a pipe by its number after the module is loaded. See [`find_to_open`].
    fn get_when_loaded(&self, id: u32) -> Result<Arc<Pipe>> {
        let mut table = self.table.lock();
        while table.loading {
            if self.openers.wait_interruptible(&mut table) && table.loading {
                return Err(ERESTARTSYS);
            }
        }
        let entry = table.pipes.get(&id).ok_or(ENXIO)?;
        Ok(entry.pipe.clone())
    }

    /// Ends the wait of tasks that open a pipe: loading has succeeded or failed.
    fn loaded(&self) {
        self.table.lock().loading = false;
        self.openers.notify_all();
    }

    /// Finds the pipe with the lowest number that is at least `id`.
    fn at_or_after(&self, id: u32) -> Option<Arc<Pipe>> {
        let table = self.table.lock();
        let cursor = table.pipes.cursor_lower_bound(&id)?;
        Some(cursor.current().1.pipe.clone())
    }

    /// Creates a pipe. See [`create`].
    fn create(&self, spec: &Spec) -> Result<u32> {
        let _changes = self.changes.lock();
        let id = self.reserve(spec.node.name)?;
        let result = self.make(id, spec);
        if result.is_err() {
            self.release(id, spec.node.name);
        }
        result.map(|()| id)
    }

    /// Takes a number, and `name` if there is one.
    fn reserve(&self, name: Option<Name>) -> Result<u32> {
        // Allocated without `table` locked: opening a pipe takes that lock.
        let place = match name {
            Some(_) => Some(RBTreeNodeReservation::new(GFP_KERNEL_ACCOUNT)?),
            None => None,
        };
        let mut table = self.table.lock();
        if name.is_some_and(|name| table.names.get(&name).is_some()) {
            return Err(EEXIST);
        }
        let id = table.numbers.take().ok_or(ENOSPC)?;
        if let (Some(name), Some(place)) = (name, place) {
            table.names.insert(place.into_node(name, id));
        }
        Ok(id)
    }

    /// Frees a number, and `name` if there is one.
    fn release(&self, id: u32, name: Option<Name>) {
        let mut table = self.table.lock();
        table.numbers.release(id);
        if let Some(name) = name {
            table.names.remove(&name);
        }
    }

    /// Creates the pipe for the number `id`, which was taken, and its device.
    fn make(&self, id: u32, spec: &Spec) -> Result {
        let pipe = Pipe::new(id, spec)?;
        let entry = Entry {
            pipe: pipe.clone(),
            device: None,
        };
        let entry = RBTreeNode::new(id, entry, GFP_KERNEL_ACCOUNT)?;
        // The pipe must be in the table before it has a node: tasks may open that at once.
        self.table.lock().pipes.insert(entry);
        match self.add_device(&pipe) {
            Ok(device) => {
                if let Some(entry) = self.table.lock().pipes.get_mut(&id) {
                    entry.device = Some(device);
                }
                Ok(())
            }
            Err(err) => {
                let entry = self.table.lock().pipes.remove(&id);
                drop(entry);
                Pipe::shutdown(&pipe);
                Err(err)
            }
        }
    }

    /// Adds the device of a pipe.
    fn add_device(&self, pipe: &Arc<Pipe>) -> Result<Device<Arc<Pipe>>> {
        let id = pipe.id();
        let name = CString::try_from_fmt(fmt!("pipe{id}"))?;
        let number = self.region.number(id)?;
        self.class.add(&name, number, pipe.clone())
    }

    /// Returns whether the file at the default node name of pipe `id` is not its device.
    ///
    /// # Errors
    ///
    /// Those of [`path::device_at`].
    fn is_foreign_node(&self, id: u32) -> Result<bool> {
        let path = CString::try_from_fmt(fmt!("/dev/kmsgpipe{id}"))?;
        Ok(path::device_at(&path)? != Some(self.region.number(id)?))
    }

    /// Destroys a pipe.
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: the pipe is destroyed already.
    fn remove(&self, pipe: &Arc<Pipe>) -> Result {
        let id = pipe.id();
        let _changes = self.changes.lock();
        let entry = {
            let mut table = self.table.lock();
            let same = |entry: &Entry| Arc::ptr_eq(&entry.pipe, pipe);
            if !table.pipes.get(&id).is_some_and(same) {
                return Err(ENODEV);
            }
            table.pipes.remove(&id).ok_or(ENODEV)?
        };
        Pipe::shutdown(&entry.pipe);
        drop(entry.device);
        self.release(id, pipe.node().name);
        Ok(())
    }
}
