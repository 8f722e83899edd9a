// SPDX-License-Identifier: GPL-2.0

//! All pipes: creating, finding and destroying them.

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

use crate::{
    device::OpenPipe,
    kernel_ext::{
        chrdev::{
            Opened,
            Region, //
        },
        class::{
            Class,
            Commands,
            Device,
            HasNode,
            Permissions, //
        },
        global::{
            Global,
            Published, //
        },
        path, //
    },
    limits::Limits,
    mode::Modes,
    name::Name,
    node::Node,
    numbers::Numbers,
    pipe::Pipe,
    sysfs, //
};

/// The number of pipes that there can be at once, and of their numbers.
pub(crate) const PIPES_MAX: u32 = 65536;

/// The pipe that lives as long as the module.
const PERMANENT: u32 = 0;

/// Where callbacks find the registry, while the module is loaded.
static REGISTRY: Global<Registry> = Global::new();

/// What a pipe is to be like.
pub(crate) struct Spec {
    /// What it may hold.
    pub(crate) limits: Limits,
    /// How newly opened files read and write.
    pub(crate) default_modes: Modes,
    /// Its node, and its name.
    pub(crate) node: Node,
}

/// A pipe in the registry.
struct Entry {
    pipe: Arc<Pipe>,
    // Missing while the pipe is being created. Dropping it removes the device with its node and its
    // attributes, and waits for those who read or write these.
    device: Option<Device<Arc<Pipe>>>,
}

impl HasNode for Arc<Pipe> {
    fn permissions(&self) -> Permissions {
        let node = self.node();
        Permissions {
            // As the kernel has it for devices.
            mode: if node.mode == 0 { 0o600 } else { node.mode },
            uid: node.uid,
            gid: node.gid,
        }
    }

    fn write_node_name(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.node().name {
            Some(name) => write!(f, "kmsgpipe/{}", name.as_str()),
            None => write!(f, "kmsgpipe{}", self.id()),
        }
    }
}

/// The pipes, by number and by name.
struct Table {
    pipes: RBTree<u32, Entry>,
    /// Names in use. Each is taken before its pipe is in `pipes`, and until all of it is gone.
    names: RBTree<Name, u32>,
    /// Numbers in use, likewise.
    numbers: Numbers,
    /// The module is being loaded, which may still fail.
    loading: bool,
}

/// All pipes.
#[pin_data]
struct Registry {
    /// Held while a pipe is created or destroyed, and taken before `table`: of each number and name
    /// there is but one, from the first step to the last.
    #[pin]
    changes: Mutex<()>,
    #[pin]
    table: Mutex<Table>,
    /// Tasks that open a pipe while the module is being loaded.
    #[pin]
    openers: CondVar,
    region: Arc<Region<OpenPipe>>,
    class: Arc<Class<Arc<Pipe>>>,
    /// Bound on the payload of a full pipe, in bytes.
    max_bytes: u64,
}

/// The registry as the module holds it.
///
/// It is dropped in this order: nobody can open a pipe, or ask for a new one; all pipes go, and the
/// registry is found no more. Before that, no file is open, as each holds a reference to the
/// module.
pub(crate) struct Registered {
    _opened: Opened<OpenPipe>,
    _commands: Commands<Arc<Pipe>>,
    _pipes: AllPipes,
    _published: Published<Registry>,
}

/// Destroys all pipes when it is dropped, even the permanent one, and lets nobody wait for them any
/// more.
struct AllPipes(Arc<Registry>);

impl Drop for AllPipes {
    fn drop(&mut self) {
        while let Some(pipe) = self.0.at_or_after(0) {
            // There is nobody else who could have destroyed it meanwhile.
            let _ = self.0.remove(&pipe);
        }
        self.0.loaded();
    }
}

/// Makes the registry, and `pipes` many pipes as `spec` says; `max_bytes` bounds the payload of
/// each pipe.
///
/// A pipe is announced by its node and to udev as soon as it is made, and can be opened then. An
/// open file would keep the module from going if a later step fails: a task that opens a pipe waits
/// until nothing can fail any more, or finds none. [`Users`](crate::kernel_ext::users::Users) waits
/// for these tasks in turn.
pub(crate) fn register(max_bytes: u64, pipes: u32, spec: &Spec) -> Result<Registered> {
    let class = Arc::new(Class::new(c"kmsgpipe", &sysfs::ATTRIBUTES)?, GFP_KERNEL)?;
    let region = Arc::new(Region::new(c"kmsgpipe", PIPES_MAX)?, GFP_KERNEL)?;
    let numbers = Numbers::new(PIPES_MAX)?;
    let (its_class, its_region) = (class.clone(), region.clone());
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
            region: its_region,
            class: its_class,
            max_bytes,
        }),
        GFP_KERNEL,
    )?;
    let published = REGISTRY.publish(registry.clone());
    let all = AllPipes(registry);
    let opened = Region::open_up(region)?;
    for _ in 0..pipes {
        all.0.create(spec)?;
    }
    let commands = Commands::new(class, &sysfs::COMMANDS)?;
    all.0.loaded();
    Ok(Registered {
        _opened: opened,
        _commands: commands,
        _pipes: all,
        _published: published,
    })
}

/// Creates a pipe and returns its number, which is used again only when all others were. Its node
/// is there when this returns.
///
/// # Errors
///
/// - [`EEXIST`]: the name is in use.
/// - [`ENOSPC`]: no number is free.
/// - [`ENODEV`]: the module is going.
/// - [`ENOMEM`].
pub(crate) fn create(spec: &Spec) -> Result<u32> {
    REGISTRY.get().ok_or(ENODEV)?.create(spec)
}

/// Destroys a pipe.
///
/// # Errors
///
/// - [`EBUSY`]: it lives as long as the module.
/// - [`ENODEV`]: it is destroyed already.
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
/// - [`ENXIO`]: there is none.
/// - [`ERESTARTSYS`]: a signal came while it waited.
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

/// Warns of what stands in the way of the nodes of the first `pipes` pipes. devtmpfs leaves it
/// there, the driver core does not tell, and what is written to a pipe would go into a file.
pub(crate) fn warn_of_strays(pipes: u32) {
    let Some(registry) = REGISTRY.get() else {
        return;
    };
    for id in 0..pipes {
        if registry.is_stray(id) == Ok(true) {
            pr_warn!("/dev/kmsgpipe{id} is not pipe {id}: remove it, and load the module again\n");
        }
    }
}

/// Checks limits against those of the module, too.
///
/// # Errors
///
/// [`EINVAL`].
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

    /// Finds a pipe by its number when the module is loaded, as [`find_to_open`] does.
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

    /// Ends the wait for loading, which has succeeded or failed.
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

    /// Creates a pipe, as [`create`] does.
    fn create(&self, spec: &Spec) -> Result<u32> {
        let _changes = self.changes.lock();
        let id = self.reserve(spec.node.name)?;
        let result = self.make(id, spec);
        if result.is_err() {
            self.release(id, spec.node.name);
        }
        result.map(|()| id)
    }

    /// Takes a number and a name.
    fn reserve(&self, name: Option<Name>) -> Result<u32> {
        // Not with the lock held, as whoever opens a pipe takes it.
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

    /// Gives a number and a name back.
    fn release(&self, id: u32, name: Option<Name>) {
        let mut table = self.table.lock();
        table.numbers.give_back(id);
        if let Some(name) = name {
            table.names.remove(&name);
        }
    }

    /// Makes the pipe that a number and a name were taken for.
    fn make(&self, id: u32, spec: &Spec) -> Result {
        let pipe = Pipe::new(id, spec.limits, spec.node, spec.default_modes)?;
        let entry = Entry {
            pipe: pipe.clone(),
            device: None,
        };
        let entry = RBTreeNode::new(id, entry, GFP_KERNEL_ACCOUNT)?;
        // From here on it can be opened: it must be so as soon as there is a node.
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
                Pipe::kill(&pipe);
                Err(err)
            }
        }
    }

    /// Makes the device of a pipe.
    fn add_device(&self, pipe: &Arc<Pipe>) -> Result<Device<Arc<Pipe>>> {
        let id = pipe.id();
        let name = CString::try_from_fmt(fmt!("pipe{id}"))?;
        let number = self.region.number(id)?;
        self.class.add(&name, number, pipe.clone())
    }

    /// Whether something else stands where the node of a pipe without a name should be.
    fn is_stray(&self, id: u32) -> Result<bool> {
        let path = CString::try_from_fmt(fmt!("/dev/kmsgpipe{id}"))?;
        Ok(path::device_at(&path)? != Some(self.region.number(id)?))
    }

    /// Destroys a pipe.
    ///
    /// # Errors
    ///
    /// [`ENODEV`]: it is destroyed already.
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
        Pipe::kill(&entry.pipe);
        drop(entry.device);
        self.release(id, pipe.node().name);
        Ok(())
    }
}
