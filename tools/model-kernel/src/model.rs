// SPDX-License-Identifier: GPL-2.0

//! Tasks that run one at a time, in every order that matters.
//!
//! It is the kernel's scheduler as far as wait queues and locks need it: a task runs or sleeps, a
//! wakeup is lost on one that runs, and a signal wakes one that can be interrupted.

use crate::explore::{self, Bounded, Relevant};
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

/// What a task does, as in `include/linux/sched.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Runs, or would if it were its turn.
    Running,
    /// Sleeps until it is woken or has a signal.
    Interruptible,
    /// Sleeps until it is woken.
    Uninterruptible,
}

/// A task.
struct Task {
    state: State,
    signal_pending: bool,
    /// The locks that it holds.
    locks: Vec<&'static str>,
    /// What keeps it from running.
    sleep: Arc<BatchSemaphore>,
}

impl Task {
    fn new() -> Self {
        Self {
            state: State::Running,
            signal_pending: false,
            locks: Vec::new(),
            sleep: Arc::new(BatchSemaphore::new(0, Fairness::StrictlyFair)),
        }
    }
}

/// All tasks of one execution. The first is the one that runs the scenario.
#[derive(Default)]
struct World {
    tasks: Vec<Task>,
    /// How many of those that were spawned have not ended.
    left: usize,
    now: u64,
    works: crate::workqueue::Works,
}

thread_local! {
    // All tasks of an execution run on one thread of the host.
    static WORLD: RefCell<World> = RefCell::default();
    static RUNNING: Cell<bool> = const { Cell::new(false) };
}

/// Uses what is known of all tasks.
fn with<R>(f: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(f)
}

/// Uses the works that are queued.
pub(crate) fn with_works<R>(f: impl FnOnce(&mut crate::workqueue::Works) -> R) -> R {
    with(|world| f(&mut world.works))
}

/// The task that runs.
pub fn me() -> usize {
    shuttle::current::me().into()
}

/// Whether a task of a model runs, and no other code.
fn is_running() -> bool {
    RUNNING.get()
}

/// Says that tasks of a model run, as long as it exists.
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

/// A step that other tasks can see follows: they may go first.
pub fn point() {
    if !std::thread::panicking() {
        explore::point();
    }
}

/// Sleeps until somebody calls [`unblock`], or has done so.
pub fn block() {
    let sleep = with(|world| Arc::clone(&world.tasks[me()].sleep));
    let _ = sleep.acquire_blocking(1);
}

/// Lets a task run.
pub fn unblock(task: usize) {
    let sleep = with(|world| Arc::clone(&world.tasks[task].sleep));
    sleep.release(1);
}

/// Changes what the current task does.
pub fn set_state(state: State) {
    with(|world| world.tasks[me()].state = state);
}

/// Has a task run, whatever it does.
pub(crate) fn set_running(task: usize) {
    with(|world| world.tasks[task].state = State::Running);
}

/// Wakes a task up, as `try_to_wake_up` does: says whether it was asleep.
pub(crate) fn wake(task: usize) -> bool {
    let slept = with(|world| {
        let state = &mut world.tasks[task].state;
        core::mem::replace(state, State::Running) != State::Running
    });
    if slept {
        unblock(task);
    }
    slept
}

/// Sleeps, unless the task was woken since it said that it would, or has a signal.
pub fn schedule() {
    loop {
        let done = with(|world| {
            let task = &mut world.tasks[me()];
            if task.signal_pending && task.state == State::Interruptible {
                task.state = State::Running;
            }
            task.state == State::Running
        });
        if done {
            return;
        }
        block();
    }
}

/// Whether the current task has a signal.
pub(crate) fn signal_pending() -> bool {
    with(|world| world.tasks[me()].signal_pending)
}

/// Takes the signal of the current task, as a handler does.
pub fn take_signal() {
    with(|world| world.tasks[me()].signal_pending = false);
}

/// Notes that the current task took a lock.
pub(crate) fn took(lock: &'static str) {
    with(|world| world.tasks[me()].locks.push(lock));
}

/// Notes that the current task released a lock.
pub(crate) fn released(lock: &'static str) {
    with(|world| world.tasks[me()].locks.retain(|held| *held != lock));
}

/// Fails if the current task holds a lock, as what it does may take long, or sleep.
pub fn assert_unlocked(what: &str) {
    if is_running() && !std::thread::panicking() {
        with(|world| {
            let locks = &world.tasks[me()].locks;
            assert!(locks.is_empty(), "{what} with {locks:?} held");
        });
    }
}

/// The time.
pub fn now() -> u64 {
    with(|world| world.now)
}

/// Lets time pass.
pub fn advance(by: u64) {
    point();
    with(|world| world.now += by);
}

/// A task of a scenario, and what it returned.
pub struct Spawned<T> {
    task: usize,
    result: Arc<Mutex<Option<T>>>,
}

impl<T> Spawned<T> {
    /// Sends it a signal.
    pub fn signal(&self) {
        signal(self.task);
    }

    /// Its number, for [`signal`].
    pub fn id(&self) -> usize {
        self.task
    }

    /// What it returned, once; none if it has not ended.
    pub fn result(&self) -> Option<T> {
        self.result
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// Sends a signal to a task.
pub fn signal(task: usize) {
    point();
    let interruptible = with(|world| {
        let task = &mut world.tasks[task];
        task.signal_pending = true;
        task.state == State::Interruptible
    });
    if interruptible {
        wake(task);
    }
}

/// Starts a task. It runs when the first task waits for the others.
pub fn spawn<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Spawned<T> {
    let result = Arc::new(Mutex::new(None));
    let returned = Arc::clone(&result);
    let task = with(|world| {
        world.tasks.push(Task::new());
        world.left += 1;
        world.tasks.len() - 1
    });
    let thread = shuttle::thread::spawn(move || {
        assert_eq!(me(), task);
        let value = f();
        *returned.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        assert_unlocked("ending");
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

/// Waits until all tasks sleep or have ended.
pub fn settle() {
    explore::set_last(Some(me()));
    explore::point();
    explore::set_last(None);
}

/// Waits until all tasks have ended.
pub fn join() {
    while with(|world| world.left > 0) {
        block();
    }
}

/// Reads a number from the environment.
fn variable(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |value| {
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name}={value}: not a number"))
    })
}

/// Checks a scenario in all interleavings with at most `bound` preemptions, and then in some random
/// ones with any number of them.
///
/// Where it fails, the schedule is printed: `MODEL_SCHEDULE=... cargo test NAME` runs that one
/// again. `MODEL_PREEMPTIONS` is another bound, `MODEL_RANDOM` another number of random
/// interleavings, and `MODEL_SEED` another seed for them.
pub fn check(name: &str, bound: usize, scenario: impl Fn() + Send + Sync + 'static) {
    let scenario = Arc::new(scenario);
    let run = move || {
        // What a failed one has left is dropped when `WORLD` is not in use.
        drop(WORLD.replace(World::default()));
        with(|world| world.tasks.push(Task::new()));
        explore::set_last(None);
        let _running = Running::new();
        scenario();
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
