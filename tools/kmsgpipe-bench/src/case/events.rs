// SPDX-License-Identifier: GPL-2.0

//! Readiness notification for a message that is queued, with poll and edge-triggered epoll; and io_uring
//! instead of `write` and `read`. One task sends, polls and receives.

use crate::{
    channel::{
        broken,
        ends::{FileReceiver, FileSender, Open},
        floor::Floor,
        kmsgpipe::Kmsgpipe,
        pipe::{Pipe, PipeDirect},
        verify, Channel, Receiver, Sender, Shape,
    },
    measure::{measure as batches, Figure, Plan},
    record::{Of, Sink},
};
use anyhow::{ensure, Context, Result};
use io_uring::{opcode, squeue, types::Fd, IoUring};
use nix::{
    libc,
    sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags},
};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Message sizes.
const SIZES: [usize; 2] = [64, 1024];

/// Number of requests submitted at once in the second io_uring case.
const AT_ONCE: usize = 16;

/// Both ends of a channel.
struct Ends<T: Open> {
    shape: Shape,
    sender: FileSender<T>,
    receiver: FileReceiver<T>,
}

/// A channel whose ends are files.
trait Files: Channel<Sender = FileSender<Self::File>, Receiver = FileReceiver<Self::File>> {
    /// Type that owns the descriptor.
    type File: Open;
}

impl<C: Channel<Sender = FileSender<T>, Receiver = FileReceiver<T>>, T: Open> Files for C {
    type File = T;
}

/// Opens both ends, and verifies that they are connected.
fn ends<C: Files>(size: usize) -> Result<Ends<C::File>> {
    let shape = Shape { size, depth: 128 };
    let (mut sender, mut receiver) = C::open(shape)?;
    verify::<C>(&mut sender, &mut receiver, shape)?;
    Ok(Ends {
        shape,
        sender,
        receiver,
    })
}

/// Measures sending, calling `wait`, and receiving.
fn waited<C: Files>(size: usize, mut wait: impl FnMut(i32) -> i32) -> Result<Figure> {
    let Ends {
        shape,
        mut sender,
        mut receiver,
    } = ends::<C>(size)?;
    let fd = receiver.fd();
    batches(Plan::of_size(size), |count| {
        for _ in 0..count {
            if !sender.send() {
                return Err(broken::<C>("sending", shape));
            }
            if wait(fd) != 1 {
                return Err(broken::<C>("waiting for a message", shape));
            }
            if !receiver.receive() {
                return Err(broken::<C>("receiving", shape));
            }
        }
        Ok(())
    })
}

/// Measures with `poll`.
fn poll<C: Files>(size: usize) -> Result<Figure> {
    waited::<C>(size, |fd| {
        let mut file = libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: The argument is an array of one valid element.
        unsafe { libc::poll(&raw mut file, 1, -1) }
    })
}

/// Measures with edge-triggered epoll.
fn epoll<C: Files>(size: usize) -> Result<Figure> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).context("epoll_create1")?;
    let mut known = false;
    waited::<C>(size, |fd| {
        if !known {
            let event = EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0);
            // SAFETY: The receiver is open while this closure is called.
            let file = unsafe { BorrowedFd::borrow_raw(fd) };
            known = epoll.add(file, event).is_ok();
        }
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: The buffer has space for one event.
        unsafe { libc::epoll_wait(epoll.0.as_raw_fd(), &raw mut event, 1, -1) }
    })
}

/// Submits a request `count` times at once, and waits for completion. Returns whether each returned `len`.
#[inline(always)]
fn complete(ring: &mut IoUring, request: &squeue::Entry, count: usize, len: i32) -> Result<bool> {
    for _ in 0..count {
        // SAFETY: The memory of the request is valid until it completes, which is awaited below.
        unsafe { ring.submission().push(request) }?;
    }
    ring.submit_and_wait(count)?;
    let mut ends = ring.completion();
    let mut right = ends.len() == count;
    for end in &mut ends {
        right &= end.result() == len;
    }
    Ok(right)
}

/// Measures io_uring instead of `write` and `read`: submits several writes at once, then as many reads.
fn uring<C: Files>(size: usize, at_once: usize) -> Result<Figure> {
    let Ends {
        sender, receiver, ..
    } = ends::<C>(size)?;
    let mut ring = IoUring::new(AT_ONCE.next_power_of_two() as u32).context("io_uring_setup")?;
    let len = u32::try_from(size)?;
    let message = vec![9u8; size];
    let mut buffer = vec![0u8; size];
    let any = u64::MAX;
    let write = opcode::Write::new(Fd(sender.fd()), message.as_ptr(), len);
    let write = write.offset(any).build();
    let read = opcode::Read::new(Fd(receiver.fd()), buffer.as_mut_ptr(), len);
    let read = read.offset(any).build();
    let figure = batches(Plan::of_size(size), |count| {
        for _ in 0..count / at_once as u32 {
            let sent = complete(&mut ring, &write, at_once, len as i32)?;
            let received = complete(&mut ring, &read, at_once, len as i32)?;
            ensure!(
                sent && received,
                "{} by io_uring: a message was not moved whole",
                C::MECHANISM.name()
            );
        }
        Ok(())
    })?;
    ensure!(
        buffer == message || !C::MECHANISM.delivers(),
        "{} by io_uring: what was received is not what was sent",
        C::MECHANISM.name()
    );
    Ok(figure)
}

/// Measures a mechanism with messages of `size` bytes.
fn one<C: Files>(sink: &mut Sink<'_>, size: usize) -> Result<()> {
    let mut put = |case, figure| {
        let of = Of {
            mechanism: C::MECHANISM,
            case,
            size,
            at: None,
        };
        sink.put_time(of, figure)
    };
    // The files of the floor are always ready, so epoll reports no edges.
    if C::MECHANISM.delivers() {
        put("poll", poll::<C>(size)?)?;
        put("epoll", epoll::<C>(size)?)?;
    }
    put("io_uring", uring::<C>(size, 1)?)?;
    put("io_uring at once", uring::<C>(size, AT_ONCE)?)
}

/// Measures all mechanisms that are files.
pub fn measure(sink: &mut Sink<'_>) -> Result<()> {
    for size in SIZES {
        one::<Kmsgpipe>(sink, size)?;
        one::<PipeDirect>(sink, size)?;
        one::<Pipe>(sink, size)?;
        one::<Floor>(sink, size)?;
    }
    Ok(())
}
