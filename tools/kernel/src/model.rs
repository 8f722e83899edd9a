// SPDX-License-Identifier: GPL-2.0

//! The model checker: tasks that run one at a time, in each order that matters.
//!
//! It does what the kernel's scheduler does for wait queues and locks: a task runs or sleeps, a
//! wakeup of a task that runs is lost, and a signal wakes a task that sleeps interruptibly.

use crate::{
    explore::{self, Bounded, Relevant},
    task::{self, TASK_INTERRUPTIBLE, TASK_RUNNING},
};
use core::ffi::c_int;
use shuttle::{
    future::batch_semaphore::{BatchSemaphore, Fairness},
    scheduler::{RandomScheduler, ReplayScheduler},
    Config, Runner,
};
use std::{
    cell::{Cell, RefCell},
    env,
    sync::{Arc, Mutex, PoisonError},
};

/// A task of the model, with its state.
struct Task {
    task: Arc<task::Task>,
    signal_pending: bool,
    /// Names of the locks that the task holds.
    locks: Vec<&'static str>,
    /// The task cannot run while it waits for this semaphore.
    sleep: Arc<BatchSemaphore>,
}

impl Task {
    fn new(id: usize) -> Self {
        Self {
            task: Arc::new(task::Task::new(id)),
            signal_pending: false,
            locks: Vec::new(),
            sleep: Arc::new(BatchSemaphore::new(0, Fairness::StrictlyFair)),
        }
    }
}

/// All tasks of one execution. The first one runs the scenario.
#[derive(Default)]
struct World {
    tasks: Vec<Task>,
    /// Number of spawned tasks that have not ended.
    left: usize,
    now: u64,
    works: crate::workqueue::Works,
}

thread_local! {
    // All tasks of an execution run on one thread of the host.
    static WORLD: RefCell<World> = RefCell::default();
    static RUNNING: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f` on the state of the execution.
fn with<R>(f: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(f)
}

/// Runs `f` on the works.
pub(crate) fn with_works<R>(f: impl FnOnce(&mut crate::workqueue::Works) -> R) -> R {
    with(|world| f(&mut world.works))
}

/// Returns the number of the current task.
pub fn me() -> usize {
    shuttle::current::me().into()
}

/// Returns whether the running code is that of a scenario.
fn is_running() -> bool {
    RUNNING.get()
}

/// Guard: while it exists, the running code is that of a scenario.
struct Running;

impl Running {
    fn new() -> Self {
        RUNNING.set(true);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.set(false);
    }
}

/// Lets other tasks run before the next step of the current task, which they can observe.
pub fn point() {
    if !std::thread::panicking() {
        explore::point();
    }
}

/// Blocks the current task until another task calls [`unblock`]. An earlier call counts.
pub fn block() {
    let sleep = with(|world| Arc::clone(&world.tasks[me()].sleep));
    let _ = sleep.acquire_blocking(1);
}

/// Lets a blocked task run.
pub fn unblock(task: usize) {
    let sleep = with(|world| Arc::clone(&world.tasks[task].sleep));
    sleep.release(1);
}

/// Returns a task.
pub(crate) fn task(id: usize) -> Arc<task::Task> {
    with(|world| Arc::clone(&world.tasks[id].task))
}

/// Sets the state of the current task.
pub(crate) fn set_state(state: c_int) {
    task(me()).set_state(state);
}

/// Makes a task runnable, whatever its state is.
pub(crate) fn set_running(id: usize) {
    task(id).set_state(TASK_RUNNING);
}

/// Wakes a task up, like `try_to_wake_up`. Returns whether it was asleep.
pub(crate) fn wake(id: usize) -> bool {
    let slept = task(id).set_state(TASK_RUNNING) != TASK_RUNNING;
    if slept {
        unblock(id);
    }
    slept
}

/// Returns whether page faults of the current task are disabled. The code outside of scenarios has
/// no task.
pub(crate) fn page_faults_disabled() -> bool {
    task(me()).page_faults_disabled()
}

/// Sleeps, unless the task was woken after it had set its state, or a signal is pending and the
/// state is interruptible.
pub(crate) fn schedule() {
    let this = task(me());
    while this.state() != TASK_RUNNING {
        if this.state() == TASK_INTERRUPTIBLE && signal_pending(me()) {
            this.set_state(TASK_RUNNING);
        } else {
            block();
        }
    }
}

/// Returns whether a task has a signal pending.
pub(crate) fn signal_pending(id: usize) -> bool {
    with(|world| world.tasks[id].signal_pending)
}

/// Handles the pending signal of the current task.
pub fn take_signal() {
    with(|world| world.tasks[me()].signal_pending = false);
}

/// Records that the current task has taken a lock.
pub(crate) fn took(lock: &'static str) {
    with(|world| world.tasks[me()].locks.push(lock));
}

/// Records that the current task has released a lock.
pub(crate) fn released(lock: &'static str) {
    with(|world| world.tasks[me()].locks.retain(|held| *held != lock));
}

/// Checks that the current task holds no lock before it does `what`, which can sleep or take long.
///
/// # Panics
///
/// Panics if it holds one.
pub fn assert_unlocked(what: &str) {
    if is_running() && !std::thread::panicking() {
        with(|world| {
            let locks = &world.tasks[me()].locks;
            assert!(locks.is_empty(), "{what} with {locks:?} held");
        });
    }
}

/// Returns the time, in nanoseconds.
pub fn now() -> u64 {
    with(|world| world.now)
}

/// Lets time pass.
pub fn advance(by: u64) {
    point();
    with(|world| world.now += by);
}

/// A task of a scenario, and its result.
pub struct Spawned<T> {
    task: usize,
    result: Arc<Mutex<Option<T>>>,
}

impl<T> Spawned<T> {
    /// Sends the task a signal.
    pub fn signal(&self) {
        signal(self.task);
    }

    /// Returns the number of the task, for [`signal`].
    pub fn id(&self) -> usize {
        self.task
    }

    /// Takes the result of the task, or returns [`None`] if the task has not ended.
    pub fn result(&self) -> Option<T> {
        self.result
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// Sends a signal to a task.
pub fn signal(id: usize) {
    point();
    with(|world| world.tasks[id].signal_pending = true);
    if task(id).state() == TASK_INTERRUPTIBLE {
        wake(id);
    }
}

/// Starts a task. It first runs when the current task sleeps, or comes to a point.
pub fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Spawned<T> {
    let result = Arc::new(Mutex::new(None));
    let returned = Arc::clone(&result);
    let task = with(|world| {
        let id = world.tasks.len();
        world.tasks.push(Task::new(id));
        world.left += 1;
        id
    });
    let thread = shuttle::thread::spawn(move || {
        assert_eq!(me(), task);
        let value = f();
        *returned.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        assert_unlocked("ending");
        assert!(!page_faults_disabled(), "page faults are still disabled");
        if with(|world| {
            world.left -= 1;
            world.left == 0
        }) {
            unblock(0);
        }
    });
    drop(thread);
    Spawned { task, result }
}

/// Waits until each other task sleeps or has ended.
pub fn settle() {
    explore::set_last(Some(me()));
    explore::point();
    explore::set_last(None);
}

/// Waits until each other task has ended.
pub fn join() {
    while with(|world| world.left > 0) {
        block();
    }
}

/// Returns the value of an environment variable, which must be a number, or else `default`.
fn variable(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| {
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name}={value}: not a number"))
    })
}

/// Runs a scenario in all interleavings with at most `bound` preemptions, and then in some random
/// ones with any number of them.
///
/// If it fails, the schedule is printed, and `MODEL_SCHEDULE=... cargo test NAME` runs that one
/// again. `MODEL_PREEMPTIONS` sets another bound, `MODEL_RANDOM` another number of random
/// interleavings, and `MODEL_SEED` another seed for them.
pub fn check(name: &str, bound: usize, scenario: impl Fn() + Send + Sync + 'static) {
    let scenario = Arc::new(scenario);
    let run = move || {
        // What a failed execution has left is dropped while `WORLD` is not borrowed.
        drop(WORLD.replace(World::default()));
        with(|world| world.tasks.push(Task::new(0)));
        explore::set_last(None);
        let _running = Running::new();
        scenario();
        assert!(!page_faults_disabled(), "page faults are still disabled");
        assert!(with(|world| world.left == 0), "some tasks have not ended");
    };
    let mut config = Config::new();
    config.silence_warnings = true;
    if let Ok(schedule) = env::var("MODEL_SCHEDULE") {
        Runner::new(ReplayScheduler::new_from_encoded(&schedule), config).run(run);
        return;
    }
    let bound = usize::try_from(variable("MODEL_PREEMPTIONS", bound as u64)).unwrap_or(bound);
    let tried = Runner::new(Bounded::new(bound), config.clone()).run(run.clone());
    let random = usize::try_from(variable("MODEL_RANDOM", 500)).unwrap_or(0);
    let seed = variable("MODEL_SEED", 1);
    println!(
        "# {name}: {tried} interleavings with at most {bound} preemptions, \
         {random} random ones with seed {seed}"
    );
    let scheduler = RandomScheduler::new_from_seed(seed, random);
    Runner::new(Relevant(scheduler), config).run(run);
}
