// SPDX-License-Identifier: GPL-2.0

//! One pipe: its lock, who waits for it, and what they do with it.
//!
//! # Rules
//!
//! - With the lock held nothing is allocated or freed, nothing is logged, and no page fault happens:
//!   user memory is copied with page faults disabled, or without the lock.
//! - Whoever adds a message or frees a slot wakes one sleeper for it, if there is one.
//! - A reader that was woken and leaves the lock without having taken a message wakes the next. (A
//!   writer has no reason to: its message is at hand when it sleeps.)

use kernel::{
    fs::File,
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    prelude::*,
    sync::{
        new_condvar,
        new_mutex,
        poll::{
            PollCondVar,
            PollTable, //
        },
        Arc,
        CondVar,
        Mutex,
        MutexGuard, //
    },
};

use crate::{
    device::Access,
    kernel_ext::{
        clock,
        cred,
        iov,
        misc::events, //
    },
    limits::Limits,
    message::{
        Message,
        MessageBox,
        Record,
        Sender,
        Stamp, //
    },
    pool::{
        self,
        Pool, //
    },
    queue::Queue,
    stats::{
        Account,
        Refused, //
    },
};

/// The longest message that is copied in with the lock held, in bytes; a longer one is copied before.
/// Several times a page, so that what is common takes one lock section.
const COPY_IN_LOCKED_MAX: usize = 16384;

/// How often a reader brings its memory in on trust. It nearly always has to once.
const FAULTS_ON_TRUST: u32 = 4;

/// Who uses a pipe.
#[derive(Clone, Copy, Default)]
pub(crate) struct Population {
    /// Open files that may read.
    pub(crate) readers: u32,
    /// Open files that may write.
    pub(crate) writers: u32,
    /// Tasks asleep because there is no message.
    pub(crate) waiting_readers: u32,
    /// Tasks asleep because there is no room.
    pub(crate) waiting_writers: u32,
}

impl Population {
    /// Counts a newly opened file in, or a closed one out.
    fn count(&mut self, access: Access, by: i32) {
        // The kernel bounds open files far below four billion.
        if access.read {
            self.readers = self.readers.wrapping_add_signed(by);
        }
        if access.write {
            self.writers = self.writers.wrapping_add_signed(by);
        }
    }

    /// Whether no file is open.
    fn is_empty(&self) -> bool {
        self.readers == 0 && self.writers == 0
    }
}

/// What the lock protects.
struct State {
    queue: Queue,
    pool: Pool,
    refused: Refused,
    population: Population,
    /// Somebody has polled: from then on every change is announced to pollers.
    polled: bool,
}

/// The oldest message, as statistics show it.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    /// What is known of it.
    pub(crate) record: Record,
    /// Its length in bytes.
    pub(crate) len: u32,
}

/// A consistent view of a pipe: all of it was true at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Snapshot {
    /// Number of the pipe.
    pub(crate) id: u32,
    /// What it may hold.
    pub(crate) limits: Limits,
    /// Where its messages have gone.
    pub(crate) account: Account,
    /// Writes that were refused.
    pub(crate) refused: Refused,
    /// Who uses it.
    pub(crate) population: Population,
    /// The oldest message.
    pub(crate) head: Option<Head>,
    /// When this was so: nanoseconds of `CLOCK_MONOTONIC`.
    pub(crate) now: i64,
}

/// One pipe.
///
/// Nothing refers to it but its registration and its open files, each with a reference of its own;
/// the last one to go frees the messages that are left and then the pipe.
#[pin_data]
pub(crate) struct Pipe {
    id: u32,
    #[pin]
    state: Mutex<State>,
    /// Readers that sleep until there is a message.
    #[pin]
    readers: CondVar,
    /// Writers that sleep until there is room.
    #[pin]
    writers: CondVar,
    /// Pollers that wait for a message. Apart from `readers`: an exclusive poller that is woken and
    /// then does not read must not have taken a sleeper's wakeup.
    #[pin]
    readable: PollCondVar,
    /// Pollers that wait for room.
    #[pin]
    writable: PollCondVar,
}

impl Pipe {
    /// Makes an empty pipe.
    pub(crate) fn new(id: u32, limits: Limits) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                id,
                state <- new_mutex!(
                    State {
                        queue: Queue::new(limits),
                        pool: Pool::new(),
                        refused: Refused::default(),
                        population: Population::default(),
                        polled: false,
                    },
                    "Pipe::state"
                ),
                readers <- new_condvar!("Pipe::readers"),
                writers <- new_condvar!("Pipe::writers"),
                readable <- kernel::new_poll_condvar!("Pipe::readable"),
                writable <- kernel::new_poll_condvar!("Pipe::writable"),
            }),
            GFP_KERNEL_ACCOUNT,
        )
    }

    /// Counts a newly opened file.
    pub(crate) fn attach(&self, access: Access) {
        self.state.lock().population.count(access, 1);
    }

    /// Counts a closed file. The last one takes the spare buffers with it; messages stay.
    pub(crate) fn detach(&self, access: Access) {
        let mut state = self.state.lock();
        state.population.count(access, -1);
        let spare = state.population.is_empty().then(|| state.pool.drain());
        drop(state);
        drop(spare);
    }

    /// Sends all of `source` as one message and returns its length in bytes; of nothing, no message
    /// is made.
    ///
    /// # Errors
    ///
    /// The queue is then as if there had been no call.
    ///
    /// - [`EMSGSIZE`]: it is longer than the pipe takes.
    /// - [`EAGAIN`]: the pipe is full and the call must not wait.
    /// - [`ERESTARTSYS`]: a signal came while it waited.
    /// - [`EFAULT`]: some of the memory cannot be read.
    /// - [`ENOMEM`].
    pub(crate) fn send(&self, source: &mut IovIterSource<'_>, nonblocking: bool) -> Result<usize> {
        let len = source.len();
        if len == 0 {
            return Ok(0);
        }

        // Memory for the message when it is not from the pool, and whether the payload is in it. It is
        // declared before the guard, so that it is dropped without the lock wherever this returns.
        let mut spare: Option<MessageBox> = None;
        let mut filled = false;
        let mut state = self.state.lock();
        loop {
            if len > state.queue.limits().msg_size() as usize {
                state.refused.size = state.refused.size.wrapping_add(1);
                return Err(EMSGSIZE);
            }

            let full = state.queue.is_full();
            if full && nonblocking {
                state.refused.full = state.refused.full.wrapping_add(1);
                return Err(EAGAIN);
            }

            if full && filled {
                state.population.waiting_writers += 1;
                let signal = self.writers.wait_interruptible(&mut state);
                state.population.waiting_writers -= 1;
                if signal && state.queue.is_full() {
                    return Err(ERESTARTSYS);
                }
                continue;
            }

            if spare.is_none() {
                spare = state.pool.take(len);
            }
            let ready = match &mut spare {
                Some(_) if filled => true,
                Some(message) if !full && len <= COPY_IN_LOCKED_MAX => {
                    message.fill(len, |payload| iov::fill_nofault(source, payload).is_ok())
                }
                _ => false,
            };
            if !ready {
                // A writer sleeps with its message at hand: it uses each slot that it is woken for.
                drop(state);
                let message = match &mut spare {
                    Some(message) => message,
                    None => spare.insert(Message::with_capacity(pool::capacity_for(len))?),
                };
                if !message.fill(len, |payload| iov::fill(source, payload).is_ok()) {
                    return Err(EFAULT);
                }
                filled = true;
                state = self.state.lock();
                continue;
            }

            let Some(mut message) = spare.take() else {
                continue;
            };
            let (uid, gid, pid) = cred::current_ids();
            message.record.sender = Sender { uid, gid, pid };
            let monotonic = clock::monotonic();
            let stamp = Stamp {
                monotonic,
                realtime: clock::monotonic_to_realtime(monotonic),
            };
            match state.queue.push(message, stamp) {
                Ok(()) => {
                    self.announce_message(state);
                    return Ok(len);
                }
                // Not reached, as there is room. The message would wait for some.
                Err(message) => {
                    spare = Some(message);
                    filled = true;
                }
            }
        }
    }

    /// Receives the oldest message into `dest` and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// The queue is then as if there had been no call.
    ///
    /// - [`EMSGSIZE`]: the message does not fit into `dest`.
    /// - [`EAGAIN`]: there is no message and the call must not wait.
    /// - [`ERESTARTSYS`]: a signal came while it waited.
    /// - [`EFAULT`]: some of the memory cannot be written.
    pub(crate) fn receive(&self, dest: &mut IovIterDest<'_>, nonblocking: bool) -> Result<usize> {
        // Whether this task was woken for a message that it has not taken yet.
        let mut woken = false;
        let mut faults = 0;
        let mut state = self.state.lock();
        loop {
            let Some(front) = state.queue.front() else {
                if nonblocking {
                    return Err(EAGAIN);
                }
                state.population.waiting_readers += 1;
                let signal = self.readers.wait_interruptible(&mut state);
                state.population.waiting_readers -= 1;
                if signal && state.queue.is_empty() {
                    return Err(ERESTARTSYS);
                }
                woken = true;
                continue;
            };

            let len = front.len();
            if len > dest.len() {
                self.pass_message_on(state, woken);
                return Err(EMSGSIZE);
            }
            // However long it is: a message that was taken off the queue first could come back only
            // out of order, and would be missed by others meanwhile.
            if iov::deliver_nofault(dest, front.payload()).is_ok() {
                let message = state.queue.pop();
                self.finish(state, message);
                return Ok(len);
            }

            self.pass_message_on(state, woken);
            woken = false;
            if faults < FAULTS_ON_TRUST {
                faults += 1;
                iov::fault_in(dest, len)?;
            } else {
                // Somebody keeps taking the memory away; or it can be brought in but not written to,
                // which only writing to it tells. That keeps this task busy, until a signal comes.
                if kernel::current!().signal_pending() {
                    return Err(ERESTARTSYS);
                }
                iov::overwrite(dest, len)?;
            }
            state = self.state.lock();
        }
    }

    /// Ends the delivery of a message: keeps its buffer for the next one, releases the lock, and
    /// tells of the free slot.
    fn finish(&self, mut state: MutexGuard<'_, State>, message: Option<MessageBox>) {
        let limit = pool::limit_for(&state.queue.limits());
        let surplus = message.map(|message| state.pool.put(message, limit));
        self.announce_room(state, 1);
        drop(surplus);
    }

    /// Drops every queued message.
    pub(crate) fn clear(&self) {
        let mut state = self.state.lock();
        let freed = state.queue.account().depth.msgs;
        let gone = state.queue.clear();
        self.announce_room(state, freed);
        drop(gone);
    }

    /// Answers `poll` for a file opened for `access`.
    pub(crate) fn poll(&self, file: &File, table: &PollTable<'_>, access: Access) -> u32 {
        if access.read {
            table.register_wait(file, &self.readable);
        }
        if access.write {
            table.register_wait(file, &self.writable);
        }

        // A change before this section is seen here, one after it is announced, as `polled` is set.
        let mut state = self.state.lock();
        state.polled = true;
        let mut answer = 0;
        if access.read && !state.queue.is_empty() {
            answer |= events::IN;
        }
        if access.write && !state.queue.is_full() {
            answer |= events::OUT;
        }
        answer
    }

    /// Takes a consistent view.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.state.lock();
        Snapshot {
            id: self.id,
            limits: state.queue.limits(),
            account: state.queue.account(),
            refused: state.refused,
            population: state.population,
            head: state.queue.front().map(|message| Head {
                record: message.record,
                len: message.len() as u32,
            }),
            now: clock::monotonic(),
        }
    }

    /// Releases the lock and wakes a reader for a message that was added.
    fn announce_message(&self, state: MutexGuard<'_, State>) {
        let sleeper = state.population.waiting_readers > 0;
        let polled = state.polled;
        drop(state);
        if sleeper {
            self.readers.notify_one();
        }
        if polled {
            self.readable.notify_one();
        }
    }

    /// Releases the lock and wakes a writer for each of the `freed` slots.
    fn announce_room(&self, state: MutexGuard<'_, State>, freed: u64) {
        let sleepers = freed.min(state.population.waiting_writers.into());
        let polled = state.polled && freed > 0;
        drop(state);
        for _ in 0..sleepers {
            self.writers.notify_one();
        }
        match freed {
            _ if !polled => {}
            1 => self.writable.notify_one(),
            _ => self.writable.notify_all(),
        }
    }

    /// Releases the lock; a reader that was `woken` and leaves a message wakes the next for it.
    fn pass_message_on(&self, state: MutexGuard<'_, State>, woken: bool) {
        let next = woken && state.population.waiting_readers > 0;
        drop(state);
        if next {
            self.readers.notify_one();
        }
    }
}
