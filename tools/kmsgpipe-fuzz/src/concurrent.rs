// SPDX-License-Identifier: GPL-2.0

//! Linearizability: several users make overlapping calls on one small pipe in short bursts, and the results
//! must be those of some sequential order of the calls.

use crate::{
    linear::{apply, explain, Event, Line, Op, Outcome},
    memory::{self, Arena},
    model::{err, Body, Pipe, Stats, User},
    rng::Rng,
    sys,
    trace::{Checked, Fault},
    user::{become_one, USERS},
};
use kmsgpipe_sys::{self as uapi, raw};
use nix::libc;
use std::{
    fmt::Write,
    mem,
    sync::{
        atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::SeqCst},
        Barrier, Mutex, PoisonError,
    },
    thread,
};

/// Users of the threads.
const THREADS: [usize; 4] = [0, 1, 2, 0];

/// Maximum number of calls per thread in a burst.
const CALLS_MAX: u64 = 8;

/// Maximum number of bursts on one pipe.
const BURSTS: u64 = 128;

/// Buffer size for any message.
const ROOM: usize = 64;

/// State that the threads share.
struct Shared {
    fd: AtomicI32,
    clock: AtomicU64,
    /// Number of threads that are ready to start.
    ready: AtomicU64,
    over: AtomicBool,
    start: Barrier,
    end: Barrier,
    /// The calls of each thread, and whether it yields before each call.
    plans: [Mutex<Vec<(Op, bool)>>; THREADS.len()],
    events: Mutex<Vec<Event>>,
}

/// Returns the bytes of a message.
fn text(body: Body) -> Vec<u8> {
    let fill = |at: u32| body.key.wrapping_mul(31).wrapping_add(at) as u8;
    let key = body.key.to_le_bytes();
    (0..body.len)
        .map(|at| key.get(at as usize).copied().unwrap_or_else(|| fill(at)))
        .collect()
}

/// Returns the message with these bytes, with an unused key if no message has them.
fn body(bytes: &[u8]) -> Body {
    let key = bytes
        .first_chunk()
        .map_or(u32::MAX, |key| u32::from_le_bytes(*key));
    let body = Body {
        key,
        len: bytes.len() as u32,
    };
    if text(body) == bytes {
        body
    } else {
        Body {
            key: u32::MAX,
            ..body
        }
    }
}

/// Returns the outcome of a call that failed, or else `other`.
fn number(ret: i64, other: impl FnOnce() -> Outcome) -> Outcome {
    if ret < 0 {
        Outcome::Ret(ret)
    } else {
        other()
    }
}

/// Makes a call.
fn call(fd: i32, op: Op, arena: &mut Arena) -> Outcome {
    let request = |request| Outcome::Ret(sys::ioctl(fd, request, memory::Address::NOWHERE));
    match op {
        Op::Write(body) => Outcome::Ret(sys::write_nowait(fd, &text(body))),
        Op::Read(room) => {
            let mut buffer = [0; ROOM];
            let ret = sys::read_nowait(fd, &mut buffer[..room as usize]);
            number(ret, || Outcome::Message(body(&buffer[..ret as usize])))
        }
        Op::Poll => {
            let mut file = [libc::pollfd {
                fd,
                events: 0x7ff,
                revents: 0,
            }];
            match sys::poll(&mut file, 0) {
                ret @ ..0 => Outcome::Ret(ret),
                _ => Outcome::Ret(file[0].revents.into()),
            }
        }
        Op::NextLen => {
            let mut len = 0i32;
            let ret = sys::ioctl_of(fd, libc::FIONREAD as u32, &mut len);
            number(ret, || Outcome::Ret(len.into()))
        }
        Op::Stats => {
            let mut stats = Stats::default();
            let ret = sys::ioctl_of(fd, uapi::GET_STATS, &mut stats);
            stats.head_age_ns = 0;
            number(ret, || Outcome::Stats(Box::new(stats)))
        }
        Op::Params => {
            let mut params = raw::kmsgpipe_params::default();
            let ret = sys::ioctl_of(fd, uapi::GET_PARAMS, &mut params);
            number(ret, || Outcome::Params(params.msg_size, params.max_msgs))
        }
        Op::SetParams(msg_size, max_msgs) => {
            let mut params = raw::kmsgpipe_params {
                msg_size,
                max_msgs,
                ..Default::default()
            };
            Outcome::Ret(sys::ioctl_of(fd, uapi::SET_PARAMS, &mut params))
        }
        Op::Clear => request(uapi::CLEAR_QUEUE),
        Op::Destroy => request(uapi::DESTROY),
        Op::Dump => {
            let mut dump = raw::kmsgpipe_dump {
                buffer: arena.at(0).get() as u64,
                size: 4096,
                ..Default::default()
            };
            let ret = sys::ioctl_of(fd, uapi::DUMP, &mut dump);
            number(ret, || Outcome::Dump(lines(arena, dump.records)))
        }
    }
}

/// Parses the records of a dump.
fn lines(arena: &Arena, records: u32) -> Vec<Line> {
    let mut at = arena.at(0);
    let mut lines = Vec::new();
    for _ in 0..records {
        let record: raw::kmsgpipe_record = arena.get(at);
        at = at.plus(size_of_val(&record));
        lines.push(Line {
            seq: record.seq,
            body: body(&arena.bytes(at, record.len as usize)),
            uid: record.uid,
            gid: record.gid,
            privileged: record.flags & raw::KMSGPIPE_RECORD_PRIVILEGED != 0,
        });
        at = at.plus(record.len.next_multiple_of(8) as usize);
    }
    lines
}

/// Runs one thread.
fn run_thread(shared: &Shared, thread: usize) {
    let user = USERS[THREADS[thread]];
    become_one(THREADS[thread]);
    let mut arena = Arena::new();
    loop {
        shared.start.wait();
        if shared.over.load(SeqCst) {
            return;
        }
        let plan = mem::take(&mut *lock(&shared.plans[thread]));
        let fd = shared.fd.load(SeqCst);
        let mut events = Vec::with_capacity(plan.len());
        // Spin until all threads are ready, so that they start at once.
        shared.ready.fetch_add(1, SeqCst);
        while shared.ready.load(SeqCst) < THREADS.len() as u64 {
            sys::sched_yield();
        }
        for (op, yields) in plan {
            let begin = shared.clock.fetch_add(1, SeqCst);
            if yields {
                sys::sched_yield();
            }
            let outcome = call(fd, op, &mut arena);
            let end = shared.clock.fetch_add(1, SeqCst);
            events.push(Event {
                user,
                op,
                outcome,
                begin,
                end,
            });
        }
        lock(&shared.events).append(&mut events);
        shared.end.wait();
    }
}

/// Locks a mutex, and ignores poisoning.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns a random call; `destroy` allows `DESTROY`.
fn any_op(rng: &mut Rng, key: &mut u32, destroy: bool) -> Op {
    *key += 1;
    let body = Body {
        key: *key,
        len: rng.one_of(&[4, 4, 5, 8, 8, 9, 12, 16, 17]),
    };
    match rng.below(64) {
        0..22 => Op::Write(body),
        22..42 => Op::Read(rng.one_of(&[1, 4, 7, 8, 16, 16, 64, 64])),
        42..48 => Op::Poll,
        48..51 => Op::NextLen,
        51..55 => Op::Stats,
        55 => Op::Params,
        56..59 => Op::SetParams(rng.one_of(&[8, 16]), rng.one_of(&[1, 2, 3])),
        59 | 60 => Op::Clear,
        61 if destroy => Op::Destroy,
        _ => Op::Dump,
    }
}

/// Creates a pipe with this overflow policy, and returns its only open file and the model of the pipe.
fn create_pipe(overflow: u32) -> Checked<(i32, Pipe)> {
    let mut create = raw::kmsgpipe_create {
        msg_size: 16,
        max_msgs: 2,
        mode: 0o666,
        overflow,
        ..Default::default()
    };
    let zero = sys::open("/dev/kmsgpipe0", libc::O_RDONLY) as i32;
    let id = sys::ioctl_of(zero, uapi::CREATE_NEW, &mut create);
    sys::close(zero);
    let fd = sys::open_pipe(&format!("/dev/kmsgpipe{id}"), libc::O_RDWR);
    if id < 0 || fd < 0 {
        return Err(Fault(format!(
            "cannot create a pipe for a burst: {id}, {fd}"
        )));
    }
    let mut pipe = Pipe::new(id as u32, create.msg_size, create.max_msgs);
    (pipe.readers, pipe.writers) = (1, 1);
    pipe.overflow = overflow;
    Ok((fd as i32, pipe))
}

/// Describes a burst that cannot be explained.
fn describe(pipe: &Pipe, events: &mut [Event], longest: u32) -> String {
    let mut text = format!(
        "no sequential order explains these results (at best {longest} of {} calls), \
         from {:?}\n",
        events.len(),
        pipe
    );
    events.sort_by_key(|event| event.begin);
    for event in events {
        let _ = writeln!(
            text,
            "#   {}-{} by uid {}: {:?} -> {:?}",
            event.begin, event.end, event.user.uid, event.op, event.outcome
        );
    }
    text
}

/// Runs bursts until `calls` calls were made, and counts them in `made`.
pub fn run(seed: u64, calls: u64, made: &mut u64) -> Checked {
    let shared = Shared {
        fd: AtomicI32::new(-1),
        clock: AtomicU64::new(0),
        ready: AtomicU64::new(0),
        over: AtomicBool::new(false),
        start: Barrier::new(THREADS.len() + 1),
        end: Barrier::new(THREADS.len() + 1),
        plans: Default::default(),
        events: Mutex::default(),
    };
    let result = thread::scope(|scope| {
        for thread in 0..THREADS.len() {
            let shared = &shared;
            scope.spawn(move || run_thread(shared, thread));
        }
        let result = bursts(seed, calls, &shared, made);
        shared.over.store(true, SeqCst);
        shared.start.wait();
        result
    });
    result.and_then(|()| crate::tidy())
}

/// Runs the bursts and checks their results.
fn bursts(seed: u64, calls: u64, shared: &Shared, made: &mut u64) -> Checked {
    let mut rng = Rng::new(seed ^ 0x6c69_6e65);
    let mut key = 0;
    let mut arena = Arena::new();
    while *made < calls {
        let (fd, mut pipe) = create_pipe(rng.below(3) as u32)?;
        shared.fd.store(fd, SeqCst);
        for burst in 0..BURSTS {
            for plan in &shared.plans {
                let count = 3 + rng.below(CALLS_MAX - 2);
                let yields = rng.once_in(2);
                *lock(plan) = (0..count)
                    .map(|_| {
                        let op = any_op(&mut rng, &mut key, burst + 8 > BURSTS);
                        (op, yields && rng.once_in(2))
                    })
                    .collect();
            }
            shared.ready.store(0, SeqCst);
            shared.start.wait();
            shared.end.wait();
            let mut events = mem::take(&mut *lock(&shared.events));
            *made += events.len() as u64;
            // Four more calls determine the state of the pipe, which depends on the order: whether messages
            // were lost, the last sequence number, which no call shows for an empty pipe, and the rest.
            key += 1;
            let last = Op::Write(Body { key, len: 4 });
            for op in [Op::Poll, last, Op::Stats, Op::Dump] {
                let begin = shared.clock.fetch_add(1, SeqCst);
                let outcome = call(fd, op, &mut arena);
                events.push(Event {
                    user: USERS[0],
                    op,
                    outcome,
                    begin,
                    end: shared.clock.fetch_add(1, SeqCst),
                });
                *made += 1;
            }
            pipe = explain(&pipe, &events)
                .map_err(|longest| Fault(describe(&pipe, &mut events, longest)))?;
            if pipe.dead || *made >= calls {
                break;
            }
        }
        finish(fd, &mut pipe)?;
    }
    Ok(())
}

/// Destroys a pipe, unless it is destroyed, and checks its final state.
fn finish(fd: i32, pipe: &mut Pipe) -> Checked {
    let user: User = USERS[0];
    let mut arena = Arena::new();
    for op in [Op::Destroy, Op::Stats, Op::Poll] {
        let want = apply(pipe, user, op);
        let got = call(fd, op, &mut arena);
        crate::trace::same("a destroyed pipe", &want, &got)?;
    }
    let ret = sys::close(fd);
    crate::trace::expect("close", 0, ret)?;
    // The pipe was removed with its last open file.
    crate::trace::expect("close again", err(libc::EBADF), sys::close(fd))
}
