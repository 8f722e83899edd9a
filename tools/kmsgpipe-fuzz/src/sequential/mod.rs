// SPDX-License-Identifier: GPL-2.0

//! Sequential calls, each compared with the model.
//!
//! Each of several users is a thread. The threads take turns, and each turn is a few calls.

mod control;
mod data;
mod files;
mod views;
mod world;

use crate::{
    model::Pipe,
    rng::Rng,
    sys,
    trace::{Checked, Fault, Trace},
    user::{become_one, Node, USERS},
};
use nix::libc;
use std::{
    sync::{Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};
use world::World;

/// Maximum duration of a call, none of which blocks; long enough for a debug kernel.
const WATCHDOG: Duration = Duration::from_secs(120);

/// Maximum number of calls per turn.
const TURN_MAX: u64 = 40;

/// State that the threads share.
struct Shared {
    world: World,
    /// The user whose turn it is.
    turn: usize,
    /// Generator that decides the order of turns.
    turns: Rng,
    /// Set when the run ends, with its result.
    end: Option<Checked>,
}

/// Weights of the calls, and the functions that make them.
type Table = [(u64, fn(&mut World, &Trace) -> Checked)];

/// A call on a random descriptor.
macro_rules! with_file {
    ($method:ident) => {
        |world: &mut World, trace: &Trace| match world.file() {
            Some(file) => world.$method(trace, file),
            None => Ok(()),
        }
    };
}

/// The calls; slow ones have a low weight.
const CALLS: &Table = &[
    (2400, World::write),
    (2400, World::read),
    (500, World::poll),
    (400, with_file!(next_len)),
    (700, with_file!(get_stats)),
    (200, with_file!(get_params)),
    (200, with_file!(toggle_block)),
    (200, with_file!(get_flags)),
    (200, with_file!(set_flags)),
    (300, with_file!(unknown_request)),
    (250, with_file!(dump)),
    (100, with_file!(clear_queue)),
    (200, with_file!(set_params)),
    (100, with_file!(flush_periodic)),
    (200, World::splice_in),
    (200, World::splice_out),
    (100, World::hostile_vector),
    (300, with_file!(refused)),
    (100, World::closed),
    (250, World::open),
    (200, World::close),
    (100, with_file!(dup)),
    (60, World::epoll),
    (30, World::proc_file),
    (60, World::sysfs_value),
    (30, World::sysfs_setting),
    (30, World::sysfs_overflow),
    (20, World::debug_file),
    (30, with_file!(fdinfo)),
    (25, with_file!(create_new)),
    (15, with_file!(destroy)),
    (15, World::sysfs_command),
];

/// Makes a random call.
fn any_call(world: &mut World, trace: &Trace) -> Checked {
    let total = CALLS.iter().map(|(weight, _)| weight).sum();
    let mut at = world.rng.below(total);
    for (weight, call) in CALLS {
        match at.checked_sub(*weight) {
            Some(rest) => at = rest,
            None => return call(world, trace),
        }
    }
    Ok(())
}

/// Makes the calls of one turn.
fn take_turn(shared: &mut Shared, trace: &Trace, calls: u64) -> Checked {
    let Shared { world, turns, .. } = shared;
    world.user = shared.turn;
    for _ in 0..=turns.below(TURN_MAX) {
        any_call(world, trace)?;
    }
    // Compares the statistics, to detect silent corruption soon after it happened.
    if let Some(file) = world.file() {
        world.get_stats(trace, file)?;
    }
    if trace.calls() >= calls {
        shared.end = Some(Ok(()));
    }
    // Root has more turns, because only root can change things.
    shared.turn = turns.one_of(&[0, 0, 0, 1, 2, 3]);
    Ok(())
}

/// Makes `calls` calls, determined by `seed`.
pub fn run(seed: u64, calls: u64, trace: &Trace) -> Checked {
    let world = begin(seed)?;
    let shared = Mutex::new(Shared {
        world,
        turn: 0,
        turns: Rng::new(!seed),
        end: None,
    });
    let turn = Condvar::new();
    thread::scope(|scope| {
        for user in 0..USERS.len() {
            let (shared, turn) = (&shared, &turn);
            scope.spawn(move || {
                become_one(user);
                let mut guard = shared.lock().unwrap_or_else(PoisonError::into_inner);
                while guard.end.is_none() {
                    if guard.turn == user {
                        if let Err(fault) = take_turn(&mut guard, trace, calls) {
                            guard.end = Some(Err(fault));
                        }
                        turn.notify_all();
                    } else {
                        guard = turn.wait(guard).unwrap_or_else(PoisonError::into_inner);
                    }
                }
            });
        }
        watch(seed, trace, &shared);
    });
    let mut shared = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    shared.end.take().unwrap_or(Ok(()))?;
    end(shared.world)
}

/// Waits for the end, and exits the program if a call takes too long.
fn watch(seed: u64, trace: &Trace, shared: &Mutex<Shared>) {
    let mut last = (trace.calls(), 0);
    loop {
        thread::sleep(Duration::from_millis(100));
        if let Ok(shared) = shared.try_lock() {
            if shared.end.is_some() {
                return;
            }
        }
        last = match last {
            (calls, ticks) if calls == trace.calls() => (calls, ticks + 1),
            _ => (trace.calls(), 0),
        };
        if last.1 > WATCHDOG.as_millis() / 100 {
            println!(
                "# seed {seed}: call {} does not end\n{}",
                last.0,
                trace.tell()
            );
            println!("not ok 1 sequential: a call blocks unexpectedly");
            std::process::exit(1);
        }
    }
}

/// Empties pipe 0, and lowers its limits so that it is often full.
fn begin(seed: u64) -> Checked<World> {
    let fd = sys::open_pipe("/dev/kmsgpipe0", libc::O_RDWR);
    if fd < 0 {
        return Err(Fault("cannot open /dev/kmsgpipe0".into()));
    }
    let fd = fd as i32;
    let mut stats = crate::model::Stats::default();
    // A message shows the last sequence number, and receiving it forgets what was lost before.
    let mut byte = [0];
    if std::fs::write("/sys/class/kmsgpipe/pipe0/overflow", "block").is_err()
        || sys::ioctl_of(fd, kmsgpipe_sys::CLEAR_QUEUE, &mut stats) != 0
        || sys::write_of(fd, &byte) != 1
        || sys::ioctl_of(fd, kmsgpipe_sys::GET_STATS, &mut stats) != 0
    {
        return Err(Fault("pipe 0 is in use, or this is not root".into()));
    }
    let last_seq = stats.head_seq;
    if sys::read_into(fd, &mut byte) != 1
        || sys::ioctl_of(fd, kmsgpipe_sys::GET_STATS, &mut stats) != 0
        || (stats.readers, stats.writers) != (1, 1)
    {
        return Err(Fault("pipe 0 is in use, or this is not root".into()));
    }
    let last_id = last_id(fd)?;
    sys::close(fd);
    let node = Node {
        path: "/dev/kmsgpipe0".into(),
        mode: 0o666,
        uid: 0,
        gid: 0,
    };
    Ok(World::new(
        seed,
        Pipe::resume(&stats, last_seq),
        node,
        last_id,
    ))
}

/// Creates and destroys a pipe, and returns its number, which is the highest used so far.
fn last_id(zero: i32) -> Checked<u32> {
    let mut create = kmsgpipe_sys::raw::kmsgpipe_create {
        msg_size: 1,
        max_msgs: 1,
        ..Default::default()
    };
    let id = sys::ioctl_of(zero, kmsgpipe_sys::CREATE_NEW, &mut create);
    match u32::try_from(id) {
        Ok(number) if std::fs::write("/sys/class/kmsgpipe/destroy", id.to_string()).is_ok() => {
            Ok(number)
        }
        _ => Err(Fault(format!(
            "cannot create a pipe to determine the last number: {id}"
        ))),
    }
}

/// Closes and destroys everything.
fn end(mut world: World) -> Checked {
    world.close_all()?;
    sys::close(world.plain.0);
    sys::close(world.plain.1);
    crate::tidy()
}
