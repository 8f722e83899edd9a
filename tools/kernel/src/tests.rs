// SPDX-License-Identifier: GPL-2.0

//! Tests of the model: errors that it must find, and correct code that it must accept.

use crate::{
    model::{self, Spawned},
    sync::{Arc, CondVar, Mutex, MutexGuard},
};

/// A number, and a condition variable for its changes.
struct Shared {
    value: Mutex<u32>,
    changed: CondVar,
}

fn shared() -> Arc<Shared> {
    Arc::new(Shared {
        value: Mutex::new(0, "Shared::value"),
        changed: CondVar::new("Shared::changed"),
    })
}

/// Waits until the number is not zero, and decrements it. Returns whether a signal came first.
fn take(shared: &Shared) -> bool {
    let mut value = shared.value.lock();
    while *value == 0 {
        if shared.changed.wait_interruptible(&mut value) && *value == 0 {
            return true;
        }
    }
    *value -= 1;
    false
}

/// Increments the number.
fn give(shared: &Shared) {
    *shared.value.lock() += 1;
    shared.changed.notify_one();
}

fn spawn<T: Send + 'static>(
    shared: &Arc<Shared>,
    f: impl FnOnce(&Shared) -> T + Send + 'static,
) -> Spawned<T> {
    let shared = Arc::clone(shared);
    model::spawn(move || f(&shared))
}

#[test]
fn notify_wakes_a_waiter() {
    model::check("notify_wakes_a_waiter", 9, || {
        let shared = shared();
        spawn(&shared, take);
        spawn(&shared, give);
        model::join();
    });
}

#[test]
#[should_panic = "deadlock"]
fn a_check_without_the_lock_loses_a_wakeup() {
    model::check("a_check_without_the_lock_loses_a_wakeup", 1, || {
        let shared = shared();
        spawn(&shared, |shared| {
            if *shared.value.lock() == 0 {
                shared.changed.wait(&mut shared.value.lock());
            }
        });
        spawn(&shared, give);
        model::join();
    });
}

#[test]
#[should_panic = "deadlock"]
fn a_wakeup_before_the_change_is_found() {
    model::check("a_wakeup_before_the_change_is_found", 1, || {
        let shared = shared();
        spawn(&shared, take);
        spawn(&shared, |shared| {
            shared.changed.notify_one();
            *shared.value.lock() += 1;
        });
        model::join();
    });
}

#[test]
#[should_panic = "sleeping with [\"Shared::value\"] held"]
fn locking_twice_is_a_deadlock() {
    model::check("locking_twice_is_a_deadlock", 0, || {
        let shared = shared();
        let _first = shared.value.lock();
        let _second = shared.value.lock();
    });
}

#[test]
fn sleepers_are_woken_in_the_order_they_came() {
    model::check("sleepers_are_woken_in_the_order_they_came", 3, || {
        let shared = shared();
        let order = Arc::new(Mutex::new(Vec::new(), "order"));
        for number in 0..3 {
            let order = Arc::clone(&order);
            spawn(&shared, move |shared| {
                shared.changed.wait(&mut shared.value.lock());
                order.lock().push(number);
            });
            model::settle();
        }
        for woken in 1..4 {
            shared.changed.notify_one();
            model::settle();
            assert_eq!(*order.lock(), (0..woken).collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_signal_ends_a_sleep() {
    model::check("a_signal_ends_a_sleep", 9, || {
        let shared = shared();
        let sleeper = spawn(&shared, take);
        sleeper.signal();
        model::settle();
        assert_eq!(sleeper.result(), Some(true));
    });
}

/// Sends the first of two waiters a signal, and then one wakeup to both, with the lock held in
/// between if `lock` takes it. Returns for each waiter whether it was woken.
fn signal_and_wakeup(lock: impl Fn(&Shared) -> Option<MutexGuard<'_, u32>>) -> [bool; 2] {
    let shared = shared();
    let sleepers = [(); 2].map(|()| {
        let sleeper = spawn(&shared, |shared| {
            let _ = shared.changed.wait_interruptible(&mut shared.value.lock());
        });
        model::settle();
        sleeper
    });
    let held = lock(&shared);
    sleepers[0].signal();
    if held.is_some() {
        // The first waiter now waits for the lock.
        model::settle();
    }
    shared.changed.notify_one();
    drop(held);
    model::settle();
    let woken = sleepers
        .each_ref()
        .map(|sleeper| sleeper.result().is_some());
    shared.changed.notify_all();
    model::join();
    woken
}

#[test]
fn a_signalled_waiter_that_waits_for_the_lock_uses_a_wakeup_up() {
    model::check(
        "a_signalled_waiter_that_waits_for_the_lock_uses_a_wakeup_up",
        0,
        || {
            let woken = signal_and_wakeup(|shared| Some(shared.value.lock()));
            assert_eq!(woken, [true, false]);
        },
    );
}

#[test]
fn a_running_signalled_waiter_leaves_the_wakeup_to_others() {
    model::check(
        "a_running_signalled_waiter_leaves_the_wakeup_to_others",
        0,
        || {
            assert_eq!(signal_and_wakeup(|_| None), [true, true]);
        },
    );
}

#[test]
fn every_interleaving_is_tried() {
    // Two tasks with two steps each have six orders.
    let seen = Arc::new(std::sync::Mutex::new(std::collections::BTreeSet::new()));
    let all = Arc::clone(&seen);
    model::check("every_interleaving_is_tried", 9, move || {
        let order = Arc::new(std::sync::Mutex::new(String::new()));
        for name in ['a', 'b'] {
            let order = Arc::clone(&order);
            model::spawn(move || {
                for _ in 0..2 {
                    model::point();
                    order.lock().map(|mut order| order.push(name)).unwrap_or(());
                }
            });
        }
        model::join();
        let order = order.lock().map(|order| order.clone()).unwrap_or_default();
        all.lock().map(|mut all| all.insert(order)).unwrap_or(false);
    });
    let seen = seen.lock().map(|seen| seen.clone()).unwrap_or_default();
    let seen: Vec<_> = seen.iter().map(String::as_str).collect();
    assert_eq!(seen, ["aabb", "abab", "abba", "baab", "baba", "bbaa"]);
}
