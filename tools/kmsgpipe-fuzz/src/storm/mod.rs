// SPDX-License-Identifier: GPL-2.0

//! Storm: threads of several users make random calls, including blocking ones, on descriptors that they share
//! and close concurrently. Invariants of single calls are checked during the run, all others after each
//! burst, when no thread runs.

mod actor;
mod payload;

use crate::{
    model::{err, Stats},
    sys,
    trace::{Checked, Fault},
};
use actor::{Actor, Done};
use kmsgpipe_sys as uapi;
use nix::libc;
use std::{
    collections::{BTreeMap, HashSet},
    sync::atomic::{AtomicI32, AtomicU64, Ordering::SeqCst},
    thread,
    time::Duration,
};

/// Users of the threads.
const THREADS: [usize; 6] = [0, 1, 2, 3, 0, 1];

/// Number of pipes: pipe 0, and two that are created and destroyed.
const PIPES: usize = 3;

/// Nodes of the pipes.
const NODES: [&str; PIPES] = [
    "/dev/kmsgpipe0",
    "/dev/kmsgpipe/storm-a",
    "/dev/kmsgpipe/storm-b",
];

/// Number of shared descriptors. Each refers to the same pipe whenever it is open.
const SLOTS: usize = 12;

/// Lowest shared descriptor, above those of all other files.
const FIRST: i32 = 200;

/// Maximum number of calls per thread in a burst.
const BURST: u64 = 1000;

/// Interval in which blocked threads are interrupted by a signal.
const KICK: Duration = Duration::from_millis(2);

/// Maximum time after a thread's last call is due, although it is signalled continuously.
const WATCHDOG: Duration = Duration::from_secs(120);

/// The shared descriptors.
struct Slots;

impl Slots {
    /// Returns the number of a descriptor, which may be closed.
    fn fd(&self, slot: usize) -> i32 {
        FIRST + slot as i32
    }
}

/// State that must be consistent between bursts.
struct Quiet {
    seen: HashSet<(u32, u64)>,
    /// Number of messages sent to pipe 0 and received from it.
    passed: (u64, u64),
    last: Stats,
    /// Number of the last message of each thread.
    counts: [u64; THREADS.len()],
}

/// Runs bursts until `calls` calls were made, and counts them in `made`.
pub fn run(seed: u64, calls: u64, made: &mut u64) -> Checked {
    let zero = sys::open_pipe(NODES[0], libc::O_RDWR) as i32;
    let mut quiet = Quiet {
        seen: HashSet::new(),
        passed: (0, 0),
        last: stats(zero)?,
        counts: [0; THREADS.len()],
    };
    let first = quiet.last;
    let mut round = 0;
    while *made < calls {
        round += 1;
        let count = BURST.min((calls - *made).div_ceil(THREADS.len() as u64));
        let done = burst(seed ^ (round << 8), count, &quiet.counts)?;
        // No thread runs that could change anything.
        for (count, done) in quiet.counts.iter_mut().zip(&done) {
            *made += done.calls;
            *count = done.count;
        }
        check(zero, &mut quiet, &first, &done)?;
    }
    for slot in 0..SLOTS {
        sys::close(Slots.fd(slot));
    }
    sys::close(zero);
    crate::tidy()
}

/// Runs one burst: each thread makes `calls` calls.
fn burst(seed: u64, calls: u64, counts: &[u64; THREADS.len()]) -> Checked<Vec<Done>> {
    let epoll = sys::epoll() as i32;
    let tids = [const { AtomicI32::new(0) }; THREADS.len()];
    let left = AtomicU64::new(THREADS.len() as u64);
    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS.len())
            .map(|number| {
                let (tids, left) = (&tids, &left);
                scope.spawn(move || {
                    tids[number].store(sys::gettid(), SeqCst);
                    let seed = seed.wrapping_add(number as u64);
                    let (user, count) = (THREADS[number], counts[number]);
                    let actor = Actor::new(user, number as u32, seed, &Slots, epoll, count);
                    let result = actor.run(calls);
                    tids[number].store(0, SeqCst);
                    left.fetch_sub(1, SeqCst);
                    result
                })
            })
            .collect();
        let mut ticks = 0;
        while left.load(SeqCst) > 0 {
            thread::sleep(KICK);
            for tid in &tids {
                match tid.load(SeqCst) {
                    0 => {}
                    tid => {
                        sys::kick(tid);
                    }
                }
            }
            ticks += 1;
            if ticks > WATCHDOG.as_millis() / KICK.as_millis() {
                println!("not ok 3 storm: a thread hangs");
                std::process::exit(1);
            }
        }
        threads.into_iter().map(|thread| thread.join()).collect()
    });
    sys::close(epoll);
    results
        .into_iter()
        .map(|result| match result {
            Ok(result) => result.map_err(Fault),
            Err(_) => Err(Fault("a thread panicked".into())),
        })
        .collect()
}

/// Returns the statistics of an open file.
fn stats(fd: i32) -> Checked<Stats> {
    let mut stats = Stats::default();
    match sys::ioctl_of(fd, uapi::GET_STATS, &mut stats) {
        0 => Ok(stats),
        ret => Err(Fault(format!("GET_STATS between bursts: {ret}"))),
    }
}

/// Checks the invariants that hold while no thread runs.
fn check(zero: i32, quiet: &mut Quiet, first: &Stats, done: &[Done]) -> Checked {
    for done in done {
        done.received.once(&mut quiet.seen).map_err(Fault)?;
        quiet.passed.0 += done.sent;
        quiet.passed.1 += done.received.of_pipe(0);
    }
    let now = stats(zero)?;
    let fault = |what: &str| Err(Fault(format!("{what} between bursts: {now:?}")));
    if now.enqueued_msgs - first.enqueued_msgs != quiet.passed.0 {
        return fault(&format!(
            "{} messages were sent, which does not match",
            quiet.passed.0
        ));
    }
    if now.dequeued_msgs - first.dequeued_msgs != quiet.passed.1 {
        return fault(&format!(
            "{} messages were received, which does not match",
            quiet.passed.1
        ));
    }
    if !is_monotonic(&quiet.last, &now) {
        return fault(&format!("a counter decreased from {:?}", quiet.last));
    }
    quiet.last = now;
    all_pipes(zero)
}

/// Returns whether no counter decreased.
fn is_monotonic(before: &Stats, now: &Stats) -> bool {
    let counters = |s: &Stats| {
        [
            s.enqueued_msgs,
            s.enqueued_bytes,
            s.dequeued_msgs,
            s.dequeued_bytes,
            s.expired_msgs,
            s.expired_bytes,
            s.dropped_msgs,
            s.dropped_bytes,
            s.refused_full,
            s.refused_size,
            s.peak_msgs,
            s.peak_bytes,
        ]
    };
    counters(before)
        .iter()
        .zip(counters(now))
        .all(|(before, now)| *before <= now)
}

/// Returns whether the counters of a snapshot are consistent.
fn is_consistent(s: &Stats) -> bool {
    let gone = s.dequeued_msgs + s.expired_msgs + s.dropped_msgs;
    let gone_bytes = s.dequeued_bytes + s.expired_bytes + s.dropped_bytes;
    s.enqueued_msgs == gone + s.depth_msgs
        && s.enqueued_bytes == gone_bytes + s.depth_bytes
        && s.depth_msgs <= s.max_msgs.into()
        && s.depth_bytes <= u64::from(s.max_msgs) * u64::from(s.msg_size)
        && s.depth_msgs <= s.peak_msgs
        && s.depth_bytes <= s.peak_bytes
        && (s.waiting_readers, s.waiting_writers) == (0, 0)
        && s.reserved.iter().all(|word| *word == 0)
}

/// Checks the counters of each open pipe, and that its open counts match the open files.
fn all_pipes(zero: i32) -> Checked {
    let mut users = BTreeMap::from([(0, (1, 1, stats(zero)?))]);
    for slot in 0..SLOTS {
        let fd = Slots.fd(slot);
        let flags = sys::fcntl(fd, libc::F_GETFL, 0);
        if flags == err(libc::EBADF) {
            continue;
        }
        let mut stats = Stats::default();
        match sys::ioctl_of(fd, uapi::GET_STATS, &mut stats) {
            0 => {}
            // The pipe is destroyed and has no statistics.
            ret if ret == err(libc::ENODEV) => continue,
            ret => return Err(Fault(format!("GET_STATS between bursts: {ret}"))),
        }
        let entry = users.entry(stats.id).or_insert((0, 0, stats));
        let access = flags as i32 & libc::O_ACCMODE;
        entry.0 += u32::from(matches!(access, libc::O_RDONLY | libc::O_RDWR));
        entry.1 += u32::from(matches!(access, libc::O_WRONLY | libc::O_RDWR));
    }
    for (readers, writers, stats) in users.into_values() {
        if (stats.readers, stats.writers) != (readers, writers) {
            return Err(Fault(format!(
                "{readers} files are open for reading and {writers} for writing: {stats:?}"
            )));
        }
        if !is_consistent(&stats) {
            return Err(Fault(format!("inconsistent counters: {stats:?}")));
        }
    }
    Ok(())
}
