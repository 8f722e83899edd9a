// SPDX-License-Identifier: GPL-2.0

//! Search through the interleavings: the choice of the next task.
//!
//! A task changes shared state only after a call of [`crate::model::point`], or when it is about to
//! sleep. So a search that tries each other task at these places tries each order of the steps that
//! matter.

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};
use std::cell::Cell;

thread_local! {
    /// The current task has reached a point where another task may run instead.
    static AT_POINT: Cell<bool> = const { Cell::new(false) };
    /// The task that runs only if no other task can.
    static LAST: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Lets another task run instead of the current one, if the search chooses it.
pub(crate) fn point() {
    AT_POINT.set(true);
    shuttle::thread::sleep(core::time::Duration::ZERO);
}

/// Sets the task that runs only if no other task can.
pub(crate) fn set_last(task: Option<usize>) {
    LAST.set(task);
}

/// Returns the tasks that can run next. The current one is the first, if it is among them.
fn candidates(runnable: &[&Task], current: Option<TaskId>) -> Vec<TaskId> {
    let at_point = AT_POINT.take();
    let runs = current.filter(|id| runnable.iter().any(|task| task.id() == *id));
    if let Some(id) = runs.filter(|_| !at_point) {
        return vec![id];
    }
    let others = runnable.iter().map(|task| task.id());
    let mut all: Vec<_> = runs
        .into_iter()
        .chain(others.filter(|id| Some(*id) != runs))
        .collect();
    if all.len() > 1 {
        all.retain(|id| Some(usize::from(*id)) != LAST.get());
    }
    all
}

/// A choice in the interleaving that is being tried.
struct Choice {
    options: Vec<TaskId>,
    taken: usize,
}

/// Tries each interleaving with a limited number of preemptions: another task runs although the
/// current one could. A switch when a task sleeps or ends is not a preemption.
///
/// Musuvathi and Qadeer, "Iterative context bounding for systematic testing of multithreaded
/// programs", 2007: nearly all errors need at most two preemptions.
pub struct Bounded {
    bound: usize,
    way: Vec<Choice>,
    at: usize,
    preempted: usize,
    begun: bool,
}

impl Bounded {
    /// Makes a search with at most `bound` preemptions in each interleaving.
    pub fn new(bound: usize) -> Self {
        Self {
            bound,
            way: Vec::new(),
            at: 0,
            preempted: 0,
            begun: false,
        }
    }
}

impl Scheduler for Bounded {
    fn new_execution(&mut self) -> Option<Schedule> {
        while let Some(choice) = self.way.last_mut() {
            choice.taken += 1;
            if choice.taken < choice.options.len() {
                break;
            }
            self.way.pop();
        }
        if self.begun && self.way.is_empty() {
            return None;
        }
        self.begun = true;
        self.at = 0;
        self.preempted = 0;
        Some(Schedule::new(0))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        _is_yielding: bool,
    ) -> Option<TaskId> {
        let mut options = candidates(runnable, current);
        let first = options.first().copied();
        let runs = first == current;
        if runs && self.preempted == self.bound {
            options.truncate(1);
        }
        if options.len() < 2 {
            return first;
        }
        if self.at == self.way.len() {
            self.way.push(Choice { options, taken: 0 });
        } else {
            assert_eq!(self.way[self.at].options, options, "not deterministic");
        }
        let choice = &self.way[self.at];
        self.at += 1;
        self.preempted += usize::from(runs && choice.taken > 0);
        Some(choice.options[choice.taken])
    }

    fn next_u64(&mut self) -> u64 {
        0
    }
}

/// Another scheduler, limited to the choices that matter.
pub struct Relevant<S>(pub S);

impl<S: Scheduler> Scheduler for Relevant<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.0.new_execution()
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let ids = candidates(runnable, current);
        let tasks: Vec<_> = runnable
            .iter()
            .copied()
            .filter(|task| ids.contains(&task.id()))
            .collect();
        self.0.next_task(&tasks, current, is_yielding)
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}
