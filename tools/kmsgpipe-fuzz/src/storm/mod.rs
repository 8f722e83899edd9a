// SPDX-License-Identifier: GPL-2.0

//! Threads of several users that make any call at any time, blocking ones too, on descriptors that they
//! share and close under each other. What holds whatever happens is checked as they go; the rest when all
//! is quiet.

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

/// The users of the threads.
const THREADS: [usize; 6] = [0, 1, 2, 3, 0, 1];

/// How many pipes are in use: pipe 0, and two that come and go.
const PIPES: usize = 3;

/// Their nodes.
const NODES: [&str; PIPES] = [
    "/dev/kmsgpipe0",
    "/dev/kmsgpipe/storm-a",
    "/dev/kmsgpipe/storm-b",
];

/// How many descriptors are shared. Each is one of the same pipe whenever it is open.
const SLOTS: usize = 12;

/// The number of the first of them: no other file gets one as high.
const FIRST: i32 = 200;

/// The most calls of a thread before all is looked at.
const BURST: u64 = 1000;

/// How often whoever sleeps is woken by a signal.
const KICK: Duration = Duration::from_millis(2);

/// How long a thread may take after its last call is due: it is signalled all the time.
const WATCHDOG: Duration = Duration::from_secs(120);

/// The shared descriptors.
struct Slots;

impl Slots {
    /// The number of a descriptor, which may be open.
    fn fd(&self, slot: usize) -> i32 {
        FIRST + slot as i32
    }
}

/// What must hold from one quiet point to the next.
struct Quiet {
    seen: HashSet<(u32, u64)>,
    /// Messages sent to pipe 0 and received from it.
    passed: (u64, u64),
    last: Stats,
    /// The number of the last message of each thread.
    counts: [u64; THREADS.len()],
}

/// Bursts until there were `calls` calls; `made` says how many there were.
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
        // Nobody is left who could change anything.
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

/// Lets all threads make so many calls each.
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
                println!("not ok 3 free-running: a thread does not come back");
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

/// The statistics of an open file.
fn stats(fd: i32) -> Checked<Stats> {
    let mut stats = Stats::default();
    match sys::ioctl_of(fd, uapi::GET_STATS, &mut stats) {
        0 => Ok(stats),
        ret => Err(Fault(format!("GET_STATS when all is quiet: {ret}"))),
    }
}

/// Checks what must hold when nobody does anything.
fn check(zero: i32, quiet: &mut Quiet, first: &Stats, done: &[Done]) -> Checked {
    for done in done {
        done.received.once(&mut quiet.seen).map_err(Fault)?;
        quiet.passed.0 += done.sent;
        quiet.passed.1 += done.received.of_pipe(0);
    }
    let now = stats(zero)?;
    let fault = |what: &str| Err(Fault(format!("{what} when all is quiet: {now:?}")));
    if now.enqueued_msgs - first.enqueued_msgs != quiet.passed.0 {
        return fault(&format!(
            "{} messages were sent, which is not",
            quiet.passed.0
        ));
    }
    if now.dequeued_msgs - first.dequeued_msgs != quiet.passed.1 {
        return fault(&format!(
            "{} messages were received, which is not",
            quiet.passed.1
        ));
    }
    if !monotone(&quiet.last, &now) {
        return fault(&format!("a counter went back from {:?}", quiet.last));
    }
    quiet.last = now;
    all_pipes(zero)
}

/// Whether no counter went back.
fn monotone(before: &Stats, now: &Stats) -> bool {
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

/// Whether a snapshot makes sense.
fn is_sound(s: &Stats) -> bool {
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

/// Checks each pipe that is open: its account, and that it counts the files that there are.
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
            // Destroyed; nothing is known of it.
            ret if ret == err(libc::ENODEV) => continue,
            ret => return Err(Fault(format!("GET_STATS when all is quiet: {ret}"))),
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
        if !is_sound(&stats) {
            return Err(Fault(format!("this does not add up: {stats:?}")));
        }
    }
    Ok(())
}
