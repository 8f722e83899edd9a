// SPDX-License-Identifier: GPL-2.0

//! One call after the other, each compared with a model that knows what it must do.
//!
//! Several users take turns, each a thread of its own: who has the turn makes a few calls.

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

/// How long a call may last, none of which waits for anything: a debug kernel is slow.
const WATCHDOG: Duration = Duration::from_secs(120);

/// The most calls of a turn.
const TURN_MAX: u64 = 40;

/// What the threads share.
struct Shared {
    world: World,
    /// Whose turn it is.
    turn: usize,
    /// Where the order of the turns comes from.
    turns: Rng,
    /// There is nothing more to do, for this reason.
    end: Option<Checked>,
}

/// How often which call is made, and how.
type Table = [(u64, fn(&mut World, &Trace) -> Checked)];

/// A call with any descriptor.
macro_rules! with_file {
    ($method:ident) => {
        |world: &mut World, trace: &Trace| match world.file() {
            Some(file) => world.$method(trace, file),
            None => Ok(()),
        }
    };
}

/// The calls; what takes long is rare.
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
    (20, World::debug_file),
    (30, with_file!(fdinfo)),
    (25, with_file!(create_new)),
    (15, with_file!(destroy)),
    (15, World::sysfs_command),
];

/// One of them.
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

/// A turn of the user who has it.
fn take_turn(shared: &mut Shared, trace: &Trace, calls: u64) -> Checked {
    let Shared { world, turns, .. } = shared;
    world.user = shared.turn;
    for _ in 0..=turns.below(TURN_MAX) {
        any_call(world, trace)?;
    }
    // What went wrong silently shows here, not far from where it did.
    if let Some(file) = world.file() {
        world.get_stats(trace, file)?;
    }
    if trace.calls() >= calls {
        shared.end = Some(Ok(()));
    }
    // Root more often: it is who changes things.
    shared.turn = turns.one_of(&[0, 0, 0, 1, 2, 3]);
    Ok(())
}

/// Makes `calls` calls that begin with those of `seed`.
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

/// Waits for the end; a call that takes too long ends the program.
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
            println!("not ok 1 sequential: a call sleeps that must not");
            std::process::exit(1);
        }
    }
}

/// Pipe 0, emptied, and with limits that make it full soon.
fn begin(seed: u64) -> Checked<World> {
    let fd = sys::open_pipe("/dev/kmsgpipe0", libc::O_RDWR);
    if fd < 0 {
        return Err(Fault("cannot open /dev/kmsgpipe0".into()));
    }
    let fd = fd as i32;
    let mut stats = crate::model::Stats::default();
    if sys::ioctl_of(fd, kmsgpipe_sys::CLEAR_QUEUE, &mut stats) != 0
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
    Ok(World::new(seed, Pipe::resume(&stats), node, last_id))
}

/// Makes a pipe and destroys it: its number, which is behind all that were used before.
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
        _ => Err(Fault(format!("no pipe to learn a number from: {id}"))),
    }
}

/// Closes and destroys all that there is.
fn end(mut world: World) -> Checked {
    world.close_all()?;
    sys::close(world.plain.0);
    sys::close(world.plain.1);
    crate::tidy()
}
