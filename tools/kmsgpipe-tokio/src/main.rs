// SPDX-License-Identifier: GPL-2.0

//! Test of pipes in the event loop of tokio, which uses edge-triggered epoll: a missed wakeup would leave a
//! task waiting forever.

use kmsgpipe::{Access, Class, Create, Errno, Error, Params, Pipe};
use std::{ffi::OsStr, future::Future, io, process, rc::Rc, thread, time::Duration};
use tokio::{
    io::{unix::AsyncFd, Interest},
    runtime::Builder,
    task::{spawn_local, yield_now, LocalSet},
};

/// Time limit, long enough for a debug kernel.
const LIMIT: Duration = Duration::from_secs(300);

const MESSAGES: u32 = 1000;

/// A pipe registered with the event loop.
struct AsyncPipe(AsyncFd<Pipe>);

impl AsyncPipe {
    /// Opens a pipe. The file stays in blocking mode.
    fn open(name: impl AsRef<OsStr>) -> Self {
        let pipe = Pipe::open(name, Access::ReadWrite).unwrap();
        // SAFETY: The pipe owns its descriptor, and is not moved out of the result.
        Self(unsafe { AsyncFd::register(pipe) }.unwrap())
    }

    /// Opens another file of the same pipe.
    fn reopen(&self) -> Self {
        Self::open(self.pipe().path())
    }

    /// Returns the pipe.
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

/// Receives a message that is a number.
async fn receive_number(pipe: &AsyncPipe) -> u32 {
    u32::from_ne_bytes(pipe.receive().await.unwrap().try_into().unwrap())
}

/// A sender waits for space and a receiver for messages, alternately.
async fn waiting(pipe: Rc<AsyncPipe>) {
    let own = pipe.reopen();
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

/// Several files are notified of each message, which one of their tasks receives.
async fn shared_by_tasks(pipe: Rc<AsyncPipe>) {
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let own = pipe.reopen();
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

/// A cancelled task does not consume a message.
async fn cancelled(pipe: Rc<AsyncPipe>) {
    let reader = spawn_local({
        let pipe = pipe.clone();
        async move { pipe.receive().await }
    });
    // The task finds the pipe empty, and waits.
    yield_now().await;
    pipe.pipe().send(b"kept").unwrap();
    reader.abort();
    assert!(reader.await.unwrap_err().is_cancelled());
    assert_eq!(pipe.receive().await.unwrap(), b"kept");
}

/// Destroying a pipe wakes the task that waits for it.
async fn destroyed(pipe: Rc<AsyncPipe>) {
    let own = pipe.reopen();
    let reader = spawn_local(async move { own.receive().await });
    yield_now().await;
    pipe.pipe().destroy().unwrap();
    let error: Error = reader.await.unwrap().unwrap_err().downcast().unwrap();
    assert_eq!(error.class(), Class::NotFound);
    assert_eq!(error.errno(), Some(Errno::ENODEV));
}

/// Runs a check, which panics on failure, with a pipe for two messages, so that senders often wait.
fn check<F: Future<Output = ()>>(number: u32, what: &str, body: impl FnOnce(Rc<AsyncPipe>) -> F) {
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
        let pipe = Rc::new(AsyncPipe::open(name));
        body(pipe.clone()).await;
        // A check may have destroyed the pipe.
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
        println!("Bail out! timeout");
        process::exit(1);
    });
    println!("TAP version 13\n1..4");
    check(1, "waiting tasks are woken", waiting);
    check(2, "each message goes to one task", shared_by_tasks);
    check(3, "a cancelled task consumes no message", cancelled);
    check(
        4,
        "a waiting task is woken when the pipe is destroyed",
        destroyed,
    );
}
