// SPDX-License-Identifier: GPL-2.0

//! Pipes in the event loop of tokio, which is told by an edge-triggered epoll: a wakeup that does not come leaves a
//! task asleep for ever.

use kmsgpipe::{Access, Class, Create, Errno, Error, Params, Pipe};
use std::{ffi::OsStr, future::Future, io, process, rc::Rc, thread, time::Duration};
use tokio::{
    io::{unix::AsyncFd, Interest},
    runtime::Builder,
    task::{spawn_local, yield_now, LocalSet},
};

/// After so long it hangs, even on a kernel with all of its own checks.
const LIMIT: Duration = Duration::from_secs(300);

const MESSAGES: u32 = 1000;

/// A pipe in the event loop.
struct Async(AsyncFd<Pipe>);

impl Async {
    /// Opens a pipe. Its file stays in blocking mode.
    fn open(name: impl AsRef<OsStr>) -> Self {
        let pipe = Pipe::open(name, Access::ReadWrite).unwrap();
        // SAFETY: A pipe keeps its descriptor, and is not taken out of what this returns.
        Self(unsafe { AsyncFd::register(pipe) }.unwrap())
    }

    /// Another file of the same pipe.
    fn again(&self) -> Self {
        Self::open(self.pipe().path())
    }

    /// The pipe itself.
    fn pipe(&self) -> &Pipe {
        self.0.get_ref()
    }

    async fn send(&self, message: &[u8]) -> io::Result<()> {
        self.0
            .async_io(Interest::WRITABLE, |pipe| Ok(pipe.try_send(message)?))
            .await
    }

    async fn receive(&self) -> io::Result<Vec<u8>> {
        let mut buffer = Vec::new();
        self.0
            .async_io(Interest::READABLE, |pipe| {
                Ok(pipe.try_receive(&mut buffer)?.to_vec())
            })
            .await
    }
}

/// A number as a message.
async fn receive_number(pipe: &Async) -> u32 {
    u32::from_ne_bytes(pipe.receive().await.unwrap().try_into().unwrap())
}

/// Two tasks that wait for each other's messages and room.
async fn waiting(pipe: Rc<Async>) {
    let own = pipe.again();
    let sender = spawn_local(async move {
        for number in 0..MESSAGES {
            own.send(&number.to_ne_bytes()).await.unwrap();
        }
    });
    for number in 0..MESSAGES {
        assert_eq!(receive_number(&pipe).await, number);
    }
    sender.await.unwrap();
}

/// Several files, whose tasks are all told of a message that one of them gets.
async fn shared_by_tasks(pipe: Rc<Async>) {
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let own = pipe.again();
            spawn_local(async move {
                let mut received = Vec::new();
                loop {
                    match receive_number(&own).await {
                        MESSAGES => return received,
                        number => received.push(number),
                    }
                }
            })
        })
        .collect();
    let ends = readers.iter().map(|_| MESSAGES);
    for number in (0..MESSAGES).chain(ends) {
        pipe.send(&number.to_ne_bytes()).await.unwrap();
    }
    let mut all = Vec::new();
    for reader in readers {
        all.extend(reader.await.unwrap());
    }
    all.sort_unstable();
    assert!(all.into_iter().eq(0..MESSAGES));
}

/// A task that is called off takes no message with it.
async fn called_off(pipe: Rc<Async>) {
    let reader = spawn_local({
        let pipe = pipe.clone();
        async move { pipe.receive().await }
    });
    // It finds the pipe empty now, and waits.
    yield_now().await;
    pipe.pipe().send(b"kept").unwrap();
    reader.abort();
    assert!(reader.await.unwrap_err().is_cancelled());
    assert_eq!(pipe.receive().await.unwrap(), b"kept");
}

/// A pipe that is destroyed lets go of the task that waits for it.
async fn the_end(pipe: Rc<Async>) {
    let own = pipe.again();
    let reader = spawn_local(async move { own.receive().await });
    yield_now().await;
    pipe.pipe().destroy().unwrap();
    let error: Error = reader.await.unwrap().unwrap_err().downcast().unwrap();
    assert_eq!(error.class(), Class::NotFound);
    assert_eq!(error.errno(), Some(Errno::ENODEV));
}

/// Runs a check, which panics if it fails, with a pipe that has room for two messages, so that those who send have to
/// wait again and again.
fn check<F: Future<Output = ()>>(number: u32, what: &str, body: impl FnOnce(Rc<Async>) -> F) {
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    let params = Params {
        msg_size: 16,
        max_msgs: 2,
    };
    let create = Create {
        params,
        ..Create::default()
    };
    let pipe0 = Pipe::open("0", Access::Read).unwrap();
    let name = pipe0.create(&create).unwrap().to_string();
    LocalSet::new().block_on(&runtime, async {
        let pipe = Rc::new(Async::open(name));
        body(pipe.clone()).await;
        // One of them has destroyed it.
        if let Ok(stats) = pipe.pipe().stats() {
            assert_eq!(stats.depth_msgs, 0);
            pipe.pipe().destroy().unwrap();
        }
    });
    println!("ok {number} {what}");
}

fn main() {
    thread::spawn(|| {
        thread::sleep(LIMIT);
        println!("Bail out! It hangs.");
        process::exit(1);
    });
    println!("TAP version 13\n1..4");
    check(1, "what waits goes on", waiting);
    check(2, "each message goes to one task", shared_by_tasks);
    check(3, "who is called off takes nothing", called_off);
    check(4, "who waits sees the end", the_end);
}
