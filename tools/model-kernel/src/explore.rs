// SPDX-License-Identifier: GPL-2.0

//! Which task goes on: the search through the interleavings.
//!
//! All that tasks share is changed between two points of [`crate::model::point`], or by a task that
//! is about to sleep. So other tasks need to be tried there only, and a search that tries all of
//! them there tries every order of the steps that matter.

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};
use std::cell::Cell;

thread_local! {
    /// The task that runs has come to a point where others may go on instead.
    static AT_POINT: Cell<bool> = const { Cell::new(false) };
    /// The task that goes on only when no other can.
    static LAST: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Lets others go on instead of the task that runs, if the search wants so.
pub(crate) fn point() {
    AT_POINT.set(true);
    shuttle::thread::sleep(core::time::Duration::ZERO);
}

/// Has `task` go on only when no other can; none if there is no such task.
pub(crate) fn set_last(task: Option<usize>) {
    LAST.set(task);
}

/// The tasks of which one is to go on; the one that runs is the first, if it can.
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

/// A choice on the way that is being tried.
struct Choice {
    options: Vec<TaskId>,
    taken: usize,
}

/// Tries every interleaving in which no more than a number of tasks are preempted: another one goes
/// on although they could. Going on when a task sleeps or ends is no preemption.
///
/// Musuvathi and Qadeer, "Iterative context bounding for systematic testing of multithreaded
/// programs", 2007: nearly all errors need two preemptions at most.
pub struct Bounded {
    bound: usize,
    way: Vec<Choice>,
    at: usize,
    preempted: usize,
    begun: bool,
}

impl Bounded {
    /// A search with at most `bound` preemptions in each interleaving.
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

/// Another scheduler, for which only what matters is a choice.
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
